package validate

// Count runs the counter over a text that comes in pieces, and returns what is
// too large.
func Count(limits Limits, pieces ...string) string {
	c := new(counter)
	c.start(&limits)
	for _, piece := range pieces {
		if over := c.write([]byte(piece)); over != "" {
			return over
		}
	}
	return ""
}
