package redistest

import "syscall"

// attributes makes the kernel kill a server when the thread that started it ends.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// apart starts a process in its own session, so that a signal to the test's process
// group does not reach it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
