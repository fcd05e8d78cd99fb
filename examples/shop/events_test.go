package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"
)

// ticket returns a ticket, as the page gets one with its token.
func (s *shop) ticket(bearer string) string {
	s.t.Helper()
	a := s.expect(200, "", "POST", "/events/ticket", "", "Authorization", bearer)
	require.InDelta(s.t, 30, a.body["expires_in"], 0)
	return a.body["ticket"].(string)
}

// stream opens a stream as EventSource does, and returns its events until it ends.
func (s *shop) stream(ticket string) <-chan string {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url+"/events?ticket="+ticket, nil)
	require.NoError(s.t, err)
	r.Header.Set("Accept", "text/event-stream")
	res, err := s.client.Do(r)
	require.NoError(s.t, err)
	require.Equal(s.t, 200, res.StatusCode)
	require.Equal(s.t, "text/event-stream", res.Header.Get("Content-Type"))
	require.Equal(s.t, "no-store", res.Header.Get("Cache-Control"))
	return eventsOf(s.t, res.Body)
}

func eventsOf(t *testing.T, body io.ReadCloser) <-chan string {
	events := make(chan string, 1000)
	go func() {
		defer close(events)
		for lines := bufio.NewScanner(body); lines.Scan(); {
			if event, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				events <- event
			}
		}
		_ = body.Close() // it has ended
	}()
	return events
}

// socket opens a WebSocket as a page does, which sends its cookies too.
func (s *shop) socket(query string, header ...string) (*websocket.Conn, error) {
	s.t.Helper()
	config, err := websocket.NewConfig(strings.Replace(s.url, "http", "ws", 1)+"/socket"+query, s.url)
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		config.Header.Set(header[i], header[i+1])
	}
	return config.DialContext(s.t.Context())
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case event, ok := <-events:
		require.True(t, ok, "the stream has ended")
		return event
	case <-time.After(20 * time.Second):
		require.Fail(t, "no event")
		return ""
	}
}

func TestEventSourceWithATicket_FD5(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for streams to end")
	}
	s := start(t)
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	ticket := s.ticket(in.bearer())
	events := s.stream(ticket)
	require.Equal(t, "[]", next(t, events))
	placed := s.expect(201, "", "POST", "/orders", orderBody, "Authorization", in.bearer()).body["id"].(string)
	require.Contains(t, next(t, events), placed)
	s.expect(401, "auth_invalid", "GET", "/events?ticket="+ticket, "")
	s.expect(204, "", "POST", "/auth/logout-all", "", "Authorization", in.bearer())
	for range events { // until it ends
	}
	require.NotContains(t, s.log.String(), ticket)
}

func TestWebSocketWithATicket_FD5(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for streams to end")
	}
	s := start(t)
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	ticket := s.ticket(in.bearer())
	conn, err := s.socket("?ticket=" + ticket)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	var event string
	require.NoError(t, websocket.Message.Receive(conn, &event))
	require.Equal(t, "[]", event)
	placed := s.expect(201, "", "POST", "/orders", orderBody, "Authorization", in.bearer()).body["id"].(string)
	require.NoError(t, websocket.Message.Receive(conn, &event))
	require.Contains(t, event, placed)

	_, err = s.socket("?ticket=" + ticket)
	require.ErrorContains(t, err, "bad status", "a spent ticket")
	_, err = s.socket("", "Cookie", in.cookie(t))
	require.ErrorContains(t, err, "bad status", "a cookie opens no socket, so no foreign page does")
	s.expect(426, "upgrade_required", "GET", "/socket?ticket="+s.ticket(in.bearer()), "")

	s.expect(204, "", "POST", "/auth/logout-all", "", "Authorization", in.bearer())
	require.ErrorIs(t, websocket.Message.Receive(conn, &event), io.EOF, "the socket ends with the session")
	require.NotContains(t, s.log.String(), ticket)
}

func TestTicketsThatOpenNothing_FD5(t *testing.T) {
	s := start(t)
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	good := s.ticket(in.bearer())
	root := s.expect(200, "", "POST", "/auth/login", credentials(2))
	for _, row := range []struct {
		name, method, path string
		header             []string
		status             int
		code               string
	}{
		{name: "none", method: "GET", path: "/events", status: 401, code: "auth_required"},
		{name: "an empty one", method: "GET", path: "/events?ticket=", status: 401, code: "auth_invalid"},
		{name: "a guess", method: "GET", path: "/events?ticket=AAAAAAAAAAAAAAAAAAAAAAAAAA", status: 401, code: "auth_invalid"},
		{name: "one of the shelf's own keys", method: "GET", path: "/events?ticket=order:1", status: 401, code: "auth_invalid"},
		{name: "one of 8 KiB", method: "GET", path: "/events?ticket=" + strings.Repeat("A", 8<<10), status: 401, code: "auth_invalid"},
		{name: "two", method: "GET", path: "/events?ticket=" + good + "&ticket=x", status: 400, code: "auth_malformed"},
		{name: "a token in its place", method: "GET", path: "/events?ticket=" + strings.TrimPrefix(in.bearer(), "Bearer "), status: 401, code: "auth_invalid"},
		{name: "at another route", method: "GET", path: "/me?ticket=" + good, status: 401, code: "auth_required"},
		{name: "at another spelling", method: "GET", path: "/%65vents/?ticket=" + good, status: 401, code: "auth_required"},
		{name: "for a ticket", method: "POST", path: "/events/ticket?ticket=" + good, status: 401, code: "auth_required"},
		{name: "by a cookie", method: "POST", path: "/events/ticket", header: []string{"Cookie", in.cookie(t)}, status: 401, code: "auth_required"},
	} {
		t.Run("FD5 "+row.name, func(t *testing.T) {
			s.t = t
			s.expect(row.status, row.code, row.method, row.path, "", row.header...)
		})
	}
	s.t = t
	require.Equal(t, "[]", next(t, s.stream(good)), "none of them has spent it")
	stale := s.ticket(root.bearer())
	s.expect(204, "", "POST", "/auth/logout-all", "", "Authorization", root.bearer())
	s.expect(401, "auth_revoked", "GET", "/events?ticket="+stale, "")
}

