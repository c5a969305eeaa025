package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncat/sqlite"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func counter(opts ...ncat.Option) *ncat.Bot {
	b := ncat.New(opts...)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		n, err := ncat.Update(ctx, b.Store(), m.UserID.String(), func(n int, _ bool) (int, error) { return n + 1, nil })
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, fmt.Sprintf("%d", n))
	})
	return b
}

// TestBotRemembers holds that a bot goes on counting where it was when its file
// is opened anew, and where its backup was.
func TestBotRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot", "bot.db")
	copied := filepath.Join(t.TempDir(), "copy.db")
	once := func(path, want string) {
		t.Helper()
		db, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
		if path != copied && want == "2" {
			if err := db.Backup(t.Context(), copied, false); err != nil {
				t.Fatal(err)
			}
			if err := db.Backup(t.Context(), copied, false); !errors.Is(err, sqlite.ErrExists) {
				t.Errorf("a second backup into the same file: %v", err)
			}
		}
		ncattest.Run(t, counter(ncat.WithStore(db.Space)), func(h *ncattest.Harness) {
			h.Group(100).From(1).Says("x")
			h.Want(want)
		})
	}
	once(path, "1")
	once(path, "2")
	once(path, "3")
	once(copied, "2")
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", st.Mode(), err)
	}
}

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "bot")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := sqlite.Open(ctx, filepath.Join(dir, "bot.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	b := ncat.New(ncat.WithStore(db.Space))
	if err := ncat.Put(ctx, b.Store(), "greeting", "喵"); err != nil {
		fmt.Println(err)
		return
	}
	greeting, _, err := ncat.Get[string](ctx, b.Store(), "greeting")
	fmt.Println(greeting, err)
	// Output: 喵 <nil>
}
