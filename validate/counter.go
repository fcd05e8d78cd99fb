package validate

import "strconv"

// deepest bounds Limits.Depth, so that the counter has a fixed size.
const deepest = 256

// counter bounds the structure of a JSON text while it arrives, in fixed
// memory. It checks no grammar, the decoder does that later; for a valid text
// its counts are exact, and an invalid one is refused either way.
type counter struct {
	limits *Limits
	depth  int
	tokens int
	length int // of the current string or number, in bytes
	mode   mode
	nulls  bool // a null may be there
	levels [deepest + 1]level
}

// level is an open array or object; level 0 is the outside.
type level struct {
	object bool
	name   bool // the next string of the object is a member's name
	count  int
}

type mode uint8

const (
	between mode = iota // outside of strings, numbers and literals
	inString
	inEscape
	inNumber
	inLiteral
)

// write counts the next bytes. It returns what is too large, with the limit,
// or "".
func (c *counter) write(data []byte) string {
	for i := 0; i < len(data); i++ {
		b := data[i]
		switch c.mode {
		case inEscape:
			c.length++
			c.mode = inString
			continue
		case inString:
			if over := c.inString(b); over != "" {
				return over
			}
			continue
		case inNumber, inLiteral:
			if !structural(b) {
				if c.length++; c.mode == inNumber && c.length > c.limits.Number {
					return "a number must have at most " + strconv.Itoa(c.limits.Number) + " digits"
				}
				continue
			}
			c.mode = between
		}
		if over := c.between(b); over != "" {
			return over
		}
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

func (c *counter) inString(b byte) string {
	switch b {
	case '"':
		c.mode = between
		return ""
	case '\\':
		c.mode = inEscape
	}
	c.length++
	if top := &c.levels[c.depth]; top.object && top.name {
		if c.length > c.limits.Name {
			return "a member name must have at most " + strconv.Itoa(c.limits.Name) + " bytes"
		}
	} else if c.length > c.limits.String {
		return "a string must have at most " + strconv.Itoa(c.limits.String) + " bytes"
	}
	return ""
}

// between takes a byte outside of strings, numbers and literals.
func (c *counter) between(b byte) string {
	top := &c.levels[c.depth]
	switch b {
	case ' ', '\t', '\r', '\n':
		return ""
	case ',':
		top.name = top.object
		return ""
	case ':':
		top.name = false
		if top.count++; top.count > c.limits.Keys {
			return "an object must have at most " + strconv.Itoa(c.limits.Keys) + " members"
		}
		return ""
	case '}', ']':
		c.depth = max(0, c.depth-1)
		return ""
	}
	if b != '"' || !top.object || !top.name {
		if over := c.value(top); over != "" {
			return over
		}
	}
	c.length = 1
	switch {
	case b == '"':
		c.mode, c.length = inString, 0
	case b == '{' || b == '[':
		if c.depth++; c.depth > c.limits.Depth {
			return "the body must be nested at most " + strconv.Itoa(c.limits.Depth) + " deep"
		}
		c.levels[c.depth] = level{object: b == '{', name: b == '{'}
	case b == '-' || '0' <= b && b <= '9':
		c.mode = inNumber
	default:
		c.mode = inLiteral
		c.nulls = c.nulls || b == 'n'
	}
	return ""
}

// value counts a value that begins.
func (c *counter) value(top *level) string {
	if c.tokens++; c.tokens > c.limits.Tokens {
		return "the body must have at most " + strconv.Itoa(c.limits.Tokens) + " values"
	}
	if c.depth > 0 && !top.object {
		if top.count++; top.count > c.limits.Items {
			return "an array must have at most " + strconv.Itoa(c.limits.Items) + " items"
		}
	}
	return ""
}
