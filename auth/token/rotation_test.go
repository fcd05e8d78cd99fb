package token_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// Two replicas whose clocks differ by 20 s issue and verify, and a second
// service verifies with the keys that the slow one publishes, while three keys
// follow each other: no token is refused before it expires.
func TestRotationLogsOutNoClient_TK9(t *testing.T) {
	var minutes atomic.Int64
	slow := func() time.Time { return noon.Add(time.Duration(minutes.Load()) * time.Minute) }
	fast := func() time.Time { return slow().Add(20 * time.Second) }
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	all := []token.Key{
		key(token.EdDSA, token.Schedule{Retire: at(30), Remove: at(40)}),
		key(token.RS256, token.Schedule{Publish: at(20), Sign: at(30), Retire: at(60), Remove: at(70)}),
		key(token.ES256, token.Schedule{Publish: at(50), Sign: at(60)}),
	}

	type replica struct {
		issuer   *token.Issuer
		verifier *token.Verifier
	}
	var replicas []replica
	var published http.Handler
	for i, now := range []func() time.Time{slow, fast} {
		k := errors.Must(token.NewKeys(all...))
		r := replica{
			errors.Must(token.NewIssuer(token.IssuerOptions{Keys: k, Issuer: issuerName, Audience: []string{audience}})),
			errors.Must(token.NewVerifier(token.VerifierOptions{Keys: k, Issuer: issuerName, Audience: []string{audience}})),
		}
		token.SetClock(now, k, r.issuer, r.verifier)
		replicas = append(replicas, r)
		if i == 0 {
			published = k.JWKS()
		}
	}
	p := newPublisher(t, published.ServeHTTP)
	remote := errors.Must(token.NewRemote(token.RemoteOptions{URL: p.URL, Client: p.Client(), OnEvent: func(context.Context, token.Event) {}}))
	second := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: remote, Issuer: issuerName, Audience: []string{audience}}))
	token.SetClock(slow, remote, second)

	var mu sync.Mutex
	var living []string // tokens of the last five minutes
	checked := 0
	for minute := range 90 {
		minutes.Store(int64(minute))
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				text, _, err := replicas[worker%2].issuer.Issue(t.Context(), token.Grant{Subject: fmt.Sprint(worker)})
				if err != nil {
					t.Errorf("minute %d: %v", minute, err)
					return
				}
				mu.Lock()
				living = append(living, text)
				now := living[max(0, len(living)-20):]
				checked += 3 * len(now)
				mu.Unlock()
				for _, text := range now {
					for i, v := range []*token.Verifier{replicas[0].verifier, replicas[1].verifier, second} {
						if _, err := v.Verify(t.Context(), text); err != nil {
							t.Errorf("minute %d, verifier %d: %v", minute, i, err)
						}
					}
				}
			})
		}
		wg.Wait()
	}
	require.Greater(t, checked, 15_000)
	require.LessOrEqual(t, p.fetches.Load(), int32(25))
	t.Logf("%d checks, none refused; %d fetches", checked, p.fetches.Load())
}
