package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/logfile"
)

// Spec is what a process is started from.
type Spec struct {
	Path string // the executable; no shell is involved
	Args []string
	Dir  string
	// Env is the whole environment; [MarkerEnv] is added.
	Env    []string
	Marker string     // value of MarkerEnv: random, one per account
	Files  []*os.File // descriptors 3 and up
	// Output is the file into which the process writes, "" for none. It is emptied
	// by Start, kept by Adopt, and never larger on disk than a few MiB more than
	// what was not read yet.
	Output string
	// User is what the process runs as; nil: as we do. Only root can give one.
	User *User
	Log  io.Writer // where lines are kept for people; nil: nowhere
	// Secrets are never shown: lines carry *** in their place.
	Secrets []string
	// Reader understands the lines; nil: they are kept as they are, without
	// control characters.
	Reader Reader
	Logger *slog.Logger
}

// User is the user, and the groups, that a process runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// Reader understands what a process prints. One goroutine calls it, in order; it
// must not block for long.
type Reader interface {
	// Read takes a line without its end. text is what is kept of it, "" for
	// nothing. A vital line is told even if it is one of too many. old says that
	// the line was printed before the process was adopted; of an old line that
	// ncatd has read before, nothing but the text is wanted.
	Read(raw []byte, old bool) (text string, vital bool)
	// Tell is given the text of the line read last, secrets replaced by ***. It
	// is not called for a line that was left out since there were too many.
	Tell(text string)
}

// plainReader keeps lines as they are.
type plainReader struct{}

func (plainReader) Read(raw []byte, _ bool) (string, bool) {
	text, _ := logfile.Plain(raw)
	return text, false
}

func (plainReader) Tell(string) {}

// Process is a running process with all that descends from it. It is safe for
// concurrent use.
type Process struct {
	host    *host
	spec    Spec
	id      Identity
	cmd     *exec.Cmd // nil: adopted
	job     *job
	out     *output
	release chan struct{} // closed by Release
	once    sync.Once
	exited  chan struct{}
	done    chan struct{}
	exit    Exit // set before exited is closed
}

var errReleased = errors.New("released")

// Start starts a process in a session and process group of its own and returns
// when it exists. It does not end when ncatd does.
//
// An error that [Starved] knows says that it can be tried again later.
func Start(spec Spec) (*Process, error) { return system().spawn(spec) }

func (h *host) spawn(spec Spec) (*Process, error) {
	cmd := exec.Command(spec.Path, spec.Args...) //nolint:noctx // outlives us
	cmd.Dir = spec.Dir
	cmd.Env = append(append([]string(nil), spec.Env...), MarkerEnv+"="+spec.Marker)
	cmd.ExtraFiles = spec.Files
	if spec.Output != "" {
		out, err := emptied(spec.Output)
		if err != nil {
			return nil, fmt.Errorf("output of %s: %w", filepath.Base(spec.Path), err)
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
	}
	j, err := newJob()
	if err != nil {
		return nil, err
	}
	j.onStart(cmd)
	if err := become(cmd, spec.User); err != nil {
		j.close()
		return nil, err
	}
	if err := h.start(cmd); err != nil {
		j.close()
		return nil, fmt.Errorf("start %s: %w", spec.Path, err)
	}
	if err := j.assign(cmd); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		j.close()
		return nil, err
	}
	// The process is not waited for yet, so it has its pid at least as a zombie.
	id, err := h.identify(cmd.Process.Pid)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		j.close()
		return nil, fmt.Errorf("identify %s: %w", spec.Path, err)
	}
	p := h.newProcess(spec, id, j)
	p.cmd = cmd
	p.run()
	return p, nil
}

// Adopt takes over a process that an earlier ncatd started, and goes on with
// its output at offset. It returns [ErrGone] if the process is not there.
func Adopt(spec Spec, id Identity, offset int64) (*Process, error) {
	return system().adopt(spec, id, offset)
}

func (h *host) adopt(spec Spec, id Identity, offset int64) (*Process, error) {
	if err := h.look(id); err != nil {
		return nil, err
	}
	p := h.newProcess(spec, id, nil)
	if spec.Output != "" {
		if _, err := os.Stat(spec.Output); err != nil {
			return nil, fmt.Errorf("output of process %d: %w", id.PID, err)
		}
		p.out.recall(offset)
	}
	p.run()
	return p, nil
}

func (h *host) newProcess(spec Spec, id Identity, j *job) *Process {
	return &Process{host: h, spec: spec, id: id, job: j, out: newOutput(spec),
		release: make(chan struct{}), exited: make(chan struct{}), done: make(chan struct{})}
}

func (p *Process) run() {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	if p.spec.Output != "" {
		wg.Go(func() {
			if err := p.out.follow(stop); err != nil {
				p.out.logger.Warn("output not followed", "pid", p.id.PID, "err", err)
			}
		})
	}
	go func() {
		defer close(p.done)
		released := p.await()
		close(stop)
		wg.Wait() // the last lines come before the end
		if !released {
			close(p.exited)
		}
	}()
}

