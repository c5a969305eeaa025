//go:build e2e && linux

package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program is one of the examples, built, with a home of its own.
type program struct {
	t    *testing.T
	path string
	env  []string
}

// buildExample builds examples/name as its reader would.
func buildExample(t *testing.T, name string) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{t: t, path: filepath.Join(dir, name)}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", p.path, "github.com/ncatd/ncatd/examples/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	home := filepath.Join(dir, "h")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "HOME="+home, "NCATD_LANG=en", "TMPDIR="+dir)
	return p
}

// run runs the program and returns what it printed, both streams.
func (p *program) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for a command that has to succeed.
func (p *program) must(args ...string) string {
	p.t.Helper()
	out, err := p.run(args...)
	if err != nil {
		log, _ := p.run("logs")
		p.t.Fatalf("%s %s: %v\n%s\n%s", filepath.Base(p.path), strings.Join(args, " "), err, out, log)
	}
	return out
}

// start starts the program as a daemon on the simulator, and ends it with the
// test.
func (p *program) start(args ...string) {
	p.t.Helper()
	p.t.Cleanup(p.stop)
	p.must(append([]string{"start", "--sim", "-d"}, args...)...)
}

func (p *program) stop() {
	if out, err := p.run("stop"); err != nil && !strings.Contains(out, "not running") {
		p.t.Errorf("stop: %v\n%s", err, out)
	}
}

// TestHello is the first thing a newcomer does: his own program, which is a whole
// ncatd, on the simulator; 测试 is answered twice.
func TestHello(t *testing.T) {
	p := buildExample(t, "hello")
	for _, command := range []string{"init", "install", "start", "stop", "status", "login", "call", "send", "events", "config", "plugin", "service", "doctor", "sim", "version", "completion"} {
		if out := p.must(command, "--help"); !strings.Contains(out, "Usage:") {
			t.Errorf("hello %s --help says %q", command, out)
		}
	}
	p.start()
	if out := p.must("status"); !strings.Contains(out, "online") {
		t.Errorf("status: %s", out)
	}
	const first, second = "NcatBot 测试成功喵~", "NcatBot 测试成功喵~ (goroutine)"
	got := strings.Split(strings.TrimSpace(p.must("sim", "say", "--user", "3001000001", "测试")), "\n")
	if len(got) != 2 || !(got[0] == first && got[1] == second || got[0] == second && got[1] == first) {
		t.Errorf("测试 was answered with %q", got)
	}
	if out, err := p.run("sim", "say", "--user", "3001000001", "--wait", "500ms", "你好"); err == nil {
		t.Errorf("你好 was answered with %q", out)
	}
	if sent := strings.Count(p.must("sim", "sent"), "测试成功"); sent != 2 {
		t.Errorf("%d messages were sent, want 2", sent)
	}
}
