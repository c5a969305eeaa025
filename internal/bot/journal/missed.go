package journal

import "slices"

// old is a message of a chat's history.
type old struct {
	Mark
	skip bool // the account's own, recalled, or nothing that can be shown
}

// step is one thing to deliver: a message of the page or an event that was held
// back; the other index is -1.
type step struct{ page, held int }

// query says what is looked for in a history.
type query struct {
	since  Mark  // nothing that was written by then
	late   bool  // also what is older than what was delivered since
	oldest int64 // nothing that was written before, Unix seconds
	limit  int   // so many messages, the newest
}

// outcome is what missed found.
type outcome struct {
	steps []step
	found int // messages of the page among them
	over  int // more than the limit, the oldest: left out
	late  int // older than what was delivered already: left out
}

// missed decides what is delivered of a chat: page is its history, oldest first,
// held are the marks of the live events that wait, in order, zero for those that
// are no messages. What log has is not delivered again, unless an earlier process
// left it undone.
//
// What is delivered is in the order of the history, and held events are in theirs;
// every held event is delivered, but for the doubles of messages.
func missed(log *chatLog, q query, page []old, held []Mark) outcome {
	var o outcome
	want := make([]bool, len(page))
	since := q.since
	start := slices.IndexFunc(page, func(m old) bool { return m.Same(since) })
	floor := log.newest()
	floorAt := slices.IndexFunc(page, func(m old) bool { return m.Same(floor) })
	for i, m := range page {
		if i <= start || start < 0 && (since.After(m.Mark) || m.Same(since) || since.Seq != 0 && m.Seq != 0 && m.Time == since.Time && m.Seq <= since.Seq) {
			continue
		}
		if m.skip || m.Time > 0 && m.Time < q.oldest {
			continue
		}
		k := log.find(m.Mark)
		switch {
		case k >= 0 && log.entries[k].state != orphan: // delivered
		case k < 0 && !q.late && (i < floorAt || floorAt < 0 && floor.After(m.Mark)):
			o.late++
		default:
			want[i] = true
			o.found++
		}
	}
	next := 0
	flush := func(to int) {
		for ; next < to; next++ {
			o.steps = append(o.steps, step{-1, next})
		}
	}
	for i, m := range page {
		if !want[i] {
			continue
		}
		if k := slices.IndexFunc(held[next:], func(h Mark) bool { return h != (Mark{}) && h.Same(m.Mark) }); k >= 0 {
			flush(next + k + 1) // it came live as well
			o.found--
			continue
		}
		for next < len(held) && held[next] != (Mark{}) && m.After(held[next]) {
			flush(next + 1)
		}
		o.steps = append(o.steps, step{i, -1})
	}
	flush(len(held))
	if o.over = max(0, o.found-q.limit); o.over > 0 {
		n := 0
		o.steps = slices.DeleteFunc(o.steps, func(s step) bool {
			if s.page < 0 || n == o.over {
				return false
			}
			n++
			return true
		})
		o.found = q.limit
	}
	return o
}
