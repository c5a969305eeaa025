package ncat

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// Recall takes a message back: one of the account's own or, for an
// administrator of a group, anybody's.
func (b *Bot) Recall(ctx context.Context, id onebot.MessageID) error {
	return b.api.DeleteMsg(ctx, onebot.DeleteMsgParams{MessageID: id})
}

// React puts an emoji, by its number, under a group message, or takes it away.
func (b *Bot) React(ctx context.Context, id onebot.MessageID, emoji string, on bool) error {
	_, err := b.api.SetMsgEmojiLike(ctx, onebot.SetMsgEmojiLikeParams{MessageID: id, EmojiID: emoji, Set: &on})
	return err
}

// Kick removes a member from a group. With block the group takes no request of
// theirs to come back.
func (b *Bot) Kick(ctx context.Context, group onebot.GroupID, user onebot.UserID, block bool) error {
	return b.api.SetGroupKick(ctx, onebot.SetGroupKickParams{GroupID: group, UserID: user, RejectAddRequest: &block})
}

// Ban keeps a member of a group from writing for d, at most 30 days; 0 lets them
// write again.
func (b *Bot) Ban(ctx context.Context, group onebot.GroupID, user onebot.UserID, d time.Duration) error {
	return b.api.SetGroupBan(ctx, onebot.SetGroupBanParams{GroupID: group, UserID: user, Duration: &d})
}

// Forward sends existing messages into a chat as one merged forward.
func (b *Bot) Forward(ctx context.Context, to Chat, ids ...onebot.MessageID) (onebot.MessageID, error) {
	return b.SendForward(ctx, to, onebot.Nodes(ids...))
}

// SendForward sends nodes ([onebot.Node], [onebot.NodeOf], [onebot.NodeFrom]) into
// a chat as one merged forward. A node may hold nodes again, three levels deep at
// most, and [Media].
func (b *Bot) SendForward(ctx context.Context, to Chat, nodes onebot.Message) (onebot.MessageID, error) {
	if len(nodes) == 0 {
		return 0, fmt.Errorf("forward: no messages: %w", onebot.ErrNotSent)
	}
	for _, n := range nodes {
		if _, ok := n.(*onebot.NodeSegment); !ok {
			return 0, fmt.Errorf("forward: a %T is no node: %w", n, onebot.ErrNotSent)
		}
	}
	if to == (Chat{}) {
		return 0, fmt.Errorf("forward: no chat given: %w", onebot.ErrNotSent)
	}
	nodes, err := b.placeAll(ctx, nodes)
	if err != nil {
		return 0, fmt.Errorf("forward: %w", err)
	}
	var sent *onebot.SendResult
	if to.IsGroup() {
		sent, err = b.api.SendGroupForwardMsg(ctx, onebot.SendGroupForwardMsgParams{GroupID: to.Group, Message: nodes})
	} else {
		sent, err = b.api.SendPrivateForwardMsg(ctx, onebot.SendPrivateForwardMsgParams{UserID: to.User, Message: nodes})
	}
	if err != nil {
		return 0, err
	}
	return sent.MessageID, nil
}

// Approve grants a request, a [*onebot.FriendRequest] or [*onebot.GroupRequest].
func (b *Bot) Approve(ctx context.Context, request onebot.Event) error {
	return b.answer(ctx, request, true, "")
}

// Reject refuses a request. In requests to join a group, reason is told to the user.
func (b *Bot) Reject(ctx context.Context, request onebot.Event, reason string) error {
	return b.answer(ctx, request, false, reason)
}

func (b *Bot) answer(ctx context.Context, request onebot.Event, yes bool, reason string) error {
	switch r := request.(type) {
	case *onebot.FriendRequest:
		return b.api.SetFriendAddRequest(ctx, onebot.SetFriendAddRequestParams{Flag: r.Flag, Approve: &yes})
	case *onebot.GroupRequest:
		p := onebot.SetGroupAddRequestParams{Flag: r.Flag, Approve: &yes}
		if reason != "" {
			p.Reason = &reason
		}
		return b.api.SetGroupAddRequest(ctx, p)
	}
	return fmt.Errorf("a %T is no request that can be answered: %w", request, onebot.ErrNotSent)
}

// Upload brings what r holds to NapCat's machine, wherever that is, and returns
// the path to use as the source of a picture, voice message, video or file. name
// is the name it gets. If r is no io.Seeker use [onebot.Client.Upload], which can
// be told the size. NapCat keeps the file for five minutes.
func (b *Bot) Upload(ctx context.Context, r io.ReadSeeker, name string) (path string, err error) {
	st, err := b.api.Upload(ctx, r, onebot.Upload{Name: name})
	if err != nil {
		return "", err
	}
	return st.FilePath, nil
}

// UploadFile is [Bot.Upload] for a file on this machine.
func (b *Bot) UploadFile(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("upload: %w: %w", onebot.ErrNotSent, err)
	}
	defer f.Close()
	return b.Upload(ctx, f, filepath.Base(path))
}

// AvatarURL returns where a user's picture is, in pixels 40, 100, 140 or 640
// wide.
func AvatarURL(id onebot.UserID, size int) string {
	return fmt.Sprintf("https://q1.qlogo.cn/g?b=qq&nk=%d&s=%d", id, size)
}

// GroupAvatarURL returns where a group's picture is; size as in [AvatarURL].
func GroupAvatarURL(id onebot.GroupID, size int) string {
	return fmt.Sprintf("https://p.qlogo.cn/gh/%d/%d/%d", id, id, size)
}
