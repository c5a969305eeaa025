package store

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// home is a store whose clock and news a test has.
type home struct {
	t      *testing.T
	path   string
	now    time.Time
	mended []Mended
	failed []error // nil: it works again
	log    bytes.Buffer
}

func newHome(t *testing.T) *home {
	return &home{t: t, path: filepath.Join(t.TempDir(), "data", "ncatd.db"), now: time.Now()}
}

func (h *home) open() *Lazy {
	return NewLazy(h.path, Options{
		Log: slog.New(slog.NewTextHandler(&h.log, nil)), Present: []string{"now"},
		Mended:  func(m Mended) { h.mended = append(h.mended, m) },
		Failing: func(err error) { h.failed = append(h.failed, err) },
		Now:     func() time.Time { return h.now },
	})
}

func (h *home) put(l *Lazy, space, key string, v int) {
	h.t.Helper()
	if err := ncat.Put(h.t.Context(), l.Space(space), key, v); err != nil {
		h.t.Fatal(err)
	}
}

// has wants a value; 0 is none.
func (h *home) has(l *Lazy, space, key string, want int) {
	h.t.Helper()
	got, _, err := ncat.Get[int](h.t.Context(), l.Space(space), key)
	if err != nil || got != want {
		h.t.Errorf("%s/%s is %d (%v), want %d\n%s", space, key, got, err, want, &h.log)
	}
}

func (h *home) close(l *Lazy) {
	h.t.Helper()
	if err := l.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) names(part string) (out []string) {
	h.t.Helper()
	es, err := os.ReadDir(filepath.Dir(h.path))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range es {
		if strings.Contains(e.Name(), part) {
			out = append(out, e.Name())
		}
	}
	return out
}

// damages are what may become of a store's file.
var damages = map[string]func(t *testing.T, path string){
	"zeros": func(t *testing.T, path string) {
		st, err := os.Stat(path)
		must(t, err)
		must(t, os.WriteFile(path, make([]byte, st.Size()), 0o600))
	},
	"text":      func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("not a database at all\n"), 0o600)) },
	"empty":     func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
	"short":     func(t *testing.T, path string) { must(t, os.Truncate(path, 50)) },
	"truncated": func(t *testing.T, path string) { must(t, os.Truncate(path, 3*4096+17)) },
	"random pages": func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		must(t, err)
		for i := 4096; i < len(b); i++ {
			b[i] = byte(rand.N(256))
		}
		must(t, os.WriteFile(path, b, 0o600))
	},
	"a page of another kind": func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		must(t, err)
		for at := 4096; at+4096 <= len(b); at += 2 * 4096 {
			copy(b[at:], bytes.Repeat([]byte{0xff}, 4096))
		}
		must(t, os.WriteFile(path, b, 0o600))
	},
	"a folder": func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, os.MkdirAll(filepath.Join(path, "x"), 0o700))
	},
	"another program's database": func(t *testing.T, path string) {
		must(t, os.Remove(path))
		db, err := sql.Open("sqlite", path)
		must(t, err)
		_, err = db.Exec("CREATE TABLE kv (a, b)")
		must(t, err)
		must(t, db.Close())
	},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill writes enough that the file has pages of several kinds.
func (h *home) fill(l *Lazy) {
	h.t.Helper()
	err := l.Space("bulk").Update(h.t.Context(), func(tx ncat.Tx) error {
		for range 200 {
			if err := tx.Put(crand.Text(), []byte(`"`+crand.Text()+strings.Repeat("x", 200)+`"`), time.Hour); err != nil {
				return err
			}
		}
		return nil
	})
	must(h.t, err)
}

