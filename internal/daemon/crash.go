package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// maxCrash is how much of a panic's text is kept: the goroutine that panicked
// comes first.
const maxCrash = 16 << 10

// crashes keeps how this home's daemon last ended badly. While it runs, Go's
// runtime writes a panic that ends the process into logs/crash.txt; the next start
// moves it to logs/last-crash.json and adds the message that was being handled.
type crashes struct {
	account func(onebot.UserID) string

	text, path string
	out        *os.File // where the runtime writes
	fresh      bool     // the crash is that of the process before this one

	mu   sync.Mutex // guards the field below
	last *api.LastCrash
}

// newCrashes takes up what the process before this one left, and has the runtime
// write a panic of this one.
func newCrashes(h home.Dir, account func(onebot.UserID) string) (*crashes, error) {
	c := &crashes{account: account, text: h.Join("logs", "crash.txt"), path: h.Join("logs", "last-crash.json")}
	err := c.takeUp()
	f, e := atomicfile.OpenFile(c.text, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if e != nil {
		return c, errors.Join(err, e)
	}
	c.out = f
	return c, errors.Join(err, debug.SetCrashOutput(f, debug.CrashOptions{}))
}

// takeUp reads the last crash.
func (c *crashes) takeUp() error {
	b, err := os.ReadFile(c.path)
	if err == nil {
		last := new(api.LastCrash)
		if json.Unmarshal(b, last) == nil {
			c.last = last
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.Open(c.text)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return err
	}
	if b, err = io.ReadAll(io.LimitReader(f, maxCrash)); err != nil {
		return err
	}
	c.last, c.fresh = &api.LastCrash{Time: st.ModTime(), Panic: firstLine(b), Stack: string(b)}, true
	return c.save()
}

// firstLine returns the line of a crash that says what it was.
func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return string(line)
}

func (c *crashes) save() error {
	b, err := json.MarshalIndent(c.last, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(c.path, b, 0o600)
}

// lost names a message that was being handled when the process before this one
// ended.
func (c *crashes) lost(m ncat.Unfinished) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fresh || c.last.MessageID != "" && !m.GivenUp { // of several the one that was there twice
		return nil
	}
	last := *c.last
	last.Account = c.account(m.Account)
	last.Chat = chatName(m.Chat)
	last.MessageID = strconv.FormatInt(int64(m.MessageID), 10)
	c.last = &last
	return c.save()
}

func chatName(c ncat.Chat) string {
	if c.IsGroup() {
		return fmt.Sprintf("group %d", c.Group)
	}
	return fmt.Sprintf("user %d", c.User)
}

// snapshot returns the last crash, nil if there was none.
func (c *crashes) snapshot() *api.LastCrash {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fresh {
		return c.last
	}
	last := *c.last
	last.Fresh = true
	return &last
}

// close ends an orderly run, which leaves nothing behind.
func (c *crashes) close() error {
	if c.out == nil {
		return nil
	}
	return errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), c.out.Close(), os.Remove(c.text))
}
