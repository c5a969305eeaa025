package ncat

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// And returns the filter that passes what f and all others pass.
func (f Filter) And(others ...Filter) Filter { return AllOf(append([]Filter{f}, others...)...) }

// Or returns the filter that passes what f or one of the others passes.
func (f Filter) Or(others ...Filter) Filter { return AnyOf(append([]Filter{f}, others...)...) }

// Not returns the filter that passes what f does not.
func (f Filter) Not() Filter { return Not(f) }

// AllOf returns the filter that passes what all filters pass; with none,
// everything.
func AllOf(filters ...Filter) Filter {
	return func(b *Bot, e onebot.Event) bool {
		for _, f := range filters {
			if !f(b, e) {
				return false
			}
		}
		return true
	}
}

// AnyOf returns the filter that passes what one of the filters passes; with
// none, nothing.
func AnyOf(filters ...Filter) Filter {
	return func(b *Bot, e onebot.Event) bool {
		for _, f := range filters {
			if f(b, e) {
				return true
			}
		}
		return false
	}
}

// Not returns the filter that passes what f does not.
func Not(f Filter) Filter {
	return func(b *Bot, e onebot.Event) bool { return !f(b, e) }
}

// InGroup passes what belongs to one of the groups, or to any group if none is
// given.
func InGroup(ids ...onebot.GroupID) Filter {
	ids = slices.Clone(ids)
	return func(_ *Bot, e onebot.Event) bool {
		c := ChatOf(e)
		return c.IsGroup() && (len(ids) == 0 || slices.Contains(ids, c.Group))
	}
}

// InPrivate passes what belongs to a private chat, temporary sessions included.
func InPrivate() Filter {
	return func(_ *Bot, e onebot.Event) bool { return ChatOf(e).User != 0 }
}

// FromUser passes what one of the users did: messages they wrote, requests they
// made, notices whose UserID they are.
func FromUser(ids ...onebot.UserID) Filter {
	ids = slices.Clone(ids)
	return func(_ *Bot, e onebot.Event) bool {
		id := UserOf(e)
		return id != 0 && slices.Contains(ids, id)
	}
}

// UserOf returns the user that an event is about: who wrote the message, made
// the request, or is named by the notice; 0 if it names nobody.
func UserOf(e onebot.Event) onebot.UserID {
	if m, ok := e.(onebot.MessageEvent); ok {
		return m.Msg().UserID
	}
	v := reflect.ValueOf(e)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return 0
	}
	f := chatFieldsOf(v.Elem().Type())
	if f.user == nil {
		return 0
	}
	return onebot.UserID(v.Elem().FieldByIndex(f.user).Int())
}

// ofMessage makes a filter of one for messages; what is no message does not
// pass.
func ofMessage(f func(b *Bot, m *onebot.MessageBase) bool) Filter {
	return func(b *Bot, e onebot.Event) bool {
		m, ok := e.(onebot.MessageEvent)
		return ok && f(b, m.Msg())
	}
}

// NotSelf passes what the account did not do itself. Endpoints report the
// account's own messages only if they are set to.
func NotSelf() Filter {
	return func(_ *Bot, e onebot.Event) bool {
		if m, ok := e.(onebot.MessageEvent); ok {
			return !m.Msg().FromSelf()
		}
		id := UserOf(e)
		return id == 0 || id != e.Base().SelfID
	}
}

// MentionsMe passes messages that mention the account by name.
func MentionsMe() Filter {
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool { return m.Message.Mentions(m.SelfID) })
}

// ToMe passes messages that are meant for the account: private ones and those
// that mention it by name.
func ToMe() Filter { return AnyOf(InPrivate(), MentionsMe()) }

// TextIs passes messages whose text, without surrounding white space, is one of
// texts.
func TextIs(texts ...string) Filter {
	texts = slices.Clone(texts)
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		return slices.Contains(texts, strings.TrimSpace(m.Text()))
	})
}

// HasPrefix passes messages whose text, without surrounding white space, begins
// with one of the prefixes.
func HasPrefix(prefixes ...string) Filter {
	prefixes = slices.Clone(prefixes)
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		text := strings.TrimSpace(m.Text())
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
	})
}

// HasSuffix passes messages whose text, without surrounding white space, ends
// with one of the suffixes.
func HasSuffix(suffixes ...string) Filter {
	suffixes = slices.Clone(suffixes)
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		text := strings.TrimSpace(m.Text())
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(text, s) })
	})
}

// Keyword passes messages whose text contains one of the words.
func Keyword(words ...string) Filter {
	words = slices.Clone(words)
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		text := m.Text()
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	})
}

// Matches passes messages whose text re matches. [OnMatch] also hands the
// groups over.
func Matches(re *regexp.Regexp) Filter {
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool { return re.MatchString(m.Text()) })
}

// OnMatch registers h for messages whose text pattern matches. groups holds the
// whole match and then what each group of the pattern matched. A pattern that
// does not compile panics.
func OnMatch(b *Bot, pattern string, h func(ctx context.Context, b *Bot, m onebot.MessageEvent, groups []string) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("OnMatch: the handler of %q is nil", pattern)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		misuse("OnMatch: %v", err)
	}
	opts = append([]HandlerOption{Named(funcName(h)), labelled(pattern), Where(Matches(re))}, opts...)
	return On(b, func(ctx context.Context, b *Bot, m onebot.MessageEvent) error {
		groups := re.FindStringSubmatch(m.Msg().Text())
		if groups == nil {
			return nil // a handler before this one changed the message
		}
		return h(ctx, b, m, groups)
	}, opts...)
}

// IsReply passes messages that quote another one, one of ids if any are given.
func IsReply(ids ...onebot.MessageID) Filter {
	ids = slices.Clone(ids)
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		r, ok := onebot.First[*onebot.ReplySegment](m.Message)
		return ok && (len(ids) == 0 || slices.Contains(ids, r.ID))
	})
}

// HasSegment passes messages that hold a segment of type S, such as
// *[onebot.ImageSegment].
func HasSegment[S onebot.Segment]() Filter {
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		_, ok := onebot.First[S](m.Message)
		return ok
	})
}

// ByGroupAdmin passes messages in groups whose sender is an administrator or the
// owner of the group.
func ByGroupAdmin() Filter {
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool {
		return m.Sender.Role == onebot.RoleAdmin || m.Sender.Role == onebot.RoleOwner
	})
}

// ByGroupOwner passes messages in groups whose sender owns the group.
func ByGroupOwner() Filter {
	return ofMessage(func(_ *Bot, m *onebot.MessageBase) bool { return m.Sender.Role == onebot.RoleOwner })
}

// ByAdmin passes what one of the bot's admins did; see [WithAdmins].
func ByAdmin() Filter {
	return func(b *Bot, e onebot.Event) bool { return b.IsAdmin(UserOf(e)) }
}

// During passes what happens at a time of day from from (included) to to (not
// included), both "15:04", in loc; nil is the bot's ([WithTimeZone]). A time to before from is
// on the next day: During("22:00", "06:00", nil) is the night. Times that cannot
// be read panic.
func During(from, to string, loc *time.Location) Filter {
	begin, end := timeOfDay(from), timeOfDay(to)
	return func(b *Bot, _ onebot.Event) bool {
		in := loc
		if in == nil {
			in = b.Location()
		}
		t := time.Now().In(in)
		now := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
		if begin <= end {
			return begin <= now && now < end
		}
		return now >= begin || now < end
	}
}

func timeOfDay(s string) time.Duration {
	if s == "24:00" {
		return 24 * time.Hour
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		panic(fmt.Sprintf("ncat: During: %q is no time of day such as 08:30", s))
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}
