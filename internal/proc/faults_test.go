//go:build linux

package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// faulty returns a host whose system call op fails with errno while on is true.
func faulty(op string, errno syscall.Errno, on *atomic.Bool) *host {
	h, real := system(), system()
	fail := func(which string) error {
		if which == op && on.Load() {
			return fmt.Errorf("injected: %w", errno)
		}
		return nil
	}
	h.readFile = func(name string) ([]byte, error) {
		for _, which := range []string{"stat", "environ", "boot_id"} {
			if strings.HasSuffix(name, "/"+which) {
				if err := fail("read " + which); err != nil {
					return nil, err
				}
			}
		}
		return real.readFile(name)
	}
	h.readDir = func(name string) ([]string, error) {
		if err := fail("readdir"); err != nil {
			return nil, err
		}
		return real.readDir(name)
	}
	h.owner = func(dir string) (uint32, error) {
		if err := fail("owner"); err != nil {
			return 0, err
		}
		return real.owner(dir)
	}
	h.pidfdOpen = func(pid int) (int, error) {
		if err := fail("pidfd_open"); err != nil {
			return -1, err
		}
		return real.pidfdOpen(pid)
	}
	h.pidfdSignal = func(fd int, sig unix.Signal) error {
		if err := fail("pidfd_send_signal"); err != nil {
			return err
		}
		return real.pidfdSignal(fd, sig)
	}
	h.kill = func(pid int, sig unix.Signal) error {
		if err := fail("kill"); err != nil {
			return err
		}
		return real.kill(pid, sig)
	}
	h.start = func(cmd *exec.Cmd) error {
		if err := fail("start"); err != nil {
			return err
		}
		return real.start(cmd)
	}
	return h
}

var (
	faultyOps = []string{"read stat", "read environ", "read boot_id", "readdir", "owner", "pidfd_open", "pidfd_send_signal", "kill", "start"}
	errnos    = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EACCES, syscall.EPERM, syscall.EAGAIN, syscall.ENOBUFS, syscall.EIO, syscall.EINTR}
)

// TestNoFaultLooksLikeAnEnd makes each system call fail with each error number:
// a process that lives is never said to be gone, and what could not be seen is
// never said to be nothing.
func TestNoFaultLooksLikeAnEnd(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "stubborn", l)
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "stubborn up")
	id := p.Identity()
	for _, op := range faultyOps {
		for _, errno := range errnos {
			var on atomic.Bool
			on.Store(true)
			h := faulty(op, errno, &on)
			name := op + ": " + errno.Error()
			if err := h.look(id); errors.Is(err, ErrGone) {
				t.Errorf("%s: a living process is gone", name)
			}
			if _, err := h.identify(id.PID); errors.Is(err, ErrGone) {
				t.Errorf("%s: a living process cannot be identified since it is gone", name)
			}
			if left, err := h.left(id, ""); err == nil && len(left) == 0 {
				t.Errorf("%s: nothing is left of a living process", name)
			}
			unreadable := op == "read environ" && (errno == syscall.EACCES || errno == syscall.EPERM) // then it is not ours
			if left, err := h.left(Identity{}, spec.Marker); err == nil && len(left) == 0 && !unreadable {
				t.Errorf("%s: nothing carries the marker", name)
			}
			done := make(chan struct{})
			time.AfterFunc(5*time.Millisecond, func() { close(done) })
			if err := h.awaitExit(id, done); !errors.Is(err, errReleased) {
				t.Errorf("%s: a living process has ended: %v", name, err)
			}
			// Once the fault is over all is well.
			on.Store(false)
			if err := h.look(id); err != nil {
				t.Errorf("%s, lifted: %v", name, err)
			}
		}
	}
	if err := p.Stop(t.Context(), 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := Look(id); !errors.Is(err, ErrGone) {
		t.Errorf("it ended, but: %v", err)
	}
}

