package ncattest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Harness is a bot with one account, under test. Its methods must be called from
// the function that was handed to [Run].
type Harness struct {
	*Caller
	// T is the test; it is not the one given to Run but one within virtual time.
	T *testing.T
	// Session is the account's side of the bot.
	Session *ncat.Session

	ctx context.Context
}

var errOver = errors.New("the test is over")

// Run runs the bot with one account, calls f and stops the bot again. Within f
// time is virtual: it stands still while anything is being done, and passes at
// once when all wait. The bot must not have been used before and must not need
// real sockets; what it logs goes to the test's log.
func Run(t *testing.T, b *ncat.Bot, f func(h *Harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b.Apply(ncat.WithLogger(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))))
		h := &Harness{Caller: &Caller{}, T: t}
		h.Session = b.NewSession("", h.Caller)
		ctx, cancel := context.WithCancelCause(t.Context())
		h.ctx = ctx
		ended := make(chan error, 1)
		go func() { ended <- h.Session.Run(ctx) }()
		defer func() {
			cancel(errOver)
			if err := <-ended; err != nil && err != errOver {
				t.Errorf("the bot ended with: %v", err)
			}
		}()
		h.Event(&onebot.Lifecycle{EventBase: Base(onebot.PostMeta), MetaEventType: "lifecycle", SubType: "connect"})
		f(h)
	})
}

// Bot returns the account's bot, to act as the bot itself would.
func (h *Harness) Bot() *ncat.Bot { return h.Session.Bot() }

// Context returns a context that ends with the bot.
func (h *Harness) Context() context.Context { return h.ctx }

// Settle waits until everything the bot does is done or waits for something.
func (h *Harness) Settle() { synctest.Wait() }

// Pass lets time pass.
func (h *Harness) Pass(d time.Duration) {
	time.Sleep(d) // virtual: it returns when nothing else is left to do
	h.Settle()
}

// Event lets an event happen and settles.
func (h *Harness) Event(e onebot.Event) {
	h.T.Helper()
	if h.Session.Feed(Frame(e)) == nil {
		h.T.Fatalf("a %T that no event can be made of", e)
	}
	h.Settle()
}

// Speaker is somebody who writes in a chat.
type Speaker struct {
	h    *Harness
	chat ncat.Chat
	user onebot.UserID
	Role onebot.Role // in a group; member if empty
	Name string      // nickname; one is made up if empty
}

// InGroup returns a member of a group.
func (h *Harness) InGroup(group onebot.GroupID, user onebot.UserID) *Speaker {
	return &Speaker{h: h, chat: ncat.Group(group), user: user}
}

// Friend returns somebody who writes to the account in private.
func (h *Harness) Friend(user onebot.UserID) *Speaker {
	return &Speaker{h: h, chat: ncat.Private(user), user: user}
}

// Says lets the speaker write a message, any mix of strings, [onebot.Segment] and
// [onebot.Message], settles, and returns the message's id.
func (s *Speaker) Says(content ...any) onebot.MessageID {
	s.h.T.Helper()
	e, m := s.message(content)
	s.h.Event(e)
	return m.MessageID
}

func (s *Speaker) message(content []any) (onebot.Event, *onebot.MessageBase) {
	var e onebot.MessageEvent
	if s.chat.IsGroup() {
		e = GroupMessage(s.chat.Group, s.user, content...)
	} else {
		e = PrivateMessage(s.user, content...)
	}
	m := e.Msg()
	if s.Role != "" {
		m.Sender.Role = s.Role
	}
	if s.Name != "" {
		m.Sender.Nickname = s.Name
	}
	return e, m
}

// Want fails the test unless the bot sent messages with exactly these texts, in
// this order, since it was last asked.
func (h *Harness) Want(texts ...string) {
	h.T.Helper()
	var got []string
	for _, s := range h.Sent() {
		got = append(got, s.Text())
	}
	if !slices.Equal(got, texts) {
		h.T.Errorf("the bot sent %q, want %q", got, texts)
	}
}

// WantNothing fails the test if the bot sent a message since it was last asked.
func (h *Harness) WantNothing() {
	h.T.Helper()
	h.Want()
}

// One returns the one message that the bot sent since it was last asked, and
// ends the test if it sent none or several.
func (h *Harness) One() Sent {
	h.T.Helper()
	sent := h.Sent()
	if len(sent) != 1 {
		h.T.Fatalf("the bot sent %d messages, want one: %v", len(sent), sent)
	}
	return sent[0]
}
