package cli

import (
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/ncatd/ncatd/internal/proc"
)

// detachedProcess makes a child that no console takes along.
func detachedProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// hangups has nothing to deliver: there are no such signals.
func hangups() (reload, dump <-chan struct{}, stop func()) { return nil, nil, func() {} }

// detachedAs is [detachedProcess]: here a user has one home.
func (a *app) detachedAs(proc.Identity) *syscall.SysProcAttr { return detachedProcess() }
