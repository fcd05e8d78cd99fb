package errors_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/public"
)

// The registry belongs to the process, so the conflict is defined in a child
// process.
func TestNewResponderReportsACodeWithTwoStatuses(t *testing.T) {
	const child = "RINGWALL_TEST_CONFLICT"
	if os.Getenv(child) != "" {
		errors.Define(409, "test_conflict", "x")
		errors.Define(410, "test_conflict", "x")
		_, err := errors.NewResponder(errors.Options{})
		fmt.Println(err)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestNewResponderReportsACodeWithTwoStatuses$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), `errors: Define "test_conflict": is defined with status 409 and with status 410; did you mean two codes?`)
}

// offence is an error as a validation makes it.
type offence struct{ error }

func (o offence) Unwrap() error { return o.error }

func (offence) Public() (public.Message, []public.Problem) {
	return `/items/3/"qty" must be at most 10`, []public.Problem{{Pointer: "/items/3/qty", Code: "max"}}
}

func TestDetailsListsTheProblems(t *testing.T) {
	for _, tt := range []struct {
		name    string
		details bool
		want    string
	}{
		{name: "without", want: `{"code":"order_not_found","message":"/items/3/\"qty\" must be at most 10","correlation_id":"ID"}`},
		{
			name:    "with",
			details: true,
			want:    `{"code":"order_not_found","message":"/items/3/\"qty\" must be at most 10","correlation_id":"ID","errors":[{"pointer":"/items/3/qty","code":"max"}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := serve(t, errors.Options{Details: tt.details}, errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return offence{errNoOrder} }))
			_, body := do(t, s, "GET", "/", nil)
			require.Equal(t, tt.want+"\n", body)
		})
	}
}