// TestNothingEndsUnseen stops a process on a host where nothing can be looked at:
// that is no success as long as it lasts, and becomes one after it.
func TestNothingEndsUnseen(t *testing.T) {
	for _, op := range []string{"read stat", "read boot_id", "readdir", "owner"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			var on atomic.Bool
			h := faulty(op, syscall.EMFILE, &on)
			l := newLines()
			p, err := h.spawn(childSpec(t, "tree", l))
			if err != nil {
				t.Fatal(err)
			}
			l.await(t, "tree up")
			on.Store(true)
			if err := p.Stop(t.Context(), 0); !Starved(err) {
				t.Errorf("stopped without a look: %v", err)
			}
			on.Store(false)
			if err := p.Stop(t.Context(), 0); err != nil {
				t.Errorf("the fault is over, but: %v", err)
			}
		})
	}
}

// TestForkFails: a machine without processes or memory to give is a passing fault,
// and nothing is left of what was half started.
func TestForkFails(t *testing.T) {
	for _, op := range []string{"start", "read stat", "read boot_id", "owner"} {
		for _, errno := range []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM} {
			var on atomic.Bool
			on.Store(true)
			h := faulty(op, errno, &on)
			spec := childSpec(t, "stubborn", newLines())
			if _, err := h.spawn(spec); !Starved(err) || errors.Is(err, ErrGone) {
				t.Errorf("%s, %v: %v", op, errno, err)
			}
			on.Store(false)
			if left, err := h.left(Identity{}, spec.Marker); err != nil || len(left) != 0 {
				t.Errorf("%s, %v: left %v, %v", op, errno, left, err)
			}
		}
	}
}

// TestOutputIsReadOnceThereAreDescriptors: what a process says is not lost since
// its output could not be opened at first.
func TestOutputIsReadOnceThereAreDescriptors(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "stubborn", l)
	if err := os.WriteFile(spec.Output, []byte("said before\n"), 0o000); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // root may open anything: take the file itself away
		if err := os.Rename(spec.Output, spec.Output+".away"); err != nil {
			t.Fatal(err)
		}
	}
	o := newOutput(spec)
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- o.follow(stop) }()
	time.AfterFunc(20*time.Millisecond, func() {
		_ = os.Rename(spec.Output+".away", spec.Output)
		_ = os.Chmod(spec.Output, 0o600)
	})
	l.await(t, "said before")
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// starve is the child of TestFewDescriptors: with every descriptor in use it must
// not take a living process for dead. It prints what it found.
func starve() {
	fail := func(what string, err error) {
		fmt.Println(what, err)
		os.Exit(1)
	}
	p, err := Start(Spec{Path: os.Args[0], Env: append(os.Environ(), "LAUNCH_CHILD=worker"), Marker: os.Getenv("STARVE")})
	if err != nil {
		fail("start:", err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		fail("getrlimit:", err)
	}
	limit.Cur = 32
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		fail("setrlimit:", err)
	}
	var all []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		all = append(all, f)
	}
	id := p.Identity()
	if err := Look(id); !Starved(err) {
		fail("look:", err)
	}
	if !Alive(id) {
		fail("alive:", nil)
	}
	if err := Sweep(Identity{}, os.Getenv("STARVE"), 0); !Starved(err) {
		fail("sweep:", err)
	}
	done := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { close(done) })
	if err := Await(id, done); !errors.Is(err, errReleased) {
		fail("await:", err)
	}
	if _, err := Start(Spec{Path: os.Args[0], Env: append(os.Environ(), "LAUNCH_CHILD=worker"), Marker: os.Getenv("STARVE")}); !Starved(err) {
		fail("second start:", err)
	}
	for _, f := range all {
		f.Close()
	}
	if err := Look(id); err != nil {
		fail("look again:", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := p.Stop(ctx, 0); err != nil {
		fail("stop:", err)
	}
	fmt.Println("held")
}

func TestFewDescriptors(t *testing.T) {
	spec := childSpec(t, "starve", newLines(), "STARVE=test-starve-"+fmt.Sprint(os.Getpid()))
	cmd := exec.CommandContext(t.Context(), spec.Path)
	cmd.Env = spec.Env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "held\n") {
		t.Errorf("%v: %s", err, out)
	}
}