func TestATicketWorksOnceAmongMany_FD5(t *testing.T) {
	one, other, _ := two(t)
	in := one.expect(200, "", "POST", "/auth/login", credentials(0))
	ticket := one.ticket(in.bearer())
	statuses := make([]int, 20)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, []*shop{one, other}[i%2].url+"/events?ticket="+ticket, nil)
			if err != nil {
				return
			}
			if res, err := http.DefaultClient.Do(r); err == nil {
				statuses[i] = res.StatusCode
				t.Cleanup(func() { _ = res.Body.Close() })
			}
		})
	}
	all.Wait()
	tally := map[int]int{}
	for _, status := range statuses {
		tally[status]++
	}
	require.Equal(t, 1, tally[200], "%v", tally)
	require.Equal(t, 20, tally[200]+tally[401]+tally[503], "%v", tally) // 503: Redis has tried ten times to be first
}

// The stream lives longer than ReadTimeout and WriteTimeout, and as long as the token.
func TestAStreamEndsWithItsToken_FD5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		listener, ended := &pipes{make(chan net.Conn), make(chan struct{})}, make(chan error, 1)
		c := config{self: "http://127.0.0.1:8080", origins: []string{"https://app.example.com"}, insecure: true, rounds: 1, logger: slog.New(slog.DiscardHandler)}
		go func() { ended <- serve(ctx, c, listener, io.Discard) }()
		ask := func(method, path, body, bearer string) *http.Response {
			conn := listener.dial()
			r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if bearer != "" {
				r.Header.Set("Authorization", bearer)
			}
			go func() { _ = r.Write(conn) }() // a failure shows below
			res, err := http.ReadResponse(bufio.NewReader(conn), r)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			return res
		}
		begun := time.Now()
		bearer := readAnswer(t, ask("POST", "/auth/login", credentials(0), "")).bearer()
		late := readAnswer(t, ask("POST", "/events/ticket", "", bearer)).body["ticket"].(string)
		ticket := readAnswer(t, ask("POST", "/events/ticket", "", bearer)).body["ticket"].(string)
		n := 0
		for range eventsOf(t, ask("GET", "/events?ticket="+ticket, "", "").Body) {
			n++
		}
		require.InDelta(t, 5*time.Minute, time.Since(begun), float64(3*time.Second))
		require.InDelta(t, 20, n, 1, "one in 15 s")
		require.Equal(t, 401, ask("GET", "/events?ticket="+late, "", "").StatusCode)
		stop()
		require.NoError(t, <-ended)
	})
}

func TestATicketExpires_FD5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestService(t, config{})
		ada := read(t, call(s.handler, "POST", "/auth/login", credentials(0)))
		ticket := func() string {
			return readAnswer(t, call(s.handler, "POST", "/events/ticket", "", "Authorization", ada.bearer).Result()).body["ticket"].(string)
		}
		first, second := ticket(), ticket()
		time.Sleep(29 * time.Second)
		ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
		defer hangUp()
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(unbounded{w}, httptest.NewRequestWithContext(ctx, "GET", "https://shop.example.com/events?ticket="+first, nil))
		require.Equal(t, 200, w.Code)
		time.Sleep(time.Second)
		w = call(s.handler, "GET", "/events?ticket="+second, "")
		require.Equal(t, 401, w.Code)
		require.Contains(t, w.Body.String(), "auth_expired")
	})
}

// unbounded is a recorder whose connection takes deadlines.
type unbounded struct{ *httptest.ResponseRecorder }

func (unbounded) SetWriteDeadline(time.Time) error { return nil }

func TestStreamsAreBounded_FD5(t *testing.T) {
	s := newTestService(t, config{})
	for range cap(s.streams) {
		s.streams <- struct{}{}
	}
	ada := read(t, call(s.handler, "POST", "/auth/login", credentials(0)))
	ticket := readAnswer(t, call(s.handler, "POST", "/events/ticket", "", "Authorization", ada.bearer).Result()).body["ticket"].(string)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(unbounded{w}, httptest.NewRequest("GET", "https://shop.example.com/events?ticket="+ticket, nil))
	require.Equal(t, 503, w.Code)
	require.Equal(t, "10", w.Header().Get("Retry-After"))
}

func readAnswer(t *testing.T, res *http.Response) answer {
	t.Helper()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode, "%s", raw)
	a := answer{Response: res, raw: string(raw)}
	require.NoError(t, json.Unmarshal(raw, &a.body))
	return a
}
