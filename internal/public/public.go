// Package public names the two things that this module may add to an error
// response at run time. Every other client-visible text is a constant; these
// are built by the validate package from trusted parts only (places and
// limits, never a value that the client sent). Being internal, they cannot be
// made by an application, which is the point: run-time text in a response
// does not compile outside this module.
package public

// Message is one sentence for the client, such as
// "/items/3/qty must be at most 10 (and 2 more problems)".
type Message string

// Problem is one offence against a schema: where it is, as a JSON Pointer
// (RFC 6901), and what rule it breaks, as a stable snake_case code.
type Problem struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
}

// Describer is implemented by errors that carry a Message and Problems.
type Describer interface {
	error
	Public() (Message, []Problem)
}
