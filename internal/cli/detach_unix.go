//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// detachedProcess makes a child that no terminal and no shell takes along.
func detachedProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

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
