package journal

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

func TestSameMessage(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b Mark
		same bool
	}{
		{"all alike", Mark{1, 2, 3}, Mark{1, 2, 3}, true},
		{"id and sequence, another time", Mark{1, 2, 3}, Mark{1, 2, 4}, true},
		{"sequence and time, another id", Mark{1, 2, 3}, Mark{9, 2, 3}, true},
		{"only the sequence", Mark{1, 2, 3}, Mark{9, 2, 4}, false},
		{"another sequence", Mark{1, 2, 3}, Mark{1, 9, 3}, false},
		{"no sequence: id and time", Mark{1, 0, 3}, Mark{1, 0, 3}, true},
		{"no sequence: another time", Mark{1, 0, 3}, Mark{1, 0, 4}, false},
		{"no sequence: another id", Mark{1, 0, 3}, Mark{9, 0, 3}, false},
		{"a sequence on one side", Mark{1, 2, 3}, Mark{1, 0, 3}, true},
		{"no id", Mark{0, 0, 3}, Mark{0, 0, 3}, false},
		{"no id, but a sequence", Mark{0, 2, 3}, Mark{0, 2, 3}, true},
		{"nothing", Mark{}, Mark{}, false},
	} {
		if tt.a.Same(tt.b) != tt.same || tt.b.Same(tt.a) != tt.same {
			t.Errorf("%s: not %v", tt.name, tt.same)
		}
	}
}

func TestWrittenAfter(t *testing.T) {
	for _, tt := range []struct {
		name  string
		a, b  Mark
		after bool
	}{
		{"later", Mark{1, 1, 4}, Mark{2, 2, 3}, true},
		{"earlier", Mark{1, 2, 3}, Mark{2, 1, 4}, false},
		{"the same second, later", Mark{1, 2, 3}, Mark{2, 1, 3}, true},
		{"the same second, earlier", Mark{1, 1, 3}, Mark{2, 2, 3}, false},
		{"the same", Mark{1, 1, 3}, Mark{1, 1, 3}, false},
		{"the same second, one without a sequence", Mark{1, 2, 3}, Mark{2, 0, 3}, false},
		{"the same second, the other without", Mark{1, 0, 3}, Mark{2, -1, 3}, false},
	} {
		if tt.a.After(tt.b) != tt.after {
			t.Errorf("%s: not %v", tt.name, tt.after)
		}
	}
}

func TestMarkOf(t *testing.T) {
	for _, tt := range []struct {
		seq  string
		time int64
		want Mark
	}{
		{"7", 1_700_000_000, Mark{5, 7, 1_700_000_000}},
		{"", 1_700_000_000, Mark{5, 0, 1_700_000_000}},
		{"x7", 1_700_000_000, Mark{5, 0, 1_700_000_000}},
		{"7", 1_700_000_000_123, Mark{5, 7, 1_700_000_000}},
		{"7", 100_000_000_000, Mark{5, 7, 100_000_000_000}},
		{"7", 100_000_000_001, Mark{5, 7, 100_000_000}},
	} {
		m := &onebot.MessageBase{MessageID: 5, RealSeq: tt.seq, EventBase: onebot.EventBase{Time: tt.time}}
		if got := MarkOf(m); got != tt.want {
			t.Errorf("%q at %d: %+v", tt.seq, tt.time, got)
		}
	}
	if _, ok := markOf(&onebot.Heartbeat{}); ok {
		t.Error("a heartbeat has the mark of a message")
	}
	for c, group := range map[Chat]bool{{Group: 1}: true, {User: 1}: false, {Group: 1, User: 1}: false, {}: false} {
		if c.IsGroup() != group {
			t.Errorf("%+v is a group: %v", c, !group)
		}
	}
}

