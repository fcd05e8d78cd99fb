package redistest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Server is one Redis server, or one Sentinel.
type Server struct {
	// Addr is its address, host:port.
	Addr string

	binary, dir    string
	port, bus      int
	tls            *tls.Config
	user, password string
	env            []string
	admin          *redis.Client

	mu      sync.Mutex
	process *process
}

// settings say what a server is.
type settings struct {
	config   []string // lines of its redis.conf
	cluster  bool
	sentinel bool
	users    []string // lines of its ACL file; TLS then
	env      []string
}

// Start starts a server. The lines are added to its configuration, and take
// precedence over what this package writes there: nothing on disk, DEBUG for
// clients on loopback.
func Start(t testing.TB, config ...string) *Server {
	t.Helper()
	s, err := launch(t, binary(t), settings{config: config})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// StartTLS starts a server that speaks TLS alone and knows the given users
// alone, which are lines of an ACL file: "user limits on >secret ~rl:* +eval".
// Options reaches it as its administrator, with the certificate that it shows.
func StartTLS(t testing.TB, users ...string) *Server {
	t.Helper()
	s, err := launch(t, binary(t), settings{users: append([]string{
		"user default off", "user " + adminUser + " on >" + adminPassword + " ~* &* +@all",
	}, users...)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const adminUser, adminPassword = "redistest", "for-tests-only"

// launch starts a server on ports that are free. Others may take them before
// the server does, so it tries again.
func launch(t testing.TB, binary string, set settings) (*Server, error) {
	var last error
	for range attempts {
		dir, err := folder(t)
		if err != nil {
			return nil, err
		}
		s := &Server{binary: binary, dir: dir, env: set.env}
		if err := s.configure(set); err != nil {
			return nil, err
		}
		last = s.startServer()
		if last == nil {
			t.Cleanup(s.close)
			return s, nil
		}
		s.close()
	}
	return nil, last
}

// configure writes the configuration, and the client for the administrator.
func (s *Server) configure(set settings) error {
	var err error
	if s.port, err = freePort(); err != nil {
		return err
	}
	port := strconv.Itoa(s.port)
	s.Addr = net.JoinHostPort(loopback, port)
	lines := []string{"bind " + loopback, "dir " + s.dir}
	switch {
	case set.users != nil:
		if s.tls, err = certify(s.dir); err != nil {
			return err
		}
		s.user, s.password = adminUser, adminPassword
		if err := os.WriteFile(filepath.Join(s.dir, "users.acl"), []byte(strings.Join(set.users, "\n")+"\n"), 0o600); err != nil {
			return err
		}
		lines = append(lines, "port 0", "tls-port "+port, "tls-cert-file cert.pem", "tls-key-file key.pem", "tls-ca-cert-file cert.pem",
			"tls-auth-clients no", "aclfile users.acl")
	default:
		lines = append(lines, "port "+port)
	}
	if !set.sentinel {
		lines = append(lines, `save ""`, "enable-debug-command local", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
	}
	if set.cluster {
		if s.bus, err = freePort(); err != nil {
			return err
		}
		lines = append(lines, "cluster-enabled yes", "cluster-port "+strconv.Itoa(s.bus), "cluster-node-timeout 1000", "cluster-require-full-coverage no")
	}
	lines = append(lines, set.config...)
	if err := os.WriteFile(s.config(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	options := s.Options()
	options.PoolSize, options.ContextTimeoutEnabled, options.MaxRetries = 2, true, -1
	s.admin = redis.NewClient(options)
	if set.sentinel {
		return os.WriteFile(filepath.Join(s.dir, "sentinel"), nil, 0o600)
	}
	return nil
}

func (s *Server) config() string { return filepath.Join(s.dir, "redis.conf") }

// startServer starts the process, and waits until it answers.
func (s *Server) startServer() error {
	command := []string{s.binary, s.config()}
	if _, err := os.Stat(filepath.Join(s.dir, "sentinel")); err == nil {
		command = append(command, "--sentinel")
	}
	p, err := startProcess(s.dir, s.env, command...)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.binary, err)
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	// Whoever took the port before would answer too: it has another pid.
	mine := "process_id:" + strconv.Itoa(p.pid) + "\r\n"
	ready := poll(startWithin, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		info, err := s.admin.Info(ctx, "server").Result()
		return !p.alive() || err == nil && strings.Contains(info, mine)
	})
	if !ready || !p.alive() {
		return fmt.Errorf("%s on %s does not respond; its log ends with:\n%s", s.binary, s.Addr, logTail(s.dir))
	}
	return nil
}

func (s *Server) close() {
	_ = s.admin.Close() // nothing to lose
	s.kill()
}

func (s *Server) kill() {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p != nil {
		p.kill()
	}
}

// Options returns the options of a client for this server, with go-redis's
// defaults: address, and TLS and the administrator's name where it has them.
func (s *Server) Options() *redis.Options {
	o := &redis.Options{Addr: s.Addr, Username: s.user, Password: s.password}
	if s.tls != nil {
		o.TLSConfig = s.tls.Clone()
	}
	return o
}

// Kill ends the server at once, as kill -9 does, and waits until it has ended.
func (s *Server) Kill() { s.kill() }

// Restart ends the server, if it runs, and starts it again on its port. What
// it held is lost, unless its configuration says otherwise.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	var err error
	for range attempts { // another may hold the port for a moment
		s.kill()
		if err = s.startServer(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// Pause hangs the server with SIGSTOP: it takes connections and bytes, and
// answers nothing.
func (s *Server) Pause(t testing.TB) { t.Helper(); s.running().signal(t, "STOP") }

// Resume ends what Pause began. What clients have sent meanwhile is executed.
func (s *Server) Resume(t testing.TB) { t.Helper(); s.running().signal(t, "CONT") }

func (s *Server) running() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// PID returns the number of the server's process.
func (s *Server) PID() int { return s.running().pid }

// Do sends a command as the administrator, and fails the test when it fails.
func (s *Server) Do(t testing.TB, args ...any) any {
	t.Helper()
	reply, err := s.Try(args...)
	if err != nil {
		t.Fatalf("%v on %s: %v", args, s.Addr, err)
	}
	return reply
}

// Try sends a command as the administrator. A reply of nil is no error.
func (s *Server) Try(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	reply, err := s.admin.Do(ctx, args...).Result()
	if err == redis.Nil {
		return nil, nil
	}
	return reply, err
}

// Info returns a field of INFO, "" if there is none: "used_memory", "role".
func (s *Server) Info(t testing.TB, field string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	info, err := s.admin.Info(ctx, "everything").Result()
	if err != nil {
		t.Fatalf("INFO on %s: %v", s.Addr, err)
	}
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return value
		}
	}
	return ""
}

// Calls returns how often a command was executed since the start, or since
// CONFIG RESETSTAT. Those that failed count too.
func (s *Server) Calls(t testing.TB, command string) int {
	t.Helper()
	stat := s.Info(t, "cmdstat_"+strings.ToLower(command)) // calls=3,usec=...
	calls, _, _ := strings.Cut(strings.TrimPrefix(stat, "calls="), ",")
	n, _ := strconv.Atoi(calls) // never executed: ""
	return n
}

// ReplicaOf makes the server a replica of another, and waits until it follows.
func (s *Server) ReplicaOf(t testing.TB, master *Server) {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	s.Do(t, "REPLICAOF", host, port)
	Await(t, startWithin, s.Addr+" follows "+master.Addr, func() bool { return s.follows() })
}

func (s *Server) follows() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	info, err := s.admin.Info(ctx, "replication").Result()
	return err == nil && strings.Contains(info, "master_link_status:up")
}

// Promote makes a replica a master at once, without asking others, and waits
// until it is.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if s.bus != 0 {
		s.Do(t, "CLUSTER", "FAILOVER", "TAKEOVER")
	} else {
		s.Do(t, "REPLICAOF", "NO", "ONE")
	}
	Await(t, startWithin, s.Addr+" is a master", func() bool { return s.Info(t, "role") == "master" })
}
