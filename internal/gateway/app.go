package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/ncatd/ncatd/onebot"
	"github.com/ncatd/ncatd/onebot/schema"
)

// Config is what an app is.
type Config struct {
	Name     string
	Accounts []string // names of the accounts that it may use
	Token    string
	Rights   Rights
	Filter   Filter
	Replay   Replay
	// Rate is the app's own send rate, nil for none.
	Rate      *rate.Limiter
	Heartbeat time.Duration
	Folders   Folders

	// Listen is where it is waited for, "" if it is not: host:port. Of what it
	// finds there say WebSocket, HTTP and SSE.
	Listen               string
	WebSocket, HTTP, SSE bool
	Reverse              Reverse
	Webhook              Webhook
	Logger               *slog.Logger
	// Called is told of each call, for an access log. It may be nil.
	Called func(account, action string, retcode int, took time.Duration, params []byte)
	// Linked is told when the app's number of links becomes more than 0, and 0
	// again. It may be nil.
	Linked func(up bool)
	// Listening is told at which address the app is waited for. It may be nil.
	Listening func(addr string)
}

// Folders say which files an app may send by path.
type Folders struct {
	Own     []string // those in these
	Private []string // never those in these, but for those in Open
	Open    []string // patterns of folders that NapCat reads and tells apps of
}

// Replay bounds what an app gets of what it missed.
type Replay struct {
	Age    time.Duration
	Events int // 0: none
}

// App is one app. [App.Run] serves it.
type App struct {
	c    Config
	g    *Gateway
	log  *slog.Logger
	accs []*Account

	opened sync.Once
	counts counts
	doors  guard

	mu     sync.Mutex // guards the fields below
	links  map[*link]bool
	other  int // webhooks and SSE streams
	served int // WebSockets and SSE streams that apps opened
	since  time.Time
	last   string // why the last link ended badly
}

type counts struct {
	events, replayed, calls, refused, failed, cut atomic.Uint64
}

// Stats is how an app stands.
type Stats struct {
	Links                                         int
	Since                                         time.Time // when it got its first link, or lost its last
	Events, Replayed, Calls, Refused, Failed, Cut uint64
	Queue                                         int // bytes that wait for it
	LastError                                     string
}

// Stats returns how the app stands.
func (a *App) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Stats{
		Links: len(a.links) + a.other, Since: a.since, LastError: a.last,
		Events: a.counts.events.Load(), Replayed: a.counts.replayed.Load(), Calls: a.counts.calls.Load(),
		Refused: a.counts.refused.Load(), Failed: a.counts.failed.Load(), Cut: a.counts.cut.Load(),
	}
	for l := range a.links {
		s.Queue += l.out.waiting()
	}
	return s
}

// Name returns the app's name.
func (a *App) Name() string { return a.c.Name }

// Wants reports whether the app gets an event.
func (a *App) Wants(ev *Event) bool { return a.c.Filter.Wants(ev) }

// Open begins to keep the events of the app's accounts for it, as [App.Run] does if
// it was not called before. Run must follow.
func (a *App) Open() {
	a.opened.Do(func() {
		for _, acc := range a.accs {
			if err := acc.use(a.c.Replay.Events, a.c.SSE || a.c.Webhook.URL != "", a.g.o.Dir); err != nil {
				a.log.Warn("the record of events works in memory only", "account", acc.name, "err", err)
			}
		}
	})
}

// Run serves the app until ctx ends.
func (a *App) Run(ctx context.Context) error {
	a.Open()
	for _, acc := range a.accs {
		defer acc.unuse()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	goes := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	goes(a.beats)
	if a.c.Listen != "" {
		goes(a.listen)
	}
	for _, acc := range a.accs {
		for _, r := range a.c.Reverse.links() {
			goes(func(ctx context.Context) error { return a.reverse(ctx, acc, r) })
		}
		if a.c.Webhook.URL != "" {
			goes(func(ctx context.Context) error { return a.webhook(ctx, acc) })
		}
	}
	<-ctx.Done()
	wg.Wait()
	return context.Cause(ctx)
}

// beats sends heartbeats.
func (a *App) beats(ctx context.Context) error {
	t := time.NewTicker(a.c.Heartbeat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		for _, acc := range a.accs {
			acc.beat(a)
		}
	}
}

// serve runs a link.
func (a *App) serve(ctx context.Context, l *link) error {
	a.enter(l)
	err := l.run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	a.exit(l, err)
	return err
}

func (a *App) enter(l *link) {
	a.mu.Lock()
	first := len(a.links)+a.other == 0
	a.links[l] = true
	if first {
		a.since = time.Now()
	}
	a.mu.Unlock()
	a.log.Info("app connected", "account", l.acc.name, "role", string(l.role), "peer", l.peer)
	if first {
		a.linked(true)
	}
}

func (a *App) exit(l *link, err error) {
	a.mu.Lock()
	delete(a.links, l)
	last := len(a.links)+a.other == 0
	if last {
		a.since = time.Now()
	}
	switch code := websocket.CloseStatus(err); {
	case err == nil, code == websocket.StatusNormalClosure, code == websocket.StatusGoingAway, code == websocket.StatusNoStatusRcvd:
		// the app wanted it so
	case code < 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		a.last = "the connection ended without a goodbye"
	default:
		a.last = err.Error()
	}
	a.mu.Unlock()
	if errors.Is(err, errSlow) {
		a.counts.cut.Add(1)
		a.log.Warn("app cut off: it does not read what is sent to it", "account", l.acc.name, "peer", l.peer)
	} else {
		a.log.Info("app disconnected", "account", l.acc.name, "role", string(l.role), "peer", l.peer, "err", err)
	}
	if last {
		a.linked(false)
	}
}

func (a *App) linked(up bool) {
	if a.c.Linked != nil {
		a.c.Linked(up)
	}
}

// fail notes why the app cannot be reached.
func (a *App) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = err.Error()
}

