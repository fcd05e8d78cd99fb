package redistest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// The timeouts of this package. They are long because the machine may be busy.
const (
	startWithin = 30 * time.Second
	pollEvery   = 5 * time.Millisecond
	attempts    = 8 // to start a server, if another process takes its port
)

// binary returns the path of the Redis server, or ends the test.
func binary(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("RINGWALL_REDIS_SERVER"); named != "" {
		if _, err := exec.LookPath(named); err != nil {
			t.Fatalf("RINGWALL_REDIS_SERVER: %v", err)
		}
		return named
	}
	return findProgram(t, "redis-server", "redis-server", "valkey-server")
}

// findProgram returns the path of the first program in names that is installed, or
// ends the test.
func findProgram(t testing.TB, what string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("RINGWALL_REQUIRE_SERVERS") == "1" {
		t.Fatal("needs " + what + ", which is not installed, and RINGWALL_REQUIRE_SERVERS is 1")
	}
	t.Skip("needs " + what + ", which is not installed")
	return ""
}

// A process is a server process.
type process struct {
	pid    int
	ended  chan struct{} // closed when the process has ended
	handle *os.Process
}

// startProcess starts a command in a folder, with additional environment variables,
// and appends its output to the file "log" in the folder.
func startProcess(dir string, env []string, command ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.ended)
		defer func() { _ = log.Close() }()
		// The kernel kills the server with the thread that started it, not
		// with the process (prctl(2), PR_SET_PDEATHSIG), so the thread waits.
		runtime.LockOSThread()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, log, log, attributes()
		err := cmd.Start()
		if err == nil {
			p.handle, p.pid = cmd.Process, cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // usually killed
		}
	}()
	return p, <-started
}

// sweep waits for the end of its input, then removes a folder. It tries repeatedly,
// because a server that is being killed may still write to the folder.
const sweep = `trap "" HUP INT TERM
while read -r line; do :; done
for try in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 1; done
exit 1`

// folder creates a folder that is removed at the end of the test. If the process ends
// in another way, the pipe to a shell closes, and the shell removes the folder.
func folder(t testing.TB) (string, error) {
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return "", err
	}
	broom := exec.Command("sh", "-c", sweep, "sh", dir)
	broom.SysProcAttr = apart()
	end, err := broom.StdinPipe()
	if err == nil {
		err = broom.Start()
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	t.Cleanup(func() {
		_ = end.Close() // never fails
		if err := broom.Wait(); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir, nil
}

// kill sends SIGKILL, and waits until the process has ended.
func (p *process) kill() {
	_ = p.handle.Kill() // may have ended already
	<-p.ended
}

// signal sends a signal by its name, because package syscall does not have all
// signals on every system.
func (p *process) signal(t testing.TB, name string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", "kill -"+name+" "+strconv.Itoa(p.pid)).CombinedOutput(); err != nil {
		t.Fatalf("send SIG%s: %v: %s", name, err, out)
	}
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// freePort returns a free port. It is below the ephemeral ports of clients, so that it
// is still free after a restart of the server.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}

const loopback = "127.0.0.1"

// logTail returns the end of a server's log.
func logTail(dir string) string {
	log, _ := os.ReadFile(filepath.Join(dir, "log")) // without a log, the tail is empty
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-12):], []byte("\n")))
}

// Await polls until so returns true. It fails the test after the duration within.
func Await(t testing.TB, within time.Duration, what string, so func() bool) {
	t.Helper()
	if !poll(within, so) {
		t.Fatalf("after %v, still not: %s", within, what)
	}
}

func poll(within time.Duration, so func() bool) bool {
	end := time.After(within)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-end:
			return so()
		}
	}
	return true
}