// await waits for the end of the process, or its release.
func (p *Process) await() (released bool) {
	if p.cmd == nil {
		p.exit = Exit{Code: -1, Unknown: true}
		return errors.Is(p.host.awaitExit(p.id, p.release), errReleased)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.cmd.Wait() // the state says it all
	}()
	select {
	case <-ended:
		p.exit = exitOf(p.cmd)
		return false
	case <-p.release:
		// The child cannot be un-waited. The goroutine ends with it or with us.
		return true
	}
}

// pollExit looks every 200 ms whether the process still exists. Where it cannot
// look it looks again, ever more slowly: only "gone" ends it.
func (h *host) pollExit(id Identity, done <-chan struct{}) error {
	const often, seldom = 200 * time.Millisecond, 5 * time.Second
	pause := often
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-done:
			return errReleased
		}
		switch err := h.look(id); {
		case err == nil:
			pause = often
		case gone(err):
			return nil
		default:
			pause = min(2*pause, seldom)
		}
		t.Reset(pause)
	}
}

// Identity names the process.
func (p *Process) Identity() Identity { return p.id }

// Adopted reports whether the process was started by an earlier ncatd.
func (p *Process) Adopted() bool { return p.cmd == nil }

// Exited is closed when the process itself ended and its last lines were given
// to OnLine. Its descendants may still live: [Process.Stop] ends them.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Exit tells how the process ended, once Exited is closed.
func (p *Process) Exit() Exit { return p.exit }

// Terminate asks the group of the process id to end, also if a signal stopped
// it. That nothing of it is left is fine.
func Terminate(id Identity) {
	_ = signalGroup(id.PID, sigTerm)
	continueGroup(id.PID)
}

// Await waits for the end of the process id, which need not be our child, and
// returns nil then, or an error when done is closed.
func Await(id Identity, done <-chan struct{}) error { return system().awaitExit(id, done) }

// Tail returns the last n lines of output, oldest first, at most some 200.
func (p *Process) Tail(n int) []string { return p.out.tail(n) }

// Offset returns how far the output was read: what a later Adopt goes on from.
func (p *Process) Offset() int64 { return p.out.off.Load() }

// Release lets go of the process without ending it, and waits until its output
// is no longer followed. A later ncatd can adopt it.
func (p *Process) Release() {
	p.once.Do(func() { close(p.release) })
	<-p.done
}

// Stop ends the process and all that descends from it: SIGTERM to the group,
// SIGKILL after timeout or when ctx ends, then whatever is left of the session
// or carries the marker. It returns nil when nothing is left; it gives up
// another timeout (at least 2 s) after the first SIGKILL, which only a process
// that the kernel does not let die outlasts. The output file is emptied.
func (p *Process) Stop(ctx context.Context, timeout time.Duration) error {
	if timeout > 0 && !gone(p.host.look(p.id)) {
		Terminate(p.id)
		t := time.NewTimer(timeout)
		defer t.Stop()
		select {
		case <-p.exited:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if p.job != nil {
		p.job.kill()
	}
	if p.cmd != nil {
		_ = p.cmd.Process.Kill() // a child needs no look at the table; ended is fine
	}
	if err := p.host.sweep(p.id, p.spec.Marker, max(timeout, 2*time.Second)); err != nil {
		return err
	}
	<-p.done
	if err := os.Truncate(p.spec.Output, 0); p.spec.Output != "" && err != nil && !errors.Is(err, os.ErrNotExist) {
		p.out.logger.Warn("output not emptied", "err", err)
	}
	p.host.reap(p.id.PID, p.cmd == nil)
	if p.job != nil {
		p.job.close()
	}
	return nil
}

// Sweep kills whatever lives of the account whose process was root (it may be
// zero) and whose processes carry marker, and returns when it has seen that
// nothing does. After limit it returns an error that names what is left, or why
// it could not look: then something may live, and nothing may take its place.
func Sweep(root Identity, marker string, limit time.Duration) error {
	return system().sweep(root, marker, limit)
}

func (h *host) sweep(root Identity, marker string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	pause := time.Millisecond
	for {
		alive, err := h.left(root, marker)
		if err == nil && len(alive) == 0 {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("process %d (state %c) does not die", alive[0].PID, alive[0].State)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("sweep: %w", err)
		}
		for _, q := range alive {
			_ = h.signalOne(q, sigKill) // the next look tells
		}
		// A killed process needs a moment to vanish, and there is no event for it.
		time.Sleep(pause)
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// left returns what lives of an account; see survivors.
func (h *host) left(root Identity, marker string) ([]Info, error) {
	list, err := h.table()
	if err != nil {
		return nil, err
	}
	return h.survivors(list, root, marker)
}

// emptied opens the file at path for a new process, empty. Whatever else lies
// there, such as a folder or a file that we may not write, makes way: what an
// earlier process wrote is of no use any more.
func emptied(path string) (*os.File, error) {
	const flags = os.O_APPEND | os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	f, err := atomicfile.OpenFile(path, flags, 0o600)
	if _, damaged := atomicfile.Damaged(err); !damaged && !errors.Is(err, os.ErrPermission) {
		return f, err
	}
	if err := os.RemoveAll(path); err != nil {
		return nil, err
	}
	return atomicfile.OpenFile(path, flags, 0o600)
}
