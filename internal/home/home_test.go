package home

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		flag string
		env  map[string]string
		want string
	}{
		{"/a/b", map[string]string{"NCATD_HOME": "/c", "HOME": "/u"}, "/a/b"},
		{"", map[string]string{"NCATD_HOME": "/c/../d", "HOME": "/u"}, "/d"},
		{"", map[string]string{"HOME": "/u"}, "/u/.ncatd"},
	} {
		got, err := Find(tt.flag, func(k string) string { return tt.env[k] }, ".ncatd")
		if err != nil || string(got) != tt.want {
			t.Errorf("Find(%q, %v) = %s, %v; want %s", tt.flag, tt.env, got, err, tt.want)
		}
	}
	if got, err := Find("x", os.Getenv, ".ncatd"); err != nil || !filepath.IsAbs(string(got)) {
		t.Errorf("a relative flag gives %s, %v", got, err)
	}
}

// TestFindWithoutHOME holds that a job with an empty environment finds the home
// that the user's entry in the system names.
func TestFindWithoutHOME(t *testing.T) {
	u, err := user.Current()
	if err != nil || !filepath.IsAbs(u.HomeDir) {
		t.Skip("this user has none: ", err)
	}
	t.Setenv("HOME", "")
	got, err := Find("", os.Getenv, ".ncatd")
	if err != nil || string(got) != filepath.Join(u.HomeDir, ".ncatd") {
		t.Errorf("Find = %s, %v; want it in %s", got, err, u.HomeDir)
	}
}

// TestLock holds that one process has the lock, that others learn whose it is,
// and that it ends with the process however that ends.
func TestLock(t *testing.T) {
	if dir := os.Getenv("NCATD_TEST_LOCK"); dir != "" {
		l, err := Dir(dir).Acquire()
		if err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString("locked\n")
		os.Stdin.Read(make([]byte, 1))
		_ = l // held until the process is killed
		select {}
	}
	d := Dir(t.TempDir())
	if pid, err := d.Holder(); pid != 0 || err != nil {
		t.Fatalf("an empty home is held by %d, %v", pid, err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestLock")
	cmd.Env = append(os.Environ(), "NCATD_TEST_LOCK="+string(d))
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, err := out.Read(b)
	if err != nil || !strings.HasPrefix(string(b[:n]), "locked") {
		t.Fatalf("the other process says %q, %v", b[:n], err)
	}
	if pid, err := d.Holder(); pid != cmd.Process.Pid || err != nil {
		t.Errorf("Holder = %d, %v; want %d", pid, err, cmd.Process.Pid)
	}
	_, err = d.Acquire()
	if pid, ok := Locked(err); !ok || pid != cmd.Process.Pid {
		t.Errorf("Acquire = %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		_ = cmd.Wait() // killed
	}
	l, err := d.Acquire() // which waits for what is dying
	if err != nil {
		t.Fatalf("after kill -9 of the holder: %v", err)
	}
	if pid, err := d.Holder(); pid != os.Getpid() || err != nil {
		t.Errorf("Holder = %d, %v; want this process", pid, err)
	}
	if runtime.GOOS == "linux" {
		_ = cmd.Wait()
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if pid, err := d.Holder(); pid != 0 || err != nil {
		t.Errorf("after the release: %d, %v", pid, err)
	}
}