// TestDoublesOfNotices: a notice that comes twice is one, and each thing that tells
// two of them apart does.
func TestDoublesOfNotices(t *testing.T) {
	base := onebot.EventBase{Time: 100}
	later := onebot.EventBase{Time: 101}
	like := func(b onebot.EventBase, id onebot.MessageID, user onebot.UserID, add bool, emoji ...string) onebot.Event {
		n := &onebot.GroupMsgEmojiLike{EventBase: b, GroupID: 1, UserID: user, MessageID: id, IsAdd: add}
		for _, e := range emoji {
			n.Likes = append(n.Likes, onebot.EmojiLike{EmojiID: e})
		}
		return n
	}
	upload := func(b onebot.EventBase, id string) onebot.Event {
		n := &onebot.GroupUpload{EventBase: b, GroupID: 1, UserID: 2}
		n.File.ID = id
		return n
	}
	notices := []onebot.Event{
		&onebot.GroupRecall{EventBase: base, GroupID: 1, MessageID: 5}, &onebot.GroupRecall{EventBase: later, GroupID: 1, MessageID: 5},
		&onebot.GroupRecall{EventBase: base, GroupID: 2, MessageID: 5}, &onebot.GroupRecall{EventBase: base, GroupID: 1, MessageID: 6},
		&onebot.FriendRecall{EventBase: base, UserID: 1, MessageID: 5}, &onebot.FriendRecall{EventBase: base, UserID: 2, MessageID: 5},
		&onebot.FriendRecall{EventBase: base, UserID: 1, MessageID: 6},
		&onebot.Essence{EventBase: base, GroupID: 1, MessageID: 5, SubType: "add"}, &onebot.Essence{EventBase: base, GroupID: 1, MessageID: 5, SubType: "delete"},
		&onebot.Essence{EventBase: base, GroupID: 2, MessageID: 5, SubType: "add"}, &onebot.Essence{EventBase: base, GroupID: 1, MessageID: 6, SubType: "add"},
		like(base, 5, 2, true, "1"), like(base, 5, 2, false, "1"), like(base, 5, 2, true, "2"), like(base, 5, 2, true, "1", "2"), like(base, 5, 3, true, "1"), like(base, 6, 2, true, "1"),
		&onebot.GrayTip{EventBase: base, GroupID: 1, UserID: 2, MessageID: 5}, &onebot.GrayTip{EventBase: base, GroupID: 1, UserID: 2, MessageID: 6},
		&onebot.GrayTip{EventBase: base, GroupID: 2, UserID: 2, MessageID: 5},
		upload(base, "a"), upload(base, "b"), upload(later, "a"),
		&onebot.FriendRequest{EventBase: base, UserID: 1, Flag: "a"}, &onebot.FriendRequest{EventBase: base, UserID: 1, Flag: "b"}, &onebot.FriendRequest{EventBase: base, UserID: 2, Flag: "a"},
		&onebot.GroupRequest{EventBase: base, GroupID: 1, UserID: 2, SubType: "add", Flag: "a"}, &onebot.GroupRequest{EventBase: base, GroupID: 1, UserID: 2, SubType: "invite", Flag: "a"},
		&onebot.GroupRequest{EventBase: base, GroupID: 1, UserID: 2, SubType: "add", Flag: "b"}, &onebot.GroupRequest{EventBase: base, GroupID: 1, UserID: 3, SubType: "add", Flag: "a"},
	}
	b := newBook(t, nil)
	for i, n := range notices {
		if b.heard(1, n, false) {
			t.Errorf("%d: %T %+v is taken for another", i, n, n)
		}
	}
	for i, n := range notices {
		if !b.heard(1, n, false) {
			t.Errorf("%d: %T %+v is not known again", i, n, n)
		}
		if b.heard(2, n, false) {
			t.Errorf("%d: %T is known to another account", i, n)
		}
	}
	for _, n := range []onebot.Event{&onebot.Poke{EventBase: base}, &onebot.Heartbeat{EventBase: base}, &onebot.GroupRecall{EventBase: base, GroupID: 1}, upload(base, "")} {
		for range 2 {
			if b.heard(1, n, false) {
				t.Errorf("%T without anything of its own is taken for a double", n)
			}
		}
	}
}

func TestNoteFindsItsPlace(t *testing.T) {
	l := &chatLog{}
	for _, n := range []int{30, 10, 20, 25, 40} {
		if fresh, again := l.note(m(n)); !fresh || again {
			t.Errorf("%d: %v %v", n, fresh, again)
		}
	}
	var got []int64
	for _, e := range l.entries {
		got = append(got, e.Seq)
	}
	if want := []int64{10, 20, 25, 30, 40}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	for _, n := range []int{10, 25, 40} {
		if fresh, _ := l.note(m(n)); fresh {
			t.Errorf("%d is new a second time", n)
		}
	}
	if l.newest() != m(40) || l.since() != m(40) || (&chatLog{base: m(3)}).newest() != m(3) {
		t.Errorf("newest %+v, since %+v", l.newest(), l.since())
	}
	for n, at := range map[int]int{10: 0, 25: 2, 40: 4, 11: -1, 50: -1, 5: -1} {
		if i := l.find(m(n)); i != at {
			t.Errorf("%d found at %d", n, i)
		}
	}
	// Without sequence numbers the whole log is looked through.
	bare := &chatLog{entries: []entry{{Mark: Mark{ID: 1, Time: 5}}, {Mark: Mark{ID: 2, Time: 4}}}}
	if bare.find(Mark{ID: 1, Time: 5}) != 0 {
		t.Error("an entry without a sequence is not found")
	}
}

