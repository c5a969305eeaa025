package ncat

import (
	"context"
	"fmt"

	"github.com/ncatd/ncatd/onebot"
)

// Reply sends content into the chat that m came from. content is any mix of
// [onebot.Segment], [*Media], [onebot.Message], lists of these, and what becomes
// plain text: strings, numbers, bools, errors, times, durations and whatever is a
// [fmt.Stringer]. The id of the new message, for a later recall, is what [Bot.Send]
// returns: b.Send(ctx, ncat.ChatOf(m), …).
func (b *Bot) Reply(ctx context.Context, m onebot.MessageEvent, content ...any) error {
	_, err := b.Send(ctx, ChatOf(m), content...)
	return err
}

// Quote is Reply with m quoted.
func (b *Bot) Quote(ctx context.Context, m onebot.MessageEvent, content ...any) error {
	_, err := b.Send(ctx, ChatOf(m), onebot.Quote(m), content)
	return err
}

// Mention is Reply with the sender of m mentioned first; in a private chat it is
// Reply.
func (b *Bot) Mention(ctx context.Context, m onebot.MessageEvent, content ...any) error {
	if !ChatOf(m).IsGroup() {
		return b.Reply(ctx, m, content...)
	}
	return b.Reply(ctx, m, onebot.At(m.Msg().UserID), " ", content)
}

// Say returns a handler that replies with content:
//
//	b.OnCommand("ping", ncat.Say("pong"))
//
// See [Bot.Reply] for content.
func Say(content ...any) func(ctx context.Context, b *Bot, m onebot.MessageEvent) error {
	return func(ctx context.Context, b *Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, content...) }
}

// SayFunc returns a handler that replies with what f makes of a message; with nil
// nothing is said. It is for answers that need neither a context nor the bot:
//
//	b.OnCommand("time", ncat.SayFunc(func(onebot.MessageEvent) any { return time.Now() }))
func SayFunc(f func(m onebot.MessageEvent) any) func(ctx context.Context, b *Bot, m onebot.MessageEvent) error {
	if f == nil {
		panic("ncat: SayFunc with a nil function")
	}
	return func(ctx context.Context, b *Bot, m onebot.MessageEvent) error {
		answer := f(m)
		if answer == nil {
			return nil
		}
		return b.Reply(ctx, m, answer)
	}
}

// SendGroup sends content into a group; see [Bot.Reply] for content.
func (b *Bot) SendGroup(ctx context.Context, id onebot.GroupID, content ...any) (onebot.MessageID, error) {
	return b.Send(ctx, Group(id), content...)
}

// SendPrivate sends content to a friend; see [Bot.Reply] for content.
func (b *Bot) SendPrivate(ctx context.Context, id onebot.UserID, content ...any) (onebot.MessageID, error) {
	return b.Send(ctx, Private(id), content...)
}

// Send sends content into a chat; see [Bot.Reply] for content. What QQ takes only
// alone (voices, videos, files, cards) and text of more than [onebot.MaxText]
// characters go out as messages of their own, one after the other; the id is that of
// the first, and an error says that not all were sent. [Long] makes one merged
// forward of long text.
func (b *Bot) Send(ctx context.Context, to Chat, content ...any) (onebot.MessageID, error) {
	if l, ok := longOf(content); ok {
		return b.sendLong(ctx, to, l)
	}
	msg, err := message(content)
	if err != nil {
		return 0, err
	}
	if !msg.NeedsSplit() {
		return b.send(ctx, to, msg)
	}
	kind := onebot.ChatPrivate
	if to.IsGroup() {
		kind = onebot.ChatGroup
	}
	var first onebot.MessageID
	for i, part := range msg.Split(kind) {
		id, err := b.send(ctx, to, part)
		if err != nil {
			return first, err
		}
		if i == 0 {
			first = id
		}
	}
	return first, nil
}

func (b *Bot) send(ctx context.Context, to Chat, msg onebot.Message) (onebot.MessageID, error) {
	if len(msg) == 0 {
		return 0, fmt.Errorf("send: empty message: %w", onebot.ErrNotSent)
	}
	if to == (Chat{}) {
		return 0, fmt.Errorf("send: no chat given: %w", onebot.ErrNotSent)
	}
	msg, err := b.placeAll(ctx, msg)
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	var sent *onebot.SendResult
	if to.IsGroup() {
		sent, err = b.api.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: to.Group, Message: msg})
	} else {
		sent, err = b.api.SendPrivateMsg(ctx, onebot.SendPrivateMsgParams{UserID: to.User, GroupID: to.Group, Message: msg})
	}
	if err != nil {
		return 0, err
	}
	return sent.MessageID, nil
}
