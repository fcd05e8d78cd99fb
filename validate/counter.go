package validate

import (
	"bytes"
	"strconv"
)

// deepest is the maximum of Limits.Depth. It gives the counter a fixed size.
const deepest = 256

// A counter bounds the structure of a JSON text while it arrives, in fixed memory. It
// does not check the grammar: its counts are exact for a valid text, and the decoder
// refuses an invalid one later.
type counter struct {
	limits  *Limits
	depth   int
	tokens  int
	length  int // bytes of the current string, number or literal
	most    int // maximum bytes of the current string
	mode    mode
	nulls   bool // the text may contain a null
	longs   bool // the text may contain a whole number that a float64 rounds
	escapes bool // the text may contain an escaped control character
	levels  [deepest + 1]level
}

// A level is an open array or object. Level 0 is outside of all.
type level struct {
	object bool
	name   bool // the next string of the object is a member name
	count  int32
}

type mode uint8

const (
	between mode = iota // outside of strings, numbers and literals
	inString
	inEscape
	inNumber
	inLiteral
)

// beginText resets the counter for a new text.
func (c *counter) beginText(limits *Limits) {
	c.limits, c.depth, c.tokens, c.mode, c.nulls, c.longs, c.escapes = limits, 0, 0, between, false, false, false
	c.levels[0] = level{}
}

// write implements [watcher].
func (c *counter) write(data []byte) string {
	for i := 0; i < len(data); {
		switch c.mode {
		case inString:
			from := i
			for i < len(data) && data[i] != '"' && data[i] != '\\' {
				i++
			}
			c.length += i - from
			if i < len(data) {
				if data[i] == '"' {
					c.mode = between
				} else {
					c.mode, c.length = inEscape, c.length+1
				}
				i++
			}
			if c.length > c.most {
				return c.tooLong()
			}
			continue
		case inEscape:
			b := data[i]
			c.escapes = c.escapes || b == 'u' || b == 'b' || b == 'f'
			c.length++
			c.mode = inString
			i++
			continue
		case inNumber, inLiteral:
			from := i
			for i < len(data) && !structural(data[i]) {
				i++
			}
			if c.length += i - from; c.mode == inNumber && c.length > c.limits.Number {
				return "a number must have at most " + strconv.Itoa(c.limits.Number) + " digits"
			}
			c.longs = c.longs || c.mode == inNumber && c.length > longestExact && !bytes.ContainsAny(data[from:i], ".eE")
			if i == len(data) {
				return ""
			}
			c.mode = between
		}
		if b := data[i]; b != ' ' && b != '\n' {
			if over := c.between(b); over != "" {
				return over
			}
		}
		i++
	}
	return ""
}

// structural reports whether a byte ends a number or a literal.
func structural(b byte) bool {
	switch b {
	case ' ', '\t', '\r', '\n', '"', '{', '}', '[', ']', ',', ':':
		return true
	}
	return false
}

func (c *counter) tooLong() string {
	if top := &c.levels[c.depth]; top.object && top.name {
		return "a member name must have at most " + strconv.Itoa(c.limits.Name) + " bytes"
	}
	return "a string must have at most " + strconv.Itoa(c.limits.String) + " bytes"
}

// between counts a byte outside of strings, numbers and literals.
func (c *counter) between(b byte) string {
	top := &c.levels[c.depth]
	switch b {
	case '"':
		c.mode, c.length, c.most = inString, 0, c.limits.String
		if top.object && top.name {
			c.most = c.limits.Name
			return ""
		}
		return c.countValue(top)
	case ',':
		top.name = top.object
		return ""
	case ':':
		top.name = false
		if top.count++; int(top.count) > c.limits.Keys {
			return "an object must have at most " + strconv.Itoa(c.limits.Keys) + " members"
		}
		return ""
	case '}', ']':
		c.depth = max(0, c.depth-1)
		return ""
	case '\t', '\r':
		return ""
	}
	if over := c.countValue(top); over != "" {
		return over
	}
	switch {
	case b == '{' || b == '[':
		if c.depth++; c.depth > c.limits.Depth {
			return "the body must be nested at most " + strconv.Itoa(c.limits.Depth) + " deep"
		}
		c.levels[c.depth] = level{object: b == '{', name: b == '{'}
	case b == '-' || '0' <= b && b <= '9':
		c.mode, c.length = inNumber, 1
	default:
		c.mode = inLiteral
		c.nulls = c.nulls || b == 'n'
	}
	return ""
}

// countValue counts a value at its beginning.
func (c *counter) countValue(top *level) string {
	if c.tokens++; c.tokens > c.limits.Tokens {
		return "the body must have at most " + strconv.Itoa(c.limits.Tokens) + " values"
	}
	if c.depth > 0 && !top.object {
		if top.count++; int(top.count) > c.limits.Items {
			return "an array must have at most " + strconv.Itoa(c.limits.Items) + " items"
		}
	}
	return ""
}
