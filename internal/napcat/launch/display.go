package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/proc"
)

const (
	xvfbStart = 10 * time.Second // for Xvfb to say which display it serves
	xvfbProbe = 10 * time.Second // DisplayOptions.Probe's default
	xvfbReply = 5 * time.Second  // for its answer, less if Probe is
)

// ErrNoXvfb says that there is no display and no Xvfb to make one.
var ErrNoXvfb = errors.New("no X display, and Xvfb is not installed")

// DisplayOptions are what a [Display] is made of.
type DisplayOptions struct {
	// Mode is auto (the inherited display if it answers, else an own Xvfb), none,
	// or an X display such as ":5".
	Mode string
	// Inherited is the display of ncatd's own environment, "" for none.
	Inherited string
	// Authority is the file with the cookie of a display that is not our own, ""
	// for none.
	Authority string
	// StateFile is where the own Xvfb is written down, so that a later ncatd
	// finds it, with the NapCats that draw on it.
	StateFile string
	Marker    string // of the own Xvfb's processes
	Path      string // of Xvfb; empty: looked up
	// Probe is the time between two looks whether the own Xvfb answers; 0 is 10 s.
	Probe  time.Duration
	Logger *slog.Logger
}

// Display is the X server that the accounts of one daemon share. It is started
// when the first account needs it, started again when it dies or does not
// answer any more, and survives ncatd. It is safe for concurrent use.
type Display struct {
	o   DisplayOptions
	run sync.Mutex // held while an Xvfb is looked for or started

	mu   sync.Mutex
	own  displayState  // the own Xvfb; its Display is "" while there is none
	lost chan struct{} // closed when it is gone
	kept bool
	wg   sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc
}

type displayState struct {
	proc.Identity
	Display   string `json:"display"`
	Authority string `json:"authority,omitempty"` // the file with its cookie
}

// Screen is an X display to draw on.
type Screen struct {
	Name      string // ":5"; "" for none
	Authority string // the file with the cookie that lets in, for XAUTHORITY; "" for none
	// Lost is closed when the X server is gone. It is nil for one that is not our
	// own, which the program that draws on it notices itself.
	Lost <-chan struct{}
}

// NewDisplay returns a Display that has started nothing.
func NewDisplay(ctx context.Context, o DisplayOptions) *Display {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Probe <= 0 {
		o.Probe = xvfbProbe
	}
	d := &Display{o: o}
	d.ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx)) // ended by Close
	return d
}

// PID returns the pid of the own Xvfb, 0 if there is none.
func (d *Display) PID() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.own.PID
}

// Get returns the display to draw on, none if the mode is none. It starts or
// adopts an own Xvfb if need be.
func (d *Display) Get(ctx context.Context) (Screen, error) {
	switch d.o.Mode {
	case "none":
		return Screen{}, nil
	case "", "auto":
		if d.o.Inherited != "" && answers(ctx, d.o.Inherited) == nil {
			return Screen{Name: d.o.Inherited, Authority: d.o.Authority}, nil
		}
	default:
		return Screen{Name: d.o.Mode, Authority: d.o.Authority}, nil
	}
	d.run.Lock()
	defer d.run.Unlock()
	d.mu.Lock()
	s, lost := d.own, d.lost
	d.mu.Unlock()
	if s.Display == "" {
		var err error
		if s, err = d.adopt(ctx); errors.Is(err, proc.ErrGone) {
			s, err = d.start(ctx)
		}
		if err != nil {
			return Screen{}, err
		}
		lost = make(chan struct{})
		d.mu.Lock()
		d.own, d.lost = s, lost
		d.mu.Unlock()
		d.wg.Go(func() { d.watch(s, lost) })
	}
	return Screen{Name: s.Display, Authority: s.Authority, Lost: lost}, nil
}

