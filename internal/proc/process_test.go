//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/logfile"
)

// TestMain is also the child that the tests start: LAUNCH_CHILD says what it
// does.
func TestMain(m *testing.M) {
	if role := os.Getenv("LAUNCH_CHILD"); role != "" {
		child(role)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(role string) {
	switch role {
	case "worker": // lives until it is killed
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("worker", os.Getpid())
		<-time.After(time.Hour) // not select {}: without cgo Go calls that a deadlock
	case "starve":
		starve()
	case "exit":
		fmt.Println("going")
		fmt.Print("last words")
		os.Exit(7)
	case "tree": // a child in the group, and one that left the session
		for _, setsid := range []bool{false, true} {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), "LAUNCH_CHILD=worker")
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
			if err := c.Start(); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		fmt.Println("tree up")
		sig := make(chan os.Signal, 1)
		signal.Notify(sig, syscall.SIGTERM)
		<-sig
		fmt.Println("asked to end")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("stubborn up")
		<-time.After(time.Hour) // not select {}: without cgo Go calls that a deadlock
	case "flood":
		n, _ := strconv.Atoi(os.Getenv("FLOOD"))
		w := bufio.NewWriter(os.Stdout)
		for i := range n {
			fmt.Fprintf(w, "line %d %s\n", i, strings.Repeat("x", 100))
		}
		w.Flush()
		fmt.Println("! the flood is over")
		<-time.After(time.Hour) // not select {}: without cgo Go calls that a deadlock
	case "ticker": // a line a moment until killed, numbered without a gap
		moment := time.NewTicker(2 * time.Millisecond)
		for i := 0; ; i++ {
			fmt.Println("tick", i)
			<-moment.C
		}
	}
}

// line is one line as a Reader is told it.
type line struct {
	Text       string
	Old, Vital bool
}

// lines is a Reader that remembers; a line that begins with ! is vital.
type lines struct {
	mu   sync.Mutex
	last line
	list []line
	more chan struct{}
}

func (l *lines) Read(raw []byte, old bool) (string, bool) {
	text, _ := logfile.Plain(raw)
	l.last = line{text, old, strings.HasPrefix(text, "!")}
	return text, l.last.Vital
}

func (l *lines) Tell(text string) {
	l.last.Text = text
	l.add(l.last)
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) add(ln line) {
	l.mu.Lock()
	l.list = append(l.list, ln)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// await waits for a line that contains s.
func (l *lines) await(t *testing.T, s string) line {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		for _, ln := range l.list {
			if strings.Contains(ln.Text, s) {
				l.mu.Unlock()
				return ln
			}
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-deadline:
			t.Fatalf("no line with %q", s)
		}
	}
}

func childSpec(t *testing.T, role string, l *lines, env ...string) Spec {
	t.Helper()
	dir := t.TempDir()
	log := logfile.NewWriter(filepath.Join(dir, "log"), 1<<20, 3<<20, nil)
	t.Cleanup(func() { log.Close() })
	marker := "test-" + strconv.Itoa(os.Getpid()) + "-" + strings.ReplaceAll(t.Name(), "/", "-")
	t.Cleanup(func() {
		if err := Sweep(Identity{}, marker, 5*time.Second); err != nil {
			t.Error(err)
		}
	})
	return Spec{
		Path: os.Args[0], Dir: dir, Env: append(append(os.Environ(), "LAUNCH_CHILD="+role), env...),
		Marker: marker, Output: filepath.Join(dir, "output"), Log: log, Reader: l,
	}
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("timeout: " + what)
	}
}

func survivors(t *testing.T, list []Info, root Identity, marker string) []Info {
	t.Helper()
	left, err := system().survivors(list, root, marker)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestExitComesAfterTheLastWords(t *testing.T) {
	l := newLines()
	p, err := Start(childSpec(t, "exit", l))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "exit", p.Exited())
	if got := p.Exit(); got != (Exit{Code: 7}) {
		t.Errorf("exit %v", got)
	}
	if tail := p.Tail(10); len(tail) != 2 || tail[1] != "last words" {
		t.Errorf("tail %q", tail)
	}
	if err := p.Stop(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "tree", l)
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "tree up")
	list, err := system().table()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(survivors(t, list, p.Identity(), spec.Marker)); n != 3 {
		t.Errorf("%d processes, want 3", n)
	}
	if err := p.Stop(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if tail := strings.Join(p.Tail(10), "\n"); !strings.Contains(tail, "asked to end") {
		t.Errorf("it was not asked: %s", tail)
	}
	if list, err = system().table(); err != nil {
		t.Fatal(err)
	}
	if left := survivors(t, list, p.Identity(), spec.Marker); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	l := newLines()
	p, err := Start(childSpec(t, "stubborn", l))
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "stubborn up")
	began := time.Now()
	if err := p.Stop(t.Context(), 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 200*time.Millisecond {
		t.Errorf("took %v", d)
	}
	if got := p.Exit(); got.Signal != syscall.SIGKILL {
		t.Errorf("exit %v", got)
	}
}

