//go:build e2e && linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSelfUpgradeSystemd upgrades the service of a systemd that is booted in a
// container.
func TestSelfUpgradeSystemd(t *testing.T) {
	if os.Getenv("E2E_SELF") == "" {
		t.Skip("boots a Debian; `make e2e-self` does it")
	}
	p := newPress(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ncatd"), p.program("1.0.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{
		"good":   p.release("1.1.0", p.program("1.1.0")),
		"crash":  p.release("1.2.0", script("1.2.0", "exit 1", "exit 0")),
		"hang":   p.release("1.3.0", script("1.3.0", "exec sleep 1000", "exit 0")),
		"refuse": p.release("1.4.0", script("1.4.0", "exit 2", "exit 0")),
		"config": p.release("1.5.0", script("1.5.0", "exit 0", "echo no such key; exit 2")),
	} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "../../internal/e2e/selfupgrade/run.sh", dir)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 77 {
		t.Skip("cannot be tried here")
	}
	if err != nil {
		t.Error(err)
	}
}
