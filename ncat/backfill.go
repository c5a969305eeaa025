package ncat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// BackfillMode says when messages are fetched that were written while an
// account had no link.
type BackfillMode string

// The modes.
const (
	BackfillAuto BackfillMode = "auto" // after each reconnect
	BackfillAsk  BackfillMode = "ask"  // when [Bot.Backfill] is called
	BackfillOff  BackfillMode = "off"  // never; nothing is remembered
)

// Backfill says what becomes of messages that were written while an account had
// no link: NapCat does not send them again (contract E.8), nor those of the
// second in which it began (L.2), but its history has them. A zero field is the
// default.
//
// What was missed is delivered to the same handlers as everything else, once,
// in order, and before what comes live in that chat, with Backfilled set in the
// message. The account's own messages are left out, and so are those that were
// recalled meanwhile, whose content is lost. Of a chat in which more
// was missed than is fetched, a warning says so.
//
// A bot with a store (see [WithStore]) notes on disk that handlers begin with a
// message, and that they have returned. When the process was killed between the
// two, the message is delivered once more, with Redelivered set as well, and
// never a third time: it may be what ended the process.
type Backfill struct {
	Mode     BackfillMode
	Messages int           // of one chat at most, the newest; 500
	Chats    int           // at most, those with the newest messages; 50
	Age      time.Duration // older messages are left alone; one hour
}

// WithBackfill sets how gaps are filled; without it Mode is BackfillAuto.
func WithBackfill(o Backfill) Option {
	return func(c *core) {
		c.backfill = Backfill{
			Mode:     cmp.Or(o.Mode, BackfillAuto),
			Messages: max(cmp.Or(o.Messages, 500), 1),
			Chats:    max(cmp.Or(o.Chats, 50), 1),
			Age:      cmp.Or(o.Age, time.Hour),
		}
	}
}

// WithEmptyMessages hands messages with nothing in them to handlers. Without it
// they are dropped: NapCat sends such beside the notice of a poke, a recall and
// the like (contract L.6).
func WithEmptyMessages() Option { return func(c *core) { c.empty = true } }

// isEmpty reports whether e is a message with nothing in it.
func isEmpty(e onebot.Event) bool {
	m, ok := e.(onebot.MessageEvent)
	return ok && len(m.Msg().Message) == 0 && m.Msg().RawMessage == ""
}

// Backfilled is a [Filter] for messages that were missed and fetched afterwards.
// Where(Not(Backfilled)) keeps a handler from them.
func Backfilled(_ *Bot, e onebot.Event) bool {
	m, ok := e.(onebot.MessageEvent)
	return ok && m.Msg().Backfilled
}

// Redelivered is a [Filter] for messages with which handlers had begun when the
// process ended, see [Backfill].
func Redelivered(_ *Bot, e onebot.Event) bool {
	m, ok := e.(onebot.MessageEvent)
	return ok && m.Msg().Redelivered
}

// Backfill looks at once for messages that the account missed in the chats that
// were active last, delivers them as [Backfill] says, and returns how many there
// were. It is for bots with [BackfillAsk]; with BackfillAuto it is an additional
// look. What it returns together with an error was delivered.
func (b *Bot) Backfill(ctx context.Context) (int, error) {
	s := b.session()
	switch {
	case s == nil:
		return 0, fmt.Errorf("backfill: %w: %w", onebot.ErrNotSent, ErrNoAccount)
	case s.journal == nil:
		return 0, errors.New("backfill: it is switched off")
	}
	n, err := s.journal.Fill(ctx)
	if err != nil {
		return n, fmt.Errorf("backfill: %w", err)
	}
	return n, nil
}
