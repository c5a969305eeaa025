package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/proc"
)

func TestSurvivor(t *testing.T) {
	h := home.Dir(t.TempDir())
	self, err := proc.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	rebooted, another := self, self
	rebooted.BootID = "another boot"
	another.Start--
	for _, tt := range []struct {
		name string
		id   proc.Identity
		pid  int
	}{
		{"it lives", self, self.PID},
		{"of another boot", rebooted, 0},
		{"its pid was used again", another, 0},
		{"none", proc.Identity{}, 0},
	} {
		if err := os.MkdirAll(h.Account("main"), 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(map[string]any{"process": tt.id})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.Account("main"), "state.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := survivor(h, "main"); got != tt.pid {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.pid)
		}
	}
}

// logout takes no ticket away from a NapCat that still runs without a daemon.
func TestLogoutMindsASurvivor(t *testing.T) {
	folder := t.TempDir()
	h := home.Dir(folder)
	if code, _, errs := run(t, nil, "init", "--home", folder); code != 0 {
		t.Fatalf("init: %d %s", code, errs)
	}
	self, err := proc.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"process": self})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.Account("main"), 0o700); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(h.Account("main"), "state.json")
	if err := os.WriteFile(state, b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := run(t, nil, "logout", "--home", folder, "--yes", "main")
	if code != exitFailure || !strings.Contains(errs, fmt.Sprintf("still runs (pid %d)", os.Getpid())) {
		t.Errorf("%d %s", code, errs)
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := run(t, nil, "logout", "--home", folder, "--yes", "main"); code != 0 {
		t.Errorf("without one: %d %s", code, errs)
	}
}

func TestLogout(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.online()
	qq := filepath.Join(d.home.Account("main"), "home", ".config", "QQ")
	if err := os.MkdirAll(filepath.Join(qq, "nt_qq"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := d.ncatd(t, "", nil, "logout"); r.code != 2 || !strings.Contains(r.err, "--yes") {
		t.Errorf("without a yes: exit %d\n%s", r.code, r.err)
	}
	if _, err := os.Stat(qq); err != nil {
		t.Fatal("removed without a yes")
	}
	if r := d.ncatd(t, "", nil, "logout", "--yes"); r.code != 0 || !d.did("want main stopped") {
		t.Errorf("exit %d, calls %q\n%s", r.code, d.calls, r.err)
	}
	left, _ := os.ReadDir(filepath.Dir(qq))
	if len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if r := d.ncatd(t, "", nil, "logout", "--yes"); r.code != 0 || !strings.Contains(r.out, "no tickets") {
		t.Errorf("again: exit %d\n%s%s", r.code, r.out, r.err)
	}
}
