package journal

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// shelf is a Disk in memory.
type shelf struct {
	records map[of]Saved
	epoch   uint64
	broken  error
}

type of struct {
	self onebot.UserID
	chat Chat
}

func (s *shelf) Load(context.Context) (out []Record, err error) {
	for k, v := range s.records {
		out = append(out, Record{k.self, k.chat, v})
	}
	return out, s.broken
}

func (s *shelf) Write(_ context.Context, put, gone []Record, _ bool) error {
	if s.broken != nil {
		return s.broken
	}
	for _, r := range gone {
		delete(s.records, of{r.Self, r.Chat})
	}
	for _, r := range put {
		s.records[of{r.Self, r.Chat}] = r.Saved
	}
	return nil
}

func (s *shelf) Epoch() uint64 { return s.epoch }

func newShelf() *shelf { return &shelf{records: map[of]Saved{}} }

func newBook(t *testing.T, d Disk) *Book {
	t.Helper()
	b := NewBook(slog.New(slog.DiscardHandler), 10)
	if _, err := b.Load(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return b
}

// A process that is killed before it handled its first message leaves behind since
// when it listened, so that the next one does not take that message for an old one.
func TestSinceWhenItListensOutlivesAProcessThatHandledNothing(t *testing.T) {
	const self = 10001
	d := newShelf()
	first := newBook(t, d)
	first.born -= 100
	began := first.aliveAt(self)
	first.commit(t.Context())
	if again := newBook(t, d).aliveAt(self); again != began {
		t.Errorf("the next process begins at %d, the first one listened since %d", again, began)
	}
}

// Where another disk takes the place of the one that was written to, all that is
// known is written again.
func TestAnotherDiskIsWrittenWhole(t *testing.T) {
	const self = 10001
	d := newShelf()
	b := newBook(t, d)
	for i := range 5 {
		c, m := Chat{Group: onebot.GroupID(100 + i)}, Mark{ID: int64(i + 1), Seq: 7, Time: 1000}
		b.note(self, c, m)
		b.begin(t.Context(), self, c, m)
		b.end(t.Context(), self, c, m, false)
	}
	want := maps.Clone(d.records)
	d.records, d.epoch = map[of]Saved{}, 1
	b.Retry(t.Context())
	for r := range want {
		if _, ok := d.records[r]; !ok {
			t.Errorf("%+v is not written", r)
		}
	}
}

// Whoever watches hears why the book cannot be read or written, and that it can
// again.
func TestWatch(t *testing.T) {
	const self = 10001
	full := errors.New("the disk is full")
	d := newShelf()
	d.broken = full
	b := NewBook(slog.New(slog.DiscardHandler), 10)
	var told []error
	b.Watch(func(err error) { told = append(told, err) })
	if _, err := b.Load(t.Context(), d); !errors.Is(err, full) {
		t.Fatal(err)
	}
	c, m := Chat{Group: 100}, Mark{ID: 1, Seq: 1, Time: 1000}
	b.note(self, c, m)
	b.begin(t.Context(), self, c, m) // does not wait for a disk that failed
	b.Retry(t.Context())
	d.broken = nil
	b.Retry(t.Context())
	if n := len(told); n < 2 || !errors.Is(told[0], full) || told[n-1] != nil {
		t.Errorf("told %v", told)
	}
}
