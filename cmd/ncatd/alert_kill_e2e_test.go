//go:build e2e && linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// storm is scripts that do not run, each until that was told, and then mended until
// that was told as well.
type storm struct {
	f      *telegram
	dir    string
	broken map[string]bool // false: mended, not told yet
	next   int
	told   int // whose end was told
}

// atOnce is how many scripts are in trouble at any time.
const atOnce = 8

// blow lets the storm go on by what was told so far; more are new troubles.
func (s *storm) blow(t *testing.T, more bool) {
	t.Helper()
	for more && len(s.broken) < atOnce {
		s.next++
		id := fmt.Sprintf("storm%dx", s.next) // none is the beginning of another
		if err := os.WriteFile(filepath.Join(s.dir, id+".js"), []byte("no script (\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.broken[id] = true
	}
	for id, broken := range s.broken {
		switch {
		case broken && len(s.f.find("\nncatd "+id+": ")) > 0:
			if err := os.Remove(filepath.Join(s.dir, id+".js")); err != nil {
				t.Fatal(err)
			}
			s.broken[id] = false
		case !broken && len(s.f.find("\nncatd "+id+", over: ")) > 0:
			delete(s.broken, id)
			s.told++
		}
	}
}

// TestStormOfAlertsKilled kills the whole daemon with -9 at random moments of its
// life, E2E_ALERT_KILLS (4) times, in the middle of a storm of troubles that come
// and go: each is told, and so is its end, and no kill doubles more than one message.
func TestStormOfAlertsKilled(t *testing.T) {
	kills := 4
	if v := os.Getenv("E2E_ALERT_KILLS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	} else {
		t.Parallel()
	}
	stage, f := newAlertStage(t, `{kinds: [plugin_failed], channels: [phone], hold_off: 100ms, settle: 2s}`)
	s := &storm{f: f, dir: stage.home.Join("plugins"), broken: map[string]bool{}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	pid := stage.pid
	var killed []time.Time
	var daemon *exec.Cmd
	var out bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last daemon:\n%s", out.Bytes())
		}
	})
	for range kills {
		life := time.Duration(200+rand.IntN(4000)) * time.Millisecond
		await.Poll(life, func() bool { s.blow(t, true); return false })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed = append(killed, time.Now())
		if daemon != nil {
			_ = daemon.Wait() // it was killed
		}
		out.Reset()
		daemon = exec.Command(binary, "start", "--home", string(stage.home))
		daemon.Env = append(os.Environ(), "HOME="+stage.work, "NCATD_LANG=en")
		daemon.Stdout, daemon.Stderr = &out, &out
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		pid = daemon.Process.Pid
	}
	if !await.Poll(2*waitLimit, func() bool { s.blow(t, false); return len(s.broken) == 0 }) {
		t.Errorf("lost (true: that it began, false: that it ended): %v", s.broken)
	}
	_ = daemon.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = daemon.Wait()                          // its exit code is of its account
	s.judge(t, killed)
}

var ofStorm = regexp.MustCompile(`(?m)^ncatd storm\d+x(: |, over: )`)

// judge counts what was told twice.
func (s *storm) judge(t *testing.T, killed []time.Time) {
	t.Helper()
	seen := map[string]bool{}
	phases := map[string]int{}
	doubled := make([]int, len(killed)+1)
	messages := s.f.find("")
	for _, m := range messages {
		if seen[m.text] {
			doubled[len(killed)-len(slices.DeleteFunc(slices.Clone(killed), func(k time.Time) bool { return k.Before(m.at) }))]++
			continue
		}
		seen[m.text] = true
		_, body, _ := strings.Cut(m.text, "\n") // the title says the first of them
		for _, x := range ofStorm.FindAllString(body, -1) {
			phases[x]++
		}
	}
	total := 0
	for kill, n := range doubled {
		total += n
		if n > 1 || kill == 0 && n > 0 {
			t.Errorf("%d messages doubled after kill %d", n, kill)
		}
	}
	for x, n := range phases {
		if n > 1 {
			t.Errorf("%d different messages say %q", n, x)
		}
	}
	t.Logf("%d kills: %d troubles told, and their end, in %d messages, %d of them doubled", len(killed), s.told, len(messages), total)
	if s.told < len(killed) {
		t.Errorf("only %d troubles: that was no storm", s.told)
	}
}