// maxNamed is how much of an action's name is said in an answer: it may be megabytes.
const maxNamed = 128

// judge says whether the app may call an action: code is 0, or that of the
// answer that it gets instead.
func (a *App) judge(action string) (code int, message string) {
	switch {
	case a.c.Rights.Allow(action):
		return 0, ""
	case action == "":
		return onebot.RetUnsupported, "不支持的API undefined"
	}
	if known, ok := schema.Lookup(Base(action)); ok {
		return RetNotAllowed, "app " + a.c.Name + " may not call " + action + ": it has no right to " + string(known.Group) + " (ncatd: apps." + a.c.Name + ".allow)"
	}
	if len(action) > maxNamed {
		action = strings.ToValidUTF8(action[:maxNamed], "") + "…"
	}
	return RetNotAllowed, "app " + a.c.Name + " may not call " + action + ", which ncatd does not know"
}

// called counts a call, and tells of it.
func (a *App) called(acc *Account, r *request, code int, took time.Duration) {
	a.counts.calls.Add(1)
	switch {
	case code == RetNotAllowed:
		a.counts.refused.Add(1)
	case code != 0:
		a.counts.failed.Add(1)
	}
	if a.c.Called != nil {
		a.c.Called(acc.name, r.action, code, took, r.params)
	}
}

// make makes a call as the app may: within its own send rate, and with files that
// NapCat can read.
func (a *App) make(ctx context.Context, acc *Account, r *request, sent func()) (int, [][]byte) {
	r = answered(ctx, r)
	if unheard(r) {
		return onebot.RetFailed, [][]byte{answer(onebot.RetFailed, r.action+" has no message, and NapCat does not answer such a call; nothing was sent", r.echo)}
	}
	if a.c.Rate != nil && sends(r) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		err := a.c.Rate.Wait(ctx)
		cancel()
		if err != nil {
			return failure(acc.name, r.echo, errors.Join(ErrTooMany, err))
		}
	}
	params, err := a.place(ctx, acc, r)
	if err != nil {
		code := onebot.RetFailed // as of a file that NapCat does not find
		switch {
		case errors.Is(err, errPrivate):
			code = RetNotAllowed
		case errors.Is(err, onebot.ErrNotSent), errors.Is(err, onebot.ErrUnknownOutcome), ctx.Err() != nil:
			code = RetAway // while the file was on its way: the action itself was not called
		}
		return code, [][]byte{answer(code, err.Error(), r.echo)}
	}
	changed := *r
	changed.params = params
	return acc.call(ctx, a.c.Name, &changed, sent)
}

// account returns the account that a path begins with, and the rest of the path.
// With one account no path needs to name it, but none may name another one: the app
// would speak for the wrong account.
func (a *App) account(path string) (acc *Account, rest string) {
	for _, acc := range a.accs {
		if rest, ok := cutName(path, acc.name); ok {
			return acc, rest
		}
	}
	if len(a.accs) == 1 && !a.g.names(path) {
		return a.accs[0], path
	}
	return nil, path
}

// aloneKept is how many events are kept for an app that takes one after the other
// and wants no replay.
const aloneKept = 256

// use says that an app uses the account and wants so many events replayed; with
// pulls it takes them from the record.
func (a *Account) use(events int, pulls bool, dir string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users++
	a.used.Store(true)
	a.record.limit = max(a.record.limit, events)
	if pulls {
		a.record.limit = max(a.record.limit, aloneKept)
	}
	// Also without replay: an app that comes later has the numbers of a record that goes on.
	if a.record.disk != nil || dir == "" {
		return nil
	}
	return a.record.open(spoolPath(dir, a.name))
}

// hold keeps the events of an account until unuse is called.
func (a *Account) hold() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users++
	a.used.Store(true)
}

func (a *Account) unuse() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users--
	a.used.Store(a.users > 0)
}

// names returns the names of accounts.
func names(accs []*Account) []string {
	var out []string
	for _, a := range accs {
		out = append(out, a.name)
	}
	return slices.Sorted(slices.Values(out))
}
