package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// TestMemoryStore: what a store in memory gives back, for how long, and that an
// update that fails leaves no trace.
func TestMemoryStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), ncat.NewMemoryStore()
		has := func(key, want string) {
			t.Helper()
			v, ok, err := ncat.Get[string](ctx, s, key)
			if err != nil || v != want || ok != (want != "") {
				t.Errorf("%s is %q, %v, %v, want %q", key, v, ok, err, want)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		has("a", "")
		must(ncat.Delete(ctx, s, "a"))
		must(ncat.Put(ctx, s, "a", "1"))
		must(ncat.PutFor(ctx, s, "b", "2", time.Minute))
		must(ncat.PutFor(ctx, s, "ba", "3", 0))
		has("a", "1")
		has("b", "2")
		time.Sleep(time.Minute - 1)
		has("b", "2")
		time.Sleep(time.Nanosecond)
		has("b", "")
		if list, err := ncat.Scan[string](ctx, s, "b"); err != nil || fmt.Sprint(list) != "[{ba 3}]" {
			t.Errorf("%v, %v", list, err)
		}
		must(ncat.PutFor(ctx, s, "a", "4", time.Minute)) // it expires now
		must(ncat.Put(ctx, s, "a", "5"))                 // and does not any more
		time.Sleep(time.Hour)
		has("a", "5")

		broken := errors.New("broken")
		twice := func(v string, ok bool) (string, error) {
			if !ok {
				return "new", nil
			}
			return v + v, nil
		}
		for _, want := range []string{"new", "newnew"} {
			if v, err := ncat.Update(ctx, s, "u", twice); err != nil || v != want {
				t.Errorf("updated to %q, %v", v, err)
			}
		}
		if _, err := ncat.Update(ctx, s, "u", func(string, bool) (string, error) { return "x", broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		must(ncat.Put(ctx, s, "n", 7))
		if _, err := ncat.Update(ctx, s, "n", twice); err == nil || !strings.Contains(err.Error(), `"n"`) {
			t.Errorf("a value of another type: %v", err)
		}
		if _, _, err := ncat.Get[string](ctx, s, "n"); err == nil || !strings.Contains(err.Error(), `"n"`) {
			t.Errorf("a value of another type: %v", err)
		}
		if _, err := ncat.Scan[string](ctx, s, ""); err == nil || !strings.Contains(err.Error(), `"n"`) {
			t.Errorf("a value of another type: %v", err)
		}
		if err := ncat.Put(ctx, s, "f", func() {}); err == nil || !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("a value that cannot be stored: %v", err)
		}
		if err := s.Update(ctx, func(tx ncat.Tx) error {
			return errors.Join(ncat.PutTx(tx, "a", "half", 0), tx.Delete("u"), broken)
		}); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		has("a", "5")
		has("u", "newnew")
		must(s.View(ctx, func(tx ncat.Tx) error { // a picture of one moment
			must(ncat.Put(ctx, s, "a", "6"))
			if v, ok, err := ncat.GetTx[string](tx, "a"); v != "5" || !ok || err != nil {
				t.Errorf("within a view a is %q, %v, %v", v, ok, err)
			}
			return nil
		}))
		has("a", "6")
		value := []byte(`"mine"`)
		must(s.Update(ctx, func(tx ncat.Tx) error { return tx.Put("c", value, 0) }))
		copy(value, `"your"`)
		has("c", "mine")
		must(s.View(ctx, func(tx ncat.Tx) error {
			v, _, err := tx.Get("c")
			copy(v, `"your"`)
			return errors.Join(err, tx.Scan("c", func(_ string, v []byte) error { copy(v, `"your"`); return nil }))
		}))
		has("c", "mine")
		if err := s.View(ctx, func(tx ncat.Tx) error { return tx.Scan("", func(string, []byte) error { return broken }) }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		must(ncat.Delete(ctx, s, "a", "c", "none"))
		has("a", "")
		has("c", "")

		gone, cancel := context.WithCancelCause(ctx)
		cancel(broken)
		_, _, err := ncat.Get[string](gone, s, "u")
		_, scan := ncat.Scan[string](gone, s, "")
		_, update := ncat.Update(gone, s, "u", twice)
		for what, err := range map[string]error{"get": err, "scan": scan, "update": update, "put": ncat.Put(gone, s, "u", "x"), "delete": ncat.Delete(gone, s, "u")} {
			if !errors.Is(err, broken) {
				t.Errorf("%s: %v", what, err)
			}
		}
		has("u", "newnew")
	})
}

// TestStores: each plugin has a store of its own, the bot another one, and what
// they keep without a disk is kept until the program ends.
func TestStores(t *testing.T) {
	b := ncat.New()
	if b.HasStore() || b.Store() != b.Store() {
		t.Error("without a disk a bot has no lasting store, and one all the same")
	}
	var asked []string
	one := ncat.NewMemoryStore()
	kept := ncat.New(ncat.WithStore(func(owner string) ncat.Store { asked = append(asked, owner); return one }))
	if !kept.HasStore() || kept.Store() != one || fmt.Sprint(asked) != "[bot]" {
		t.Errorf("asked for %v", asked)
	}
}
