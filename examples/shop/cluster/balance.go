package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
)

var errNoShop = errors.Define(502, "no_shop", "The shop cannot be reached. Try again in a moment.")

// balance passes each request to the next shop. It drops the client's forwarding
// headers, because the shops trust those of the balancer.
//
// The Responder distinguishes an upload that broke off, or was too slow, from a
// failing shop: 499 and 408, and no error in the log. The errors of the shops
// pass unchanged.
func balance(shops []*url.URL) http.Handler {
	failures := errors.Must(errors.NewResponder(errors.Options{InsecureKeepBody: func(*http.Request) bool { return true }}))
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Host = r.In.Host // because the host is part of a page's origin
			r.SetXForwarded()
		},
		Transport: &turns{shops: shops, base: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConns:    100,
			IdleConnTimeout: 30 * time.Second, // less than the shops'
		}},
		ModifyResponse: preferTheirID,
		ErrorHandler:   func(w http.ResponseWriter, r *http.Request, err error) { errors.Respond(w, r, errNoShop.Wrap(err)) },
	}
	return failures.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ownResponse{}, w)))
	}))
}

// ownResponse is the context key of the balancer's response.
type ownResponse struct{}

// preferTheirID deletes the balancer's correlation ID if the response of a shop
// has one, because the shop's log has the details.
func preferTheirID(res *http.Response) error {
	if res.Header.Get("X-Correlation-Id") != "" {
		w := res.Request.Context().Value(ownResponse{}).(http.ResponseWriter)
		// Header is called only now: after an informational response (1xx), the
		// proxy has emptied the map, and Header restores it.
		w.Header().Del("X-Correlation-Id")
	}
	return nil
}

// turns sends requests to the shops in turn, and skips a shop that does not respond.
type turns struct {
	shops []*url.URL
	next  atomic.Uint64
	base  http.RoundTripper
}

func (t *turns) RoundTrip(r *http.Request) (res *http.Response, err error) {
	first := t.next.Add(1)
	for i := range len(t.shops) {
		shop := t.shops[(first+uint64(i))%uint64(len(t.shops))]
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = shop.Scheme, shop.Host
		if r.Body != nil {
			out.Body = io.NopCloser(r.Body) // a second attempt needs the body
		}
		res, err = t.base.RoundTrip(out)
		// Only a shop that could not be dialled has certainly not read the request.
		if dial, ok := errors.AsType[*net.OpError](err); err == nil || !ok || dial.Op != "dial" {
			return res, err
		}
	}
	return res, err
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "the load balancer of the shop"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
