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

// client talks to the load balancer, and to single shops as it does.
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
	_ = json.Unmarshal(raw, &members) // some answers have no body
	a := reply{status: res.StatusCode, code: members.Code, token: members.Token}
	for _, cookie := range res.Cookies() {
		a.cookie = cookie.Name + "=" + cookie.Value
	}
	return a, nil
}

// count asks so many times, and counts the answers with a status.
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

// numbers plays a client of the load balancer, and says what to look for.
func numbers(w io.Writer, front string, back *backstage) error {
	c := &client{front, &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}} // our own certificate
	say := func(what, want, got string) {
		_, _ = fmt.Fprintf(w, "%-76s %-22s %s\n", what, want, got)
	}
	say("", "look for", "seen")

	in, err := c.ask("POST", front+"/auth/login", ada)
	if err != nil {
		return err
	}
	if in.status != 200 {
		return fmt.Errorf("log in: %d %s", in.status, in.code)
	}
	good, err := c.count(30, 200, "GET", "/me", "", "Authorization", "Bearer "+in.token)
	say("logged in at one shop, 30 requests over all of them: let in", "30", fmt.Sprint(good))
	if err != nil {
		return err
	}
	first, last, turns := in, in, 0
	for range 30 {
		next, err := c.ask("POST", front+"/auth/refresh", "", "Cookie", last.cookie)
		if err != nil {
			return err
		}
		if next.status == 200 {
			last, turns = next, turns+1
		}
	}
	say("the refresh token rotated 30 times, each at another shop: answered", "30", fmt.Sprint(turns))

	replay, err := c.ask("POST", front+"/auth/refresh", "", "Cookie", first.cookie)
	if err != nil {
		return err
	}
	ended := time.Now()
	say("the first refresh token once more", "401 auth_revoked", fmt.Sprint(replay.status, " ", replay.code))
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
	say("its session's access token, refused by all three after", "less than 1s", time.Since(ended).Round(time.Millisecond).String())

	guesses, err := c.count(30, 401, "POST", "/auth/login", wrong)
	if err != nil {
		return err
	}
	say("30 wrong passwords, after one login in this minute: compared", "4 (5 in a minute)", fmt.Sprint(guesses))
	writes, err := c.count(100, 401, "POST", "/orders", "{}")
	if err != nil {
		return err
	}
	say("100 writes: not held by the limit", "60 in a minute", fmt.Sprint(writes))
	key, err := c.ask("GET", front+"/partner/stock", "", "X-API-Key", back.apiKey)
	if err != nil {
		return err
	}
	say("the demo API key, which is for 127.0.0.1, through the load balancer", "403 network_denied", fmt.Sprint(key.status, " ", key.code))

	down := back.procs[len(back.procs)-1]
	if err := down.Process.Kill(); err != nil {
		return err
	}
	_ = down.Wait() // which says that it was killed
	served, err := c.count(100, 200, "GET", "/products", "")
	if err != nil {
		return err
	}
	say("100 reads after one shop was killed: answered", "100", fmt.Sprint(served))
	_, _ = fmt.Fprintf(w, "Two shops go on. Their logs: %s\n", filepath.Join(back.dir, "shop-*.log"))
	return nil
}
