//go:build unix

package companion

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

func options(t *testing.T, state string) Options {
	return Options{
		Name: "one", Path: "/bin/sh", Args: []string{"-c", "echo $MARK; sleep 1000 & wait"}, Dir: t.TempDir(),
		Env: func() []string { return []string{"MARK=hello", "PATH=" + os.Getenv("PATH")} }, State: state,
		Policy: supervisor.Policy{
			Initial: 10 * time.Millisecond, Max: time.Second, ScoreLimit: 100, ScoreHalfLife: time.Minute, HealthyAfter: time.Minute,
			StartTimeout: time.Minute, OfflineTimeout: time.Minute,
		},
		StopTimeout: time.Second, Sampler: proc.NewSampler(), Logger: slog.New(slog.DiscardHandler),
	}
}

// run runs a companion until the returned function is called.
func run(t *testing.T, o Options) (*Companion, func()) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return c, stop
}

func (c *Companion) await(t *testing.T, state supervisor.State) Status {
	t.Helper()
	await.True(t, 10*time.Second, string(state), func() bool { return c.Status().State == state })
	return c.Status()
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestReadyWhenItsLinkIsUp(t *testing.T) {
	c, stop := run(t, options(t, t.TempDir()))
	c.Want(true)
	first := c.await(t, supervisor.StateConnecting)
	c.Linked(true)
	c.await(t, supervisor.StateOnline)
	c.Linked(false)
	c.await(t, supervisor.StateConnecting)
	stop()
	if alive(first.PID) {
		t.Error("it outlived its end")
	}
}

func TestStartedAgainWhenItEnds(t *testing.T) {
	o := options(t, t.TempDir())
	o.Linkless = true
	c, _ := run(t, o)
	c.Want(true)
	first := c.await(t, supervisor.StateOnline)
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await.True(t, 10*time.Second, "a new process", func() bool { s := c.Status(); return s.PID != 0 && s.PID != first.PID })
	if s := c.Status(); s.Restarts != 1 || s.Failures.Streak != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAdoptedByTheNextOne(t *testing.T) {
	o := options(t, t.TempDir())
	o.Linkless = true
	c, stop := run(t, o)
	c.Want(true)
	first := c.await(t, supervisor.StateOnline)
	c.Detach()
	stop()
	if !alive(first.PID) {
		t.Fatal("it was not left running")
	}
	next, stopNext := run(t, o)
	if !next.Survives() {
		t.Error("the survivor is not seen")
	}
	next.Want(true)
	if s := next.await(t, supervisor.StateOnline); s.PID != first.PID {
		t.Errorf("pid %d became %d", first.PID, s.PID)
	}
	stopNext()
	if alive(first.PID) {
		t.Error("it outlived its end")
	}
	// Of an app that is not run any more nothing is left.
	gone, stopGone := run(t, o)
	gone.Want(true)
	left := gone.await(t, supervisor.StateOnline)
	gone.Detach()
	stopGone()
	for range 2 { // the second time nothing is there
		if err := Sweep(o.State, time.Second); err != nil || alive(left.PID) {
			t.Errorf("%d runs on: %v", left.PID, err)
		}
	}
	// Another command is another program: the old one ends first.
	again, stopAgain := run(t, o)
	again.Want(true)
	old := again.await(t, supervisor.StateOnline)
	again.Detach()
	stopAgain()
	o.Args = []string{"-c", "sleep 2000 & wait"}
	other, _ := run(t, o)
	other.Want(true)
	if s := other.await(t, supervisor.StateOnline); s.PID == old.PID || alive(old.PID) {
		t.Errorf("the old one, %d, runs on", old.PID)
	}
}

func TestMemoryLimit(t *testing.T) {
	o := options(t, t.TempDir())
	o.Linkless, o.MemoryLimit = true, 1
	c, _ := run(t, o)
	c.Want(true)
	c.await(t, supervisor.StateOnline)
	c.mu.Lock()
	c.usage.RSS = 2 // as a sample finds it
	c.mu.Unlock()
	c.Linked(true) // it looks again
	await.True(t, 10*time.Second, "the restart", func() bool { return c.Status().Failures.Streak > 0 })
}

func TestRunsAsItsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	nobody := &proc.User{UID: 65534, GID: 65534}
	o := options(t, t.TempDir())
	o.Linkless, o.User = true, func() (*proc.User, error) { return nobody, nil }
	open, err := os.MkdirTemp("/tmp", "companion") // t.TempDir is within a folder of ours alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	o.Dir = filepath.Join(open, "made") // for the user
	c, stop := run(t, o)
	c.Want(true)
	c.await(t, supervisor.StateOnline)
	stop()

	o = options(t, t.TempDir())
	o.User = func() (*proc.User, error) { return nobody, nil }
	closed := filepath.Join(open, "closed")
	o.Dir = filepath.Join(closed, "dir")
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c, _ = run(t, o)
	c.Want(true)
	await.True(t, 10*time.Second, "why it does not start", func() bool {
		return strings.Contains(fmt.Sprint(c.Status().Cause.Why), "may not enter "+closed)
	})
}