func TestStatesOfAMessage(t *testing.T) {
	l := &chatLog{}
	l.note(m(1))
	if l.set(m(1), begun, done) || l.set(m(2), queued, begun) {
		t.Error("set from a state that it does not have")
	}
	if !l.set(m(1), queued, begun) || l.entries[0].tries != 1 || l.set(m(1), queued, begun) {
		t.Errorf("%+v", l.entries)
	}
	if !l.set(m(1), begun, done) || l.entries[0].tries != 1 {
		t.Errorf("%+v", l.entries)
	}
	if l.settle() {
		t.Error("nothing was left undone")
	}
	undone := known(1, -2, 3)
	if undone.since() != m(1) {
		t.Errorf("since %+v", undone.since())
	}
	if !undone.settle() || undone.entries[1].state != done || undone.since() != m(3) || undone.settle() {
		t.Errorf("%+v", undone.entries)
	}
	if first := (&chatLog{base: m(5), entries: []entry{{Mark: m(6), state: orphan}}}); first.since() != m(5) {
		t.Errorf("since %+v", first.since())
	}
	// An orphan that waited for its second try and is given back is one again.
	again := known(-1)
	if fresh, second := again.note(m(1)); !fresh || !second || again.entries[0].state != queued {
		t.Errorf("%v %v %+v", fresh, second, again.entries)
	}
}

func TestRingForgetsTheOldestDone(t *testing.T) {
	l := &chatLog{}
	for n := 1; n <= ringSize; n++ {
		l.note(m(n))
		l.set(m(n), queued, done)
	}
	if len(l.entries) != ringSize {
		t.Errorf("%d entries", len(l.entries))
	}
	l.note(m(ringSize + 1))
	if len(l.entries) != ringSize || l.base != m(1) || l.entries[0].Mark != m(2) {
		t.Errorf("%d entries after %+v", len(l.entries), l.base)
	}
	// One that waits keeps its place, and those after it theirs.
	w := &chatLog{}
	for n := 1; n <= ringSize+10; n++ {
		w.note(m(n))
		if n > 1 {
			w.set(m(n), queued, done)
		}
	}
	if len(w.entries) != ringSize+10 || w.base != (Mark{}) {
		t.Errorf("%d entries after %+v", len(w.entries), w.base)
	}
	// Settling trims as well.
	for i := range w.entries {
		w.entries[i].state = done
	}
	w.entries[0].state = orphan
	if !w.settle() || len(w.entries) != ringSize {
		t.Errorf("%d entries", len(w.entries))
	}
	full := &chatLog{}
	for n := 1; n <= ringSize+openSize; n++ {
		full.note(m(n))
	}
	if len(full.entries) != ringSize+openSize {
		t.Errorf("%d entries wait", len(full.entries))
	}
	if full.note(m(ringSize + openSize + 1)); len(full.entries) != ringSize+openSize {
		t.Errorf("%d entries wait", len(full.entries))
	}
}

