package script

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// kind is what a script listens to: a type of event, or all of a group of types.
type kind struct {
	typ reflect.Type // nil for a group
	on  func(b *ncat.Bot, h ncat.Handler, opts ...ncat.HandlerOption) *ncat.Registration
}

func exactly[E onebot.Event]() kind {
	return kind{reflect.TypeFor[E](), func(b *ncat.Bot, h ncat.Handler, opts ...ncat.HandlerOption) *ncat.Registration {
		return ncat.On(b, func(ctx context.Context, b *ncat.Bot, e E) error { return h(ctx, b, e) }, opts...)
	}}
}

// posted listens to all events of a post_type.
func posted(post string) kind {
	return kind{nil, func(b *ncat.Bot, h ncat.Handler, opts ...ncat.HandlerOption) *ncat.Registration {
		first := ncat.Where(func(_ *ncat.Bot, e onebot.Event) bool { return e.Base().PostType == post })
		return ncat.On(b, func(ctx context.Context, b *ncat.Bot, e onebot.Event) error { return h(ctx, b, e) }, append([]ncat.HandlerOption{first}, opts...)...)
	}}
}

// kinds are the names of types as the wire and the events command have them.
func kinds() map[string]kind {
	all := func(b *ncat.Bot, h ncat.Handler, opts ...ncat.HandlerOption) *ncat.Registration {
		return ncat.On(b, func(ctx context.Context, b *ncat.Bot, e onebot.Event) error { return h(ctx, b, e) }, opts...)
	}
	messages := func(b *ncat.Bot, h ncat.Handler, opts ...ncat.HandlerOption) *ncat.Registration {
		return ncat.On(b, func(ctx context.Context, b *ncat.Bot, e onebot.MessageEvent) error { return h(ctx, b, e) }, opts...)
	}
	return map[string]kind{
		"event": {nil, all}, "message": {nil, messages}, "notice": posted(onebot.PostNotice),
		"request": posted(onebot.PostRequest), "meta_event": posted(onebot.PostMeta),
		"message.group": exactly[*onebot.GroupMessage](), "message.private": exactly[*onebot.PrivateMessage](),
		"request.friend": exactly[*onebot.FriendRequest](), "request.group": exactly[*onebot.GroupRequest](),
		"meta_event.lifecycle": exactly[*onebot.Lifecycle](), "meta_event.heartbeat": exactly[*onebot.Heartbeat](),
		"unknown":                     exactly[*onebot.UnknownEvent](),
		"notice.friend_add":           exactly[*onebot.FriendAdd](),
		"notice.friend_recall":        exactly[*onebot.FriendRecall](),
		"notice.group_recall":         exactly[*onebot.GroupRecall](),
		"notice.group_increase":       exactly[*onebot.GroupIncrease](),
		"notice.group_decrease":       exactly[*onebot.GroupDecrease](),
		"notice.group_admin":          exactly[*onebot.GroupAdmin](),
		"notice.group_ban":            exactly[*onebot.GroupBan](),
		"notice.group_upload":         exactly[*onebot.GroupUpload](),
		"notice.group_card":           exactly[*onebot.GroupCard](),
		"notice.essence":              exactly[*onebot.Essence](),
		"notice.group_msg_emoji_like": exactly[*onebot.GroupMsgEmojiLike](),
		"notice.bot_offline":          exactly[*onebot.BotOffline](),
		"notice.online_file_send":     exactly[*onebot.OnlineFileSend](),
		"notice.online_file_receive":  exactly[*onebot.OnlineFileReceive](),
		"notice.offline_file":         exactly[*onebot.OfflineFile](),
		"notice.client_status":        exactly[*onebot.ClientStatus](),
		"notice.poke":                 exactly[*onebot.Poke](),
		"notice.input_status":         exactly[*onebot.InputStatus](),
		"notice.title":                exactly[*onebot.GroupTitle](),
		"notice.group_name":           exactly[*onebot.GroupName](),
		"notice.profile_like":         exactly[*onebot.ProfileLike](),
		"notice.gray_tip":             exactly[*onebot.GrayTip](),
		"notice.lucky_king":           exactly[*onebot.LuckyKing](),
		"notice.honor":                exactly[*onebot.Honor](),
	}
}

func kindOf(name string) (kind, error) {
	all := kinds()
	if k, ok := all[name]; ok {
		return k, nil
	}
	var near []string
	_, word, _ := strings.Cut(name, ".")
	for n := range maps.Keys(all) {
		if word != "" && strings.Contains(n, word) || strings.HasPrefix(n, name) {
			near = append(near, n)
		}
	}
	slices.Sort(near)
	if len(near) == 0 {
		near = slices.Sorted(maps.Keys(all))
	}
	return kind{}, unfit(api.Because(api.CodeScriptRegEvent, short(name), strings.Join(near, ", ")))
}
