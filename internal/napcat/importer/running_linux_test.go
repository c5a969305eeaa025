package importer

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// qq runs a shell by the name of QQ until stop is called.
func qq(t *testing.T, exe string, env []string, args ...string) (pid int, stop func()) {
	t.Helper()
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	if err := os.MkdirAll(filepath.Dir(exe), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, sh, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-c", "echo up; read x", "qq", "--no-sandbox"}, args...)...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil { // it is the shell now
		t.Fatal(err)
	}
	return cmd.Process.Pid, func() {
		in.Close()
		_ = cmd.Wait() // what read says does not matter
	}
}

// TestRunning: the old one is found by where its program lies, and is gone when
// it has ended.
func TestRunning(t *testing.T) {
	root := t.TempDir()
	pid, stop := qq(t, filepath.Join(root, "opt", "QQ", "qq"), nil)
	p := &Plan{Layout: Shell, Path: root}
	for _, not := range []string{"", "/elsewhere"} {
		if got := p.Running(not); !slices.Equal(got, []int{pid}) {
			t.Errorf("without %q: %v, want %d", not, got, pid)
		}
	}
	if got := p.Running(root); len(got) != 0 {
		t.Errorf("within the home: %v", got)
	}
	stop()
	if got := p.Running(""); len(got) != 0 {
		t.Errorf("after its end: %v", got)
	}
}

// TestRunningElsewhere: so is one whose program lies elsewhere, by its data, its
// account, the QQ that its NapCat lies in, and through links; another's is not.
func TestRunningElsewhere(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"bot", "home/.config/QQ", "Napcat/opt/QQ/resources/app/app_launcher/napcat/config"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(root, "Napcat/opt/QQ/qq")
	pid, stop := qq(t, exe, []string{"HOME=" + filepath.Join(root, "home")}, "-q", "10001")
	defer stop()
	if err := os.Remove(exe); err != nil { // it is replaced while it runs
		t.Fatal(err)
	}
	bot := filepath.Join(root, "bot")
	for name, tt := range map[string]struct {
		p    Plan
		want bool
	}{
		"by its account":  {Plan{Path: bot, Accounts: []Account{{UIN: 10001}}}, true},
		"by its data":     {Plan{Path: bot, QQDir: filepath.Join(link, "home/.config/QQ")}, true},
		"another account": {Plan{Path: bot, Accounts: []Account{{UIN: 100}, {UIN: 10002}}, QQDir: bot}, false},
	} {
		if got := slices.Contains(tt.p.Running(""), pid); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	pid, stop2 := qq(t, exe, nil)
	defer stop2()
	for _, p := range []Plan{{Path: bot, ConfigDir: filepath.Join(link, "Napcat/opt/QQ/resources/app/app_launcher/napcat/config")}, {Path: link}} {
		if !slices.Contains(p.Running(""), pid) {
			t.Errorf("not found by %+v", p)
		}
	}
}
