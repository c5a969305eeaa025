package ncat

import (
	"context"

	"github.com/ncatd/ncatd/onebot"
)

// presence happens when an account's link and login become usable or cease to be.
// It goes the way of an event, so that its handlers are owned, ordered, bounded in
// time and reported as all others.
type presence struct {
	onebot.EventBase
	online bool
	why    string
}

func isPresence(e onebot.Event) bool {
	_, ok := e.(*presence)
	return ok
}

// OnOnline registers h to be called when an account can be used: its link is up and
// the host says that it is online. It is called again each time that comes back.
func (b *Bot) OnOnline(h func(ctx context.Context, b *Bot) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("OnOnline: the function is nil")
	}
	return onPresence(b, true, funcName(h), func(ctx context.Context, b *Bot, _ string) error { return h(ctx, b) }, opts)
}

// OnOffline registers h to be called when an account that could be used cannot any
// more. why is QQ's or the link's explanation, which may be empty. Calls for this
// account fail then; those of other accounts do not, see [Bot.Accounts].
func (b *Bot) OnOffline(h func(ctx context.Context, b *Bot, why string) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("OnOffline: the function is nil")
	}
	return onPresence(b, false, funcName(h), h, opts)
}

func onPresence(b *Bot, online bool, name string, h func(ctx context.Context, b *Bot, why string) error, opts []HandlerOption) *Registration {
	return On(b, func(ctx context.Context, b *Bot, p *presence) error {
		if p.online != online {
			return nil
		}
		return h(ctx, b, p.why)
	}, append([]HandlerOption{Named(name)}, opts...)...)
}

// look follows from an event whether the account can be used.
func (s *session) look(e onebot.Event) {
	switch e := e.(type) {
	case *onebot.Lifecycle:
		s.setOnline(true, "")
	case *onebot.Heartbeat:
		s.setOnline(e.Status.Online, "")
	case *onebot.BotOffline:
		s.setOnline(false, e.Message)
	}
}

// Down implements [botlink.Session].
func (s *session) Down(why error) { s.setOnline(false, why.Error()) }

func (s *session) setOnline(online bool, why string) {
	if s.online.Swap(online) != online {
		s.pass(&presence{EventBase: onebot.EventBase{SelfID: onebot.UserID(s.self.Load())}, online: online, why: why}, true)
	}
}
