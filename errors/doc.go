// Package errors turns a Go error into a response that tells the client three
// things and nothing more, and tells the log everything:
//
//	{"code":"order_not_found","message":"No such order.","correlation_id":"4bf92f3577b34da6a3ce929d0e0e4736"}
//
// It has all of the standard library's errors package too, so that a file
// imports this one in its place.
//
// # What it refuses by default
//
// An error that has no [Kind] is a 500 with a constant text: no driver's
// message, Go type, path, stack or input value reaches a client. The texts of
// a kind are constants by their type, so that run-time text in a response does
// not compile. What a handler writes after [Respond] is dropped.
//
// Bodies that other code wrote are replaced by the same three facts if they are
// one of these: any 5xx; any status of 400 and above with the headers of
// http.Error (text/plain; charset=utf-8 and nosniff); a 404 or 405 without a
// body, as routers write them. What was written goes to the log, at most 4 KiB.
// Other 4xx, such as a handler's own JSON, reach the client as they are, and so
// does what [Options].InsecureKeepBody keeps. They leave a record too, with
// kept_body; those below 500 are sampled: one in 10 seconds for each status and
// route. What follows a flushed header, and what is written to a hijacked
// connection, is not looked at.
//
// A correlation ID that the client sent is never taken for ours, unless
// [Options].TrustCorrelation says so.
//
// # A program
//
//	var errNoOrder = errors.Define(404, "order_not_found", "No such order.")
//
//	func order(w http.ResponseWriter, r *http.Request) error {
//		o, err := load(r.Context(), r.PathValue("id"))
//		if errors.Is(err, sql.ErrNoRows) {
//			return errNoOrder.Wrap(err).With("order", r.PathValue("id")) // the log alone sees this
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
// # Its place
//
// The [Responder] is the outermost ring: errors, headers, cors, ratelimit,
// auth, validate, handler. Every answer then has one ID, one record, one
// shape, and keeps the headers that the inner rings set. [Respond] also works
// without a Responder, so that each package of this module can be used alone.
//
// net/http and handlers further out find on their own request what a handler
// left on the copy that it got: the form, whose temporary files net/http
// removes, the pattern of the route, and trailers. A router or middleware that
// copies the request itself (chi, gorilla/mux, [http.StripPrefix],
// [http.TimeoutHandler], [http.MaxBytesHandler]) does not hand them back: a
// handler behind one must call RemoveAll of its form. Path values do not go
// outward.
//
// httputil.ReverseProxy empties the header map after an informational response
// (1xx). The Responder then restores its own header and those of headers, cors
// and ratelimit, and those that were set outside of it.
//
// # Threats
//
//   - Error messages that reveal the inside (CWE-209, ASVS 5.0 16.5.1): constant
//     texts, foreign bodies replaced.
//   - Secrets in logs (CWE-532, ASVS 5.0 16.2.5): values under the keys of
//     credentials and texts with their shapes are masked in every record; see
//     [LogHandler] for an application's own. Prose is not changed: behind
//     "token: ", a plain word between words stays, and so do public IDs, such as
//     api_key_id. A shape that nobody thought of is not found: do not log bodies.
//   - Floods of the log (CWE-779): a text is cut at 8 KiB, a path at 256 bytes, only
//     a panic has a stack, and kinds of the statuses 502, 503 and 504 and those
//     marked with [Kind.Sampled] leave one record in 10 seconds.
//   - Forged correlation (log injection, CWE-117): IDs are random, inbound ones
//     are matched against a strict pattern, trace IDs go to the log alone.
//   - Truncated bodies that look whole: a panic or an error after the header is
//     out aborts the connection.
package errors