func TestDamagedStoreIsSetAsideAndRestored(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			l := h.open()
			h.put(l, "plugin", "k", 1)
			h.put(l, "now", "k", 1)
			h.fill(l)
			l.Tend(t.Context()) // makes the backup
			made := h.now
			h.now = h.now.Add(time.Hour)
			h.put(l, "plugin", "k", 2)
			h.put(l, "now", "k", 2)
			h.close(l)
			damage(t, h.path)

			l = h.open()
			h.has(l, "plugin", "k", 1)
			if got, _, err := ncat.Get[int](t.Context(), l.Space("now"), "k"); got == 1 || err != nil {
				t.Errorf("how things are now was taken from a backup: %d %v", got, err)
			}
			h.put(l, "plugin", "k", 3)
			h.has(l, "plugin", "k", 3)
			aside := h.path + ".damaged-" + h.now.Format("20060102-150405")
			if len(h.mended) != 1 || h.mended[0].Aside != aside || h.mended[0].Backup.Unix() != made.Unix() || h.mended[0].Whole {
				t.Errorf("told %+v, want %s and the backup of %s", h.mended, aside, made)
			}
			if _, err := os.Lstat(aside); err != nil {
				t.Error(err)
			}
			if strings.Count(h.log.String(), "is damaged") != 1 {
				t.Errorf("the log says\n%s", &h.log)
			}
			h.close(l)
			l = h.open()
			h.has(l, "plugin", "k", 3)
			h.close(l)
			if len(h.mended) != 1 {
				t.Errorf("mended again: %+v", h.mended)
			}
			if left := h.names(".restore"); left != nil {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// A checkpoint that a full disk or a kill cut short is no damage: what the file
// lacks is in its log.
func TestCheckpointCutShortIsNoDamage(t *testing.T) {
	h := newHome(t)
	l := h.open()
	h.put(l, "plugin", "k", 1)
	l.Tend(t.Context()) // makes a backup, which must not be needed
	h.put(l, "plugin", "k", 2)
	h.fill(l)
	log, err := os.ReadFile(h.path + "-wal")
	must(t, err)
	h.close(l) // with a checkpoint
	whole, err := os.ReadFile(h.path)
	must(t, err)
	cut := len(whole) / 2 &^ 4095
	must(t, os.WriteFile(h.path, whole[:cut], 0o600))
	older := slices.Clone(log)
	older[16]++ // the salt of its header
	for what, log := range map[string][]byte{"half of it": log[:len(log)/2], "an older one": older, "none": nil} {
		must(t, os.WriteFile(h.path+"-wal", log, 0o600))
		if err := checkHeader(h.path); !isDamage(err) {
			t.Errorf("a log that lacks pages, %s: %v", what, err)
		}
	}
	must(t, os.WriteFile(h.path+"-wal", log, 0o600))
	l = h.open()
	h.has(l, "plugin", "k", 2)
	h.close(l)
	if len(h.mended) != 0 {
		t.Errorf("a sound store was set aside: %+v", h.mended)
	}
}

// A store in use that is damaged, deleted, or both, goes on from what is in
// memory of it or from the backup, and everything written afterwards stays.
func TestStoreDamagedInUse(t *testing.T) {
	all := map[string]func(t *testing.T, path string){
		"deleted":            func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"its log deleted":    func(t *testing.T, path string) { must(t, os.Remove(path+"-wal")) },
		"its folder deleted": func(t *testing.T, path string) { must(t, os.RemoveAll(filepath.Dir(path))) },
	}
	for name, damage := range damages {
		all[name] = damage
	}
	for name, damage := range all {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			l := h.open()
			h.put(l, "plugin", "k", 1)
			h.fill(l)
			l.Tend(t.Context())
			_, err := l.db.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
			must(t, err)
			before := l.Space("plugin").(lazySpace).Epoch()
			damage(t, h.path)
			l.Tend(t.Context())
			for i := 2; i < 5; i++ {
				// One transaction may be what finds the damage.
				if err := ncat.Put(t.Context(), l.Space("plugin"), "k", i); err != nil && i > 2 {
					t.Errorf("writing: %v", err)
				}
				h.fill(l)
			}
			h.has(l, "plugin", "k", 4)
			h.close(l)
			again := h.open()
			h.has(again, "plugin", "k", 4)
			h.close(again)
			if l.Space("plugin").(lazySpace).Epoch() == before {
				t.Error("nobody can know that another file is in use")
			}
			if strings.HasSuffix(name, "deleted") && (h.mended != nil || !strings.Contains(h.log.String(), "nothing is lost")) {
				t.Errorf("told %+v, log\n%s", h.mended, &h.log)
			}
		})
	}
}

