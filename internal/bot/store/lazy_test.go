package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/ncat"
)

func TestLazy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "ncatd.db")
	l := store.NewLazy(path, store.Options{})
	s := l.Space("a")
	if _, ok, err := ncat.Get[int](t.Context(), s, "k"); ok || err != nil {
		t.Errorf("Get of nothing: %v %v", ok, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a view made the file: %v", err)
	}
	if err := ncat.Put(t.Context(), s, "k", 7); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := ncat.Get[int](t.Context(), s, "k"); v != 7 || !ok || err != nil {
		t.Errorf("Get: %v %v %v", v, ok, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := ncat.Put(t.Context(), s, "k", 8); err == nil {
		t.Error("Put after Close")
	}
	again := store.NewLazy(path, store.Options{})
	defer again.Close()
	if v, ok, err := ncat.Get[int](t.Context(), again.Space("a"), "k"); v != 7 || !ok || err != nil {
		t.Errorf("Get after opening again: %v %v %v", v, ok, err)
	}
}
