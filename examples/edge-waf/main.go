// Edge-waf is a reverse proxy with Coraza and the OWASP Core Rule Set in front
// of a service, such as the shop.
//
//	go run ./examples/shop -trust 127.0.0.1/32 &
//	cd examples/edge-waf && go run . -upstream http://127.0.0.1:8080
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
)

// config has the options of the command line.
type config struct {
	upstream *url.URL
	detect   bool // log, and block nothing
	tls      bool
	logger   *slog.Logger
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "edge-waf:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, then drains.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("edge-waf", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8084", "the `address` to listen on")
	upstream := flags.String("upstream", "http://127.0.0.1:8080", "the `URL` of the service, which listens where only we reach it")
	certFile := flags.String("cert", "", "serve HTTPS with the certificate in this `file`")
	keyFile := flags.String("key", "", "the certificate's private key, in this `file`")
	c := config{logger: slog.New(errors.LogHandler(slog.NewJSONHandler(stderr, nil)))}
	flags.BoolVar(&c.detect, "detect", false, "log what would be blocked, and block nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if c.upstream, err = url.Parse(*upstream); err != nil || c.upstream.Host == "" {
		return errors.New("-upstream is not a URL with a host")
	}
	c.tls = *certFile != "" || *keyFile != ""
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if peer, err := netip.ParseAddrPort(listener.Addr().String()); !c.tls && (err != nil || !peer.Addr().IsLoopback()) {
		return errors.New("plain HTTP is for a loopback address; add -cert and -key")
	}
	handler, err := edge(c)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(c.logger.Handler(), slog.LevelWarn), MaxHeaderBytes: 32 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}
	_, _ = fmt.Fprintln(stdout, "The edge listens on", listener.Addr())
	stopped := make(chan error, 1)
	go func() {
		if c.tls {
			stopped <- srv.ServeTLS(listener, *certFile, *keyFile)
			return
		}
		stopped <- srv.Serve(listener)
	}()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return srv.Shutdown(drain)
}

// edge builds the rings around the proxy. The limits are outside of the rules, which cost
// more than all other rings.
func edge(c config) (http.Handler, error) {
	rules, err := newFirewall(options{detect: c.detect, logger: c.logger})
	if err != nil {
		return nil, err
	}
	failures, err := errors.NewResponder(errors.Options{
		Logger: c.logger,
		// The service has rings too, so its errors are safe, and its clients need
		// their codes.
		InsecureKeepBody: func(*http.Request) bool { return true },
	})
	if err != nil {
		return nil, err
	}
	plaintext := headers.RejectOrRedirect
	if !c.tls {
		plaintext = headers.InsecureAllowHTTP // only on loopback
	}
	secure, err := headers.New(headers.Options{HTTPS: plaintext, Logger: c.logger})
	if err != nil {
		return nil, err
	}
	limits, err := ratelimit.New(ratelimit.Options{ClientIP: headers.PeerIP, Tiers: []ratelimit.Tier{
		{Name: "edge-reads", Routes: []string{"GET /"}, Limits: []ratelimit.Limit{{Requests: 300, Window: time.Minute, Cost: cost}}},
		{Name: "edge-writes", Limits: []ratelimit.Limit{{Requests: 60, Window: time.Minute, Cost: cost}}}, // all other requests
	}})
	if err != nil {
		return nil, err
	}
	handler := proxy(c.upstream, c.logger)
	handler = rules.Handler(handler)    // what looks like an attack
	handler = limits.Handler(handler)   // how often
	handler = secure.Handler(handler)   // over HTTPS
	handler = failures.Handler(handler) // how errors are reported
	return handler, nil
}

// cost returns the cost of a request by the input for the rules: 4 KiB of a body,
// or 16 parameters of a query.
func cost(r *http.Request) int {
	body := r.ContentLength
	if body < 0 || body > inspectedBytes {
		body = inspectedBytes
	}
	return 1 + int(body)/4096 + min(strings.Count(r.URL.RawQuery, "&"), 256)/16
}
