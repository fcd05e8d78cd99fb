// Package public has the types of text that this module may add to an error response
// at run time. Every other client-visible text is a constant. Package validate
// builds these texts from trusted parts only: places and limits, but no values of
// the client. Because the package is internal, applications cannot construct them:
// run-time text in a response does not compile outside this module.
package public

// A Message is one sentence for the client, such as
// "/items/3/qty must be at most 10 (and 2 more problems)".
type Message string

// A Problem is one violation of a schema: its place as a JSON Pointer (RFC 6901),
// the violated rule as a stable snake_case code, and the parameter of the rule.
type Problem struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Param   string `json:"param,omitempty"`
}

// A Describer is an error with a Message and Problems.
type Describer interface {
	error
	Public() (Message, []Problem)
}
