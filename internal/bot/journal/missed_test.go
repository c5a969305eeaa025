package journal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// m is a message with the number n, ten a second.
func m(n int) Mark { return Mark{ID: int64(1000 + n), Seq: int64(n), Time: int64(100 + n/10)} }

func page(ns ...int) (out []old) {
	for _, n := range ns {
		out = append(out, old{Mark: m(max(n, -n)), skip: n < 0})
	}
	return out
}

func marks(ns ...int) (out []Mark) {
	for _, n := range ns {
		if n == 0 {
			out = append(out, Mark{})
			continue
		}
		out = append(out, m(n))
	}
	return out
}

// known is a log of messages that are done, orphans negative.
func known(ns ...int) *chatLog {
	l := &chatLog{}
	for _, n := range ns {
		e := entry{Mark: m(max(n, -n)), state: done}
		if n < 0 {
			e.state, e.tries = orphan, 1
		}
		l.entries = append(l.entries, e)
	}
	return l
}

// spell writes what is delivered: p for the page, h for what was held.
func spell(o outcome, page []old, held []Mark) string {
	var b strings.Builder
	for _, s := range o.steps {
		if s.page >= 0 {
			fmt.Fprintf(&b, "p%d ", page[s.page].Seq)
		} else {
			fmt.Fprintf(&b, "h%d ", held[s.held].Seq)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestMissed(t *testing.T) {
	for name, c := range map[string]struct {
		log        *chatLog
		page       []old
		held       []Mark
		late       bool
		limit      int
		want       string
		over, left int
	}{
		"nothing":                     {log: known(1, 2), page: page(1, 2)},
		"one missed":                  {log: known(1), page: page(1, 2), want: "p2"},
		"since is not in the page":    {log: known(1), page: page(2, 3), want: "p2 p3"},
		"own ones are left out":       {log: known(1), page: page(1, -2, 3, -4), want: "p3"},
		"live and in the history":     {log: known(1), page: page(1, 2, 3), held: marks(3), want: "p2 h3"},
		"live after the history":      {log: known(1), page: page(1, 2), held: marks(3), want: "p2 h3"},
		"live before the page":        {log: known(1), page: page(4), held: marks(3), want: "h3 p4"},
		"a notice goes with its kin":  {log: known(1), page: page(1, 2, 3, 4), held: marks(3, 0, 4), want: "p2 h3 h0 h4"},
		"an unknown chat":             {log: &chatLog{base: Mark{Time: 101}}, page: page(9, 10, 11), want: "p10 p11"},
		"an orphan is given again":    {log: known(1, -2), page: page(1, 2, 3), want: "p2 p3"},
		"orphan before one that is":   {log: known(1, -2, 3), page: page(1, 2, 3, 4), want: "p2 p4"},
		"older than what was handled": {log: known(1, 3), page: page(2, 3, 4), want: "p4"},
		"late but asked for":          {log: known(1, 3), page: page(2, 3, 4), late: true, want: "p2 p4"},
		"the newest of too many":      {log: known(1), page: page(1, 2, 3, 4, 5), held: marks(5), limit: 2, want: "p3 p4 h5", over: 1},
	} {
		t.Run(name, func(t *testing.T) {
			q := query{since: c.log.since(), late: c.late, limit: max(c.limit, 1)}
			if c.limit == 0 {
				q.limit = 100
			}
			if c.late {
				q.since = m(1)
			}
			o := missed(c.log, q, c.page, c.held)
			if got := spell(o, c.page, c.held); got != c.want || o.over != c.over {
				t.Errorf("got %s, %d over; want %s, %d", got, o.over, c.want, c.over)
			}
		})
	}
}

// TestMissedTooOld leaves out what is older than wanted.
func TestMissedTooOld(t *testing.T) {
	p := page(1, 15, 25)
	o := missed(known(1), query{since: m(1), oldest: 102, limit: 10}, p, nil)
	if got := spell(o, p, nil); got != "p25" {
		t.Errorf("got %s", got)
	}
}

// TestMissedWithoutSequence has a host whose messages have neither sequence nor
// order within a second.
func TestMissedWithoutSequence(t *testing.T) {
	bare := func(id int) Mark { return Mark{ID: int64(id), Time: 100} }
	l := &chatLog{entries: []entry{{Mark: bare(1), state: done}, {Mark: bare(2), state: done}}}
	p := []old{{Mark: bare(1)}, {Mark: bare(3)}, {Mark: bare(2)}, {Mark: bare(4)}}
	o := missed(l, query{since: l.since(), limit: 10}, p, nil)
	if len(o.steps) != 1 || p[o.steps[0].page].ID != 4 {
		t.Errorf("got %+v", o.steps)
	}
	o = missed(l, query{since: l.since(), limit: 10}, p[3:], nil)
	if len(o.steps) != 1 {
		t.Errorf("a message of the same second: %+v", o.steps)
	}
}

// TestMissedProperties cuts the life of a chat anywhere: what was handled, what
// was begun, what the history shows and what came live meanwhile.
func TestMissedProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 60).Draw(t, "messages")
		handled := rapid.IntRange(0, total).Draw(t, "handled")
		shown := rapid.IntRange(handled, total).Draw(t, "shown")
		live := rapid.IntRange(handled, shown).Draw(t, "live from")
		from := rapid.IntRange(0, handled).Draw(t, "page from")
		l := &chatLog{}
		orphans := map[int64]bool{}
		for n := 1; n <= handled; n++ {
			e := entry{Mark: m(n), state: done}
			if rapid.IntRange(0, 9).Draw(t, "state") == 0 && n > from {
				e.state, e.tries = orphan, 1
				orphans[int64(n)] = true
			}
			l.entries = append(l.entries, e)
		}
		own := map[int64]bool{}
		var p []old
		for n := from + 1; n <= shown; n++ {
			o := old{Mark: m(n), skip: n > handled && n <= live && rapid.Bool().Draw(t, "own")}
			own[int64(n)] = o.skip
			p = append(p, o)
		}
		var held []Mark
		for n := live + 1; n <= total; n++ {
			held = append(held, m(n))
			if rapid.IntRange(0, 4).Draw(t, "notice") == 0 {
				held = append(held, Mark{})
			}
		}
		o := missed(l, query{since: l.since(), limit: 1000}, p, held)
		var got []int64
		next := 0
		for _, s := range o.steps {
			if s.page >= 0 {
				got = append(got, p[s.page].Seq)
				continue
			}
			if s.held != next {
				t.Fatalf("held event %d came when %d was due", s.held, next)
			}
			next++
			if x := held[s.held]; x != (Mark{}) {
				got = append(got, x.Seq)
			}
		}
		if next != len(held) {
			t.Fatalf("%d of %d held events were delivered", next, len(held))
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("out of order or twice: %v", got)
		}
		for n := int64(1); n <= int64(total); n++ {
			want := n > int64(handled) && !own[n] || orphans[n]
			if slices.Contains(got, n) != want {
				t.Fatalf("message %d: delivered %v, want %v", n, !want, want)
			}
		}
	})
}

