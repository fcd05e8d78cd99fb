package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// issueAccess stands for the ForSession of a token.Issuer.
func issueAccess(_ context.Context, s session.Session) (string, time.Time, error) {
	return "an access token", time.Now().Add(5 * time.Minute), nil
}

// today stands for a look into the table of accounts.
func today(_ context.Context, s session.Session) (session.Session, error) {
	if s.Subject != "ann" {
		return s, auth.ErrRevoked
	}
	return s, nil
}

// service is a service with a login, for the examples.
func service() (client *http.Client, url string, stop func()) {
	sessions := errors.Must(session.New(session.Options{
		Issue: issueAccess, Account: today, Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{})),
		OnEvent: func(_ context.Context, e session.Event) { fmt.Println("event:", e.Reason, "of", e.Session.Subject) },
	}))
	mux := http.NewServeMux()
	mux.Handle("POST /auth/login", errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		tokens, err := sessions.Login(w, r, session.Session{Subject: "ann", Scope: []string{"orders:read"}})
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(tokens)
	}))
	mux.Handle("/auth/refresh", sessions.Refresh())
	mux.Handle("/auth/logout", sessions.Logout())
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	s := httptest.NewTLSServer(failures.Handler(mux))
	client = s.Client()
	client.Jar = errors.Must(cookiejar.New(nil))
	return client, s.URL, s.Close
}

func post(client *http.Client, url string) *http.Response {
	res := errors.Must(client.Post(url, "", nil))
	_ = res.Body.Close()
	return res
}

func ExampleNew() {
	client, url, stop := service()
	defer stop()
	fmt.Println("login", post(client, url+"/auth/login").StatusCode)
	fmt.Println("refresh", post(client, url+"/auth/refresh").StatusCode)
	fmt.Println("refresh", post(client, url+"/auth/refresh").StatusCode)
	fmt.Println("logout", post(client, url+"/auth/logout").StatusCode)
	fmt.Println("refresh", post(client, url+"/auth/refresh").StatusCode)
	// Output:
	// login 200
	// refresh 200
	// refresh 200
	// logout 204
	// refresh 401
}

// The classic mistake: a client whose response was lost sends the old token again
// without a Refresh-Attempt. That looks like a thief. With the header, both
// requests get the same successor.
func Example_incorrect() {
	client, url, stop := service()
	defer stop()
	for _, attempt := range []string{"", "dGhlIHNhbWUgdHdpY2U"} {
		cookie := post(client, url+"/auth/login").Cookies()[0]
		for range 2 { // the first response is lost
			r := errors.Must(http.NewRequest("POST", url+"/auth/refresh", nil))
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
			if attempt != "" {
				r.Header.Set(session.AttemptHeader, attempt)
			}
			res := errors.Must((&http.Client{Transport: client.Transport}).Do(r))
			_ = res.Body.Close()
			fmt.Println(res.StatusCode)
		}
	}
	// Output:
	// 200
	// event: token_reused of ann
	// 401
	// 200
	// 200
}

// Two managers in one process share a store in memory, and the keys.
func ExampleNewMemory() {
	o := session.Options{
		Issue: issueAccess, Account: today, Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{})),
		Store: session.NewMemory(), Keys: []session.Key{{ID: 1, Secret: []byte("32 bytes of the same random secret")}},
	}
	one, two := errors.Must(session.New(o)), errors.Must(session.New(o))
	_, err := one.Login(httptest.NewRecorder(), httptest.NewRequest("POST", "/auth/login", nil), session.Session{Subject: "ann"})
	list, _ := two.List(context.Background(), "ann")
	fmt.Println(err, len(list))
	// Output: <nil> 1
}
