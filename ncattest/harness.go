package ncattest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Harness is an account that the bot under test runs on. Its methods must be
// called from the function that was handed to [Run].
type Harness struct {
	*Caller
	// T is the test; it is not the one given to Run but one within virtual time.
	T *testing.T
	// Self is the account's number.
	Self onebot.UserID

	name    string
	session botlink.Session[*ncat.Bot] // the account's side of the bot
	run     *run
	inlet   *inlet
	last    string     // what happened last
	ended   chan error // what the session ended with
}

// run is what all accounts of a test share.
type run struct {
	t        *testing.T
	ctx      context.Context // of the running bot
	cancel   context.CancelCauseFunc
	bot      *ncat.Bot // nil while none runs
	accounts []*Harness
	dir      string // for files, of the bot's and of NapCat's
	web      web

	mu     sync.Mutex // guards the fields below
	stores map[string]ncat.Store
	errs   []error
	over   bool // errors do not count any more
}

var errOver = errors.New("the test is over")

// begin is how long after 2000-01-01 00:00 UTC a test begins. That is no full hour
// and no midnight: a bot that works at such a time only is found out.
const begin = 14*time.Hour + 7*time.Minute + 43*time.Second

// Run runs the bot with one account, calls f and stops the bot again. Within f
// time is virtual: it begins on 2000-01-01 at 14:07:43 UTC, stands still while
// anything is being done, and passes at once when all wait. What the bot logs goes to the test's log; the error or
// panic of a handler fails the test unless f asks for it with [Harness.Errors], and
// so does a plugin that fails to set up.
//
// The bot must not have been used before, and its handlers must not need real
// sockets: for these there is [Server].
func Run(t *testing.T, b *ncat.Bot, f func(h *Harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(begin) // virtual: it is that late at once
		r := &run{t: t, stores: map[string]ncat.Store{}, dir: t.TempDir()}
		h := r.account("main", Self)
		h.Start(b)
		defer func() {
			if r.bot != nil {
				h.Stop()
			}
			for _, a := range r.accounts {
				_ = a.Close() // the folder goes anyway
			}
			for _, err := range h.Errors() {
				t.Errorf("a handler failed: %v\n  (a test that expects it asks for it with h.Errors)", err)
			}
		}()
		f(h)
	})
}

func (r *run) account(name string, id onebot.UserID) *Harness {
	h := &Harness{Caller: &Caller{}, T: r.t, Self: id, name: name, run: r, inlet: newInlet()}
	o := world.Options{UIN: int64(id), Nickname: "bot", Empty: true, NextSeq: nextSeq}
	w := world.New(o)
	if len(r.accounts) > 0 {
		w = r.accounts[0].at.world.Account(o)
	}
	h.settle(w, filepath.Join(r.dir, "napcat", name), r.web.fetch)
	h.at.tell = func(e onebot.Event) error { h.inlet.put(Frame(e)); return nil }
	w.Subscribe(h.hear)
	r.web.serve(h.at.host)
	r.accounts = append(r.accounts, h)
	return h
}

// hear takes over what the account's NapCat tells. Like NapCat's usual
// configuration it leaves away what the account says itself.
func (h *Harness) hear(e world.Event) {
	if e.Message == nil || !e.Message.Self {
		h.inlet.put(adapter.Frame(int64(h.Self), e))
	}
}

// Account returns another account that the same bot runs on; name is what
// [ncat.Bot.Account] says, "main" for the first. In a group that the test names
// for both, both hear what is said, each other included.
func (h *Harness) Account(name string, id onebot.UserID) *Harness {
	h.T.Helper()
	if slices.ContainsFunc(h.run.accounts, func(a *Harness) bool { return a.Self == id || a.name == name }) {
		h.T.Fatalf("an account %s or %s is there already", name, id)
	}
	a := h.run.account(name, id)
	if h.run.bot != nil {
		a.start()
	}
	return a
}

// Start runs a bot on all accounts after [Harness.Stop], as a program does that
// is started again: with what the last one left in its stores.
func (h *Harness) Start(b *ncat.Bot) {
	h.T.Helper()
	r := h.run
	if r.bot != nil {
		h.T.Fatal("Start: a bot runs already; stop it first")
	}
	botlink.Apply(b, ncat.WithLogger(slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))))
	if !b.HasStore() {
		first := b.Store()
		botlink.Apply(b, ncat.WithStore(func(owner string) ncat.Store { return r.store(owner, first) }))
	}
	botlink.Of(b).SetWeb(&r.web)
	if _, err := b.Dir(); errors.Is(err, ncat.ErrNoDir) {
		botlink.Apply(b, ncat.WithDataDir(r.dir))
	}
	b.OnError(func(_ context.Context, _ *ncat.Bot, _ onebot.Event, err error) { r.failed(err) })
	r.ctx, r.cancel = context.WithCancelCause(r.t.Context())
	r.bot, r.over = b, false
	for _, a := range r.accounts {
		a.start()
	}
	for _, p := range b.Plugins() {
		if p.State == ncat.PluginFailed {
			r.failed(fmt.Errorf("plugin %s: %s", p.ID, p.Error))
		}
	}
}

// store returns the store of one owner, which outlives the bots. What a test put
// into the bot's own store before the first start stays there.
func (r *run) store(owner string, first ncat.Store) ncat.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stores[owner] == nil {
		s := ncat.NewMemoryStore()
		if owner == "bot" {
			s = first
		}
		r.stores[owner] = s
	}
	return r.stores[owner]
}

func (r *run) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.errs = append(r.errs, err)
	}
}

