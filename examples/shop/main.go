// Shop is the reference service of Ringwall: every ring around one
// http.ServeMux, with everything in memory.
//
//	go run ./examples/shop
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
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

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := newLogger(os.Stderr)
	slog.SetDefault(logger)
	redis.SetLogger(driverLog{logger})
	if err := run(ctx, hashRounds, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// newLogger returns a logger that masks secrets, and adds the correlation ID to the records
// of a request.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(errors.LogHandler(slog.NewJSONHandler(w, nil)))
}

// driverLog writes the messages of the Redis driver into the log.
type driverLog struct{ *slog.Logger }

func (d driverLog) Printf(ctx context.Context, format string, v ...any) {
	d.LogAttrs(ctx, slog.LevelWarn, "redis", slog.String("text", fmt.Sprintf(format, v...)))
}

// run serves until ctx ends, then drains. Tests hash passwords with fewer rounds.
func run(ctx context.Context, rounds int, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "the `address` to listen on")
	selfSigned := flags.Bool("tls", false, "serve HTTPS with a certificate made at start")
	certFile := flags.String("cert", "", "serve HTTPS with the certificate in this `file`")
	keyFile := flags.String("key", "", "the certificate's private key, in this `file`")
	self := flags.String("self", "", "the `address` that clients see, where a load balancer stands in front")
	c := config{rounds: rounds, logger: newLogger(stderr)}
	flags.StringVar(&c.redis, "redis", "", "share limits, sessions, API keys and revocations in the Redis at this `URL`; needs -keys")
	flags.StringVar(&c.limitsRedis, "limits-redis", "", "count limits in the Redis at this `URL`, not in that of -redis")
	flags.StringVar(&c.keys, "keys", "", "keep keys in this `folder`, so that a restart logs nobody out")
	flags.BoolVar(&c.demo, "demo", false, "serve /boom and /leak, whose mistakes clients never see")
	flags.Func("origin", "an `origin` whose pages may call; may be repeated", func(s string) error {
		c.origins = append(c.origins, s)
		return nil
	})
	flags.Func("trust", "a `network` of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; may be repeated", func(s string) error {
		prefix, err := netip.ParsePrefix(s)
		c.trusted = append(c.trusted, prefix)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	certificate, err := certificateFor(*selfSigned, *certFile, *keyFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	c.listens = "https://" + listener.Addr().String()
	if certificate == nil {
		c.listens = "http://" + listener.Addr().String()
	} else {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	if c.self = *self; c.self == "" {
		c.self = c.listens
	}
	if err := checkPlain(c.listens, c.self); err != nil {
		return err
	}
	if len(c.origins) == 0 {
		c.origins = []string{c.self} // cors requires an origin; the shop's own page needs none
	}
	c.insecure = strings.HasPrefix(c.self, "http://")
	return serve(ctx, c, listener, stdout)
}

// checkPlain returns an error for a URL that has no host or uses plain HTTP on an address
// that other machines can reach.
func checkPlain(addresses ...string) error {
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || address != u.Scheme+"://"+u.Host || u.Hostname() == "" {
			return fmt.Errorf("%q is not an address such as https://shop.example.com", address)
		}
		peer, err := netip.ParseAddr(u.Hostname())
		if u.Scheme == "http" && u.Hostname() != "localhost" && (err != nil || !peer.Unmap().IsLoopback()) {
			return errors.New("plain HTTP is for a loopback address; add -tls, or -cert and -key")
		}
	}
	return nil
}

// serve runs the server, and stops it with time for requests to end.
func serve(ctx context.Context, c config, listener net.Listener, stdout io.Writer) error {
	s, err := newService(c)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		// net/http reads a body before it responds, even if no handler reads it, so
		// the server limits the time. ReadTimeout replaces validate's BodyTimeout of
		// 10 s, which servers without a ReadTimeout need.
		ReadTimeout:    30 * time.Second,
		WriteTimeout:   time.Minute, // it starts after the headers of the request, so it must be longer than ReadTimeout
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(c.logger.Handler(), slog.LevelWarn),
	}
	srv.RegisterOnShutdown(func() { close(s.stopping) }) // open streams would delay the stop
	go s.upkeep(ctx)
	if err := s.ready(ctx); err != nil { // Redis may become ready later
		c.logger.LogAttrs(ctx, slog.LevelWarn, "Redis is not ready", slog.Any("error", err))
	}
	apiKey, err := s.demoKey(ctx)
	if err != nil {
		apiKey = "none: see the log"
		c.logger.LogAttrs(ctx, slog.LevelError, "demo API key not created", slog.Any("error", err))
	}
	greet(stdout, c, apiKey)
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return srv.Shutdown(drain)
}

// greet prints the addresses, the users, the API key and five commands to try.
func greet(w io.Writer, c config, apiKey string) {
	curl := "curl -s"
	if !c.insecure {
		curl = "curl -sk"
	}
	credentials, _ := json.Marshal(map[string]string{"email": demoUsers[0].email, "password": demoUsers[0].password})
	refresh := curl + " -b jar -c jar -X POST " + c.self + "/auth/refresh"
	lines := []string{"The shop listens on " + c.listens}
	if c.self != c.listens {
		lines = append(lines, "Clients see it at "+c.self)
	}
	if c.insecure {
		lines = append(lines, "Insecure: plain HTTP, and a cookie without Secure; for this machine alone. Try -tls.")
	}
	lines = append(lines, "", "Users:")
	for _, u := range demoUsers {
		lines = append(lines, fmt.Sprintf("  %s / %s (%s)", u.email, u.password, strings.Join(append(append([]string{}, u.scope...), u.roles...), " ")))
	}
	lines = append(lines, "", "API key, from 127.0.0.1 and ::1 alone:", "  "+apiKey, "", "Try:",
		"  "+curl+" -c jar -H 'Content-Type: application/json' -d '"+string(credentials)+"' "+c.self+"/auth/login",
		"  "+refresh,
		`  `+curl+` -H "Authorization: Bearer $(`+refresh+` | sed 's/.*"access_token":"\([^"]*\)".*/\1/')" `+c.self+`/orders`,
		"  "+curl+" -H 'X-API-Key: "+apiKey+"' "+c.self+"/partner/stock",
		"  head -c 100000 /dev/zero | tr '\\0' '[' | "+curl+" -H 'Content-Type: application/json' --data-binary @- "+c.self+"/auth/login",
	)
	_, _ = fmt.Fprintln(w, strings.Join(lines, "\n"))
}