// A checkpoint writes pages anew that were spoilt: all of what was spoilt, so that
// nothing is to be said, or a part, which must not hide the rest.
func TestDamageUnderACheckpoint(t *testing.T) {
	all := map[string]func(t *testing.T, path string){
		"header": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte("this is not a database, and was never meant to be one"), 0)
			must(t, errors.Join(err, f.Close()))
		},
	}
	for _, name := range []string{"zeros", "truncated", "random pages", "a page of another kind"} {
		all[name] = damages[name]
	}
	for name, damage := range all {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			l := h.open()
			h.put(l, "plugin", "k", 1)
			for range 20 {
				h.fill(l)
			}
			l.Tend(t.Context()) // makes the backup
			checkpoint := func() {
				_, err := l.db.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
				must(t, err)
			}
			checkpoint()
			l.Tend(t.Context())
			if h.mended != nil {
				t.Fatalf("told %+v", h.mended)
			}
			h.put(l, "plugin", "k", 2)
			_, err := l.db.write.Exec("PRAGMA user_version = 7") // the first page is in the log
			must(t, err)
			damage(t, h.path)
			_, _ = l.db.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)") // it may find the damage
			l.Tend(t.Context())
			_, err = os.Stat(h.path)
			must(t, err)
			if told := len(h.mended); name == "header" && told != 0 || name != "header" && told != 1 {
				t.Errorf("told %+v", h.mended)
			}
			h.put(l, "plugin", "k", 3)
			h.close(l)
			must(t, checked(t.Context(), h.path, "integrity_check"))
			again := h.open()
			h.has(again, "plugin", "k", 3)
			h.close(again)
		})
	}
}

func TestWithoutABackupAnEmptyStoreBegins(t *testing.T) {
	h := newHome(t)
	l := h.open()
	h.put(l, "plugin", "k", 1)
	h.close(l)
	damages["zeros"](t, h.path)
	l = h.open()
	h.has(l, "plugin", "k", 0)
	h.put(l, "plugin", "k", 2)
	h.has(l, "plugin", "k", 2)
	h.close(l)
	if len(h.mended) != 1 || !h.mended[0].Backup.IsZero() || h.mended[0].Whole {
		t.Errorf("told %+v", h.mended)
	}
}

func TestADamagedBackupIsNotRestored(t *testing.T) {
	h := newHome(t)
	l := h.open()
	for i := range 2 {
		h.put(l, "plugin", "k", i+1)
		l.Tend(t.Context())
		h.now = h.now.Add(25 * time.Hour)
	}
	h.close(l)
	b := backups(h.path)
	if len(b) != 2 {
		t.Fatalf("backups %+v", b)
	}
	damages["random pages"](t, b[1].path)
	damages["text"](t, h.path)
	l = h.open()
	h.has(l, "plugin", "k", 1)
	h.close(l)
}

func TestBackupsAreMadeDailyAndThreeAreKept(t *testing.T) {
	h := newHome(t)
	l := h.open()
	l.Tend(t.Context())
	if _, err := os.Stat(h.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store nobody needed was made: %v", err)
	}
	h.put(l, "plugin", "k", 1)
	var all []string
	for range 24 * 5 {
		l.Tend(t.Context())
		for _, n := range h.names(".backup-") {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
		h.now = h.now.Add(time.Hour)
	}
	h.close(l)
	if len(all) != 5 || len(h.names(".backup-")) != 3 || h.names(".part") != nil {
		t.Errorf("made %q, kept %q", all, h.names(""))
	}
}

// A lock of another program is told as such, costs one wait and no more, and is
// taken back when it is gone.
func TestLockedStore(t *testing.T) {
	h := newHome(t)
	l := h.open()
	h.put(l, "plugin", "k", 1)
	h.close(l)
	other, err := open(h.path, false)
	must(t, err)
	defer other.Close()
	c, err := other.Conn(t.Context())
	must(t, err)
	_, err = c.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	must(t, err)

	l = h.open()
	err = ncat.Put(t.Context(), l.Space("plugin"), "k", 2)
	if !IsLocked(err) || len(h.failed) == 0 || !IsLocked(h.failed[0]) {
		t.Errorf("got %v, told %v", err, h.failed)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := ncat.Put(ctx, l.Space("plugin"), "k", 2); !IsLocked(err) {
		t.Errorf("the next one waited: %v", err)
	}
	_, err = c.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	h.now = h.now.Add(2 * openAgain)
	l.Tend(t.Context())
	if h.failed[len(h.failed)-1] != nil {
		t.Errorf("it works again, told %v", h.failed)
	}
	h.has(l, "plugin", "k", 1)
	h.close(l)
	if h.mended != nil {
		t.Errorf("a locked store was mended: %+v", h.mended)
	}
}
