package bot

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
)

// TapEvent is one event as it came.
type TapEvent struct {
	Type string          // such as message.group; see Stats.EventsByType
	Raw  json.RawMessage // must not be changed
}

// Tap is a view of an account's events for the control API. Events that its
// reader is too slow for are left out and counted; the link never waits.
type Tap struct {
	// C gets the events, in order. It is closed by Close.
	C <-chan TapEvent

	c      chan TapEvent
	missed atomic.Uint64
	of     *taps
}

// Missed returns how many events were left out since it was last called.
func (t *Tap) Missed() uint64 { return t.missed.Swap(0) }

// Close ends the tap. It may be called more than once.
func (t *Tap) Close() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if i := slices.Index(t.of.all, t); i >= 0 {
		t.of.all = slices.Delete(t.of.all, i, i+1)
		t.of.n.Store(int32(len(t.of.all)))
		close(t.c)
	}
}

// Tap returns a tap with room for buffer events that were not read yet.
func (l *Link) Tap(buffer int) *Tap {
	c := make(chan TapEvent, max(buffer, 1))
	t := &Tap{C: c, c: c, of: &l.taps}
	l.taps.mu.Lock()
	defer l.taps.mu.Unlock()
	l.taps.all = append(l.taps.all, t)
	l.taps.n.Store(int32(len(l.taps.all)))
	return t
}

type taps struct {
	n   atomic.Int32 // len(all), so that events without a reader cost nothing
	mu  sync.Mutex   // guards the field below and the closing of channels
	all []*Tap
}

func (ts *taps) offer(k eventKind, raw []byte) {
	if ts.n.Load() == 0 {
		return
	}
	e := TapEvent{Type: k.String(), Raw: raw}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		select {
		case t.c <- e:
		default:
			t.missed.Add(1)
		}
	}
}