func TestSavedChat(t *testing.T) {
	at := time.Unix(5000, 0)
	l := &chatLog{base: Mark{1, 2, 3}, at: at, entries: []entry{
		{m(1), done, 0}, {m(2), begun, 1}, {m(3), done, 1}, {m(4), orphan, 1}, {m(5), queued, 0}, {m(6), queued, 1},
	}}
	s := l.save()
	x := func(n int, tries ...int64) []int64 { return append([]int64{m(n).ID, m(n).Seq, m(n).Time}, tries...) }
	want := Saved{At: 5000, Base: [3]int64{1, 2, 3}, Seen: [][]int64{x(1), x(2, 1), x(3), x(4, 1), x(6, 1)}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("saved %+v", s)
	}
	back, givenUp := s.load()
	if len(givenUp) != 0 || !back.at.Equal(at) || back.base != l.base {
		t.Errorf("%+v, given up %v", back, givenUp)
	}
	states := []state{done, orphan, done, orphan, orphan}
	for i, e := range back.entries {
		if e.state != states[i] || e.state == orphan && e.tries != 1 {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
	// What was begun twice is given up, what makes no sense left out.
	s.Seen = [][]int64{x(1, maxTries), x(2, 300), x(3, maxTries-1), {1, 2}, nil}
	back, givenUp = s.load()
	if !slices.Equal(givenUp, []Mark{m(1), m(2)}) || len(back.entries) != 3 || back.entries[0].state != done || back.entries[1].state != done || back.entries[2].state != orphan {
		t.Errorf("%+v, given up %v", back.entries, givenUp)
	}
	// Of what is done the last few are kept, and the one before them is the base.
	long := &chatLog{}
	for n := 1; n <= savedSize+3; n++ {
		long.note(m(n))
		long.set(m(n), queued, done)
	}
	long.note(m(savedSize + 4))
	long.set(m(savedSize+4), queued, begun)
	s = long.save()
	if len(s.Seen) != savedSize+1 || s.Base != [3]int64{m(3).ID, m(3).Seq, m(3).Time} || s.Seen[0][1] != m(4).Seq || len(s.Seen[savedSize]) != 4 {
		t.Errorf("%d saved, base %v: %v", len(s.Seen), s.Base, s.Seen)
	}
	short := &chatLog{base: m(0)}
	for n := 1; n <= savedSize; n++ {
		short.note(m(n))
		short.set(m(n), queued, done)
	}
	if s := short.save(); len(s.Seen) != savedSize || s.Base != [3]int64{m(0).ID, m(0).Seq, m(0).Time} {
		t.Errorf("%d saved, base %v", len(s.Seen), s.Base)
	}
}

// TestMissedCounts: how many were found, left out for their number, and came late.
func TestMissedCounts(t *testing.T) {
	for _, tt := range []struct {
		name              string
		log               *chatLog
		q                 query
		page              []old
		held              []Mark
		want              string
		found, over, late int
	}{
		{"missed", known(1), query{since: m(1), limit: 9}, page(1, 2, 3), nil, "p2 p3", 2, 0, 0},
		{"one of them came live", known(1), query{since: m(1), limit: 9}, page(1, 2, 3), marks(3), "p2 h3", 1, 0, 0},
		{"as many as wanted", known(1), query{since: m(1), limit: 2}, page(1, 2, 3), nil, "p2 p3", 2, 0, 0},
		{"more than wanted", known(1), query{since: m(1), limit: 2}, page(1, 2, 3, 4, 5), nil, "p4 p5", 2, 2, 0},
		{"more than wanted, with what is held", known(1), query{since: m(1), limit: 1}, page(1, 2, 4, 5), marks(3), "h3 p5", 1, 2, 0},
		{"late, by the page", known(1, 3), query{since: m(1), limit: 9}, page(1, 2, 3, 4), nil, "p4", 1, 0, 1},
		{"late, by the time", known(1, 30), query{since: m(1), limit: 9}, page(2, 20), nil, "", 0, 0, 2},
		{"in the very second of the limit", known(1), query{since: m(1), oldest: 102, limit: 9}, page(1, 19, 20), nil, "p20", 1, 0, 0},
		{"without a time it is not too old", known(1), query{since: m(1), oldest: 102, limit: 9}, append(page(1), old{Mark: Mark{ID: 7, Seq: 99}}), nil, "p99", 1, 0, 0},
		{"the second of a base, by sequence", &chatLog{base: m(14)}, query{since: m(14), limit: 9}, page(12, 13, 15, 16), nil, "p15 p16", 2, 0, 0},
		{"since itself, told by id alone", &chatLog{base: Mark{ID: 9, Time: 100}}, query{since: Mark{ID: 9, Time: 100}, limit: 9}, []old{{Mark: Mark{ID: 9, Time: 100}}, {Mark: Mark{ID: 10, Seq: 10, Time: 100}}}, nil, "p10", 1, 0, 0},
		{"a second of which no sequence is known", &chatLog{base: Mark{Time: 101}}, query{since: Mark{Time: 101}, limit: 9}, page(9, 10, 11), nil, "p10 p11", 2, 0, 0},
		{"events only", known(1), query{since: m(1), limit: 9}, nil, marks(0, 2, 0), "h0 h2 h0", 0, 0, 0},
		{"held older than all of the page", known(1), query{since: m(1), limit: 9}, page(1, 5, 6), marks(3, 4, 7), "h3 h4 p5 p6 h7", 2, 0, 0},
	} {
		o := missed(tt.log, tt.q, tt.page, tt.held)
		if got := spell(o, tt.page, tt.held); got != tt.want || o.found != tt.found || o.over != tt.over || o.late != tt.late {
			t.Errorf("%s: %s; found %d, over %d, late %d; want %s; %d, %d, %d", tt.name, got, o.found, o.over, o.late, tt.want, tt.found, tt.over, tt.late)
		}
	}
}
