package redisauth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

var (
	_ token.ReplayStore        = (*redisauth.ReplayStore)(nil)
	_ token.IntrospectionCache = (*redisauth.IntrospectionCache)(nil)
)

// TestProofWorksOnceInAllProcesses sends each proof to two processes on one Redis at
// once.
func TestProofWorksOnceInAllProcesses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))
	key := errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	text, _, err := issuer.Issue(t.Context(), token.Grant{Subject: "ada", Thumbprint: errors.Must(token.Thumbprint(key.Public()))})
	require.NoError(t, err)
	process := func() *token.Verifier {
		store := errors.Must(redisauth.NewReplayStore(connect(t, redis.NewClient(&redis.Options{Addr: server.Addr})), redisauth.Options{}))
		return errors.Must(token.NewVerifier(token.VerifierOptions{
			Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}, DPoP: errors.Must(token.NewDPoP(token.DPoPOptions{Replays: store})),
		}))
	}
	processes := []*token.Verifier{process(), process()}
	const proofs = 100
	var accepted, refused atomic.Int32
	for i := range proofs {
		proof := prove(t, key, text, fmt.Sprint(i))
		var all sync.WaitGroup
		for j := range 4 {
			all.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "https://api.example.com/", nil)
				r.TLS = &tls.ConnectionState{}
				r.Header.Set("Authorization", "DPoP "+text)
				r.Header.Set("DPoP", proof)
				_, err := processes[j%2].Authenticate(r)
				switch {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, auth.ErrInvalid) && auth.ReasonOf(err) == token.ReasonProof:
					refused.Add(1)
				default:
					t.Errorf("another error: %v", err)
				}
			})
		}
		all.Wait()
	}
	t.Logf("%d proofs, each sent 4 times: %d accepted, %d refused", proofs, accepted.Load(), refused.Load())
	require.EqualValues(t, proofs, accepted.Load())
	require.EqualValues(t, 3*proofs, refused.Load())
}

// prove returns a DPoP proof for a GET of the root.
func prove(t *testing.T, key *ecdsa.PrivateKey, text, id string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	point := errors.Must(key.PublicKey.Bytes())
	sum := sha256.Sum256([]byte(text))
	header := errors.Must(json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}}))
	claims := errors.Must(json.Marshal(map[string]any{"jti": id, "htm": "GET", "htu": "https://api.example.com/", "iat": time.Now().Unix(), "ath": encode(sum[:])}))
	input := encode(header) + "." + encode(claims)
	return input + "." + encode(errors.Must(jwt.SigningMethodES256.Sign(input, key)))
}

func TestReplayStoreRecognizesItsOwnRetry(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	store := errors.Must(redisauth.NewReplayStore(connect(t, redis.NewClient(&redis.Options{Addr: proxy.Addr, MaxRetries: -1})), redisauth.Options{Timeout: 2 * time.Second}))
	until := time.Now().Add(time.Minute)
	fresh, err := store.Use(t.Context(), "first", until) // loads the script
	require.NoError(t, err)
	require.True(t, fresh)
	lost := proxy.ResetReply("EVALSHA")
	fresh, err = store.Use(t.Context(), "lost", until)
	<-lost
	require.NoError(t, err)
	require.True(t, fresh, "the reply was lost, and the second attempt is not a replay")
	fresh, err = store.Use(t.Context(), "lost", until)
	require.NoError(t, err)
	require.False(t, fresh)
	ttl := server.Do(t, "PTTL", "ringwall:proof:lost").(int64)
	require.Greater(t, ttl, int64(0))
	require.LessOrEqual(t, ttl, time.Minute.Milliseconds())
	server.Kill()
	_, err = store.Use(t.Context(), "down", until)
	require.ErrorIs(t, err, auth.ErrUnavailable)
}

func TestIntrospectionCacheExpiresReplies(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a dead server")
	}
	server := redistest.Start(t)
	cache := errors.Must(redisauth.NewIntrospectionCache(connect(t, redis.NewClient(&redis.Options{Addr: server.Addr})), redisauth.Options{}))
	reply, err := cache.Load(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, reply)
	require.NoError(t, cache.Store(t.Context(), "a", []byte(`{"active":true}`), 50*time.Millisecond))
	reply, err = cache.Load(t.Context(), "a")
	require.NoError(t, err)
	if reply != nil { // a busy machine may be late
		require.True(t, bytes.Equal([]byte(`{"active":true}`), reply))
	}
	redistest.Await(t, 10*time.Second, "the reply expires", func() bool {
		reply, err := cache.Load(context.Background(), "a")
		return err == nil && reply == nil
	})
	server.Kill()
	_, err = cache.Load(t.Context(), "a")
	require.ErrorIs(t, err, auth.ErrUnavailable)
}