// adopt finds the Xvfb of an earlier ncatd. It returns [proc.ErrGone] if there is
// none; after any other error one may live, and no second one is started.
func (d *Display) adopt(ctx context.Context) (displayState, error) {
	var s displayState
	b, err := os.ReadFile(d.o.StateFile)
	if err != nil && proc.Starved(err) {
		return displayState{}, fmt.Errorf("xvfb of an earlier run: %w", err)
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return displayState{}, proc.ErrGone // start ends one that was not written down
	}
	if err := proc.Look(s.Identity); err != nil {
		if errors.Is(err, proc.ErrGone) {
			d.clean(s)
			return displayState{}, err
		}
		return displayState{}, fmt.Errorf("xvfb of an earlier run: %w", err)
	}
	if err := answers(ctx, s.Display); err != nil {
		if unseen(err) || ctx.Err() != nil {
			return displayState{}, fmt.Errorf("xvfb of an earlier run: %w", err)
		}
		d.o.Logger.Warn("xvfb of an earlier run does not answer", "display", s.Display, "pid", s.PID, "err", err)
		if err := proc.Sweep(s.Identity, "", 2*time.Second); err != nil {
			return displayState{}, fmt.Errorf("xvfb not ended: %w", err)
		}
		d.clean(s)
		return displayState{}, proc.ErrGone
	}
	d.o.Logger.Info("xvfb adopted", "display", s.Display, "pid", s.PID)
	return s, nil
}

// unseen reports whether err says nothing about a display but that we were short
// of something. EAGAIN does not: it is what a display says that takes no more
// connections.
func unseen(err error) bool { return proc.Starved(err) && !errors.Is(err, syscall.EAGAIN) }

// start starts an Xvfb that chooses its display itself. An Xvfb that was started
// but not written down, since ncatd was killed in between, is ended first.
func (d *Display) start(ctx context.Context) (displayState, error) {
	path := d.o.Path
	if path == "" {
		var err error
		if path, err = exec.LookPath("Xvfb"); err != nil {
			return displayState{}, ErrNoXvfb
		}
	}
	if d.o.Marker != "" {
		if err := proc.Sweep(proc.Identity{}, d.o.Marker, 2*time.Second); err != nil {
			return displayState{}, err
		}
	}
	authority := d.o.authorityFile()
	if err := writeAuthority(authority); err != nil {
		return displayState{}, fmt.Errorf("xvfb: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return displayState{}, fmt.Errorf("xvfb: %w", err)
	}
	defer r.Close()
	p, err := proc.Start(proc.Spec{
		Path: path, Args: []string{"-displayfd", "3", "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset", "-auth", authority},
		Env: xvfbEnv(os.Environ()), Marker: d.o.Marker, Files: []*os.File{w},
	})
	w.Close()
	if err != nil {
		return displayState{}, fmt.Errorf("xvfb: %w", err)
	}
	id := p.Identity()
	name, err := readDisplay(ctx, r)
	if err != nil {
		if e := proc.Sweep(id, d.o.Marker, 2*time.Second); e != nil {
			d.o.Logger.Warn("xvfb not ended", "pid", id.PID, "err", e)
		}
		return displayState{}, err
	}
	s := displayState{id, name, authority}
	if err := d.save(s); err != nil {
		d.o.Logger.Warn("xvfb not written down", "err", err)
	}
	d.o.Logger.Info("xvfb started", "display", name, "pid", id.PID)
	return s, nil
}

// xvfbEnv is what of ncatd's environment an Xvfb needs. It gets nothing else: not
// the service manager's NOTIFY_SOCKET, on which Xvfb would report in ncatd's
// name, and no password.
func xvfbEnv(environ []string) []string {
	var env []string
	for _, kv := range environ {
		switch k, _, _ := strings.Cut(kv, "="); {
		case k == "PATH", k == "HOME", k == "TMPDIR", k == "LANG", k == "LD_LIBRARY_PATH",
			strings.HasPrefix(k, "LC_"), strings.HasPrefix(k, "XKB"), strings.HasPrefix(k, "LIBGL_"):
			env = append(env, kv)
		}
	}
	return env
}

func readDisplay(ctx context.Context, r *os.File) (string, error) {
	deadline := time.Now().Add(xvfbStart)
	if t, ok := ctx.Deadline(); ok && t.Before(deadline) {
		deadline = t
	}
	if err := r.SetReadDeadline(deadline); err != nil {
		return "", fmt.Errorf("xvfb: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := bufio.NewReader(r).ReadString('\n')
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) {
		return "", errors.New("xvfb ended before it served a display")
	}
	if err != nil {
		return "", fmt.Errorf("xvfb says no display: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < 0 {
		return "", fmt.Errorf("xvfb says no display but %.20q", line)
	}
	return ":" + strconv.Itoa(n), nil
}

func (d *Display) save(s displayState) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomicfile.Write(d.o.StateFile, append(b, '\n'), 0o600)
}

// watch looks after one Xvfb until it is lost or the Display is closed.
func (d *Display) watch(s displayState, lost chan struct{}) {
	gone := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if proc.Await(s.Identity, d.ctx.Done()) == nil {
			close(gone)
		}
	})
	t := time.NewTicker(d.o.Probe)
	defer t.Stop()
	for misses := 0; ; {
		select {
		case <-d.ctx.Done():
			return
		case <-gone:
			d.o.Logger.Warn("xvfb ended", "display", s.Display, "pid", s.PID)
			d.lose(s, lost)
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(d.ctx, d.o.Probe)
		err := answers(ctx, s.Display)
		cancel()
		if err == nil || d.ctx.Err() != nil {
			misses = 0
			continue
		}
		if unseen(err) {
			continue // we are blind, not the display
		}
		if misses++; misses < 2 {
			continue
		}
		d.o.Logger.Warn("xvfb does not answer", "display", s.Display, "pid", s.PID, "err", err)
		if err := proc.Sweep(s.Identity, "", 2*time.Second); err != nil {
			d.o.Logger.Warn("xvfb not ended", "pid", s.PID, "err", err)
		}
		d.lose(s, lost)
		return
	}
}

func (d *Display) lose(s displayState, lost chan struct{}) {
	d.clean(s)
	d.mu.Lock()
	d.own = displayState{}
	d.mu.Unlock()
	close(lost)
}

// clean removes what a killed Xvfb of ours left behind: its lock, if it names
// that very process, and its socket.
func (d *Display) clean(s displayState) {
	n := strings.TrimPrefix(s.Display, ":")
	if _, err := strconv.Atoi(n); err != nil || s.PID == 0 || proc.Alive(s.Identity) {
		return
	}
	lock := filepath.Join("/tmp", ".X"+n+"-lock")
	b, err := os.ReadFile(lock)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(s.PID) {
		return // of another program
	}
	os.Remove(lock)
	os.Remove(filepath.Join("/tmp/.X11-unix", "X"+n))
}

// Keep makes Close leave the Xvfb running.
func (d *Display) Keep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = true
}

