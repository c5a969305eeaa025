package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncatd/ncatd/ncat"
)

func put(t *testing.T, path, value string) {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := ncat.Put(t.Context(), db.Space("a"), "k", value); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) string {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	v, _, err := ncat.Get[string](t.Context(), db.Space("a"), "k")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRestore(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	store, copied := filepath.Join(dir, "data", "ncatd.db"), filepath.Join(dir, "copy.db")
	if err := Backup(ctx, store, copied, false); !errors.Is(err, ErrNoStore) {
		t.Fatalf("backup of nothing: %v", err)
	}
	put(t, store, "old")
	if err := Backup(ctx, store, copied, false); err != nil {
		t.Fatal(err)
	}
	put(t, store, "new")
	kept, err := Restore(ctx, copied, store)
	if err != nil || get(t, store) != "old" || get(t, kept) != "new" {
		t.Fatalf("restored: %v", err)
	}
	// Into an empty home, twice, and over what a killed process left.
	other := filepath.Join(dir, "other", "data", "ncatd.db")
	if kept, err := Restore(ctx, copied, other); err != nil || kept != "" || get(t, other) != "old" {
		t.Fatalf("into an empty home: %q %v", kept, err)
	}
	said := killOne(t, filepath.Join(dir, "killed.db"), 3)
	if kept, err := Restore(ctx, copied, filepath.Join(dir, "killed.db")); err != nil || verify(t, kept, said) < said {
		t.Fatalf("over a killed store: %q %v", kept, err)
	}
	if get(t, filepath.Join(dir, "killed.db")) != "old" {
		t.Fatal("the killed store is back")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.restore*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if st, err := os.Stat(store); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	store, good := filepath.Join(dir, "ncatd.db"), filepath.Join(dir, "good.db")
	put(t, store, "mine")
	if err := Backup(ctx, store, good, false); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	broken := append([]byte(nil), whole...)
	for i := len(broken) / 2; i < len(broken); i++ {
		broken[i] ^= 0x5a
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("not a database, but longer than a header of one hundred bytes would be, so that it is read as a whole"),
		"cut": whole[:len(whole)/2], "broken": broken,
	} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(ctx, bad, store); !errors.Is(err, ErrNoBackup) || Reason(err) != "no_backup" {
			t.Errorf("%s: %v", name, err)
		}
		if got := get(t, store); got != "mine" {
			t.Errorf("%s: the store now has %q", name, got)
		}
	}
	if _, err := Restore(ctx, filepath.Join(dir, "nothing"), store); err == nil {
		t.Error("restored from nothing")
	}
	// A store that cannot be read any more is what a backup is for.
	if err := os.WriteFile(store, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, good, store); err != nil || get(t, store) != "mine" {
		t.Errorf("over a broken store: %v", err)
	}
}
