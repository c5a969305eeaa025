package ncat

import (
	"context"
	"fmt"

	"github.com/ncatd/ncatd/onebot"
)

// Reply sends content into the chat that m came from and returns the new
// message's id. content is any mix of [onebot.Segment], [*Media], [onebot.Message],
// lists of these, and what becomes plain text: strings, numbers, bools, errors,
// times, durations and whatever is a [fmt.Stringer].
func (b *Bot) Reply(ctx context.Context, m onebot.MessageEvent, content ...any) (onebot.MessageID, error) {
	return b.Send(ctx, ChatOf(m), content...)
}

// Quote is Reply with m quoted.
func (b *Bot) Quote(ctx context.Context, m onebot.MessageEvent, content ...any) (onebot.MessageID, error) {
	msg, err := message([]any{onebot.Quote(m)}, content)
	if err != nil {
		return 0, err
	}
	return b.send(ctx, ChatOf(m), msg)
}

// Mention is Reply with the sender of m mentioned first; in a private chat it is
// Reply.
func (b *Bot) Mention(ctx context.Context, m onebot.MessageEvent, content ...any) (onebot.MessageID, error) {
	chat := ChatOf(m)
	if !chat.IsGroup() {
		return b.Send(ctx, chat, content...)
	}
	msg, err := message([]any{onebot.At(m.Msg().UserID), " "}, content)
	if err != nil {
		return 0, err
	}
	return b.send(ctx, chat, msg)
}

// SendGroup sends content into a group; see [Bot.Reply] for content.
func (b *Bot) SendGroup(ctx context.Context, id onebot.GroupID, content ...any) (onebot.MessageID, error) {
	return b.Send(ctx, Group(id), content...)
}

// SendPrivate sends content to a friend; see [Bot.Reply] for content.
func (b *Bot) SendPrivate(ctx context.Context, id onebot.UserID, content ...any) (onebot.MessageID, error) {
	return b.Send(ctx, Private(id), content...)
}

// Send sends content into a chat; see [Bot.Reply] for content.
func (b *Bot) Send(ctx context.Context, to Chat, content ...any) (onebot.MessageID, error) {
	msg, err := message(nil, content)
	if err != nil {
		return 0, err
	}
	return b.send(ctx, to, msg)
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
