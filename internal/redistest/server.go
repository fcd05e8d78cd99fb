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
	// Addr is the address of the server, host:port.
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

// settings configure a server.
type settings struct {
	config   []string // lines of redis.conf
	cluster  bool
	sentinel bool
	users    []string // lines of the ACL file; not nil enables TLS
	env      []string
}

// Start starts a server. The lines of config are appended to redis.conf, and override
// the lines of this package: no persistence, and DEBUG for clients on loopback.
func Start(t testing.TB, config ...string) *Server {
	t.Helper()
	s, err := launch(t, binary(t), settings{config: config})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// StartTLS starts a server that accepts only TLS. The users are lines of an ACL file:
// "user limits on >secret ~rl:* +eval". The default user is disabled. Options has the
// name of an administrator, and trusts the server's certificate.
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

// launch starts a server on free ports. It retries, because another process may take
// a port first.
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

// configure writes redis.conf, and creates the administrator's client.
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

// startServer starts the process, and waits until it responds.
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
	// Another server may have taken the port, but it has another process ID.
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
	_ = s.admin.Close() // no error matters
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

// Options returns the options of a client for this server, with go-redis's defaults.
// For a server of StartTLS, they have TLS and the administrator's name and password.
func (s *Server) Options() *redis.Options {
	o := &redis.Options{Addr: s.Addr, Username: s.user, Password: s.password}
	if s.tls != nil {
		o.TLSConfig = s.tls.Clone()
	}
	return o
}

// Kill sends SIGKILL to the server, and waits until it has ended.
func (s *Server) Kill() { s.kill() }

// Restart kills the server, if it is running, and starts it on the same port. Its data
// is lost unless its configuration enables persistence.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	var err error
	for range attempts { // another process may hold the port briefly
		s.kill()
		if err = s.startServer(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// Pause stops the server with SIGSTOP: the kernel still accepts connections and bytes,
// but the server does not respond.
func (s *Server) Pause(t testing.TB) { t.Helper(); s.running().signal(t, "STOP") }

// Resume continues a paused server. It executes the commands sent in the meantime.
func (s *Server) Resume(t testing.TB) { t.Helper(); s.running().signal(t, "CONT") }

func (s *Server) running() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// PID returns the process ID of the server.
func (s *Server) PID() int { return s.running().pid }

// Do sends a command as the administrator. It fails the test if the command fails.
func (s *Server) Do(t testing.TB, args ...any) any {
	t.Helper()
	reply, err := s.Try(args...)
	if err != nil {
		t.Fatalf("%v on %s: %v", args, s.Addr, err)
	}
	return reply
}

// Try sends a command as the administrator. A nil reply is not an error.
func (s *Server) Try(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	reply, err := s.admin.Do(ctx, args...).Result()
	if err == redis.Nil {
		return nil, nil
	}
	return reply, err
}

// Info returns a field of INFO, such as "used_memory" or "role", or "" if it does not
// exist.
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

// Calls returns the number of executions of a command since the start or CONFIG
// RESETSTAT, including failed ones.
func (s *Server) Calls(t testing.TB, command string) int {
	t.Helper()
	stat := s.Info(t, "cmdstat_"+strings.ToLower(command)) // calls=3,usec=...
	calls, _, _ := strings.Cut(strings.TrimPrefix(stat, "calls="), ",")
	n, _ := strconv.Atoi(calls) // "" if it was never executed
	return n
}

// ReplicaOf makes the server a replica of master, and waits until the link is up.
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

// Promote makes a replica a master without the agreement of other nodes, and waits
// until it is one.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if s.bus != 0 {
		s.Do(t, "CLUSTER", "FAILOVER", "TAKEOVER")
	} else {
		s.Do(t, "REPLICAOF", "NO", "ONE")
	}
	Await(t, startWithin, s.Addr+" is a master", func() bool { return s.Info(t, "role") == "master" })
}
