package journal

import (
	"slices"
	"time"
)

const (
	// ringSize is how many messages of a chat are remembered once they are done.
	ringSize = 64
	// openSize is how many of a chat are remembered that are not done. More than
	// that wait in no queue.
	openSize = 4096
	// savedSize is how many done ones are kept on disk: what tells where in the
	// history the next process has to begin.
	savedSize = 16
	// maxTries is how often a message is given to handlers that do not get done.
	maxTries = 2
)

// state is what became of a message.
type state uint8

const (
	queued state = iota // it waits for its turn; a process that ends forgets it
	begun               // handlers run
	done                // they have returned, or it is not wanted any more
	orphan              // begun by a process that ended before it was done
)

type entry struct {
	Mark
	state state
	tries uint8 // how often it was begun
}

// chatLog remembers the last messages of one chat.
type chatLog struct {
	entries []entry // oldest first, as far as can be told
	// base is where the chat began to be watched: what was written by then is
	// nothing that was missed.
	base Mark
	at   time.Time // when the newest was noted
}

// find returns the index of a message, -1 if it is not remembered.
func (l *chatLog) find(m Mark) int {
	for i, e := range slices.Backward(l.entries) {
		if e.Same(m) {
			return i
		}
		if m.After(e.Mark) && m.Seq != 0 && e.Seq != 0 {
			return -1 // newer than everything: they are in order
		}
	}
	return -1
}

// note remembers a message as waiting. It reports false for one that is there
// already, unless an earlier process left it undone: again says so.
func (l *chatLog) note(m Mark) (fresh, again bool) {
	if i := l.find(m); i >= 0 {
		e := &l.entries[i]
		if e.state != orphan {
			return false, false
		}
		e.state = queued
		return true, true
	}
	i := len(l.entries)
	for i > 0 && l.entries[i-1].After(m) {
		i--
	}
	l.entries = slices.Insert(l.entries, i, entry{Mark: m})
	l.trim()
	return true, false
}

// trim forgets the oldest that are done.
func (l *chatLog) trim() {
	for len(l.entries) > ringSize && (l.entries[0].state == done || len(l.entries) > ringSize+openSize) {
		l.base, l.entries = l.entries[0].Mark, l.entries[1:]
	}
}

// set changes what became of a message and reports whether it did.
func (l *chatLog) set(m Mark, from, to state) bool {
	i := l.find(m)
	if i < 0 || l.entries[i].state != from {
		return false
	}
	l.entries[i].state = to
	if to == begun {
		l.entries[i].tries++
	}
	return true
}

// forget takes a message back that was noted and will not be handled: the
// history may give it again.
func (l *chatLog) forget(m Mark) bool {
	i := l.find(m)
	if i < 0 || l.entries[i].state != queued {
		return false
	}
	if l.entries[i].tries > 0 {
		l.entries[i].state = orphan
		return true
	}
	l.entries = slices.Delete(l.entries, i, i+1)
	return true
}

// since returns the message after which the history has to be looked at: the one
// before the first that an earlier process left undone, else the newest.
func (l *chatLog) since() Mark {
	last := l.base
	for _, e := range l.entries {
		if e.state == orphan {
			return last
		}
		last = e.Mark
	}
	return last
}

// newest returns the mark of the newest message, base if there is none.
func (l *chatLog) newest() Mark {
	if n := len(l.entries); n > 0 {
		return l.entries[n-1].Mark
	}
	return l.base
}

// settle gives up what an earlier process left undone and the history does not
// have any more. It reports whether there was something.
func (l *chatLog) settle() (changed bool) {
	for i := range l.entries {
		if l.entries[i].state == orphan {
			l.entries[i].state, changed = done, true
		}
	}
	l.trim()
	return changed
}

// Saved is a chat on disk.
type Saved struct {
	At   int64     `json:"at"`             // Unix seconds of the newest
	Base [3]int64  `json:"base"`           // id, sequence, time
	Seen [][]int64 `json:"seen,omitempty"` // id, sequence, time; how often begun, if not done
}

// save returns what the next process has to know. What still waits it fetches
// again.
func (l *chatLog) save() Saved {
	s := Saved{At: l.at.Unix(), Base: [3]int64{l.base.ID, l.base.Seq, l.base.Time}}
	open := slices.IndexFunc(l.entries, func(e entry) bool { return e.state != done })
	if open < 0 {
		open = len(l.entries)
	}
	if skip := open - savedSize; skip > 0 {
		b := l.entries[skip-1].Mark
		s.Base = [3]int64{b.ID, b.Seq, b.Time}
	}
	for _, e := range l.entries[max(0, open-savedSize):] {
		x := []int64{e.ID, e.Seq, e.Time}
		switch {
		case e.state == begun, e.state == orphan, e.state == queued && e.tries > 0:
			x = append(x, int64(e.tries))
		case e.state == queued:
			continue
		}
		s.Seen = append(s.Seen, x)
	}
	return s
}

// load is the opposite of save, in another process: what was begun there and may
// be given once more is an orphan. It returns those that may not.
func (s Saved) load() (l *chatLog, givenUp []Mark) {
	l = &chatLog{at: time.Unix(s.At, 0), base: Mark{s.Base[0], s.Base[1], s.Base[2]}}
	for _, x := range s.Seen {
		if len(x) < 3 {
			continue
		}
		e := entry{Mark: Mark{x[0], x[1], x[2]}, state: done}
		if len(x) > 3 {
			if e.tries = uint8(min(x[3], maxTries)); e.tries < maxTries {
				e.state = orphan
			} else {
				givenUp = append(givenUp, e.Mark)
			}
		}
		l.entries = append(l.entries, e)
	}
	return l, givenUp
}
