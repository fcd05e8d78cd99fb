package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

var (
	errBlocked    = errors.Define(403, "request_blocked", "The request was blocked because it looks like an attack.")
	errUnreadable = errors.Define(400, "request_unreadable", "The request is malformed or ambiguous.")
	errMediaType  = errors.Define(415, "unsupported_media_type", "This media type or encoding is not supported.")
	errLongURL    = errors.Define(414, "url_too_long", "The URL is too long.")
	errCookies    = errors.Define(431, "too_many_cookies", "The request has too many cookies.")
	errSlow       = errors.Define(408, "body_timeout", "The request body did not arrive in time.")
)

// The limits of a request. edge.conf has the first one too.
const (
	inspectedBytes = 64 << 10 // the limit of a body that the rules read
	pictureBytes   = 2 << 20  // the limit of a body that they do not read
	urlBytes       = 8 << 10
	cookieBytes    = 8 << 10 // the limit of all cookies: 4000 small ones take the rules a second
	cookies        = 50
)

//go:embed edge.conf
var directives string

// firewall applies the rules of edge.conf to requests. It does not wrap the
// ResponseWriter, so flushing and deadlines work behind it, and it does not read
// responses.
type firewall struct {
	rules    coraza.WAF
	detect   bool
	clientIP func(*http.Request) (netip.Addr, bool)
	logger   *slog.Logger
}

// options configures a firewall.
type options struct {
	detect   bool                                   // log what would be blocked, and block nothing
	clientIP func(*http.Request) (netip.Addr, bool) // nil: the TCP peer
	logger   *slog.Logger                           // nil: slog.Default()
}

func newFirewall(o options) (*firewall, error) {
	text := directives
	if o.detect {
		text += "\nSecRuleEngine DetectionOnly\n"
	}
	rules, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(text))
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	f := &firewall{rules: rules, detect: o.detect, clientIP: o.clientIP, logger: o.logger}
	if f.clientIP == nil {
		f.clientIP = headers.PeerIP
	}
	if f.logger == nil {
		f.logger = slog.Default()
	}
	return f, nil
}

// Handler blocks the requests that the rules refuse. It is a middleware: place it
// in front of a proxy, or inside the service, between the limits and auth.
func (f *firewall) Handler(next http.Handler) http.Handler {
	return errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		checked, err := f.check(w, r)
		if err != nil {
			return err
		}
		if checked != r {
			// net/http removes only the files of the form of its own request.
			defer func() { r.MultipartForm, r.Pattern = checked.MultipartForm, checked.Pattern }()
		}
		next.ServeHTTP(w, checked)
		return nil
	})
}

// check applies the rules to a request. It returns a request whose body can be read from its
// start.
func (f *firewall) check(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	tx := f.rules.NewTransaction()
	defer func() { _ = tx.Close() }() // it only frees memory
	if err := checkBounds(r); err != nil {
		if f.detect {
			f.report(r, tx, err.Error())
			return r, nil
		}
		return r, err
	}
	f.describe(tx, r)
	if stop := tx.ProcessRequestHeaders(); stop != nil {
		return r, refusal(tx, stop)
	}
	body, err := f.read(tx, w, r)
	if err != nil && !f.detect {
		return r, err
	}
	if err != nil { // the body passes without a check
		f.report(r, tx, err.Error())
		return withBody(r, body), nil
	}
	stop, err := tx.ProcessRequestBody() // rules of this phase also check everything else
	if stop != nil {
		return r, refusal(tx, stop)
	}
	if err != nil {
		return r, errUnreadable.Wrap(err) // refuse if the rules fail
	}
	if f.detect && slices.ContainsFunc(tx.MatchedRules(), func(m types.MatchedRule) bool { return denies(m.Rule().ID()) }) {
		f.report(r, tx, "rules")
	}
	return withBody(r, body), nil
}

// checkBounds refuses requests that are too large for the rules.
func checkBounds(r *http.Request) error {
	if len(r.RequestURI) > urlBytes {
		return errLongURL
	}
	var count, size int
	for _, line := range r.Header["Cookie"] {
		count, size = count+1+strings.Count(line, ";"), size+len(line)
	}
	if count > cookies || size > cookieBytes {
		return errCookies
	}
	return nil
}

