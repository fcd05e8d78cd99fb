//go:build !linux

package redistest

import "syscall"

// attributes returns nil: a server keeps running if the test process is killed.
func attributes() *syscall.SysProcAttr { return nil }

// apart returns nil: the process ignores HUP, INT and TERM.
func apart() *syscall.SysProcAttr { return nil }
