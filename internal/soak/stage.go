//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/proc"
)

// fast makes ncatd notice everything soon, so that much fits into a short time.
const fast = `  restart: {initial: 200ms, max: 1s, score_limit: 1000}
  health: {probe_interval: 1s, probe_timeout: 2s, start_timeout: 20s}
  stop_timeout: 4s
`

// patient is fast, and fetches all that was missed, however long it takes ncatd to
// be back on a machine that is busy with other things.
const patient = fast + "bot: {backfill: {messages: 1000}}\n"

// stage is a home with an ncatd in it.
type stage struct {
	home    home.Dir
	exe     string
	rand    *rand.Rand
	log     *os.File // what ncatd says
	cmd     *exec.Cmd
	exited  chan struct{}
	client  *client.Client
	names   []string
	watched *census
	unmount func() error // of the home, if it is a small disk of its own
	env     []string     // of ncatd, beside ours
	disk    string       // a small one that we mounted, "" for none
}

func newStage(dir string, seed uint64) (*stage, error) {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "ncatd-soak-*"); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "soak-ncatd.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s := &stage{home: home.Dir(filepath.Join(dir, "home")), exe: exe, rand: rand.New(rand.NewPCG(seed, 1)), log: log}
	s.client = client.New(s.home.Socket())
	return s, nil
}

// configure writes the config for accounts named a1, a2, … and the options of
// their simulators; each may return further lines for its account.
func (s *stage) configure(accounts int, supervisor string, each func(i int, o *napcatsim.Options) (more string)) error {
	if err := s.home.Make(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("accounts:\n")
	for i := range accounts {
		name := fmt.Sprintf("a%d", i+1)
		s.names = append(s.names, name)
		o := napcatsim.Options{UIN: 3889001001 + int64(i), NeedDisplay: "off"}
		fmt.Fprintf(&b, "  - name: %s\n", name)
		if each != nil {
			b.WriteString(each(i, &o))
		}
		if err := napcatsim.WriteOptions(napcatsim.AccountHome(string(s.home), name), o); err != nil {
			return err
		}
	}
	b.WriteString("display: none\nsupervisor:\n" + supervisor)
	if err := os.WriteFile(s.home.Config(), []byte(b.String()), 0o600); err != nil {
		return err
	}
	s.watched = newCensus(s)
	return nil
}

func (s *stage) sim(name string) *napcatsim.Control {
	return napcatsim.NewControl(napcatsim.AccountHome(string(s.home), name))
}

// start starts ncatd and returns at once.
func (s *stage) start() error {
	cmd := exec.Command(s.exe, "ncatd", "start", "--sim", "--lang", "en", "--home", string(s.home), "--scan-after", "100ms") //nolint:noctx // ended by signals, which are the test
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.Env = append(os.Environ(), s.env...)
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.cmd, s.exited = cmd, exited
	go func() { // ends with the process
		defer close(exited)
		_ = cmd.Wait()
	}()
	return nil
}

// signal signals ncatd; a process that is gone is no error.
func (s *stage) signal(sig syscall.Signal) {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

// gone waits until ncatd has ended.
func (s *stage) gone(limit time.Duration) error {
	if s.cmd == nil {
		return nil
	}
	select {
	case <-s.exited:
		s.cmd = nil
		return nil
	case <-time.After(limit):
		return fmt.Errorf("ncatd did not end within %s", limit)
	}
}

// await asks ncatd until all accounts are as ok says.
func (s *stage) await(ctx context.Context, what string, limit time.Duration, ok func(api.Status) bool) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var st api.Status
	for {
		var err error
		if st, err = s.client.Status(ctx); err == nil && ok(st) {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("%s: not within %s: %s", what, limit, summary(st, err))
		case <-s.exited:
			return st, fmt.Errorf("%s: ncatd ended", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func summary(st api.Status, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, a := range st.Accounts {
		fmt.Fprintf(&b, "%s is %s (%s): %s; ", a.Name, a.State, a.Reason, a.Detail)
	}
	return b.String()
}

func online(st api.Status) bool {
	for _, a := range st.Accounts {
		if a.State != api.StateOnline {
			return false
		}
	}
	return len(st.Accounts) > 0
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// end stops ncatd in order and checks that nothing is left.
func (s *stage) end() error {
	var err error
	if s.cmd != nil {
		s.signal(syscall.SIGTERM)
		if err = s.gone(15 * time.Second); err != nil {
			s.signal(syscall.SIGKILL)
		}
	}
	if s.disk != "" {
		err = errors.Join(err, syscall.Unmount(s.disk, syscall.MNT_DETACH))
	}
	if s.watched == nil {
		return err
	}
	if left := s.watched.now(); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("left behind: %v", left))
		for _, pids := range left {
			for _, pid := range pids {
				if id, e := proc.Identify(pid); e == nil {
					err = errors.Join(err, proc.Sweep(id, "", 5*time.Second))
				}
			}
		}
	}
	err = errors.Join(err, s.watched.stop(), s.log.Close())
	if s.unmount != nil {
		err = errors.Join(err, s.unmount())
	}
	return err
}

// remove removes the home, read-only releases included.
func (s *stage) remove() {
	dir := filepath.Dir(string(s.home))
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return err
	})
	_ = os.RemoveAll(dir)
}
