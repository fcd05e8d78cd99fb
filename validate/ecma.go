package validate

import (
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printPattern prints a pattern of RE2, without its anchors, as a pattern of
// ECMA 262 with the flag u, which JSON Schema recommends (2020-12, section 6.4). It
// uses only syntax that both read alike: classes become ranges, folded letters become
// classes, and names of groups are dropped. It reports false for a pattern with the
// flag m, whose anchors need a look-behind.
func printPattern(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	p := patternPrinter{ok: true}
	p.print(re)
	return "^(?:" + p.String() + ")$", p.ok
}

type patternPrinter struct {
	strings.Builder
	ok bool
}

func (p *patternPrinter) print(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpNoMatch:
		p.WriteString(`[^\s\S]`)
	case syntax.OpEmptyMatch:
		p.WriteString(`(?:)`)
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			p.printLiteral(r, re.Flags&syntax.FoldCase != 0)
		}
	case syntax.OpCharClass:
		p.printClass(re.Rune)
	case syntax.OpAnyCharNotNL:
		p.WriteString(`[^\n]`)
	case syntax.OpAnyChar:
		p.WriteString(`[\s\S]`)
	case syntax.OpBeginText:
		p.WriteString(`^`)
	case syntax.OpEndText:
		p.WriteString(`$`)
	case syntax.OpWordBoundary:
		p.WriteString(`\b`)
	case syntax.OpNoWordBoundary:
		p.WriteString(`\B`)
	case syntax.OpCapture:
		p.printGroup(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		p.printGroup(re.Sub[0])
		p.WriteString(quantifier(re))
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if sub.Op == syntax.OpAlternate {
				p.printGroup(sub)
				continue
			}
			p.print(sub)
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			if i > 0 {
				p.WriteByte('|')
			}
			p.print(sub)
		}
	default: // the anchors of lines
		p.ok = false
	}
}

func (p *patternPrinter) printGroup(re *syntax.Regexp) {
	p.WriteString("(?:")
	p.print(re)
	p.WriteByte(')')
}

func quantifier(re *syntax.Regexp) string {
	text := map[syntax.Op]string{syntax.OpStar: "*", syntax.OpPlus: "+", syntax.OpQuest: "?"}[re.Op]
	if re.Op == syntax.OpRepeat {
		text = "{" + strconv.Itoa(re.Min)
		if re.Max != re.Min {
			text += ","
			if re.Max >= 0 {
				text += strconv.Itoa(re.Max)
			}
		}
		text += "}"
	}
	if re.Flags&syntax.NonGreedy != 0 {
		text += "?"
	}
	return text
}

func (p *patternPrinter) printLiteral(r rune, fold bool) {
	if fold && unicode.SimpleFold(r) != r {
		p.WriteString("[" + printRune(r))
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			p.WriteString(printRune(f))
		}
		p.WriteByte(']')
		return
	}
	p.WriteString(printRune(r))
}

// printClass prints pairs of the first and the last rune of a range, without
// surrogates, which UTF-8 cannot contain.
func (p *patternPrinter) printClass(pairs []rune) {
	p.WriteByte('[')
	for i := 0; i < len(pairs); i += 2 {
		first, last := pairs[i], pairs[i+1]
		if !utf8.ValidRune(first) {
			first = 0xE000
		}
		if !utf8.ValidRune(last) {
			last = 0xD7FF
		}
		if first > last {
			continue
		}
		p.WriteString(printRune(first))
		if last != first {
			p.WriteString("-" + printRune(last))
		}
	}
	p.WriteByte(']')
}

// printRune prints a rune so that RE2 and ECMA 262 with the flag u read it alike, both
// inside and outside a class.
func printRune(r rune) string {
	switch {
	case strings.ContainsRune(`^$\.*+?()[]{}|/`, r):
		return `\` + string(r)
	case r > ' ' && r < 0x7f && r != '-' || r >= 0xa0:
		return string(r)
	}
	return `\x` + string("0123456789abcdef"[r>>4&15]) + string("0123456789abcdef"[r&15])
}
