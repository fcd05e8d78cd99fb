// Cluster runs three shops on one Redis behind one load balancer, and prints
// numbers that show that they behave as one. Another Redis counts the limits.
//
//	go run ./examples/shop/cluster
//
// It serves until Ctrl-C, or ends after the numbers with -once. It needs redis-server,
// or -redis with the URL of a Redis of your own.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ringwall/ringwall/errors"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The shops log their refusals; the load balancer logs its failures.
	slog.SetDefault(slog.New(errors.LogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))))
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run starts everything from the back to the front, prints the numbers, and
// serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8443", "the `address` of the load balancer")
	redis := flags.String("redis", "", "the `URL` of a Redis; otherwise redis-server is started")
	once := flags.Bool("once", false, "end after the numbers; otherwise Ctrl-C ends it")
	var shops []*url.URL
	flags.Func("to", "balance to the shop at this `URL`, which runs already; may be repeated", func(s string) error {
		u, err := url.Parse(s)
		shops = append(shops, u)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	front := "https://localhost:" + port

	var back *backstage
	if len(shops) == 0 {
		if back, err = raise(ctx, *redis, front); err != nil {
			return err
		}
		defer back.stop()
		shops = back.shops
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: balance(shops), MaxHeaderBytes: 32 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	stopped := make(chan error, 1)
	go func() { stopped <- srv.ServeTLS(listener, "", "") }()
	_, _ = fmt.Fprintf(stdout, "The load balancer listens on %s, before %d shops\n", front, len(shops))
	if back != nil {
		if err := numbers(stdout, front, back); err != nil {
			return err
		}
	}
	if *once {
		return srv.Close()
	}
	_, _ = fmt.Fprintln(stdout, "Ctrl-C ends it")
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return srv.Shutdown(drain)
}
