package socket

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMayConnect(t *testing.T) {
	for _, tt := range []struct {
		peer, own int
		want      bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {0, 0, true}} {
		if got := mayConnect(tt.peer, tt.own); got != tt.want {
			t.Errorf("mayConnect(%d, %d) = %v", tt.peer, tt.own, got)
		}
	}
}

// TestAnotherUserIsRefused lets a process of another user connect, with the
// modes of the socket and its folders out of the way.
func TestAnotherUserIsRefused(t *testing.T) {
	if path := os.Getenv("NCATD_TEST_CONNECT"); path != "" {
		connectAsPeer(path)
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	dir, err := os.MkdirTemp("/tmp", "ncatd-peer") // TempDir's parents are private
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.sock")
	l, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, p := range []string{dir, path} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "welcome")
			c.Close()
		}
	}()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "peer")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{0: "welcome", 65534: ""} {
		cmd := exec.Command(exe, "-test.run=TestAnotherUserIsRefused")
		cmd.Env = append(os.Environ(), "NCATD_TEST_CONNECT="+path)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.Output()
		if err != nil || string(out) != want {
			t.Errorf("user %d got %q, %v; want %q", uid, out, err, want)
		}
	}
}

// connectAsPeer prints what the socket says and ends the process.
func connectAsPeer(path string) {
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	b, _ := io.ReadAll(c) // a reset is no answer either
	fmt.Printf("%s", b)
	os.Exit(0)
}
