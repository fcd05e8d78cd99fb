package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

var errUpstream = errors.Define(502, "upstream_unavailable", "The service did not respond. Try again later.")

// ownResponse is the context key of the proxy's response.
type ownResponse struct{}

// proxy passes requests on to the service.
func proxy(upstream *url.URL, logger *slog.Logger) http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(upstream)
			p.Out.Host = p.In.Host // the shop recognizes its own origin by it
			// X-Forwarded-For, -Host and -Proto are set here only: the client's
			// are removed before Rewrite runs.
			p.SetXForwarded()
			// The service logs it as client_correlation_id, which connects both logs.
			p.Out.Header.Set("X-Correlation-Id", errors.CorrelationID(p.In.Context()))
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second, // less than the service's
			ResponseHeaderTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		ModifyResponse: dropDuplicates,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			// The Responder distinguishes an upload that broke off, or was too
			// slow, from a failing service: 499 and 408, and no error in the log.
			if _, tooLarge := errors.AsType[*http.MaxBytesError](err); !tooLarge {
				err = errUpstream.Wrap(err)
			}
			errors.Respond(w, r, err)
		},
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ownResponse{}, w)))
	})
}

// dropDuplicates removes the proxy's own headers that the response of the service has too, so
// that no security header appears twice.
func dropDuplicates(res *http.Response) error {
	w := res.Request.Context().Value(ownResponse{}).(http.ResponseWriter)
	// Header is called only now: after an informational response (1xx), the
	// proxy has emptied the map, and Header restores it.
	own := w.Header()
	for name := range res.Header {
		if name != "Vary" && !strings.HasPrefix(name, "Ratelimit") { // both values of these lists apply
			own.Del(name)
		}
	}
	return nil
}
