//go:build linux

package home

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClaim holds that a copy of a home forgets the processes of the original,
// and that the original, a moved home and one after a reboot do not.
func TestClaim(t *testing.T) {
	base := t.TempDir()
	a, b := Dir(filepath.Join(base, "a")), Dir(filepath.Join(base, "b"))
	if err := a.Make(); err != nil {
		t.Fatal(err)
	}
	states := []string{"accounts/main/state.json", "accounts/cat/state.json", "run/xvfb.json"}
	for _, s := range append(states, "accounts/main/output") {
		if err := os.MkdirAll(filepath.Dir(a.Join(s)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.Join(s), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(d Dir, copied bool) {
		t.Helper()
		if got, err := d.Claim(); err != nil || got != copied {
			t.Fatalf("Claim of %s: %v, %v; want %v", d, got, err, copied)
		}
		for _, s := range states {
			if _, err := os.Stat(d.Join(s)); (err == nil) == copied {
				t.Errorf("%s, %s: %v", d, s, err)
			}
		}
	}
	claim(a, false) // the first time
	claim(a, false)
	if err := os.CopyFS(string(b), os.DirFS(string(a))); err != nil {
		t.Fatal(err)
	}
	claim(b, true)
	if _, err := os.Stat(b.Join("accounts/main/output")); err != nil {
		t.Error(err)
	}
	claim(a, false)
	moved := Dir(filepath.Join(base, "c"))
	if err := os.Rename(string(a), string(moved)); err != nil {
		t.Fatal(err)
	}
	claim(moved, false)
	if err := os.WriteFile(moved.Join("run/home.json"), []byte(`{"boot":"another","dev":1,"ino":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	claim(moved, false) // the processes of another boot are gone anyway
}
