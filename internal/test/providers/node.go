package providers

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// The clients of StartNode.
var (
	NodeMachine = Client{"machine", "machine-secret"}
	NodeBound   = Client{"bound", "machine-secret"} // its tokens are bound to a key
	NodeApp     = Client{ID: "app"}                 // public, with PKCE
)

// NodeStrong is the acr of a login with a second factor.
const NodeStrong = "urn:example:mfa"

// NodeUser has the fields of the login form for the user alice.
var NodeUser = map[string]string{"username": "alice", "password": "right", "code": "123456"}

// A Node is a provider in a process of Node.js. A resource is any URL: its query
// may have alg, "opaque" in it makes its access tokens opaque, and "expired" makes
// them two hours old.
type Node struct {
	*Provider
	program string
	keys    string
	logout  string
	process *exec.Cmd
	stdin   io.Closer
}

// StartNode starts oidc-provider, with new keys.
func StartNode(t testing.TB) *Node {
	t.Helper()
	return StartNodeWithLogout(t, NewAuthority(t), "")
}

// StartNodeWithLogout starts oidc-provider, which sends logout tokens for NodeApp to
// a URL whose certificate is of the authority (OpenID Connect Back-Channel Logout).
func StartNodeWithLogout(t testing.TB, authority *Authority, logout string) *Node {
	t.Helper()
	n := &Node{program: install(t), keys: filepath.Join(t.TempDir(), "keys.json"), logout: logout}
	issuer := n.run(t, authority, "0")
	t.Cleanup(func() { n.Stop(t) })
	n.Provider = newProvider(t, issuer, authority)
	return n
}

// Stop ends the process, and waits for it.
func (n *Node) Stop(t testing.TB) {
	t.Helper()
	if n.process == nil {
		return
	}
	_ = n.stdin.Close()
	_ = n.process.Process.Kill()
	_ = n.process.Wait() // the error says that it was killed
	n.process = nil
}

// Restart starts the provider again on its port, after Stop. With rotate it has a
// new RSA key beside the old keys. Its codes, sessions and opaque tokens are lost.
func (n *Node) Restart(t testing.TB, rotate bool) {
	t.Helper()
	u, err := url.Parse(n.Issuer)
	require.NoError(t, err)
	var more []string
	if rotate {
		more = []string{"rotate"}
	}
	require.Equal(t, n.Issuer, n.run(t, n.Authority, u.Port(), more...))
	n.client.CloseIdleConnections()
}

// run starts the process, and returns its issuer when it serves.
func (n *Node) run(t testing.TB, a *Authority, port string, more ...string) string {
	t.Helper()
	args := append([]string{"--no-warnings", n.program, port, a.certFile, a.keyFile, n.keys}, more...)
	n.process = exec.Command("node", args...)
	n.process.Env = append(os.Environ(), "LOGOUT_URI="+n.logout, "NODE_EXTRA_CA_CERTS="+a.rootFile)
	var said testlog.Log
	n.process.Stderr = &said
	stdin, err := n.process.StdinPipe() // its end ends the process if this one is killed
	require.NoError(t, err)
	n.stdin = stdin
	stdout, err := n.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, n.process.Start())
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			if strings.HasPrefix(scanner.Text(), "https://") {
				lines <- scanner.Text()
			}
		}
	}()
	select {
	case line, ok := <-lines:
		if !ok {
			_ = n.process.Wait()
			n.process = nil
			require.Fail(t, "the provider does not start", said.String())
		}
		return line
	case <-time.After(30 * time.Second):
		n.Stop(t)
		require.Fail(t, "the provider does not start within 30 s", said.String())
	}
	return ""
}

// install installs the packages of the provider if that was not done for this
// package-lock.json, and returns the path of the program.
func install(t testing.TB) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("RINGWALL_REQUIRE_SERVERS") == "1" {
			t.Fatal("needs " + program + ", which is not installed, and RINGWALL_REQUIRE_SERVERS is 1")
		}
		t.Skip("needs " + program + ", which is not installed")
	}
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "node")
	// The tests of two modules may install at the same time.
	lock, err := os.OpenFile(filepath.Join(dir, "package-lock.json"), os.O_RDONLY, 0)
	require.NoError(t, err)
	defer func() { _ = lock.Close() }()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	pinned, err := io.ReadAll(lock)
	require.NoError(t, err)
	sum := sha256.Sum256(pinned)
	want, stamp := hex.EncodeToString(sum[:]), filepath.Join(dir, "node_modules", ".installed")
	if got, err := os.ReadFile(stamp); err == nil && string(got) == want {
		return filepath.Join(dir, "op.mjs")
	}
	npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	out, err := npm.CombinedOutput()
	require.NoError(t, err, "npm ci: %s", out)
	require.NoError(t, os.WriteFile(stamp, []byte(want), 0o600))
	return filepath.Join(dir, "op.mjs")
}
