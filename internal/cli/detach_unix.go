//go:build unix

package cli

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/ncatd/ncatd/internal/proc"
)

// detachedProcess makes a child that no terminal and no shell takes along.
func detachedProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// detachedAs is [detachedProcess] as the user of another process.
func (a *app) detachedAs(id proc.Identity) *syscall.SysProcAttr {
	attr := detachedProcess()
	uid, err := strconv.Atoi(id.UID)
	if err == nil && a.priv.euid() == 0 && uid != 0 {
		who := accountOf(uid, uid, "/")
		attr.Credential = &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid)}
		for _, g := range who.groups {
			attr.Credential.Groups = append(attr.Credential.Groups, uint32(g))
		}
	}
	return attr
}

// hangups delivers SIGHUP and SIGUSR1 until stop is called.
func hangups() (reload, dump <-chan struct{}, stop func()) {
	in := make(chan os.Signal, 4)
	r, d := make(chan struct{}, 1), make(chan struct{}, 1)
	signal.Notify(in, syscall.SIGHUP, syscall.SIGUSR1)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var out chan struct{}
			select {
			case s := <-in:
				out = r
				if s == syscall.SIGUSR1 {
					out = d
				}
			case <-done:
				return
			}
			select {
			case out <- struct{}{}:
			default: // one is waiting already
			}
		}
	}()
	return r, d, func() {
		signal.Stop(in)
		close(done)
		<-ended
	}
}
