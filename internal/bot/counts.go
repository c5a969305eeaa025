package bot

import (
	"maps"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncatd/ncatd/ncat"
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
	Handler      ncat.SessionStats
	Link         LinkStats
	// EventsByType counts events by words such as message.group and
	// notice.group_ban.
	EventsByType map[string]uint64
	// CallsByAction counts calls by action.
	CallsByAction map[string]CallStats
}

// LinkStats are the counters of the present connection.
type LinkStats struct {
	Unmatched, Garbage, TooLarge uint64
	Pending                      int
}

// CallStats counts the calls of one action by how they ended.
type CallStats struct {
	OK      uint64
	Refused uint64 // answered with an error
	Lost    uint64 // not sent, or without an answer
}

// maxActions bounds how many actions are counted by name: names come from
// whoever calls, and each is a time series. Further ones count as "other".
const maxActions = 400

type counts struct {
	bad         atomic.Uint64
	callsFailed atomic.Uint64
	sendsFailed atomic.Uint64

	mu      sync.Mutex // guards the fields below
	events  map[eventKind]uint64
	actions map[string]CallStats
}

// eventKind is post_type and the word under it.
type eventKind struct{ post, detail string }

func (k eventKind) String() string {
	if k.detail == "" {
		return k.post
	}
	return k.post + "." + k.detail
}

func (c *counts) init() {
	c.events = map[eventKind]uint64{}
	c.actions = map[string]CallStats{}
}

func (c *counts) event(e onebot.Event) eventKind {
	k := kindOf(e)
	c.mu.Lock()
	if _, known := c.events[k]; !known && len(c.events) >= maxActions {
		k = eventKind{post: "other"}
	}
	c.events[k]++
	c.mu.Unlock()
	return k
}

func (c *counts) call(action string, err error) {
	c.mu.Lock()
	s, known := c.actions[action]
	if !known && len(c.actions) >= maxActions {
		action = "other"
		s = c.actions[action]
	}
	switch {
	case err == nil:
		s.OK++
	case onebot.IsRefused(err):
		s.Refused++
	default:
		s.Lost++
	}
	c.actions[action] = s
	c.mu.Unlock()
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

// kindOf returns the words that name the type of an event.
func kindOf(e onebot.Event) eventKind {
	post := e.Base().PostType
	switch m := e.(type) {
	case *onebot.GroupMessage:
		return eventKind{post, m.MessageType}
	case *onebot.PrivateMessage:
		return eventKind{post, m.MessageType}
	}
	v := reflect.ValueOf(e)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return eventKind{post: post}
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
	return eventKind{post, detail}
}

// Stats returns the counters as they stand.
func (l *Link) Stats() Stats {
	c := &l.counts
	h := l.session.Stats()
	s := Stats{
		BadFrames: c.bad.Load(), CallsFailed: c.callsFailed.Load(), SendsFailed: c.sendsFailed.Load(),
		Events: h.Events, QueueDropped: h.Dropped, Waiting: h.Waiting, Handler: h,
		EventsByType: map[string]uint64{},
	}
	if r := l.link.Load(); r != nil {
		rs := r.Stats()
		s.Link = LinkStats{Unmatched: rs.Unmatched, Garbage: rs.Garbage, TooLarge: rs.TooLarge, Pending: rs.Pending}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, n := range c.events {
		s.EventsByType[k.String()] += n
	}
	s.CallsByAction = maps.Clone(c.actions)
	for _, a := range c.actions {
		s.Calls += a.OK + a.Refused + a.Lost
	}
	return s
}

