package install

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openTemp is a store in a fresh home.
func openTemp(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// localRequest installs two local packages.
func localRequest(napcat, qq string) Request {
	return Request{NapCat: Package{File: napcat}, QQ: Package{Source: "file://" + qq}, Log: slog.New(slog.DiscardHandler)}
}

// installLocal installs a pair of freshly packed packages.
func installLocal(t testing.TB, s *Store, napcat, qq string) Pair {
	t.Helper()
	dir := t.TempDir()
	p, err := s.Install(t.Context(), localRequest(packNapCat(t, dir, napcat), packQQ(t, dir, qq)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInstallLocal(t *testing.T) {
	s := openTemp(t)
	if _, err := s.Current(); !errors.Is(err, ErrNotInstalled) {
		t.Fatalf("Current of an empty home: %v", err)
	}
	p := installLocal(t, s, "4.18.13", "3.2.30-50969")
	if p.NapCat.Version != "4.18.13" || p.QQ.Version != "3.2.30-50969" || p.State != Trial {
		t.Fatalf("installed %+v", p)
	}
	for path, dir := range map[string]string{p.QQExe: p.QQ.Dir, p.NapCatMain: p.NapCat.Dir} {
		if !filepath.IsAbs(path) || !strings.HasPrefix(path, dir) {
			t.Errorf("%s is not an absolute path below %s", path, dir)
		}
	}
	if fi, err := os.Stat(p.QQExe); err != nil || fi.Mode().Perm()&0o100 == 0 {
		t.Errorf("qq cannot be run: %v %v", fi, err)
	}
	app := filepath.Join(filepath.Dir(p.QQExe), "resources", "app")
	var m map[string]any
	b, err := os.ReadFile(filepath.Join(app, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if m["main"] != "./loadNapCat.js" || m["version"] != "3.2.30-50969" || m["isPureShell"] != true {
		t.Errorf("package.json is %s", b)
	}
	if b, err := os.ReadFile(filepath.Join(app, "loadNapCat.js")); err != nil || !strings.Contains(string(b), "NCATD_NAPCAT_MAIN") {
		t.Errorf("loader: %s %v", b, err)
	}
	if got, err := s.Current(); err != nil || got != p {
		t.Errorf("Current = %+v, %v, want %+v", got, err, p)
	}
}

func TestPointerLife(t *testing.T) {
	s := openTemp(t)
	a := installLocal(t, s, "4.18.13", "3.2.30-50969")
	if _, err := s.RollBack(a, Left{Reason: "not_ready", ByItself: true}); !errors.Is(err, ErrNoPrevious) {
		t.Fatalf("rolling back the first pair: %v", err)
	}
	if err := s.Confirm(a); err != nil {
		t.Fatal(err)
	}
	b := installLocal(t, s, "4.18.19", "3.2.30-50969")
	if b.State != Trial {
		t.Fatalf("new pair is %s", b.State)
	}
	now, err := s.RollBack(b, Left{Reason: "not_ready", ByItself: true})
	if err != nil || !now.Same(a) || now.State != Good {
		t.Fatalf("rolled back to %+v, %v", now, err)
	}
	if r, ok := s.LastRollBack(); !ok || r.NapCat != "4.18.19" || r.Reason != "not_ready" || !r.ByItself {
		t.Errorf("recorded %+v", r)
	}
	// A second account that failed with b goes nowhere.
	if again, err := s.RollBack(b, Left{Reason: "not_ready", ByItself: true}); err != nil || !again.Same(a) {
		t.Errorf("rolled back again to %+v, %v", again, err)
	}
	// The bad pair is not what one goes back to, but may be asked for again.
	if _, err := s.Previous(); !errors.Is(err, ErrNoPrevious) {
		t.Errorf("Previous: %v", err)
	}
	b2 := installLocal(t, s, "4.18.19", "3.2.30-50969")
	if b2.NapCat.Version != "4.18.19" || b2.State != Trial {
		t.Errorf("installed again: %+v", b2)
	}
	if _, ok := s.LastRollBack(); ok {
		t.Error("a rollback is reported after the next install")
	}
	if err := s.Confirm(b2); err != nil {
		t.Fatal(err)
	}
	if cur, err := s.Current(); err != nil || cur.State != Good {
		t.Errorf("confirmed pair is %+v, %v", cur, err)
	}
}
