package p

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncatd/ncatd/ncat"
)

func TestStore(t *testing.T) {
	ctx, s := context.Background(), ncat.NewMemoryStore()
	if err := rename(ctx, s, 1, "Ann"); err != nil {
		t.Fatal(err)
	}
	if n, err := spend(ctx, s, 1, 3); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := spend(ctx, s, 1, 8); !errors.Is(err, errPoor) {
		t.Errorf("error %v", err)
	}
	if err := rename(ctx, s, 2, "Bob"); err != nil {
		t.Fatal(err)
	}
	all, err := top(ctx, s)
	if err != nil || len(all) != 2 || all[0].Value != (profile{"Bob", 10}) || all[1].Value != (profile{"Ann", 7}) {
		t.Errorf("%v, %v", all, err)
	}
	if err := ncat.Put(ctx, s, "a", 5); err != nil {
		t.Fatal(err)
	}
	if err := give(ctx, s, "a", "b", 6); !errors.Is(err, errPoor) {
		t.Errorf("error %v", err)
	}
	if err := give(ctx, s, "a", "b", 4); err != nil {
		t.Fatal(err)
	}
	a, _, errA := ncat.Get[int](ctx, s, "a")
	b, _, errB := ncat.Get[int](ctx, s, "b")
	if a != 1 || b != 4 || errA != nil || errB != nil {
		t.Errorf("%d %d, %v %v", a, b, errA, errB)
	}
}

func TestSQLite(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	b, db, err := newBot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := rename(t.Context(), b.Store(), 1, "Ann"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join("data", "bot.db")); err != nil {
		t.Error(err)
	}
}
