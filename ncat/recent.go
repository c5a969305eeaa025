package ncat

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ncatd/ncatd/onebot"
)

// maxPriority runs a handler before those of authors.
const maxPriority = 1 << 30

// Recent holds the last messages that came in, so that one which was taken back can
// be shown. It is safe for concurrent use.
type Recent struct {
	kept *lru.Cache[messageKey, onebot.MessageEvent]
}

// messageKey names a message: accounts number them each for itself.
type messageKey struct {
	self onebot.UserID
	chat Chat
	id   onebot.MessageID
}

func keyOf(m onebot.MessageEvent) messageKey {
	return messageKey{m.Base().SelfID, ChatOf(m), m.Msg().MessageID}
}

// KeepRecent holds the last n messages of all chats together, in memory only; opts
// say which ones ([Where]). What a message takes is a few kilobytes; pictures and
// files in it are addresses, which QQ lets expire after a while.
//
//	recent := b.KeepRecent(1000)
//	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupRecall) error {
//		m, ok := recent.Of(e)
//		…
func (b *Bot) KeepRecent(n int, opts ...HandlerOption) *Recent {
	if n < 1 {
		misuse("KeepRecent(%d): keep at least one message", n)
	}
	kept, _ := lru.New[messageKey, onebot.MessageEvent](n) // fails for less than one only
	r := &Recent{kept}
	On(b, func(_ context.Context, _ *Bot, m onebot.MessageEvent) error {
		r.kept.Add(keyOf(m), m)
		return nil
	}, append([]HandlerOption{Named("recent messages"), Priority(maxPriority)}, opts...)...)
	return r
}

// Of returns the message that a recall is about, if it is still held.
func (r *Recent) Of(e onebot.Event) (m onebot.MessageEvent, ok bool) {
	k := messageKey{self: e.Base().SelfID, chat: ChatOf(e)}
	switch e := e.(type) {
	case *onebot.GroupRecall:
		k.id = e.MessageID
	case *onebot.FriendRecall:
		k.id = e.MessageID
	default:
		return nil, false
	}
	return r.kept.Get(k)
}

// Copies remembers which messages are copies of each other, as in groups between
// which a bot relays: a user who quotes a copy means what it was copied from. It is safe for
// concurrent use.
type Copies struct {
	sets *lru.Cache[copyKey, *lru.Cache[Chat, onebot.MessageID]]
}

type copyKey struct {
	chat Chat
	id   onebot.MessageID
}

// maxCopies bounds the chats that one message is copied to.
const maxCopies = 64

// NewCopies returns Copies that remember the last n messages.
func NewCopies(n int) *Copies {
	if n < 1 {
		misuse("NewCopies(%d): remember at least one message", n)
	}
	sets, _ := lru.New[copyKey, *lru.Cache[Chat, onebot.MessageID]](n) // fails for less than one only
	return &Copies{sets}
}

// Link says that the message id of a chat and the message copyID of another are the
// same. All copies of one message are copies of each other.
func (c *Copies) Link(chat Chat, id onebot.MessageID, copyChat Chat, copyID onebot.MessageID) {
	set, ok := c.sets.Get(copyKey{chat, id})
	if !ok {
		set, _ = lru.New[Chat, onebot.MessageID](maxCopies) // as above
		set.Add(chat, id)
		c.sets.Add(copyKey{chat, id}, set)
	}
	set.Add(copyChat, copyID)
	c.sets.Add(copyKey{copyChat, copyID}, set)
}

// In returns what the message id of a chat is called in another.
func (c *Copies) In(chat Chat, id onebot.MessageID, other Chat) (onebot.MessageID, bool) {
	set, ok := c.sets.Get(copyKey{chat, id})
	if !ok {
		return 0, false
	}
	return set.Get(other)
}

// Copy sends what m consists of to another chat, after before, which may name the user who
// wrote it, and remembers both. What m quotes is quoted there as it is called there,
// or left out if it is not there.
func (b *Bot) Copy(ctx context.Context, m onebot.MessageEvent, to Chat, c *Copies, before ...any) (onebot.MessageID, error) {
	from := ChatOf(m)
	var quote, content onebot.Message
	for _, s := range m.Msg().Message {
		if q, ok := s.(*onebot.ReplySegment); ok {
			if id, ok := c.In(from, q.ID, to); ok {
				quote = onebot.Message{onebot.Reply(id)}
			}
			continue
		}
		content = append(content, s)
	}
	id, err := b.Send(ctx, to, quote, before, content)
	if err == nil {
		c.Link(from, m.Msg().MessageID, to, id)
	}
	return id, err
}
