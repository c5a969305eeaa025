package gateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/onebot"
)

// Filter says which events an app gets. An empty list lets everything of its kind
// through, but own messages (message_sent) must be asked for.
type Filter struct {
	Types    []string // such as message, or notice.group_ban
	Groups   []int64  // of what happens in a group, only what happens in these
	Users    []int64  // only what these users did
	Prefixes []string // of messages, only those that begin with one of these
}

// Event is one event of an account.
type Event struct {
	Type  string // such as message.group
	Event onebot.Event
	// Raw is the event as NapCat sent it.
	Raw []byte
}

// post returns the first word of the type.
func (e *Event) post() string {
	post, _, _ := strings.Cut(e.Type, ".")
	return post
}

// message returns the event as a message, nil if it is none.
func (e *Event) message() *onebot.MessageBase {
	if m, ok := e.Event.(onebot.MessageEvent); ok {
		return m.Msg()
	}
	return nil
}

// number returns a number at the top level of the event.
func (e *Event) number(key string) int64 {
	var n int64
	jsonscan.Fields(e.Raw, func(k, v []byte) {
		if string(k) == key {
			n, _ = strconv.ParseInt(strings.Trim(string(v), `"`), 10, 64)
		}
	})
	return n
}

func (e *Event) group() int64 {
	if m, ok := e.Event.(*onebot.GroupMessage); ok {
		return int64(m.GroupID)
	}
	return e.number("group_id")
}

func (e *Event) user() int64 {
	if m := e.message(); m != nil {
		return int64(m.UserID)
	}
	return e.number("user_id")
}

// Wants reports whether an app with this filter gets an event.
func (f *Filter) Wants(e *Event) bool {
	if !f.wantsType(e) {
		return false
	}
	if len(f.Groups) > 0 {
		if g := e.group(); g != 0 && !slices.Contains(f.Groups, g) {
			return false
		}
	}
	if len(f.Users) > 0 && !slices.Contains(f.Users, e.user()) {
		return false
	}
	if m := e.message(); m != nil && len(f.Prefixes) > 0 {
		text := strings.TrimLeft(m.Text(), " ")
		return slices.ContainsFunc(f.Prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
	}
	return true
}

func (f *Filter) wantsType(e *Event) bool {
	post := e.post()
	if len(f.Types) == 0 {
		return post != onebot.PostMessageSent
	}
	return slices.ContainsFunc(f.Types, func(t string) bool { return t == e.Type || t == post })
}

// Own reports whether an app with this filter asks for the account's own
// messages, which NapCat must be told to report.
func (f *Filter) Own() bool {
	return slices.ContainsFunc(f.Types, func(t string) bool {
		post, _, _ := strings.Cut(t, ".")
		return post == onebot.PostMessageSent
	})
}
