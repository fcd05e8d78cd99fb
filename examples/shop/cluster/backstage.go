package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// backstage has the processes behind the load balancer: a Redis for sessions, one for
// limits, and three shops.
type backstage struct {
	dir    string
	shops  []*url.URL
	procs  []*exec.Cmd
	apiKey string
}

// raise starts the processes. An empty redis means new redis-servers.
func raise(ctx context.Context, redis, front string) (b *backstage, err error) {
	b = new(backstage)
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "ringwall-cluster"); err != nil {
		return b, err
	}
	limits := redis
	if redis == "" {
		// Sessions are kept: nothing is evicted, and every write is on disk within a
		// second. The counts of limits are in another Redis. They may be evicted, and
		// do not wait while the first one rewrites its file.
		if redis, err = b.startRedis(ctx, "--appendonly", "yes", "--maxmemory-policy", "noeviction"); err != nil {
			return b, err
		}
		if limits, err = b.startRedis(ctx, "--save", "", "--maxmemory", "64mb", "--maxmemory-policy", "volatile-ttl"); err != nil {
			return b, err
		}
	}
	binary := filepath.Join(b.dir, "shop")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/ringwall/ringwall/examples/shop").CombinedOutput(); err != nil {
		return b, fmt.Errorf("build the shop: %w\n%s", err, out)
	}
	for i := range 3 {
		// The shops listen on loopback addresses, and trust the load balancer
		// there for the client's address and scheme.
		err := b.startShop(i, binary, "-addr", "127.0.0.1:0", "-self", front, "-trust", "127.0.0.1/32", "-redis", redis, "-limits-redis", limits, "-keys", filepath.Join(b.dir, "keys"))
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// startRedis runs a Redis, and returns its URL.
func (b *backstage) startRedis(ctx context.Context, args ...string) (string, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return "", errors.New("redis-server is not installed; did you mean -redis URL?")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := free.Addr().String()
	_ = free.Close()
	_, port, _ := net.SplitHostPort(addr)
	redis := exec.Command(binary, append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", b.dir}, args...)...)
	if err := redis.Start(); err != nil {
		return "", err
	}
	b.procs = append(b.procs, redis)
	for tries := 0; ; tries++ {
		if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return "redis://" + addr, conn.Close()
		}
		if tries == 100 || ctx.Err() != nil {
			return "", errors.New("redis-server does not answer")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startShop starts a shop whose log goes to a file, and reads its address.
func (b *backstage) startShop(i int, binary string, args ...string) error {
	log, err := os.Create(filepath.Join(b.dir, fmt.Sprintf("shop-%d.log", i+1)))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	shop := exec.Command(binary, args...)
	shop.Stderr = log
	out, err := shop.StdoutPipe()
	if err != nil {
		return err
	}
	if err := shop.Start(); err != nil {
		return err
	}
	b.procs = append(b.procs, shop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "The shop listens on "); ok {
			u, err := url.Parse(at)
			if err != nil {
				return err
			}
			b.shops = append(b.shops, u)
		}
		if key := strings.TrimSpace(lines.Text()); strings.HasPrefix(key, "shop_") {
			b.apiKey = key
		}
		if lines.Text() == "Try:" { // the rest is for users
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	text, _ := os.ReadFile(log.Name())
	if len(b.shops) != i+1 {
		return fmt.Errorf("shop %d did not start: %s", i+1, text)
	}
	if b.apiKey == "" { // so its Redis is missing
		return fmt.Errorf("shop %d has no API key: %s", i+1, text)
	}
	return nil
}

// stop ends the processes, the last one first, and removes their files.
func (b *backstage) stop() {
	for i := len(b.procs) - 1; i >= 0; i-- {
		_ = b.procs[i].Process.Signal(syscall.SIGTERM)
		_ = b.procs[i].Wait()
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}
