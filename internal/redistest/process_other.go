//go:build !linux

package redistest

import "syscall"

// attributes are none: a server outlives a process that is killed.
func attributes() *syscall.SysProcAttr { return nil }

// apart is nothing: the process heeds no signal but SIGKILL.
func apart() *syscall.SysProcAttr { return nil }
