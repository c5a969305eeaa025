package bot

import (
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/onebot"
)

// Stats counts what a link did since it was made.
type Stats struct {
	Events       uint64 // events that came
	BadFrames    uint64 // frames that were neither an event nor an answer
	Calls        uint64 // calls made, whatever came of them
	CallsFailed  uint64 // of them, refused or lost
	SendsFailed  uint64 // of them, messages
	QueueDropped uint64 // events that found their chat's queue full
	Waiting      int    // events waiting for their handlers now
	Handler      botlink.Stats
	Link         LinkStats
}

// LinkStats are the counters of the present connection.
type LinkStats struct {
	Unmatched, Garbage, TooLarge uint64
	Pending                      int
}

type counts struct {
	bad         atomic.Uint64
	calls       atomic.Uint64
	callsFailed atomic.Uint64
	sendsFailed atomic.Uint64
}

func (c *counts) call(action string, err error) {
	c.calls.Add(1)
	if err != nil {
		c.callsFailed.Add(1)
		if sends(action) {
			c.sendsFailed.Add(1)
		}
	}
}

// sends reports whether an action sends a message: their names all have this
// form (contract F.2).
func sends(action string) bool {
	return strings.HasPrefix(action, "send_") && strings.Contains(action, "_msg")
}

// KindOf names the type of an event: its post_type and the word under it.
func KindOf(e onebot.Event) string {
	post := e.Base().PostType
	switch m := e.(type) {
	case onebot.MessageEvent:
		// Joined by the compiler for the common ones: this runs for each message.
		switch kind := m.Msg().MessageType; {
		case post == "message" && kind == "group":
			return "message.group"
		case post == "message" && kind == "private":
			return "message.private"
		default:
			return post + "." + kind
		}
	case *onebot.Heartbeat:
		return "meta_event.heartbeat"
	}
	v := reflect.ValueOf(e)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return post
	}
	detail := ""
	for _, name := range [...]string{"NoticeType", "RequestType", "MetaEventType"} {
		if f := v.Elem().FieldByName(name); f.IsValid() && f.Kind() == reflect.String {
			detail = f.String()
			break
		}
	}
	if detail == "notify" {
		if f := v.Elem().FieldByName("SubType"); f.IsValid() && f.Kind() == reflect.String {
			detail = f.String()
		}
	}
	if detail == "" {
		return post
	}
	return post + "." + detail
}

// Stats returns the counters as they stand.
func (l *Link) Stats() Stats {
	c := &l.counts
	h := l.session.Stats()
	s := Stats{
		BadFrames: c.bad.Load(), Calls: c.calls.Load(), CallsFailed: c.callsFailed.Load(), SendsFailed: c.sendsFailed.Load(),
		Events: h.Events, QueueDropped: h.Dropped, Waiting: h.Waiting, Handler: h,
	}
	if r := l.link.Load(); r != nil {
		rs := r.Stats()
		s.Link = LinkStats{Unmatched: rs.Unmatched, Garbage: rs.Garbage, TooLarge: rs.TooLarge, Pending: rs.Pending}
	}
	return s
}
