package redistest

import "syscall"

// attributes let a server end with the process that started it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// apart lets a process outlive those who are killed together with the one that
// started it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
