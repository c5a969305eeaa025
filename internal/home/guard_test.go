//go:build unix

package home

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGuard(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	uid := os.Getuid()
	for _, d := range []string{"home", "open", "open/home", "sticky", "sticky/home"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for d, mode := range map[string]os.FileMode{"open": 0o777, "sticky": 0o777 | os.ModeSticky} {
		if err := os.Chmod(filepath.Join(base, d), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"rel": "open/../home", "abs": filepath.Join(base, "home"), "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(base, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path, leads string
		exists      bool
		loose       string
	}{
		{"home", "home", true, ""},
		{"home/none/deep", "home/none/deep", false, ""},
		{"abs", "home", true, ""},
		{"rel", "home", true, "open"},
		{"open", "open", true, "open"},
		{"open/home", "open/home", true, "open"},
		{"sticky", "sticky", true, "sticky"},
		{"sticky/home", "sticky/home", true, ""},
	} {
		g, err := Dir(filepath.Join(base, c.path)).Guard()
		loose := ""
		if c.loose != "" {
			loose = filepath.Join(base, c.loose)
		}
		if err != nil || g.Path != filepath.Join(base, c.leads) || g.Exists != c.exists || g.Loose != loose || g.UID != uid {
			t.Errorf("%s: %+v, %v", c.path, g, err)
		}
	}
	if g, err := Dir(filepath.Join(base, "loop")).Guard(); err == nil {
		t.Errorf("a link to itself: %+v", g)
	}
	if uid != 0 {
		return
	}
	// As root, with another user's folder and link on the way.
	if err := os.Chown(filepath.Join(base, "sticky"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if g, err := Dir(filepath.Join(base, "sticky", "home")).Guard(); err != nil || g.ThroughUID != 65534 || g.Through != filepath.Join(base, "sticky") {
		t.Errorf("through another's folder: %+v, %v", g, err)
	}
	if err := os.Lchown(filepath.Join(base, "abs"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if g, err := Dir(filepath.Join(base, "abs")).Guard(); err != nil || g.Through != filepath.Join(base, "abs") {
		t.Errorf("through another's link: %+v, %v", g, err)
	}
}

// TestLockFollowsNoLinkOut holds that a planted link is not written through.
func TestLockFollowsNoLinkOut(t *testing.T) {
	for _, name := range []string{"run", "run/ncatd.pid"} {
		d, out := Dir(t.TempDir()), t.TempDir()
		victim := filepath.Join(out, "ncatd.pid")
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		to := out
		if name != "run" {
			to = victim
		}
		if err := os.MkdirAll(filepath.Dir(d.Join(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, d.Join(name)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Acquire(); err == nil {
			t.Errorf("%s: locked", name)
		}
		if _, err := d.Holder(); err == nil {
			t.Errorf("%s: looked at", name)
		}
		if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
			t.Errorf("%s: the file behind it holds %q, %v", name, b, err)
		}
	}
}
