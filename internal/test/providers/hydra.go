package providers

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// The clients of StartHydra, and the audience of their access tokens.
var (
	HydraMachine = Client{"machine", "machine-secret"}
	HydraWeb     = Client{"web", "web-secret"}
	HydraOpaque  = Client{"opaque", "opaque-secret"}
)

// HydraAudience is the audience of the access tokens.
const HydraAudience = "https://api.example.com"

// A Hydra is an Ory Hydra in a separate process.
type Hydra struct {
	*Provider
	// Introspection is its introspection endpoint, which is of the administrators.
	Introspection string

	admin string
}

// StartHydra starts Ory Hydra over TLS, with its data in memory, and a login page that
// accepts everybody as alice. The program is the one that RINGWALL_HYDRA names; without it
// the test is skipped. From the source of Hydra v2.3.0, whose go.mod replaces its client by a
// folder that the module does not contain:
//
//	go mod edit -dropreplace github.com/ory/hydra-client-go/v2
//	go build -mod=mod -tags sqlite,json1 -o /tmp/hydra .
//	RINGWALL_HYDRA=/tmp/hydra go test -run Hydra ./...
func StartHydra(t testing.TB) *Hydra {
	t.Helper()
	program := os.Getenv("RINGWALL_HYDRA")
	if program == "" {
		t.Skip("needs Ory Hydra: RINGWALL_HYDRA must be the path of the program")
	}
	authority := NewAuthority(t)
	h := &Hydra{}
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.accept(t, w, r) }))
	t.Cleanup(pages.Close)
	public, admin := freePort(t), freePort(t)
	issuer := "https://127.0.0.1:" + public
	h.admin = "https://127.0.0.1:" + admin
	h.Introspection = h.admin + "/admin/oauth2/introspect"
	process := exec.Command(program, "serve", "all")
	process.Env = os.Environ()
	for name, value := range map[string]string{
		"DSN": "memory", "SECRETS_SYSTEM": rand.Text(), "STRATEGIES_ACCESS_TOKEN": "jwt", "LOG_LEVEL": "error", "SQA_OPT_OUT": "true",
		"URLS_SELF_ISSUER": issuer, "URLS_LOGIN": pages.URL + "/login", "URLS_CONSENT": pages.URL + "/consent",
		"SERVE_PUBLIC_HOST": "127.0.0.1", "SERVE_PUBLIC_PORT": public, "SERVE_ADMIN_HOST": "127.0.0.1", "SERVE_ADMIN_PORT": admin,
		"SERVE_TLS_ENABLED": "true", "SERVE_TLS_CERT_PATH": authority.certFile, "SERVE_TLS_KEY_PATH": authority.keyFile,
	} {
		process.Env = append(process.Env, name+"="+value)
	}
	var said testlog.Log
	process.Stdout, process.Stderr = &said, &said
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait() // the error says that it was killed
	})
	client, _ := authority.Client(t)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		res, err := client.Get(issuer + "/health/ready")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		require.True(t, time.Now().Before(deadline), "Hydra does not start within a minute: %v %s", err, &said)
	}
	h.Provider = newProvider(t, issuer, authority)
	for _, c := range []Client{HydraMachine, HydraWeb, HydraOpaque} {
		settings := map[string]any{
			"client_id": c.ID, "client_secret": c.Secret, "scope": "openid offline_access orders:read", "audience": []string{HydraAudience},
			"grant_types": []string{"client_credentials", "authorization_code", "refresh_token"}, "response_types": []string{"code"},
			"redirect_uris": []string{Redirect}, "token_endpoint_auth_method": "client_secret_basic",
		}
		if c == HydraOpaque {
			settings["access_token_strategy"] = "opaque"
		}
		h.call(t, http.MethodPost, "/admin/clients", nil, settings, http.StatusCreated)
	}
	return h
}

// accept submits the login page and the consent page: alice logs in, and consents.
func (h *Hydra) accept(t testing.TB, w http.ResponseWriter, r *http.Request) {
	page := r.URL.Path[1:] // login or consent
	challenge := url.Values{page + "_challenge": r.URL.Query()[page+"_challenge"]}
	answer := map[string]any{"subject": "alice"}
	if page == "consent" {
		asked := h.call(t, http.MethodGet, "/admin/oauth2/auth/requests/consent", challenge, nil, http.StatusOK)
		answer = map[string]any{"grant_scope": asked["requested_scope"], "grant_access_token_audience": asked["requested_access_token_audience"]}
	}
	accepted := h.call(t, http.MethodPut, "/admin/oauth2/auth/requests/"+page+"/accept", challenge, answer, http.StatusOK)
	to, _ := accepted["redirect_to"].(string)
	http.Redirect(w, r, to, http.StatusFound)
}

// call calls the administrators' API.
func (h *Hydra) call(t testing.TB, method, path string, query url.Values, body any, status int) (reply map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, h.admin+path+"?"+query.Encode(), bytes.NewReader(text))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := h.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	all, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, status, res.StatusCode, string(all))
	require.NoError(t, json.Unmarshal(all, &reply))
	return reply
}

// freePort returns a free port.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}
