// Package errors converts a Go error into a response with exactly three members,
// and logs everything else:
//
//	{"code":"order_not_found","message":"No such order.","correlation_id":"4bf92f3577b34da6a3ce929d0e0e4736"}
//
// It also exports everything in the standard errors package, so a file needs to
// import only this one.
//
// # What it refuses by default
//
// An error without a [Kind] becomes a 500 with a constant message: a driver's
// text, a Go type, a path, a stack or an input value does not reach the client.
// The texts of a kind are constants by their type, so that run-time text in a
// response does not compile. Output that a handler writes after [Respond] is
// dropped.
//
// A body that other code wrote is replaced by the same three members in these
// cases:
//
//   - the status is 5xx,
//   - the status is at least 400, and the headers are those of http.Error
//     (text/plain; charset=utf-8 and nosniff),
//   - the status is 404 or 405 and the body is empty, as routers send it.
//
// The first 4 KiB of a replaced body are logged. Other 4xx bodies, such as a
// handler's own JSON, reach the client unchanged, and so do the bodies that
// [Options].InsecureKeepBody keeps. They are logged with kept_body; below 500, at
// most once in 10 seconds for each status and route. Output after a flush, and on
// a hijacked connection, is not checked.
//
// A correlation ID from the client is ignored unless [Options].TrustCorrelation
// accepts it. The log has it as client_correlation_id.
//
// # Example
//
//	var errNoOrder = errors.Define(404, "order_not_found", "No such order.")
//
//	func order(w http.ResponseWriter, r *http.Request) error {
//		o, err := load(r.Context(), r.PathValue("id"))
//		if errors.Is(err, sql.ErrNoRows) {
//			return errNoOrder.Wrap(err).With("order", r.PathValue("id")) // only logged
//		}
//		if err != nil {
//			return err // 500 internal_error
//		}
//		w.Header().Set("Content-Type", "application/json")
//		return json.NewEncoder(w).Encode(o)
//	}
//
//	func main() {
//		failures := errors.Must(errors.NewResponder(errors.Options{}))
//		mux := http.NewServeMux()
//		mux.Handle("GET /orders/{id}", errors.HandlerFunc(order))
//		log.Fatal(http.ListenAndServe("127.0.0.1:8080", failures.Handler(mux)))
//	}
//
// # Position
//
// The [Responder] is the outermost layer: errors, headers, cors, ratelimit, auth,
// validate, handler. Every error response then has a correlation ID, a log record
// and the same format, and keeps the headers that the inner layers set. [Respond]
// also works without a Responder, so that each package of this module can be used
// without the others.
//
// # Copies of the request
//
// The Responder passes a copy of the request to the next handler. Afterwards it
// copies three values from the copy to its own request: the form, whose temporary files
// net/http removes, the route pattern, and trailers. A router or
// middleware that copies the request itself (chi, gorilla/mux, [http.StripPrefix],
// [http.TimeoutHandler], [http.MaxBytesHandler]) does not do this, so a handler
// behind one must call RemoveAll of its form. Path values are not copied to the
// outer request.
//
// httputil.ReverseProxy empties the header map after an informational response
// (1xx). The Responder then restores its own header, those of headers, cors and
// ratelimit, and those of outer handlers.
//
// # Design decisions
//
//   - Foreign bodies are replaced, not parsed: the text of an unknown error may
//     contain anything.
//   - Of the standard library's errors, only [http.MaxBytesError] and those of the
//     request's own deadline and cancellation have a kind. sql.ErrNoRows and
//     fs.ErrNotExist are a 500, because guessing hides bugs.
//   - Methods of other packages' errors, such as StatusCode, are ignored: their
//     status belongs to a call that this service made.
//
// # Threats
//
//   - Error messages that reveal internals (CWE-209, ASVS 5.0 16.5.1): texts are
//     constant, and foreign bodies are replaced.
//   - Secrets in logs (CWE-532, ASVS 5.0 16.2.5): values of credential keys, and
//     texts in the format of a known secret, are masked in every record. [LogHandler]
//     does the same for an application's own records. Prose is not changed: a plain
//     word after "token: " stays, and so do public IDs, such as api_key_id. A secret
//     with an unknown format is not masked, so do not log bodies.
//   - Log flooding (CWE-779): a text is truncated at 8 KiB and a path at 256 bytes.
//     Only a panic or a runtime.Goexit has a stack. Kinds with the statuses 502, 503
//     and 504, and kinds marked with [Kind.Sampled], leave one record in 10 seconds.
//   - Forged correlation IDs (log injection, CWE-117): IDs are random, IDs of
//     clients must match a strict pattern, and trace IDs are only logged.
//   - Truncated bodies that look complete: a panic, or an error after the header
//     was sent, aborts the connection.
package errors
