package validate

import (
	"io"
	"maps"
	"net/http"
	"reflect"
)

// Count counts a text in pieces and returns the exceeded limit.
func Count(limits Limits, pieces ...string) string {
	c := new(counter)
	c.beginText(&limits)
	for _, piece := range pieces {
		if over := c.write([]byte(piece)); over != "" {
			return over
		}
	}
	return ""
}

// Plan is a compiled type that exists only at run time.
type Plan struct{ plan *plan }

// Compile compiles a type as a JSON body.
func Compile(t reflect.Type, o Options) (*Plan, error) {
	p, err := compileType(t, bodyOnly, []Options{o})
	return &Plan{p}, err
}

// Read reads a request into v, a pointer.
func (p *Plan) Read(w http.ResponseWriter, r *http.Request, v reflect.Value) error {
	return p.plan.readRequest(w, r, v)
}

// Refuses reports whether v, a pointer, breaks a rule.
func (p *Plan) Refuses(v reflect.Value) error {
	s := p.plan.c.newScratch()
	return p.plan.checkRules(v.Elem(), &s.walker)
}

// Schema returns the JSON Schema.
func (p *Plan) Schema() ([]byte, error) { return p.plan.schema() }

// Excludes reports whether the constructor reports rules as contradictory.
func Excludes(t reflect.Type, tag string) bool {
	l := new(linter)
	l.contradictions(t, "", tag, false)
	return len(l.problems) > 0
}

// Formats are the rules of texts of this package.
func Formats() map[string]func(string) bool { return maps.Clone(formats) }

// Pairs parses a query with the default limits.
func Pairs(raw string) (map[string][]string, error) {
	c := &config{limits: Limits{}.withDefaults()}
	pairs, err := c.parsePairs(raw, c.ignored, malformedQuery)
	for _, values := range pairs {
		for _, value := range values {
			if !isCleanText(value) {
				return nil, malformedQuery("")
			}
		}
	}
	return pairs, err
}

// DateTime is the rule datetime.
func DateTime(layout, s string) bool { return isDateTime(layout, s) }

// IsBounded reports whether a rule bounds the length of a text.
func IsBounded(rule string) bool { return boundsLength(rule) }

// ParseMediaType parses a media type.
func ParseMediaType(s string) (string, map[string]string, bool) { return parseMediaType(s) }

// NewFence returns a reader that checks the frame of a form.
func NewFence(r io.Reader, boundary string) io.Reader { return newFence(r, boundary) }

// MayHaveControl reports whether a text may have a control character, for which only the
// check of tokens is used.
func MayHaveControl(data []byte) bool { return mayHaveControl(data, true) }

// A Node is the node of a type, and the check of tokens for it.
type Node struct {
	n *node
	c *config
	t reflect.Type
}

// NodeOf returns the node of a T.
func NodeOf[T any]() Node {
	c, _ := compileOptions(Options{})
	return Node{nodeOf(reflect.TypeFor[T](), make(map[reflect.Type]*node)), c, reflect.TypeFor[T]()}
}

// RefusesText reports whether the scan refuses a text that was decoded into a T.
func (n Node) RefusesText(data []byte) bool { return n.n.refusesText(data) }

// RefusesTokens reports whether the check of tokens does.
func (n Node) RefusesTokens(data []byte) bool { return n.c.checkTokens(data, n.t) != nil }