// read passes the body to the rules, and returns a body that can be read again.
func (f *firewall) read(tx types.Transaction, w http.ResponseWriter, r *http.Request) (io.ReadCloser, error) {
	switch {
	case r.ContentLength == 0:
		return r.Body, nil
	case len(r.Header["Content-Type"]) != 1: // two parsers would each use another one
		return r.Body, errMediaType
	case !tx.IsRequestBodyAccessible(): // a picture
		return http.MaxBytesReader(w, r.Body, pictureBytes), nil
	case !readable(r.Header.Get("Content-Type")):
		return r.Body, errMediaType
	case r.ContentLength >= inspectedBytes:
		return r.Body, errors.ErrTooLarge // before a byte of it is read
	}
	read, err := io.ReadAll(io.LimitReader(r.Body, inspectedBytes))
	again := struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), r.Body), r.Body}
	if err != nil {
		return again, unread(r, err)
	}
	if len(read) >= inspectedBytes {
		return again, errors.ErrTooLarge
	}
	if stop, _, err := tx.WriteRequestBody(read); stop != nil || err != nil {
		return again, errors.Join(errUnreadable, err)
	}
	return again, nil
}

// describe passes a request to the rules, without its body.
func (f *firewall) describe(tx types.Transaction, r *http.Request) {
	addr, _ := f.clientIP(r)
	_, text, _ := net.SplitHostPort(r.RemoteAddr)
	port, _ := strconv.Atoi(text)
	tx.ProcessConnection(addr.String(), port, "", 0)
	tx.ProcessURI(r.RequestURI, r.Method, r.Proto)
	for name, values := range r.Header {
		for _, value := range values {
			tx.AddRequestHeader(name, value)
		}
	}
	// net/http takes these two out of the headers.
	tx.AddRequestHeader("Host", r.Host)
	tx.SetServerName(r.Host)
	for _, coding := range r.TransferEncoding {
		tx.AddRequestHeader("Transfer-Encoding", coding)
	}
}

// readable reports whether the rules can read a body of this type. The rules would
// accept any body of another type.
func readable(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || mediaType == "application/x-www-form-urlencoded" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json"))
}

func withBody(r *http.Request, body io.ReadCloser) *http.Request {
	r2 := *r
	r2.Body = body
	return &r2
}

// unread returns the reason for which a body did not arrive.
func unread(r *http.Request, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow.Wrap(err)
	}
	if r.Context().Err() != nil {
		return err // the client has disconnected
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return errUnreadable.Wrap(err)
}

// refusal returns the response to a request that a rule has stopped.
func refusal(tx types.Transaction, stop *types.Interruption) error {
	kind := errBlocked
	switch stop.Status {
	case http.StatusBadRequest:
		kind = errUnreadable
	case http.StatusRequestEntityTooLarge:
		kind = errors.ErrTooLarge
	}
	return kind.With("rules", matches(tx))
}

// report logs a request that would have been blocked.
func (f *firewall) report(r *http.Request, tx types.Transaction, reason string) {
	f.logger.LogAttrs(r.Context(), slog.LevelWarn, "request would be blocked",
		slog.String("path", r.URL.Path), slog.String("reason", reason), slog.String("rules", matches(tx)))
}

// denies reports whether a rule ends a request: the sum of the Core Rule Set's scores,
// unreadable input, or too many arguments.
func denies(id int) bool {
	return id == 949110 || id >= 200002 && id <= 200005 || id == 10012 || id == 10014
}

// matches returns the rules that matched, and where. It does not return the matched text,
// which may be a password.
func matches(tx types.Transaction) string {
	var found []string
	for _, rule := range tx.MatchedRules() {
		id := rule.Rule().ID()
		if denies(id) || id >= 911000 && id < 949000 && rule.Message() != "" {
			for _, data := range rule.MatchedDatas() {
				name := data.Variable().Name()
				if data.Key() != "" {
					name += ":" + data.Key()
				}
				found = append(found, fmt.Sprintf("%d %.80q", id, name))
				break
			}
		}
		if len(found) == 10 {
			break
		}
	}
	return strings.Join(found, ", ")
}
