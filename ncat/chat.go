package ncat

import (
	"reflect"
	"sync"

	"github.com/ncatd/ncatd/onebot"
)

// Chat is a place to talk: a group if User is 0, else a private chat with User.
// A private chat that is a temporary session has the group it came from in
// Group.
type Chat struct {
	Group onebot.GroupID
	User  onebot.UserID
}

// Group returns the chat of a group.
func Group(id onebot.GroupID) Chat { return Chat{Group: id} }

// Private returns the private chat with a friend.
func Private(id onebot.UserID) Chat { return Chat{User: id} }

// IsGroup reports whether c is a group.
func (c Chat) IsGroup() bool { return c.User == 0 && c.Group != 0 }

// ChatOf returns the chat that an event belongs to; the zero Chat if it belongs
// to none. A notice or request belongs to the group it names, else to the
// private chat with the user it names.
func ChatOf(e onebot.Event) Chat {
	switch m := e.(type) {
	case *onebot.GroupMessage:
		return Chat{Group: m.GroupID}
	case *onebot.PrivateMessage:
		c := Chat{Group: m.GroupID, User: m.UserID}
		if m.UserID == m.SelfID && m.TargetID != 0 { // one of our own
			c.User = m.TargetID
		}
		return c
	}
	v := reflect.ValueOf(e)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return Chat{}
	}
	f := chatFieldsOf(v.Elem().Type())
	if f.group != nil {
		if id := v.Elem().FieldByIndex(f.group).Int(); id != 0 {
			return Chat{Group: onebot.GroupID(id)}
		}
	}
	if f.user != nil {
		return Chat{User: onebot.UserID(v.Elem().FieldByIndex(f.user).Int())}
	}
	return Chat{}
}

// chatFields are the indexes of the fields GroupID and UserID of an event type,
// nil where it has none.
type chatFields struct{ group, user []int }

var chatFieldCache sync.Map // reflect.Type to chatFields

func chatFieldsOf(t reflect.Type) chatFields {
	if f, ok := chatFieldCache.Load(t); ok {
		return f.(chatFields)
	}
	var f chatFields
	if sf, ok := t.FieldByName("GroupID"); ok && sf.Type == reflect.TypeFor[onebot.GroupID]() {
		f.group = sf.Index
	}
	if sf, ok := t.FieldByName("UserID"); ok && sf.Type == reflect.TypeFor[onebot.UserID]() {
		f.user = sf.Index
	}
	chatFieldCache.Store(t, f)
	return f
}
