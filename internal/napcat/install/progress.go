package install

import (
	"time"
)

// tickEvery is how often one transfer reports.
const tickEvery = 200 * time.Millisecond

// rateWindow is over how long the shown rate is averaged.
const rateWindow = 3 * time.Second

// ticker turns a stream of byte counts into events at a readable pace.
type ticker struct {
	emit    func(Event)
	ev      Event
	last    time.Time
	started time.Time
	base    int64 // bytes that were there at the start, left out of the rate
	marks   []mark
}

type mark struct {
	at    time.Time
	bytes int64
}

func newTicker(emit func(Event), ev Event) *ticker {
	return &ticker{emit: emit, ev: ev, started: time.Now()}
}

// bytes reports n bytes done so far.
func (t *ticker) bytes(n int64) {
	now := time.Now()
	if now.Sub(t.last) < tickEvery {
		return
	}
	t.last = now
	t.marks = append(t.marks, mark{now, n})
	for len(t.marks) > 2 && now.Sub(t.marks[0].at) > rateWindow {
		t.marks = t.marks[1:]
	}
	t.send(n, now)
}

// done reports the last count, with the rate of the whole.
func (t *ticker) done(n int64) {
	t.marks = nil
	t.ev.Total = n
	t.send(n, time.Now())
}

func (t *ticker) send(n int64, now time.Time) {
	ev := t.ev
	ev.Bytes = n
	from := mark{t.started, t.base}
	if len(t.marks) > 1 {
		from = t.marks[0]
	}
	if d := now.Sub(from.at).Seconds(); d > 0 {
		ev.Rate = float64(n-from.bytes) / d
	}
	if ev.Total > n && ev.Rate > 0 {
		ev.ETA = float64(ev.Total-n) / ev.Rate
	}
	t.emit(ev)
}
