//go:build linux

package launch

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/proc"
)

func TestDisplay(t *testing.T) {
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Fatal("this test needs Xvfb (Debian: apt-get install xvfb)")
	}
	dir := t.TempDir()
	marker := "test-x-" + strconv.Itoa(os.Getpid())
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify")) // Xvfb would report there
	o := DisplayOptions{Mode: "auto", StateFile: filepath.Join(dir, "xvfb.json"), Marker: marker}
	d := NewDisplay(t.Context(), o)
	first, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := first.Name
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(d.PID()), "environ"))
	if err != nil || bytes.Contains(env, []byte("NOTIFY_SOCKET")) || !bytes.Contains(env, []byte("PATH=")) {
		t.Errorf("environment of Xvfb: %q, %v", env, err)
	}
	if again, err := d.Get(t.Context()); err != nil || again != first {
		t.Errorf("second Get: %+v, %v", again, err)
	}
	if err := answers(t.Context(), name); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	// Killed: told, cleaned up, and another one at the next Get.
	pid := d.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "loss of the display", first.Lost)
	if _, err := os.Stat("/tmp/.X" + name[1:] + "-lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its lock is left: %v", err)
	}
	second, err := d.Get(t.Context())
	if err != nil || d.PID() == pid {
		t.Fatalf("%+v, %v", second, err)
	}
	// Kept: the next daemon adopts it.
	d.Keep()
	pid = d.PID()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = NewDisplay(t.Context(), o)
	if again, err := d.Get(t.Context()); err != nil || again.Name != second.Name || again.Authority != second.Authority || d.PID() != pid {
		t.Errorf("adopted %+v with pid %d, want %+v with %d: %v", again, d.PID(), second, pid, err)
	}
	id, err := proc.Identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(second.Authority); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its cookie is left: %v", err)
	}
	if proc.Alive(id) {
		t.Error("Xvfb is still there")
	}
}

// TestStoppedDisplayIsReplaced: a server that a signal stopped still accepts
// connections.
func TestStoppedDisplayIsReplaced(t *testing.T) {
	d := NewDisplay(t.Context(), DisplayOptions{StateFile: filepath.Join(t.TempDir(), "xvfb.json"), Marker: "test-y-" + strconv.Itoa(os.Getpid()), Probe: 300 * time.Millisecond})
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	stopped, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pid := d.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	within(t, "loss of the stopped display", stopped.Lost)
	s, err := d.Get(t.Context())
	if err != nil || d.PID() == pid {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := answers(t.Context(), s.Name); err != nil {
		t.Error(err)
	}
}

func TestDisplayModes(t *testing.T) {
	for mode, want := range map[string]string{"none": "", ":77": ":77"} {
		d := NewDisplay(t.Context(), DisplayOptions{Mode: mode})
		if got, err := d.Get(t.Context()); err != nil || got.Name != want {
			t.Errorf("%s: %+v, %v", mode, got, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	d := NewDisplay(t.Context(), DisplayOptions{Path: "/nonexistent/Xvfb", StateFile: filepath.Join(t.TempDir(), "x")})
	if _, err := d.Get(t.Context()); err == nil {
		t.Error("an Xvfb that does not exist was started")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestDisplayLetsInOnlyItsUser: a real X client is refused without the cookie,
// whoever runs it, and the file with the cookie is its user's alone.
func TestDisplayLetsInOnlyItsUser(t *testing.T) {
	d := NewDisplay(t.Context(), DisplayOptions{StateFile: filepath.Join(t.TempDir(), "xvfb.json"), Marker: "test-z-" + strconv.Itoa(os.Getpid())})
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(s.Authority); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", s.Authority, fi.Mode(), err)
	}
	file, err := os.ReadFile(s.Authority)
	if err != nil {
		t.Fatal(err)
	}
	right := file[len(file)-xauthCookie:]
	wrong := bytes.Repeat([]byte{7}, xauthCookie)
	for what, tt := range map[string]struct {
		cookie []byte
		want   byte
	}{"the cookie": {right, 1}, "another cookie": {wrong, 0}, "no cookie": {nil, 0}} {
		if got := knock(t, s.Name, tt.cookie); got != tt.want {
			t.Errorf("with %s the server answers %d", what, got)
		}
	}
}

// knock makes the X11 handshake and returns its first byte: 1 lets in, 0 refuses.
func knock(t *testing.T, display string, cookie []byte) byte {
	t.Helper()
	c, err := net.Dial("unix", "/tmp/.X11-unix/X"+display[1:])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := []byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if cookie != nil {
		hello[6], hello[8] = byte(len(xauthName)), byte(len(cookie))
		hello = append(append(hello, xauthName+"\x00\x00"...), cookie...) // the name to four bytes
	}
	if _, err := c.Write(hello); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	return answer[0]
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("timeout: " + what)
	}
}