// Close ends the own Xvfb, unless Keep was called, and all goroutines.
func (d *Display) Close() error {
	d.run.Lock()
	defer d.run.Unlock()
	d.stop()
	d.wg.Wait()
	d.mu.Lock()
	s, kept := d.own, d.kept
	d.own = displayState{}
	d.mu.Unlock()
	if kept || s.PID == 0 {
		return nil
	}
	proc.Terminate(s.Identity) // it removes its lock itself then
	late := make(chan struct{})
	t := time.AfterFunc(time.Second, func() { close(late) })
	_ = proc.Await(s.Identity, late)
	t.Stop()
	err := proc.Sweep(s.Identity, d.o.Marker, 2*time.Second)
	d.clean(s)
	for _, f := range []string{d.o.StateFile, s.Authority} {
		if e := os.Remove(f); f != "" && err == nil && e != nil && !errors.Is(e, os.ErrNotExist) {
			err = e
		}
	}
	return err
}

// answers makes the X11 handshake with a display: a stopped or wedged server
// still accepts connections.
func answers(ctx context.Context, display string) error {
	host, rest, ok := strings.Cut(display, ":")
	if !ok || host != "" && host != "unix" {
		return nil // on another machine, or unusual: the user knows
	}
	n, _, _ := strings.Cut(rest, ".")
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(ctx, xvfbReply)
	defer cancel()
	c, err := dialer.DialContext(ctx, "unix", filepath.Join("/tmp/.X11-unix", "X"+n))
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	// Little-endian, protocol 11.0, no authorization. Any answer will do, a
	// refusal for want of a cookie included.
	if _, err := c.Write([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}
