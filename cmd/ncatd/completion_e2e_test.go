//go:build e2e && linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/tmux"
	"github.com/ncatd/ncatd/internal/home"
)

// TestCompletion types into real shells and presses the tab key: accounts come
// from the running daemon, actions and parameters from the schema, versions from
// the catalogue. The bash here loads no startup file, so none of the package
// bash-completion; a second one does, where it is installed.
func TestCompletion(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux")
	}
	t.Parallel()
	work := t.TempDir()
	h := home.Dir(filepath.Join(work, "n"))
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Config(), []byte("display: none\naccounts: [{name: main}, {name: second}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killLeft(t, work) })
	env := []string{"HOME=" + work, "NCATD_HOME=" + string(h), "NCATD_LANG=en", "PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"), "PS1=$ ", "TERM=screen-256color"}
	cmd := exec.Command(binary, "start", "--sim", "-d", "--scan-after", "0s")
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	// The daemon alone knows the accounts from here on.
	if err := os.WriteFile(h.Config(), []byte("accounts: [{name: other}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	const packaged = "/usr/share/bash-completion/bash_completion"
	for _, s := range []struct {
		name string
		argv []string
		load string
	}{
		{"bash", []string{"bash", "--norc", "--noprofile"}, "source <(ncatd completion bash)"},
		{"bash-completion", []string{"bash", "--norc", "--noprofile"}, "source " + packaged + "; source <(ncatd completion bash)"},
		{"zsh", []string{"zsh", "-f"}, "autoload -Uz compinit; compinit -u -D; source <(ncatd completion zsh)"},
		{"fish", []string{"fish", "--no-config"}, "ncatd completion fish | source"},
	} {
		t.Run(s.name, func(t *testing.T) {
			if _, err := exec.LookPath(s.argv[0]); err != nil {
				t.Skipf("needs %s", s.argv[0])
			}
			if s.name == "bash-completion" {
				if _, err := os.Stat(packaged); err != nil {
					t.Skip("needs the package bash-completion")
				}
			}
			t.Parallel()
			p := tmux.New(t, 120, 30, nil, slices.Concat([]string{"env"}, env, s.argv)...) // tmux has a PATH of its own
			p.Send(s.load + "; echo load''ed\n")
			p.Until("the script is loaded", 20*time.Second, func(screen string) bool { return strings.Contains(screen, "\nloaded") })
			for _, c := range []struct{ typed, want string }{
				{"ncatd resta", "ncatd restart "},
				{"ncatd restart se", "ncatd restart second"},
				{"ncatd logs ma", "ncatd logs main"},
				{"ncatd logs --level wa", "ncatd logs --level warn"},
				{"ncatd call get_login_i", "ncatd call get_login_info"},
				{"ncatd call get_group_info group_i", "ncatd call get_group_info group_id="},
				{"ncatd events --account se", "ncatd events --account second"},
				{"ncatd events --account=se", "ncatd events --account=second"},
				{"ncatd config get log.le", "ncatd config get log.level"},
				{"ncatd install --napcat-version 4.1", "ncatd install --napcat-version 4.18.1"},
				{"ncatd install --qq-version 3.2.30-509", "ncatd install --qq-version 3.2.30-50969"},
			} {
				p.Key("C-u")
				p.Send(c.typed)
				p.Key("Tab")
				p.Send("|")
				want := strings.TrimSuffix(c.want, " ")
				p.Until(c.typed+" and the tab key", 15*time.Second, func(screen string) bool {
					return strings.Contains(screen, want+"|") || strings.Contains(screen, want+" |")
				})
			}
		})
	}
}
