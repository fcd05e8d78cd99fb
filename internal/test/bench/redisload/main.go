// Redisload compares the decisions of redislimit with redis_rate and an empty script under
// load, in one run. It starts a redis-server.
//
//	go run ./redisload
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	redisrate "github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

func main() {
	rounds := flag.Int("rounds", 7, "`rounds`, of which the medians are printed")
	length := flag.Duration("time", 400*time.Millisecond, "the `duration` of a row in a round")
	flag.Parse()
	if err := run(*rounds, *length); err != nil {
		fmt.Fprintln(os.Stderr, "redisload:", err)
		os.Exit(1)
	}
}

func run(rounds int, length time.Duration) error {
	dir, err := os.MkdirTemp("", "redisload")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(addr)
	server := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: 64, ReadTimeout: 5 * time.Second})
	defer func() { _ = client.Close() }()
	for deadline := time.Now().Add(10 * time.Second); client.Ping(ctx).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("the server did not start")
		}
	}
	callers := []int{1, 16, 64, 256}
	measured := make(map[string][]sample)
	for range rounds {
		for _, n := range callers {
			for _, w := range workers(client) {
				if err := client.FlushDB(ctx).Err(); err != nil {
					return err
				}
				one, err := measure(ctx, client, w, n, length)
				if err != nil {
					return err
				}
				measured[w.name+"/"+strconv.Itoa(n)] = append(measured[w.name+"/"+strconv.Itoa(n)], one)
			}
		}
	}
	print(client, callers, measured)
	return nil
}

// freeAddr returns a free address.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// A worker makes decision i of a caller.
type worker struct {
	name   string
	decide func(ctx context.Context, caller, i int) error
}

func workers(client *redis.Client) []worker {
	secret := []byte("a secret of 32 bytes for tests..")
	shared := errors.Must(redislimit.New(client, redislimit.Options{Secret: secret}))
	separate := errors.Must(redislimit.New(client, redislimit.Options{Secret: secret, SeparateCalls: true}))
	rate, nothing := redisrate.NewLimiter(client), redis.NewScript("return 1")
	// Each client comes three times.
	key := func(caller, i int) string { return strconv.Itoa(caller) + "-" + strconv.Itoa(i/3) }
	take := func(s *redislimit.Store, limits int) func(context.Context, int, int) error {
		return func(ctx context.Context, caller, i int) error {
			text := key(caller, i)
			charges := [3]ratelimit.Charge{
				{Key: ratelimit.Key{Policy: "login", Text: text}, Requests: 5, Window: time.Minute, Cost: 1},
				{Key: ratelimit.Key{Policy: "login-2", Text: text}, Requests: 30, Window: time.Hour, Cost: 1},
				{Key: ratelimit.Key{Policy: "login-3", Text: text}, Requests: 600, Window: time.Minute, Cost: 1},
			}
			var verdicts [3]ratelimit.Verdict
			return s.Take(ctx, charges[:limits], verdicts[:limits])
		}
	}
	return []worker{
		{"return 1", func(ctx context.Context, caller, i int) error {
			return nothing.Run(ctx, client, []string{key(caller, i)}).Err()
		}},
		{"redis_rate, one limit", func(ctx context.Context, caller, i int) error {
			_, err := rate.Allow(ctx, key(caller, i), redisrate.PerMinute(5))
			return err
		}},
		{"ringwall, one limit", take(shared, 1)},
		{"ringwall, one limit, separate calls", take(separate, 1)},
		{"ringwall, three limits", take(shared, 3)},
		{"ringwall, three limits, separate calls", take(separate, 3)},
	}
}

// A sample is the result of a row in a round. Except for rate, the values are
// microseconds.
type sample struct{ server, client, rate, p50, p99 float64 }

func measure(ctx context.Context, client *redis.Client, w worker, callers int, length time.Duration) (sample, error) {
	for caller := range callers { // connections, and the script
		if err := w.decide(ctx, caller, -3); err != nil {
			return sample{}, err
		}
	}
	times, failed := make([][]time.Duration, callers), make(chan error, callers)
	serverBefore, err := scriptTime(ctx, client)
	if err != nil {
		return sample{}, err
	}
	cpuBefore, begin := processTime(), time.Now()
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := 0; ; i++ {
				start := time.Now()
				if start.Sub(begin) >= length {
					return
				}
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // as a Limiter does
				err := w.decide(ctx, caller, i)
				cancel()
				if err != nil {
					failed <- err
					return
				}
				times[caller] = append(times[caller], time.Since(start))
			}
		})
	}
	group.Wait()
	took, cpu := time.Since(begin), processTime()-cpuBefore
	if len(failed) > 0 {
		return sample{}, <-failed
	}
	serverAfter, err := scriptTime(ctx, client)
	if err != nil {
		return sample{}, err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	n := float64(len(all))
	return sample{
		server: (serverAfter - serverBefore) / n, client: float64(cpu.Microseconds()) / n, rate: n / took.Seconds(),
		p50: float64(all[len(all)/2].Microseconds()), p99: float64(all[len(all)*99/100].Microseconds()),
	}, nil
}

var usec = regexp.MustCompile(`cmdstat_(?:evalsha|eval):calls=\d+,usec=(\d+)`)

// scriptTime returns the time that the server has spent in scripts, in microseconds.
func scriptTime(ctx context.Context, client *redis.Client) (sum float64, _ error) {
	text, err := client.Info(ctx, "commandstats").Result()
	for _, match := range usec.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseFloat(match[1], 64)
		sum += n
	}
	return sum, err
}

// processTime returns the CPU time of this process.
func processTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func median(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// print prints a table, in which a number in parentheses is the ratio to redis_rate.
func print(client *redis.Client, callers []int, measured map[string][]sample) {
	info := client.Info(context.Background(), "server").Val()
	version := regexp.MustCompile(`redis_version:(\S+)`).FindString(info)
	fmt.Printf("%s, medians of %d rounds; in parentheses, the ratio to redis_rate\n\n", strings.Replace(version, "redis_version:", "Redis ", 1), len(measured["return 1/1"]))
	fmt.Println("| callers | | Redis, us a decision | decisions/s | client CPU, us a decision | p50, us | p99, us |")
	fmt.Println("|---|---|---|---|---|---|---|")
	columns := []func(sample) float64{
		func(s sample) float64 { return s.server }, func(s sample) float64 { return s.rate }, func(s sample) float64 { return s.client },
		func(s sample) float64 { return s.p50 }, func(s sample) float64 { return s.p99 },
	}
	for _, n := range callers {
		reference := measured["redis_rate, one limit/"+strconv.Itoa(n)]
		for _, w := range workers(client) {
			cells := []string{strconv.Itoa(n), w.name}
			for i, column := range columns {
				value := median(measured[w.name+"/"+strconv.Itoa(n)], column)
				digits := 0
				if i == 0 || i == 2 {
					digits = 1
				}
				cells = append(cells, fmt.Sprintf("%.*f (%.2f)", digits, value, value/median(reference, column)))
			}
			fmt.Println("| " + strings.Join(cells, " | ") + " |")
		}
	}
}
