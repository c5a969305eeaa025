package ncat

import (
	"context"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ncatd/ncatd/onebot"
)

// repeatChats is in how many chats a repetition is followed at the same time.
const repeatChats = 4096

// repetition is what people said last in a chat.
type repetition struct {
	text string
	by   map[onebot.UserID]bool
	told bool
}

// repeats follows what is said in all chats of all accounts.
type repeats struct {
	mu    sync.Mutex // guards the repetitions
	chats *lru.Cache[repeatKey, *repetition]
}

type repeatKey struct {
	self onebot.UserID
	chat Chat
}

// OnRepeat lets h run when n different people in a group have said the same, one
// after another; it runs once for each such run. A message is the same if all of it
// is, pictures by their files included; the account's own do not count.
func (b *Bot) OnRepeat(n int, h func(ctx context.Context, b *Bot, m onebot.MessageEvent) error, opts ...HandlerOption) *Registration {
	if n < 2 {
		misuse("OnRepeat(%d): a repetition takes two people", n)
	}
	if h == nil {
		misuse("OnRepeat: the handler is nil")
	}
	chats, _ := lru.New[repeatKey, *repetition](repeatChats) // fails for less than one only
	r := &repeats{chats: chats}
	said := func(_ *Bot, e onebot.Event) bool {
		m, ok := e.(*onebot.GroupMessage)
		return ok && m.UserID != m.SelfID && r.add(m, n)
	}
	return On(b, h, append([]HandlerOption{Named("repeat")}, append(opts, Where(said))...)...)
}

// add takes a message in and reports whether it makes a repetition of n people.
func (r *repeats) add(m *onebot.GroupMessage, n int) bool {
	text := sameness(m.Message)
	r.mu.Lock()
	defer r.mu.Unlock()
	k := repeatKey{m.SelfID, ChatOf(m)}
	x, ok := r.chats.Get(k)
	if !ok || x.text != text {
		x = &repetition{text: text, by: map[onebot.UserID]bool{}}
		r.chats.Add(k, x)
	}
	if !x.told {
		x.by[m.UserID] = true
		if len(x.by) >= n {
			x.told, x.by = true, nil
			return true
		}
	}
	return false
}

// sameness is equal for messages that say the same: a picture has an address of its
// own each time, but the name of its file is made of what is in it.
func sameness(m onebot.Message) string {
	out := ""
	for _, s := range m {
		switch s := s.(type) {
		case *onebot.TextSegment:
			out += s.Text
		case *onebot.ImageSegment:
			out += "\x00image " + s.File
		default:
			out += "\x00" + onebot.Message{s}.CQ()
		}
	}
	return out
}