func (h *Harness) start() {
	h.T.Helper()
	h.session = botlink.Of(h.run.bot).NewSession(h.name, h.Caller, botlink.Options{})
	ended, ctx, s := make(chan error, 1), h.run.ctx, h.session
	h.ended = ended
	h.inlet.take() // what happened meanwhile was missed
	go func() {    // awaited by Stop
		var fed sync.WaitGroup
		fed.Go(func() { h.inlet.pour(ctx, s.Feed) })
		err := s.Run(ctx)
		fed.Wait()
		ended <- err
	}()
	happen(h, Connected(), "the connection came about")
}

// Stop ends the bot on all accounts and waits until nothing of it runs any more.
func (h *Harness) Stop() {
	h.T.Helper()
	r := h.run
	if r.bot == nil {
		h.T.Fatal("Stop: no bot runs")
	}
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.cancel(errOver)
	for _, a := range r.accounts {
		if err := <-a.ended; err != nil && err != errOver {
			h.T.Errorf("the bot ended with: %v", err)
		}
	}
	r.bot = nil
}

// Bot returns the account's bot, to act as the bot itself would.
func (h *Harness) Bot() *ncat.Bot { return h.session.Bot() }

// Admins sets the bot's admins, as the configuration does.
func (h *Harness) Admins(ids ...onebot.UserID) {
	h.T.Helper()
	if h.run.bot == nil {
		h.T.Fatal("Admins: no bot runs")
	}
	botlink.Apply(h.run.bot, ncat.WithAdmins(ids...))
}

// Web sets what is at web addresses that [ncat.Bot.HTTP] and downloads of the bot
// ask: pattern is one of [http.ServeMux], "example.com/feed" or "POST
// api.example.com/v1/". What is at none of them is not there; only the pictures of
// users and groups, and the files of messages, are there from the beginning.
func (h *Harness) Web(pattern string, page http.HandlerFunc) { h.run.web.handle(pattern, page) }

// Context returns a context that ends with the bot.
func (h *Harness) Context() context.Context { return h.run.ctx }

// Errors returns the errors and panics of handlers since it was last asked.
func (h *Harness) Errors() []error {
	h.run.mu.Lock()
	defer h.run.mu.Unlock()
	errs := h.run.errs
	h.run.errs = nil
	return errs
}

// Settle waits until everything the bot does is done or waits for something.
func (h *Harness) Settle() { synctest.Wait() }

// Pass lets time pass.
func (h *Harness) Pass(d time.Duration) {
	time.Sleep(d) // virtual: it returns when nothing else is left to do
	h.Settle()
	h.last = fmt.Sprintf("%v passed", d)
}

// PassUntil lets time pass until the next "15:04" in the local time zone.
func (h *Harness) PassUntil(clock string) {
	h.T.Helper()
	c, err := time.Parse("15:04", clock)
	if err != nil {
		h.T.Fatalf("%q is no time of day such as 08:30", clock)
	}
	now := time.Now()
	next := time.Date(now.Year(), now.Month(), now.Day(), c.Hour(), c.Minute(), 0, 0, now.Location())
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	h.Pass(next.Sub(now))
	h.last = "it became " + clock
}

// Event lets an event happen and settles. Events that were built for [Self] go to
// the account of the Harness.
func (h *Harness) Event(e onebot.Event) {
	h.T.Helper()
	if _, err := onebot.Decode(Frame(e)); err != nil {
		h.T.Fatalf("a %T that no event can be made of: %v", e, err)
	}
	happen(h, e, fmt.Sprintf("a %T", e))
}

func (h *Harness) tb() testing.TB { return h.T }
func (h *Harness) before()        {}

func (h *Harness) after(what string) {
	h.last = what
	h.Settle()
}

// Group returns a group, whose members can act:
//
//	h.Group(100).From(1).Says("/sign")
func (h *Harness) Group(id onebot.GroupID) *Group { return group(h, id) }

// InGroup returns a member of a group; it is Group(group).From(user).
func (h *Harness) InGroup(group onebot.GroupID, user onebot.UserID) *Person {
	return h.Group(group).From(user)
}

// Friend returns somebody who writes to the account in private.
func (h *Harness) Friend(user onebot.UserID) *Person { return friend(h, user) }

func (h *Harness) report() report {
	h.run.mu.Lock()
	defer h.run.mu.Unlock()
	return report{last: h.last, errs: slices.Clone(h.run.errs), others: h.others()}
}

// Want fails the test unless the bot sent exactly these messages, in this order,
// since it was last asked. A message is given by its plain text or, if that is
// not enough, with CQ codes, as in "[CQ:at,qq=1] 你好"; white space around it
// does not count.
func (h *Harness) Want(messages ...string) {
	h.T.Helper()
	wantTexts(h.T, h.Sent(), messages, h.report())
}

// WantLike is Want for messages of which only a part is given.
func (h *Harness) WantLike(parts ...string) {
	h.T.Helper()
	wantLike(h.T, h.Sent(), parts, h.report())
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
	return wantOne(h.T, h.Sent(), h.report())
}

// WantCall ends the test unless the bot made a call of the action, with at least
// the given parameters, and returns it. Each call counts once:
//
//	h.WantCall("set_group_kick", "group_id", 100, "user_id", 6)
func (h *Harness) WantCall(action string, params ...any) Call {
	h.T.Helper()
	c, ok := h.claim(action, pairs(params))
	if !ok {
		h.noCall(h.T, action, pairs(params), h.report())
	}
	return c
}

// WantNoCall fails the test if the bot made a call of one of the actions that no
// WantCall has asked for.
func (h *Harness) WantNoCall(actions ...string) {
	h.T.Helper()
	wantNoCall(h.T, h.unclaimed(actions...), h.report())
}
