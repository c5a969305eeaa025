package importer

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestRunning: the old one is found by where its program lies, and is gone when
// it has ended.
func TestRunning(t *testing.T) {
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	exe := filepath.Join(root, "opt", "QQ", "qq")
	if err := os.MkdirAll(filepath.Dir(exe), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, sh, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-c", "echo up; read x", "qq", "--no-sandbox")
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
	p := &Plan{Layout: Shell, Path: root}
	for _, not := range []string{"", "/elsewhere"} {
		if got := p.Running(not); !slices.Equal(got, []int{cmd.Process.Pid}) {
			t.Errorf("without %q: %v, want %d", not, got, cmd.Process.Pid)
		}
	}
	if got := p.Running(root); len(got) != 0 {
		t.Errorf("within the home: %v", got)
	}
	in.Close()
	_ = cmd.Wait() // what read says does not matter
	if got := p.Running(""); len(got) != 0 {
		t.Errorf("after its end: %v", got)
	}
}