// TestChatLogSurvives ends the process at any moment: what waited comes again
// from the history, what was begun once more, what is done never.
func TestChatLogSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &chatLog{base: m(0)}
		var given [200]int
		n := rapid.IntRange(1, 150).Draw(t, "messages")
		for run := 0; run < 4; run++ {
			var p []old
			for i := 1; i <= n; i++ {
				p = append(p, old{Mark: m(i)})
			}
			o := missed(l, query{since: l.since(), limit: 1000}, p, nil)
			var waits []Mark
			for _, s := range o.steps {
				x := p[s.page].Mark
				if fresh, again := l.note(x); !fresh || again != (given[x.Seq] > 0) {
					t.Fatalf("run %d: message %d: fresh %v, again %v, given %d times", run, x.Seq, fresh, again, given[x.Seq])
				}
				waits = append(waits, x)
			}
			forget := rapid.IntRange(0, len(waits)).Draw(t, "forgotten")
			ends := rapid.IntRange(0, len(waits)).Draw(t, "ends at")
			for i, x := range waits {
				if i == ends {
					break
				}
				l.set(x, queued, begun)
				given[x.Seq]++
				if i < ends-1 {
					l.set(x, begun, done)
				}
			}
			for _, x := range waits[max(ends, forget):] {
				if !l.forget(x) {
					t.Fatalf("message %d is not forgotten", x.Seq)
				}
			}
			l, _ = l.save().load()
		}
		for i, k := range given {
			if k > maxTries {
				t.Fatalf("message %d was given %d times", i, k)
			}
		}
	})
}

// TestForget takes back what was noted: it is not known any more, its neighbours
// are, and the history may give it again.
func TestForget(t *testing.T) {
	l := known(1)
	l.note(m(2))
	l.note(m(3))
	l.set(m(2), queued, begun)
	if l.forget(m(2)) {
		t.Error("what was begun is forgotten")
	}
	if !l.forget(m(3)) || l.find(m(3)) >= 0 || l.find(m(2)) < 0 || l.find(m(1)) < 0 {
		t.Errorf("left: %+v", l.entries)
	}
	if l.forget(m(3)) || l.forget(m(9)) {
		t.Error("forgotten twice")
	}
	if fresh, again := l.note(m(3)); !fresh || again {
		t.Errorf("noted again: %v %v", fresh, again)
	}
	orphaned := known(1, -2)
	orphaned.note(m(2))
	if !orphaned.forget(m(2)) || orphaned.since() != m(1) {
		t.Errorf("an orphan that was not handled is no orphan any more: %+v", orphaned.entries)
	}
}

func TestChatLogIsBounded(t *testing.T) {
	l := &chatLog{}
	for i := 1; i <= 10*openSize; i++ {
		l.note(m(i))
	}
	if len(l.entries) > ringSize+openSize {
		t.Errorf("%d are remembered that wait", len(l.entries))
	}
	l = &chatLog{}
	for i := 1; i <= 1000; i++ {
		l.note(m(i))
		l.set(m(i), queued, begun)
		l.set(m(i), begun, done)
	}
	if len(l.entries) > ringSize+1 || len(l.save().Seen) > savedSize {
		t.Errorf("%d are remembered, %d saved", len(l.entries), len(l.save().Seen))
	}
	if fresh, _ := l.note(m(990)); fresh {
		t.Error("a message is new a second time")
	}
}
