package storetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/storetest"
)

// faults are faults of a store, each against one rule of ratelimit.Store.
var faults = []string{
	// Take
	"takes none of the time into account", "forgets a charge a millisecond too early", "keeps a charge a millisecond too long",
	"counts in fixed windows", "charges what it denies", "charges the limits before the one that denies", "decides each limit by itself",
	"lets two in at once", "keeps the charges", "changes the charges", "mixes up the verdicts", "decides the first limit alone",
	// costs
	"counts every cost as one", "denies a cost of nothing when full", "denies a cost of nothing in a penalty", "charges a cost of nothing",
	"says that too much comes with time", "begins a penalty for too much", "charges others beside too much",
	// penalties
	"knows no penalty", "prolongs a penalty", "charges in a penalty", "marks those who allowed", "asks for a mark without a penalty",
	"tells the penalty though the limit waits longer", "begins a penalty in Peek", "does not see a penalty in Peek", "remains in a penalty",
	// Shadow
	"lets a shadow deny", "charges a shadow though another denies", "charges no shadow", "keeps no penalty of a shadow",
	// Peek, Refund, Reset
	"charges in Peek", "gives back without a mark", "gives back what has left", "gives all back for a part", "gives nothing back",
	"gives back twice", "ends a penalty by Refund", "refunds the first alone", "resets the counts alone", "resets the penalty alone", "resets the first alone",
	"resets all keys",
	// verdicts
	"tells what remained before", "tells that less remains", "waits too short", "waits too long", "says Reset is 0 always", "says Reset is the window always", "says Reset too early",
	"marks what it denied", "marks nothing", "is under pressure always",
	// keys
	"ignores the policy", "ignores the network", "ignores the bits of a network", "joins policy and text", "folds case", "cuts long texts", "cuts texts at a zero byte",
	"forgets when Requests changes", "keeps the first Requests",
	"hangs when a context has ended",
}

// TestKitRefuses holds that each is noticed, and that without one all is well.
func TestKitRefuses(t *testing.T) {
	if fault, ok := os.LookupEnv("STORETEST_FAULT"); ok {
		var l *ledger
		storetest.Run(t, func(*testing.T) ratelimit.Store {
			l = newLedger(fault)
			return l
		}, storetest.Options{Advance: func(d time.Duration) { l.now += d }})
		return
	}
	for _, fault := range append([]string{""}, faults...) {
		t.Run("a store that "+fault, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && strings.HasPrefix(fault, "hangs") {
				t.Skip("slow: the kit waits 10 s before it reports a store that hangs")
			}
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKitRefuses$", "-test.timeout=60s", "-test.failfast")
			child.Env = append(os.Environ(), "STORETEST_FAULT="+fault)
			out, err := child.CombinedOutput()
			if fault == "" {
				require.NoError(t, err, "%s", out)
				return
			}
			require.Error(t, err, "the kit takes it")
			require.Contains(t, string(out), "--- FAIL: TestKitRefuses/", "%s", out)
			require.NotContains(t, string(out), "panic:", "it tells by itself")
		})
	}
}
