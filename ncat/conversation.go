package ncat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// The ways in which a conversation ends without an answer.
var (
	// ErrNoAnswer says that nobody answered in time.
	ErrNoAnswer = errors.New("no answer in time")
	// ErrCancelled says that the user gave one of the words that end a
	// conversation; see [CancelOn].
	ErrCancelled = errors.New("conversation cancelled by the user")
)

// askTimeout is how long an answer is awaited if nobody says otherwise.
const askTimeout = time.Minute

// AskOption configures one question.
type AskOption func(*askOptions)

type askOptions struct {
	timeout  time.Duration
	cancel   []string
	filters  []Filter
	commands bool
	anyone   bool
	tries    int
}

// Within sets how long an answer is awaited; one minute without it. The context
// ends the waiting, too.
func Within(d time.Duration) AskOption { return func(o *askOptions) { o.timeout = d } }

// CancelOn sets the words that end a conversation with [ErrCancelled]; 取消 and
// cancel without it, no words for none.
func CancelOn(words ...string) AskOption { return func(o *askOptions) { o.cancel = words } }

// AnswerWhere lets only messages that pass the filters count as an answer; the
// others are handled as if nobody had asked. The words of [CancelOn] count in any
// case.
func AnswerWhere(filters ...Filter) AskOption {
	return func(o *askOptions) { o.filters = append(o.filters, filters...) }
}

// CommandsGoOn lets commands of the bot be handled as such while an answer is
// awaited, in place of taking them for the answer.
func CommandsGoOn() AskOption { return func(o *askOptions) { o.commands = true } }

// FromAnyone takes the answer of anybody in the chat.
func FromAnyone() AskOption { return func(o *askOptions) { o.anyone = true } }

// Tries sets how often [Bot.Choose] and [Bot.Confirm] ask again after an answer
// they do not understand; 3 without it.
func Tries(n int) AskOption { return func(o *askOptions) { o.tries = max(n, 1) } }

// Ask sends question (a string, a segment or a message; nil asks nothing) into
// the chat of m and returns the next message that the sender of m writes there.
// That message reaches no handler. It fails with [ErrNoAnswer] when time is up,
// [ErrCancelled] if the user says so, and with the context's cause.
//
// While a handler waits the chat goes on: messages of others, and everything
// after the answer, are handled meanwhile.
func (b *Bot) Ask(ctx context.Context, m onebot.MessageEvent, question any, opts ...AskOption) (onebot.MessageEvent, error) {
	return b.ask(ctx, m, question, newAskOptions(opts))
}

func newAskOptions(opts []AskOption) *askOptions {
	o := &askOptions{timeout: askTimeout, cancel: []string{"取消", "cancel"}, tries: 3}
	for _, f := range opts {
		f(o)
	}
	return o
}

// AskUser asks a user in a chat in which nothing need have been said before, for
// instance somebody who has just joined. In a group the question mentions the user.
// It is [Bot.Ask] otherwise; a handler that waits keeps its own chat waiting.
func (b *Bot) AskUser(ctx context.Context, in Chat, user onebot.UserID, question any, opts ...AskOption) (onebot.MessageEvent, error) {
	return b.askIn(ctx, in, user, nil, question, newAskOptions(opts))
}

func (b *Bot) ask(ctx context.Context, m onebot.MessageEvent, question any, o *askOptions) (onebot.MessageEvent, error) {
	return b.askIn(ctx, ChatOf(m), m.Msg().UserID, m, question, o)
}

// askIn asks; m is what the handler runs for that asks, nil if it is no message.
func (b *Bot) askIn(ctx context.Context, chat Chat, user onebot.UserID, m onebot.MessageEvent, question any, o *askOptions) (onebot.MessageEvent, error) {
	cancels := ofMessage(func(_ *Bot, x *onebot.MessageBase) bool { return o.cancels(x) })
	filter := ofMessage(func(b *Bot, x *onebot.MessageBase) bool {
		return !x.FromSelf() && (o.anyone || x.UserID == user)
	})
	if o.commands {
		filter = filter.And(func(b *Bot, e onebot.Event) bool {
			return b.core.registry.table.Load().commands.find(b, e) == nil
		})
	}
	w, err := b.wait(&chat, filter.And(AllOf(o.filters...).Or(cancels)))
	if err != nil {
		return nil, err
	}
	defer w.leave()
	if question != nil {
		content := []any{question}
		if m == nil && chat.IsGroup() {
			content = []any{onebot.At(user), " ", question}
		}
		if _, err := b.Send(ctx, chat, content...); err != nil {
			return nil, err
		}
	}
	if m != nil {
		w.s.release(m)
	}
	e, err := w.await(ctx, o.timeout)
	if err != nil {
		return nil, err
	}
	answer := e.(onebot.MessageEvent)
	if o.cancels(answer.Msg()) {
		return answer, ErrCancelled
	}
	return answer, nil
}

// cancels reports whether a message ends the conversation.
func (o *askOptions) cancels(m *onebot.MessageBase) bool {
	text := strings.TrimSpace(m.Text())
	return slices.ContainsFunc(o.cancel, func(c string) bool { return strings.EqualFold(c, text) })
}