func TestStopEndsAStoppedProcess(t *testing.T) {
	l := newLines()
	p, err := Start(childSpec(t, "tree", l))
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "tree up")
	if err := syscall.Kill(p.Identity().PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s := NewSampler()
	for {
		u, err := s.Sample(p)
		if err != nil {
			t.Fatal(err)
		}
		if u.Halted == p.Identity().PID {
			break
		}
		s = NewSampler() // without the table of the last second
	}
	if err := p.Stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := p.Exit(); got != (Exit{}) {
		t.Errorf("exit %v although SIGCONT lets it obey", got)
	}
}

// TestKilledMasterLeavesNoOrphan: NapCat's worker outlives a killed master and
// burns a core (contract K.12).
func TestKilledMasterLeavesNoOrphan(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "tree", l)
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "tree up")
	if err := syscall.Kill(p.Identity().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "exit", p.Exited())
	if p.Exit().Signal != syscall.SIGKILL {
		t.Errorf("exit %v", p.Exit())
	}
	if err := p.Stop(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	list, err := system().table()
	if err != nil {
		t.Fatal(err)
	}
	if left := survivors(t, list, p.Identity(), spec.Marker); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestLookAlikeIsNotTouched: the same program with the same arguments and
// environment, except for the marker, is somebody else's.
func TestLookAlikeIsNotTouched(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "stubborn", l)
	other := exec.Command(spec.Path, spec.Args...)
	other.Dir, other.Env = spec.Dir, append(append([]string(nil), spec.Env...), MarkerEnv+"=another")
	other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "stubborn up")
	if id, ok := FindMarked(spec.Marker); !ok || id != p.Identity() {
		t.Errorf("found %+v, want %+v", id, p.Identity())
	}
	if err := p.Stop(t.Context(), 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	id, err := Identify(other.Process.Pid)
	if err != nil || !Alive(id) {
		t.Error("the user's process is gone")
	}
	// A wrong start time or boot is another process, whatever its pid.
	for _, wrong := range []Identity{{id.PID, id.Start - 1, id.BootID, id.UID}, {id.PID, id.Start, "another boot", id.UID}, {id.PID, id.Start, id.BootID, "4294967294"}} {
		if Alive(wrong) {
			t.Errorf("%+v is alive", wrong)
		}
		if err := Sweep(wrong, spec.Marker, time.Second); err != nil {
			t.Error(err)
		}
		if _, err := Adopt(spec, wrong, 0); !errors.Is(err, ErrGone) {
			t.Errorf("adopt: %v", err)
		}
	}
	if !Alive(id) {
		t.Error("the user's process was swept")
	}
}

