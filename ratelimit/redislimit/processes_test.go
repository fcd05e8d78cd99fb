package redislimit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

const processes = 8

// The test binary is its own worker process.
func TestMain(m *testing.M) {
	var result any
	switch os.Getenv("REDISLIMIT_WORKER") {
	case "":
		_ = flag.Set("test.parallel", "4") // most tests wait
		os.Exit(m.Run())
	case "exact":
		result = exactWorker(os.Getenv("REDISLIMIT_ADDR"), false)
	case "exact, separate calls":
		result = exactWorker(os.Getenv("REDISLIMIT_ADDR"), true)
	case "lease":
		result = leaseWorker(os.Getenv("REDISLIMIT_ADDR"))
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		panic(err)
	}
}

// ready reports to the parent, and waits until all processes are ready.
func ready() {
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // or the parent has ended
}

// spawn runs eight workers at the same time, and returns their results.
func spawn[T any](t *testing.T, kind, addr string) []T {
	t.Helper()
	results := make([]T, processes)
	var starts []func()
	var waits []func() error
	for i := range results {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "REDISLIMIT_WORKER="+kind, "REDISLIMIT_ADDR="+addr)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		lines := bufio.NewReader(out)
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
		starts = append(starts, func() { _, err := in.Write([]byte("go\n")); require.NoError(t, err) })
		waits = append(waits, func() error {
			if err := json.NewDecoder(lines).Decode(&results[i]); err != nil {
				return err
			}
			return cmd.Wait()
		})
	}
	for _, start := range starts {
		start()
	}
	for _, wait := range waits {
		require.NoError(t, wait())
	}
	return results
}

const (
	runs      = 1000
	runLimit  = 100
	runTakes  = 15 // of each process, in five goroutines: 120 together
	runWindow = time.Hour
)

// exactWorker takes from one key after the other, in an order that is the same
// in all processes, and returns how many were admitted of each.
func exactWorker(addr string, separate bool) []int {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	s, err := redislimit.New(client, redislimit.Options{Secret: secret, SeparateCalls: separate})
	if err != nil {
		panic(err)
	}
	admitted := make([]int, runs)
	ready()
	for run := range admitted {
		var group sync.WaitGroup
		var mu sync.Mutex
		for i := range 5 {
			group.Go(func() {
				v := make([]ratelimit.Verdict, 1)
				for range runTakes / 5 {
					c := []ratelimit.Charge{{Key: ratelimit.Key{Policy: "run", Text: strconv.Itoa(run)}, Requests: runLimit, Window: runWindow, Cost: 1}}
					if err := s.Take(context.Background(), c, v); err != nil {
						panic(fmt.Sprint(i, err))
					}
					if v[0].Wait == 0 {
						mu.Lock()
						admitted[run]++
						mu.Unlock()
					}
				}
			})
		}
		group.Wait()
	}
	return admitted
}

// Eight processes on one key: exactly the limit is admitted, a thousand times.
func TestEightProcessesKeepTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: eight processes")
	}
	for _, kind := range []string{"exact", "exact, separate calls"} {
		t.Run(kind, func(t *testing.T) {
			server := redistest.Start(t)
			begin := time.Now()
			results := spawn[[]int](t, kind, server.Addr)
			wrong := 0
			for run := range runs {
				sum := 0
				for _, admitted := range results {
					sum += admitted[run]
				}
				if sum != runLimit {
					wrong++
					t.Errorf("run %d: %d admitted, not %d", run, sum, runLimit)
				}
			}
			t.Logf("%d runs of %d requests by %d processes in %v, %d calls: %d wrong",
				runs, runTakes*processes, processes, time.Since(begin).Round(time.Millisecond), server.Calls(t, "evalsha"), wrong)
		})
	}
}

const (
	leaseLimit  = 6400
	leaseWindow = 2 * time.Second
	leaseFor    = 5 * time.Second
)

// leased has the results of a worker.
type leased struct {
	Requests int
	Admitted []int64 // when, in microseconds
}

// leaseWorker sends more requests than its share, through a Limiter with a lease.
func leaseWorker(addr string) leased {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	s, err := redislimit.New(client, redislimit.Options{Secret: secret})
	if err != nil {
		panic(err)
	}
	l, err := ratelimit.New(ratelimit.Options{Store: s, Timeout: 5 * time.Second, Tiers: []ratelimit.Tier{
		{Name: "leased", Limits: []ratelimit.Limit{{Requests: leaseLimit, Window: leaseWindow, Lease: true, Key: byHeader}}},
	}})
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Key", "one")
	var done leased
	ready()
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for begin := time.Now(); time.Since(begin) < leaseFor; {
		<-pause.C
		for range 2 { // 2000 in a second each, 16 000 together, of 3200 that the limit allows
			d, err := l.Charge(r)
			if err != nil && !errors.Is(err, ratelimit.ErrLimited) {
				panic(err)
			}
			done.Requests++
			if d.Allowed {
				done.Admitted = append(done.Admitted, time.Now().UnixMicro())
			}
		}
	}
	return done
}

// With leases, eight processes exceed a limit by at most the documented number,
// and make a fraction of the calls.
func TestEightProcessesKeepTheLimitWithLeases(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: eight processes")
	}
	server := redistest.Start(t)
	results := spawn[leased](t, "lease", server.Addr)
	requests, trips := 0, server.Calls(t, "evalsha")
	var all []int64
	for _, r := range results {
		requests += r.Requests
		all = append(all, r.Admitted...)
	}
	slices.Sort(all)
	worst, from := 0, 0
	for to := range all {
		for all[to]-all[from] >= leaseWindow.Microseconds()*9/10 {
			from++
		}
		worst = max(worst, to-from+1)
	}
	bound := min(processes*leaseLimit/64, leaseLimit/10)
	t.Logf("requests %d, admitted %d, round trips %d: one for %.1f requests; at most %d in a window of %d: overshoot %d, bound %d",
		requests, len(all), trips, float64(requests)/float64(trips), worst, leaseLimit, max(0, worst-leaseLimit), bound)
	// The times are taken after the decision: a process that stops in between
	// moves some into the next window, so a tenth is ignored.
	require.LessOrEqual(t, worst, leaseLimit+bound)
	require.Greater(t, len(all), leaseLimit)
	require.Less(t, trips*8, requests)
}
