//go:build e2e && linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/e2e/tmux"
)

// TestSession is the session that README shows, typed into a real shell. It is
// drawn into the folder that E2E_SESSION names.
func TestSession(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux")
	}
	for _, lang := range []string{"en", "zh"} {
		t.Run(lang, func(t *testing.T) { session(t, lang) })
	}
}

func session(t *testing.T, lang string) {
	const cols, rows = 96, 34
	home, err := os.MkdirTemp("", "me") // short, for it is shown
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killLeft(t, home)
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	argv := []string{"env", "-u", "NCATD_HOME", "HOME=" + home, "NCATD_LANG=" + lang, "PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"), "PS1=$ ", "TERM=screen-256color", "bash", "--norc", "--noprofile"}
	p := tmux.New(t, cols, rows, []string{"LC_ALL=C.UTF-8"}, argv...)
	prompt := func(s string) bool { return strings.HasSuffix(strings.TrimSpace(s), "\n$") }
	after := func(word string) func(string) bool {
		return func(s string) bool { return strings.Contains(s, word) && prompt(s) }
	}
	p.Until("has a prompt", 10*time.Second, func(s string) bool { return strings.HasPrefix(s, "$") })
	f := p.Record()
	f.Run("ncatd start --sim --detach --yes --scan-after 4s", 2*time.Minute, after("ncatd status"))
	f.Run("clear", 10*time.Second, func(s string) bool { return strings.TrimSpace(s) == "$" })
	f.Run("ncatd sim say --user 3001000001 测试", time.Minute, after("NcatBot 测试成功喵~"))
	f.Run("ncatd sim kick", time.Minute, prompt)
	f.Run("until ncatd status >/dev/null; do sleep 1; done", time.Minute, prompt)
	f.Run("ncatd status", time.Minute, after("3889001001"))
	f.Run("ncatd stop", time.Minute, prompt)
	p.Send("exit")
	p.Key("Enter")
	if code := p.Exit(10 * time.Second); code != 0 {
		t.Errorf("the shell ended with %d", code)
	}
	// The terminal's own command line names the folder too.
	if !await.Poll(waitLimit, func() bool { return len(processes(filepath.Join(home, ".ncatd-sim"))) == 0 }) {
		t.Errorf("stop left processes: %v", processes(home))
	}
	if dir := os.Getenv("E2E_SESSION"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "session."+lang+".svg"), []byte(f.As(home, "/home/me").SVG(cols, rows, tmux.Dark)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