// Choose asks with a numbered list and returns the index of the choice that the
// sender of m gave by its number or its text. It asks again after any other
// answer; see [Tries].
func (b *Bot) Choose(ctx context.Context, m onebot.MessageEvent, question string, choices []string, opts ...AskOption) (int, error) {
	var s strings.Builder
	s.WriteString(question)
	for i, c := range choices {
		fmt.Fprintf(&s, "\n%d. %s", i+1, c)
	}
	return b.until(ctx, m, s.String(), b.text("ask.retry"), newAskOptions(opts), func(text string) (int, bool) {
		if i := slices.IndexFunc(choices, func(c string) bool { return strings.EqualFold(c, text) }); i >= 0 {
			return i, true
		}
		n, err := strconv.Atoi(text)
		return n - 1, err == nil && 1 <= n && n <= len(choices)
	})
}

// Confirm asks for a yes or no of the sender of m. It asks again after any other
// answer; see [Tries].
func (b *Bot) Confirm(ctx context.Context, m onebot.MessageEvent, question string, opts ...AskOption) (bool, error) {
	n, err := b.until(ctx, m, question, b.text("ask.yesno"), newAskOptions(opts), func(text string) (int, bool) {
		switch strings.ToLower(text) {
		case "好", "好的", "确定", "确认", "ok":
			return 1, true
		case "不", "不要":
			return 0, true
		}
		yes, ok := argBool(text)
		if yes {
			return 1, ok
		}
		return 0, ok
	})
	return n == 1, err
}

func (b *Bot) until(ctx context.Context, m onebot.MessageEvent, question, again string, o *askOptions, read func(string) (int, bool)) (int, error) {
	for i := range o.tries {
		if i > 0 {
			question = again
		}
		answer, err := b.ask(ctx, m, question, o)
		if err != nil {
			return 0, err
		}
		if n, ok := read(strings.TrimSpace(answer.Msg().Text())); ok {
			return n, nil
		}
	}
	return 0, ErrNoAnswer
}

// WaitFor returns the next event that passes the filter, of any kind and in any
// chat of the account. The event reaches no handler. It fails with [ErrNoAnswer]
// after timeout (0: never) and with the context's cause. A handler that waits
// keeps its chat waiting; see [Bot.Ask] for conversations.
func (b *Bot) WaitFor(ctx context.Context, timeout time.Duration, filter Filter) (onebot.Event, error) {
	w, err := b.wait(nil, filter)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	return w.await(ctx, timeout)
}

// talks are the conversations that wait for an event.
type talks struct {
	n    atomic.Int64
	once sync.Once

	mu  sync.Mutex // guards the field below
	all map[talkKey][]*waiter
}

// talkKey is where a conversation waits; the zero Chat is anywhere.
type talkKey struct {
	s    *session
	chat Chat
}

type waiter struct {
	t      *talks
	b      *Bot // that the filter belongs to
	s      *session
	key    talkKey
	filter Filter
	got    chan onebot.Event // 1 slot
}

func (b *Bot) wait(chat *Chat, filter Filter) (*waiter, error) {
	s := b.session()
	if s == nil {
		return nil, fmt.Errorf("waiting for an answer: %w", ErrNoAccount)
	}
	t := &b.core.talks
	t.once.Do(func() {
		r := &b.core.registry
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taps = append(r.taps, t.tap)
		r.changeLocked()
	})
	w := &waiter{t: t, b: s.botOf(b.own), s: s, key: talkKey{s: s}, filter: filter, got: make(chan onebot.Event, 1)}
	if chat != nil {
		w.key.chat = *chat
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[talkKey][]*waiter{}
	}
	t.all[w.key] = append(t.all[w.key], w)
	t.n.Add(1)
	return w, nil
}

// leave ends the waiting. An event that came just then is lost to it.
func (w *waiter) leave() { w.t.take(w) }

// take removes w; false if it was removed before.
func (t *talks) take(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.all[w.key]
	i := slices.Index(l, w)
	if i < 0 {
		return false
	}
	if len(l) == 1 {
		delete(t.all, w.key)
	} else {
		t.all[w.key] = slices.Delete(slices.Clone(l), i, i+1)
	}
	t.n.Add(-1)
	return true
}

// tap gives an event to the first conversation that waits for it.
func (t *talks) tap(b *Bot, e onebot.Event) bool {
	if t.n.Load() == 0 {
		return false
	}
	chat := ChatOf(e)
	t.mu.Lock()
	here, anywhere := t.all[talkKey{b.s, chat}], t.all[talkKey{b.s, Chat{}}]
	t.mu.Unlock()
	if chat == (Chat{}) {
		here = nil
	}
	for _, l := range [2][]*waiter{here, anywhere} {
		for _, w := range l {
			if w.wants(e) && t.take(w) {
				w.got <- e
				return true
			}
		}
	}
	return false
}

// wants asks the filter, whose panic is a no.
func (w *waiter) wants(e onebot.Event) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			w.b.Logger().Error("filter panicked", "panic", fmt.Sprint(v))
			ok = false
		}
	}()
	return w.filter(w.b, e)
}

func (w *waiter) await(ctx context.Context, timeout time.Duration) (onebot.Event, error) {
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	select {
	case e := <-w.got:
		return e, nil
	case <-late:
		return nil, ErrNoAnswer
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
