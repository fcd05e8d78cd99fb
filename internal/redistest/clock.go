package redistest

import (
	_ "embed" // the library
	endian "encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed clock.c.txt
var clockSource []byte

// A Clock is the clock of a server. A test can move it.
type Clock struct {
	path   string
	offset time.Duration
}

// StartClock starts a server with a Clock, by means of a preloaded library. It needs
// Linux and a C compiler, gcc or cc. Without one, the test is skipped or fails, as
// without a server.
func StartClock(t testing.TB, config ...string) (*Server, *Clock) {
	t.Helper()
	path := findProgram(t, "a C compiler", "gcc", "cc")
	dir, err := folder(t)
	if err != nil {
		t.Fatal(err)
	}
	c := &Clock{path: filepath.Join(dir, "clock")}
	c.Jump(t, 0)
	source, library := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("compile the clock: %v: %s", err, out)
	}
	s, err := launch(t, binary(t), settings{config: config, env: []string{"LD_PRELOAD=" + library, "REDISTEST_CLOCK=" + c.path}})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// Jump moves the clock by the given duration, which may be negative.
func (c *Clock) Jump(t testing.TB, by time.Duration) {
	t.Helper()
	c.offset += by
	// Not by rename, because the server has mapped the file.
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := endian.Write(f, endian.NativeEndian, c.offset.Microseconds()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
