package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

func openTemp(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "a ?#%&b", "ncatd.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestTypedValues(t *testing.T) {
	ctx, db := t.Context(), openTemp(t)
	s, other := db.Space("points"), db.Space("other")
	type score struct{ N int }
	if _, ok, err := ncat.Get[score](ctx, s, "u/1"); ok || err != nil {
		t.Fatalf("empty store: %v %v", ok, err)
	}
	for i := range 3 {
		if err := ncat.Put(ctx, s, fmt.Sprintf("u/%d", i), score{i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ncat.Put(ctx, s, "v", score{9}); err != nil {
		t.Fatal(err)
	}
	got, err := ncat.Scan[score](ctx, s, "u/")
	if err != nil || len(got) != 3 || got[2].Key != "u/2" || got[2].Value.N != 2 {
		t.Fatalf("scan: %v %v", got, err)
	}
	if all, err := ncat.Scan[score](ctx, s, ""); err != nil || len(all) != 4 {
		t.Fatalf("scan of everything: %v %v", all, err)
	}
	if got, err := ncat.Scan[score](ctx, other, ""); err != nil || len(got) != 0 {
		t.Fatalf("another space sees %v %v", got, err)
	}
	n, err := ncat.Update(ctx, s, "u/1", func(v score, ok bool) (score, error) { return score{v.N + 10}, nil })
	if err != nil || n.N != 11 {
		t.Fatalf("update: %v %v", n, err)
	}
	if err := ncat.Delete(ctx, s, "u/1", "nothing"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := ncat.Get[score](ctx, s, "u/1"); ok {
		t.Fatal("deleted key is still there")
	}
}

func TestErrorLeavesNoTrace(t *testing.T) {
	ctx, db := t.Context(), openTemp(t)
	s := db.Space("a")
	no := errors.New("no")
	err := s.Update(ctx, func(tx ncat.Tx) error {
		if err := tx.Put("k", []byte("1"), 0); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Fatalf("got %v", err)
	}
	if _, ok, err := ncat.Get[int](ctx, s, "k"); ok || err != nil {
		t.Fatalf("the refused value is there: %v %v", ok, err)
	}
	if err := s.View(ctx, func(tx ncat.Tx) error { return tx.Put("k", []byte("1"), 0) }); err == nil {
		t.Fatal("a view may write")
	}
	if err := ncat.Put(ctx, s, strings.Repeat("k", maxKey+1), 1); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("long key: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	ctx, db := t.Context(), openTemp(t)
	now := time.Unix(1_700_000_000, 0)
	db.now = func() time.Time { return now }
	s := db.Space("a")
	if err := ncat.PutFor(ctx, s, "k", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour - time.Millisecond)
	if _, ok, _ := ncat.Get[int](ctx, s, "k"); !ok {
		t.Fatal("gone too early")
	}
	now = now.Add(time.Millisecond)
	if _, ok, _ := ncat.Get[int](ctx, s, "k"); ok {
		t.Fatal("still there")
	}
	if err := ncat.Put(ctx, s, "other", 1); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := db.read.QueryRow("SELECT count(*) FROM kv").Scan(&rows); err != nil || rows != 1 {
		t.Fatalf("%d rows after the sweep, %v", rows, err)
	}
}

func TestConcurrentUpdatesAddUp(t *testing.T) {
	ctx, db := t.Context(), openTemp(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := ncat.Update(ctx, db.Space("a"), "n", func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, _, err := ncat.Get[int](ctx, db.Space("a"), "n"); n != 200 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
}

func TestBackupWhileInUse(t *testing.T) {
	ctx, db := t.Context(), openTemp(t)
	if err := ncat.Put(ctx, db.Space("a"), "k", "v"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Backup(ctx, path, false); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(ctx, path, false); !errors.Is(err, ErrExists) {
		t.Fatalf("over a file: %v", err)
	}
	if err := Backup(ctx, db.path, path, true); err != nil { // as another process would
		t.Fatal(err)
	}
	if err := Check(ctx, path); err != nil {
		t.Fatal(err)
	}
	again, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if v, ok, err := ncat.Get[string](ctx, again.Space("a"), "k"); v != "v" || !ok || err != nil {
		t.Fatalf("got %q %v %v", v, ok, err)
	}
}

// A store of an earlier version is taken over with all it has.
func TestEarlierSchema(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "old.db")
	old, err := open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("x"), 1<<20)
	for _, q := range []struct {
		text string
		args []any
	}{
		{text: "CREATE TABLE kv (space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, expires INTEGER, PRIMARY KEY (space, key)) WITHOUT ROWID"},
		{text: "CREATE INDEX kv_expires ON kv (expires) WHERE expires IS NOT NULL"},
		{"INSERT INTO kv (space, key, value, expires) VALUES (?, ?, ?, ?)", []any{"a", "large", large, nil}},
		{"INSERT INTO kv (space, key, value, expires) VALUES (?, ?, ?, ?)", []any{"a", "n", []byte("7"), time.Now().Add(time.Hour).UnixMilli()}},
		{"INSERT INTO kv (space, key, value, expires) VALUES (?, ?, ?, ?)", []any{"b", "n", []byte("8"), 1}},
	} {
		if _, err := old.ExecContext(ctx, q.text, q.args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		db, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok, err := ncat.Get[int](ctx, db.Space("a"), "n"); v != 7 || !ok || err != nil {
			t.Errorf("n is %d, %v, %v", v, ok, err)
		}
		if _, ok, _ := ncat.Get[int](ctx, db.Space("b"), "n"); ok {
			t.Error("what expired is there")
		}
		_ = db.Space("a").View(ctx, func(tx ncat.Tx) error {
			if v, ok, err := tx.Get("large"); !bytes.Equal(v, large) || !ok || err != nil {
				t.Errorf("%d bytes, %v, %v", len(v), ok, err)
			}
			return nil
		})
		var tables, aside int
		if err := db.read.QueryRow("SELECT count(*), sum(sql LIKE '%WITHOUT ROWID%') FROM sqlite_schema WHERE type = 'table'").Scan(&tables, &aside); err != nil || tables != 1 || aside != 0 {
			t.Errorf("%d tables, %d of the earlier kind, %v", tables, aside, err)
		}
		if _, err := db.write.Exec("INSERT INTO kv (space, key, value) VALUES ('a', 'n', '9') ON CONFLICT (space, key) DO UPDATE SET value = '7'"); err != nil {
			t.Errorf("as an earlier version writes: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
