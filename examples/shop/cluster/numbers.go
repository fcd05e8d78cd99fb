package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// client sends requests to the load balancer, and to single shops like the load
// balancer.
type client struct {
	front string
	http  *http.Client
}

type reply struct {
	status int
	code   string
	token  string
	cookie string
}

func (c *client) ask(method, address, body string, header ...string) (reply, error) {
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	var members struct {
		Code  string `json:"code"`
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(raw, &members) // some responses have no body
	a := reply{status: res.StatusCode, code: members.Code, token: members.Token}
	for _, cookie := range res.Cookies() {
		a.cookie = cookie.Name + "=" + cookie.Value
	}
	return a, nil
}

// count sends a request a number of times, and counts the responses with a
// status.
func (c *client) count(times, status int, method, path, body string, header ...string) (n int, err error) {
	for range times {
		a, err := c.ask(method, c.front+path, body, header...)
		if err != nil {
			return n, err
		}
		if a.status == status {
			n++
		}
	}
	return n, nil
}

const (
	ada   = `{"email":"ada@example.com","password":"correct horse battery staple"}`
	wrong = `{"email":"nobody@example.com","password":"password1"}`
)

// say prints an experiment, its expected result, and the result.
type say func(what, want string, seen ...any)

// numbers is a client of the load balancer that prints its experiments.
func numbers(w io.Writer, front string, back *backstage) error {
	c := &client{front, &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}} // our own certificate
	tell := func(what, want string, seen ...any) {
		_, _ = fmt.Fprintf(w, "%-76s %-22s %s\n", what, want, strings.TrimSpace(fmt.Sprintln(seen...)))
	}
	tell("", "look for", "seen")
	for _, part := range []func(*client, say, *backstage) error{oneSession, oneLimit, oneLess} {
		if err := part(c, tell, back); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(w, "Two shops go on; your limits are full again in a minute. Their logs: %s\n", filepath.Join(back.dir, "shop-*.log"))
	return nil
}

// oneSession shows that a session is valid at all shops, and after a logout at none.
func oneSession(c *client, tell say, back *backstage) error {
	in, err := c.ask("POST", c.front+"/auth/login", ada)
	if err != nil {
		return err
	}
	if in.status != 200 {
		return fmt.Errorf("log in: %d %s", in.status, in.code)
	}
	good, err := c.count(30, 200, "GET", "/me", "", "Authorization", "Bearer "+in.token)
	if err != nil {
		return err
	}
	tell("logged in at one shop, 30 requests over all of them: let in", "30", good)
	last, turns := in, 0
	for range 30 {
		next, err := c.ask("POST", c.front+"/auth/refresh", "", "Cookie", last.cookie)
		if err != nil {
			return err
		}
		if next.status == 200 {
			last, turns = next, turns+1
		}
	}
	tell("the refresh token rotated 30 times, each at another shop: answered", "30", turns)
	replay, err := c.ask("POST", c.front+"/auth/refresh", "", "Cookie", in.cookie)
	if err != nil {
		return err
	}
	tell("the first refresh token once more", "401 auth_revoked", replay.status, replay.code)
	ended := time.Now()
	for _, shop := range back.shops {
		for {
			a, err := c.ask("GET", shop.String()+"/me", "", "X-Forwarded-Proto", "https", "Authorization", "Bearer "+last.token)
			if err != nil {
				return err
			}
			if a.status == 401 {
				break
			}
			if time.Since(ended) > 10*time.Second {
				return errors.New("an access token of an ended session is still taken")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	tell("its session's access token, refused by all three after", "less than 1s", time.Since(ended).Round(time.Millisecond))
	return nil
}

// oneLimit shows that three shops allow a client as many requests as one.
func oneLimit(c *client, tell say, back *backstage) error {
	guesses, err := c.count(30, 401, "POST", "/auth/login", wrong)
	if err != nil {
		return err
	}
	tell("30 wrong passwords, after one login in this minute: compared", "4 (5 in a minute)", guesses)
	writes, err := c.count(100, 401, "POST", "/orders", "{}")
	if err != nil {
		return err
	}
	tell("100 writes: not held by the limit", "60 in a minute", writes)
	key, err := c.ask("GET", c.front+"/partner/stock", "", "X-API-Key", back.apiKey)
	if err != nil {
		return err
	}
	tell("the demo API key, which is for 127.0.0.1, through the load balancer", "403 network_denied", key.status, key.code)
	return nil
}

// oneLess kills a shop, and shows that the others respond.
func oneLess(c *client, tell say, back *backstage) error {
	down := back.procs[len(back.procs)-1]
	if err := down.Process.Kill(); err != nil {
		return err
	}
	_ = down.Wait() // the error is that of the kill
	served, err := c.count(100, 200, "GET", "/products", "")
	if err != nil {
		return err
	}
	tell("100 reads after one shop was killed: answered", "100", served)
	return nil
}
