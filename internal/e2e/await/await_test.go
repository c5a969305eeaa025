//go:build linux

package await

import (
	"os/exec"
	"testing"
	"time"
)

func TestPoll(t *testing.T) {
	asked := 0
	if !Poll(time.Minute, func() bool { asked++; return asked == 3 }) || asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	asked = 0
	if Poll(0, func() bool { asked++; return false }) || asked == 0 {
		t.Errorf("asked %d times", asked)
	}
}

func TestGone(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if Gone(0, pid) {
		t.Error("a living process is gone")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if !Gone(10*time.Second, pid) { // it is a zombie: nobody has waited for it
		t.Error("a process that ended is not gone")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !Gone(0, pid) {
		t.Error("a process that was reaped is not gone")
	}
}
