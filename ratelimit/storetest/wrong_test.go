package storetest_test

import (
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/storetest"
)

// faults lists faults of a store. Each breaks one rule of ratelimit.Store.
var faults = []string{
	// Take
	"ignores the time", "forgets a charge a millisecond too early", "keeps a charge a millisecond too long",
	"counts in fixed windows", "records denied charges", "records charges before the one that denies", "decides each limit by itself",
	"allows two charges at once", "keeps the slice of charges", "changes the charges", "swaps the verdicts", "decides only by the first limit",
	// costs
	"counts each cost as 1", "denies a cost of 0 when full", "denies a cost of 0 in a penalty", "records a cost of 0",
	"returns a Wait for a cost above Requests", "starts a penalty for a cost above Requests", "records charges made with a cost above Requests",
	// penalties
	"has no penalties", "extends a penalty", "records charges in a penalty", "starts a penalty for limits that allowed", "applies a penalty to charges without one",
	"returns the penalty when the limit's wait is longer", "starts a penalty in Peek", "ignores a penalty in Peek", "has Remaining in a penalty",
	// Shadow
	"denies by a shadow limit", "records a denied charge in a shadow limit", "does not count shadow limits", "has no penalties of shadow limits",
	// Peek, Refund, Reset
	"records charges in Peek", "refunds without a Mark", "refunds expired charges", "refunds all for a part", "does not refund",
	"refunds twice the cost", "ends a penalty by Refund", "refunds only the first", "resets only the counts", "resets only the penalty", "resets only the first",
	"resets all keys",
	// verdicts
	"returns Remaining before the charge", "returns Remaining that is too small", "returns a Wait that is too short", "returns a Wait that is too long", "always returns Reset 0", "always returns the window as Reset", "returns a Reset that is too short",
	"returns a Mark for denied charges", "returns no Mark", "always reports pressure",
	// keys
	"ignores the policy", "ignores the network", "ignores the bits of a network", "joins Policy and Text", "folds case", "truncates long texts", "truncates texts at a zero byte",
	"forgets when Requests changes", "keeps the first Requests",
	"hangs when the context has ended",
}

// TestKitReportsFaults runs the kit in a process for each fault, which must fail, and
// without a fault, which must pass.
func TestKitReportsFaults(t *testing.T) {
	if fault, ok := os.LookupEnv("STORETEST_FAULT"); ok {
		var l *ledger
		storetest.Run(t, func(*testing.T) ratelimit.Store {
			l = newLedger(fault)
			return l
		}, storetest.Options{Advance: func(d time.Duration) { l.now += d }})
		return
	}
	for _, fault := range append([]string{""}, faults...) {
		t.Run(cmp.Or(fault, "has no fault"), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && strings.HasPrefix(fault, "hangs") {
				t.Skip("slow: the kit waits 10 s before it reports a store that hangs")
			}
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKitReportsFaults$", "-test.timeout=60s", "-test.failfast")
			child.Env = append(os.Environ(), "STORETEST_FAULT="+fault)
			out, err := child.CombinedOutput()
			if fault == "" {
				require.NoError(t, err, "%s", out)
				return
			}
			require.Error(t, err, "the kit must report the fault")
			require.Contains(t, string(out), "--- FAIL: TestKitReportsFaults/", "%s", out)
			require.NotContains(t, string(out), "panic:", "the kit must fail without a panic")
		})
	}
}
