// Package hints finds the hints of a package that no test asserts. Only tests
// import it.
package hints

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Unasserted returns each text with "did you mean" of the sources of a folder that does
// not appear in a text of the folder's tests. A verb of fmt and a part of an expression
// that is not constant match any text. The text before the first colon names the
// option, and is ignored.
func Unasserted(dir string) (missing []string, total int, err error) {
	sources, tests, err := textsOf(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, hint := range sources {
		if !strings.Contains(hint, "did you mean") {
			continue
		}
		total++
		want, err := regexp.Compile(patternOf(hint))
		if err != nil {
			return nil, 0, fmt.Errorf("compile %q: %w", hint, err)
		}
		found := false
		for _, text := range tests {
			found = found || want.MatchString(text)
		}
		if !found {
			missing = append(missing, hint)
		}
	}
	return missing, total, nil
}

// hole replaces each part of an expression that is not constant.
const hole = "\x00"

var verb = regexp.MustCompile(`%[a-z]|\\?'%[a-z]\\?'|` + hole)

// patternOf returns the expression that a hint's text matches.
func patternOf(hint string) string {
	if _, after, found := strings.Cut(hint, ": "); found {
		hint = after
	}
	parts := verb.Split(hint, -1)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return "(?s)" + strings.Join(parts, ".*")
}

// textsOf returns the string expressions of a folder's sources and of its tests.
func textsOf(dir string) (sources, tests []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, nil, fmt.Errorf("list sources: %w", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, fmt.Errorf("read sources: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			return nil, nil, fmt.Errorf("parse sources: %w", err)
		}
		to := &sources
		if strings.HasSuffix(name, "_test.go") {
			to = &tests
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			switch e.(type) {
			case *ast.BinaryExpr, *ast.BasicLit:
				if text := constant(e); strings.Trim(text, hole) != "" {
					*to = append(*to, text)
					return false
				}
			}
			return true
		})
	}
	return sources, tests, nil
}

// constant returns an expression's text, with holes for the parts that are not constant.
func constant(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return constant(e.X) + constant(e.Y)
		}
	}
	return hole
}
