//go:build !linux

package redistest

import "syscall"

// attributes are none: a server outlives a process that is killed.
func attributes() *syscall.SysProcAttr { return nil }