// TestAdopt lets go of a process and takes it over again: no line is lost, none
// comes twice, and its end is seen although it is nobody's child any more.
func TestAdopt(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "ticker", l)
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "tick 20")
	p.Release()
	offset := p.Offset()
	before := len(l.list)

	l2 := newLines()
	spec.Reader = l2
	q, err := Adopt(spec, p.Identity(), offset)
	if err != nil {
		t.Fatal(err)
	}
	l2.await(t, "tick "+strconv.Itoa(before+50))
	l2.mu.Lock()
	for i, ln := range l2.list {
		if want := "tick " + strconv.Itoa(before+i); ln.Text != want {
			t.Fatalf("line %d after the adoption is %q, want %q", i, ln.Text, want)
		}
	}
	if l2.list[len(l2.list)-1].Old {
		t.Error("a new line is called old")
	}
	l2.mu.Unlock()
	if tail := q.Tail(200); len(tail) < before || tail[0] != "tick 0" && before < 150 {
		t.Errorf("the tail forgot what was before: %d lines, first %q", len(tail), tail[0])
	}
	if err := syscall.Kill(q.Identity().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "exit of the adopted", q.Exited())
	if !q.Exit().Unknown {
		t.Errorf("exit %v", q.Exit())
	}
	if err := q.Stop(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestFloodIsBounded(t *testing.T) {
	l := newLines()
	spec := childSpec(t, "flood", l, "FLOOD=60000") // 6.6 MB
	began := time.Now()
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(context.WithoutCancel(t.Context()), 50*time.Millisecond); err != nil {
			t.Error(err)
		}
	}()
	if ln := l.await(t, "the flood is over"); !ln.Vital {
		t.Errorf("the line after the flood: %+v", ln)
	}
	shown := 0
	l.mu.Lock()
	for _, ln := range l.list {
		if !ln.Vital {
			shown += len(ln.Text) + 1
		}
	}
	l.mu.Unlock()
	if took := time.Since(began); float64(shown) > logBurst+logRate*took.Seconds() {
		t.Errorf("%d bytes were shown within %v", shown, took)
	}
	logs, err := filepath.Glob(filepath.Join(spec.Dir, "log*"))
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, f := range logs {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += st.Size()
	}
	if sum > 3<<20 {
		t.Errorf("the log takes %d bytes", sum)
	}
	// Once it is quiet the file is emptied.
	await.True(t, time.Minute, "the output file empty", func() bool {
		st, err := os.Stat(spec.Output)
		if err != nil {
			t.Fatal(err)
		}
		return st.Size() == 0
	})
}

func TestSecretsAreMasked(t *testing.T) {
	l := newLines()
	o := newOutput(Spec{Secrets: []string{"tok123456", ""}, Reader: l})
	o.feed([]byte("Token: tok123456\nand tok"))
	o.feed([]byte("123456 again\n"))
	for _, s := range o.tail(10) {
		if strings.Contains(s, "tok123456") {
			t.Errorf("tail has %q", s)
		}
	}
	if len(l.list) != 2 || l.list[0].Text != "Token: ***" || l.list[1].Text != "and *** again" {
		t.Errorf("lines %+v", l.list)
	}
}

// TestSecretIsOverwrittenAcrossReads: wherever the end of a read falls, none of a
// secret stays in the file, and nothing else of it changes.
func TestSecretIsOverwrittenAcrossReads(t *testing.T) {
	const secret = "tok123456"
	text := "a " + secret + " b " + secret + secret + " c tok12345 " + secret
	want := strings.ReplaceAll(text, secret, strings.Repeat("*", len(secret)))
	for size := 1; size <= len(text); size++ {
		path := filepath.Join(t.TempDir(), "output")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		o := newOutput(Spec{Output: path, Secrets: []string{secret}})
		if _, err := o.drain(f, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("reads of %d bytes: %q, %v", size, b, err)
		}
	}
}

func TestLongLineIsCut(t *testing.T) {
	l := newLines()
	o := newOutput(Spec{Reader: l})
	chunk := bytes.Repeat([]byte("x"), 32<<10)
	for range 100 {
		o.feed(chunk)
	}
	if len(o.part) > lineMax+len(chunk) {
		t.Errorf("%d bytes are kept", len(o.part))
	}
	o.feed([]byte("tail\nnext\n"))
	if n := len(l.list); n != 2 || l.list[1].Text != "next" {
		t.Errorf("%d lines, last %q", n, l.list[n-1].Text)
	}
}

func TestParseStat(t *testing.T) {
	line := "42 (a) R (b) S 7 40 39 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 123456 1000 25 18446744073709551615"
	p, err := parseStat([]byte(line))
	want := Info{PID: 42, PPID: 7, Session: 39, Start: 123456, State: 'S', RSS: 25 * uint64(os.Getpagesize()), CPU: 2}
	if err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "x", "1 (", "1 (x) S 1", ") (", "9 (x) S a b c d e f g h i j k l m n o p q r s t u v"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, state := range "XZ" { // as the kernel releases it
		released := fmt.Sprintf("7755 (Xvfb) %c 0 -1 -1 0 -1 4228108 5515 695 3 0 3 3 1 0 20 0 0 0 123456 0 0 18446744073709551615", state)
		if _, err := parseStat([]byte(released)); !errors.Is(err, ErrGone) {
			t.Errorf("%q: %v, want %v", released, err, ErrGone)
		}
	}
}
