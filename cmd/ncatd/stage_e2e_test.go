//go:build e2e && linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// stageFriend is who writes to the bot on a stage.
const stageFriend = 3001000001

// stage is a daemon in the foreground with one account on the simulator.
type stage struct {
	t    *testing.T
	work string
	home home.Dir
	pid  int
	cl   *client.Client
	sim  *napcatsim.Control
}

// newStage makes a home with the given config, after which prepare may change
// it, starts a daemon and waits until its account is online.
func newStage(t *testing.T, config string, prepare func(h home.Dir)) *stage {
	t.Helper()
	s := &stage{t: t, work: t.TempDir()}
	s.home = home.Dir(filepath.Join(s.work, "n"))
	if err := s.home.Make(); err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(s.home)
	}
	if err := os.WriteFile(s.home.Config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "start", "--sim", "--home", string(s.home), "--scan-after", "0s")
	cmd.Env = append(os.Environ(), "HOME="+s.work, "NCATD_LANG=en")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("ncatd: %v\n%s", err, out.Bytes())
		}
		killLeft(t, s.work)
	})
	s.cl = client.New(s.home.Socket())
	t.Cleanup(s.cl.Close)
	await.True(t, waitLimit, "the account to be online", func() bool { return s.account().State == api.StateOnline })
	s.sim = napcatsim.NewControl(napcatsim.AccountHome(string(s.home), "main"))
	return s
}

// account is how the account is, the zero value if the daemon does not say.
func (s *stage) account() api.Account {
	st, err := s.cl.Status(s.t.Context())
	if err != nil || len(st.Accounts) != 1 {
		return api.Account{}
	}
	return st.Accounts[0]
}

// ask writes to the bot and reports whether it answered with want.
func (s *stage) ask(text, want string) error { return s.askIn(0, text, want) }

// askIn is ask in one of two chats: 0 is private, 1 a group.
func (s *stage) askIn(chat int, text, want string) error {
	r, err := s.sim.Say(s.t.Context(), napcatsim.SayRequest{
		User: stageFriend, Group: []int64{0, 700000001}[chat], Text: text,
		Wait: napcatsim.Duration(15 * time.Second), Quiet: napcatsim.Duration(time.Millisecond),
	})
	if err != nil {
		return err
	}
	if len(r.Answers) != 1 || r.Answers[0].Text != want {
		return fmt.Errorf("%s was answered by %v, want %q", text, r.Answers, want)
	}
	return nil
}

// rss is the memory of the daemon's process in bytes.
func (s *stage) rss() int64 {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	rest, _, _ = strings.Cut(rest, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n << 10
}
