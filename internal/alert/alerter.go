package alert

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/alert/preset"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/onebot"
)

// settle is how long a change waits for others that belong to it, so that what
// happens together is told together.
const settle = 250 * time.Millisecond

// storePause is the pause before a store that failed is used again. One that cannot be
// read at the start is tried for loadTries of them: after that nothing is known of what
// was told before, and people are told all the same.
const (
	storePause = 5 * time.Second
	loadTries  = 6
)

// Options are what an [Alerter] is made of.
type Options struct {
	Channels []ChannelConfig
	Rules    []Rule
	// Store keeps the state, the outbox and the log.
	Store *Store
	// Status returns the daemon's status now.
	Status func() api.Status
	Words  Words
	// Link makes a link into the console that works once, "" if there is none that
	// other machines reach. It goes with each call for a login; nil: none does.
	Link func(ctx context.Context) string
	// QR draws a code as a PNG.
	QR func(text string) ([]byte, error)
	// Caller returns the link of one of the daemon's own accounts.
	Caller func(account string) (onebot.Caller, error)
	Logger *slog.Logger
}

// ChannelConfig is a channel as configured.
type ChannelConfig struct {
	Name   string
	Kind   string
	Fields map[string]string
}

// Alerter watches the status and tells what the rules say. Make one with [New],
// then [Alerter.Run] it. It is safe for concurrent use.
type Alerter struct {
	o       Options
	changed chan struct{}
	senders []*sender

	mu     sync.Mutex // held over a step and its write
	state  State
	loaded bool // state is what the store has
}

// New returns an Alerter. It starts nothing.
func New(o Options) (*Alerter, error) {
	a := &Alerter{o: o, changed: make(chan struct{}, 1)}
	for _, c := range o.Channels {
		ch, err := newChannel(c, o.Caller)
		if err != nil {
			return nil, fmt.Errorf("alerts: channel %s: %w", c.Name, err)
		}
		a.senders = append(a.senders, &sender{
			name: c.Name, kind: c.Kind, channel: ch, box: outbox{o.Store}, words: o.Words, qr: o.QR, code: a.code, link: o.Link,
			log: o.Logger.With("channel", c.Name), more: make(chan struct{}, 1), now: time.Now, trouble: a.Changed,
		})
	}
	return a, nil
}

func newChannel(c ChannelConfig, caller func(account string) (onebot.Caller, error)) (Channel, error) {
	fields := map[string]string{}
	list, ok := preset.Fields(c.Kind)
	if !ok {
		return nil, fmt.Errorf("there is no channel kind %q", c.Kind)
	}
	for _, f := range list {
		fields[f.Name] = f.Default
		if v := c.Fields[f.Name]; v != "" {
			fields[f.Name] = v
		}
	}
	switch c.Kind {
	case "smtp":
		return &mailChannel{fields: fields}, nil
	case "exec":
		return &execChannel{command: strings.Fields(fields["command"])}, nil
	case "qq":
		return &qqChannel{fields: fields, caller: caller}, nil
	default:
		return newHTTP(c.Kind, fields)
	}
}

// Changed says that the status may have changed. It never blocks.
func (a *Alerter) Changed() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// Run watches and tells until ctx ends, and returns after the last try to send
// ended.
func (a *Alerter) Run(ctx context.Context) error {
	for try := 1; ; try++ {
		a.mu.Lock()
		err := a.load(ctx)
		a.loaded = err == nil || try >= loadTries
		a.mu.Unlock()
		if err == nil {
			break
		}
		a.o.Logger.Error("the alerts' state cannot be read", "err", err, "try", try)
		if try >= loadTries {
			break
		}
		select {
		case <-time.After(storePause):
		case <-ctx.Done():
			return nil
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range a.senders {
		wg.Go(func() { s.run(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.changed:
			select { // let what belongs to it come
			case <-time.After(settle):
			case <-ctx.Done():
				return nil
			}
		case <-timer.C:
		}
		next, err := a.step(ctx)
		if err != nil {
			a.o.Logger.Error("alerts not written, trying again", "err", err)
			next = time.Now().Add(storePause)
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(0, time.Until(next)))
		}
	}
}

// load reads the state from the store, once.
func (a *Alerter) load(ctx context.Context) error {
	if a.loaded {
		return nil
	}
	st, err := (outbox{a.o.Store}).load(ctx)
	if err == nil {
		a.state, a.loaded = st, true
	}
	return err
}

// step decides, writes what was decided, and lets the channels know.
func (a *Alerter) step(ctx context.Context) (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := a.o.Status()
	seen := slices.Concat(Observe(status), a.heldLocked(status), a.restLocked(status))
	for _, s := range a.senders {
		if c, ok := s.condition(); ok {
			seen = append(seen, c)
		}
	}
	st, messages, next := Step(a.o.Rules, a.state, seen, time.Now())
	if err := (outbox{a.o.Store}).write(ctx, a.state, st, messages); err != nil {
		return time.Time{}, err
	}
	a.state = st
	if retry := time.Now().Add(storePause); a.o.Store.Spare() && (next.IsZero() || retry.Before(next)) {
		next = retry
	}
	for _, s := range a.senders {
		if slices.ContainsFunc(messages, func(m Message) bool { return m.Channel == s.name }) {
			s.wake()
		}
	}
	return next, nil
}

// heldLocked returns what was seen of accounts that are on their way from one
// state to another: it is neither gone nor there.
func (a *Alerter) heldLocked(st api.Status) (held []Condition) {
	for _, acc := range st.Accounts {
		if acc.State != api.StateStopping && acc.State != api.StateInstalling {
			continue
		}
		for _, o := range a.state.Open {
			if o.Condition.Account == acc.Name && o.Condition.Kind != KindFlapping && o.Gone.IsZero() {
				held = append(held, o.Condition)
			}
		}
	}
	return held
}

// restLocked returns which accounts of what is open are not wanted to run any more, or
// are in the config no longer: nothing is wrong with them, and nothing was mended. One
// that another host of a fleet has is stopped for another reason.
func (a *Alerter) restLocked(st api.Status) (rest []Condition) {
	for _, o := range a.state.Open {
		name := o.Condition.Account
		i := slices.IndexFunc(st.Accounts, func(acc api.Account) bool { return acc.Name == name })
		if name != "" && (i < 0 || st.Accounts[i].State == api.StateStopped && st.Accounts[i].Reason == "wanted") {
			rest = append(rest, Condition{Kind: kindRest, Account: name})
		}
	}
	return rest
}

// code returns the text of the code that an account's login shows now, "" if
// there is none.
func (a *Alerter) code(account string) string {
	for _, acc := range a.o.Status().Accounts {
		if acc.Name == account && acc.State == api.StateLoginRequired && acc.Login.Code() {
			return acc.Login.URL
		}
	}
	return ""
}

// Silence keeps an account's alerts back until a time; "" is all accounts.
func (a *Alerter) Silence(ctx context.Context, account string, until time.Time) error {
	a.mu.Lock()
	if err := a.load(ctx); err != nil {
		a.mu.Unlock()
		return err
	}
	st := a.state
	st.Silenced = map[string]time.Time{account: until}
	for k, v := range a.state.Silenced {
		if k != account {
			st.Silenced[k] = v
		}
	}
	err := (outbox{a.o.Store}).write(ctx, a.state, st, nil)
	if err == nil {
		a.state = st
	}
	a.mu.Unlock()
	a.Changed()
	return err
}

// Test sends a test message through a channel at once, past the outbox. It
// returns nil if the channel has taken it.
func (a *Alerter) Test(ctx context.Context, channel string) *Error {
	i := slices.IndexFunc(a.senders, func(s *sender) bool { return s.name == channel })
	if i < 0 {
		return &Error{Problem: ProblemConfig, Detail: "there is no channel " + channel}
	}
	now := time.Now()
	m := Message{Channel: channel, Time: now, Items: []Item{{Phase: Firing, Condition: Condition{Kind: KindTest, Since: now}}}}
	return problem(a.senders[i].send(ctx, row{Message: m}))
}

// ChannelStatus is how a channel does.
type ChannelStatus struct {
	Name    string
	Kind    string
	Waiting int // messages in the outbox
	Failing *Error
	Since   time.Time // of Failing
}

// States returns how the channels do, without what waits.
func (a *Alerter) States() []ChannelStatus {
	all := make([]ChannelStatus, len(a.senders))
	for i, s := range a.senders {
		all[i] = ChannelStatus{Name: s.name, Kind: s.kind}
		all[i].Failing, all[i].Since = s.failing()
	}
	return all
}

// Channels returns how the channels do.
func (a *Alerter) Channels(ctx context.Context) ([]ChannelStatus, error) {
	all := a.States()
	for i, s := range a.senders {
		n, err := s.box.count(ctx, s.name)
		if err != nil {
			return nil, err
		}
		all[i].Waiting = n
	}
	return all, nil
}

// Open returns what is wrong now or was a moment ago, the oldest first, and the
// silences.
func (a *Alerter) Open() (open []Open, silenced map[string]time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.state.Open {
		open = append(open, *o)
	}
	sort.Slice(open, func(i, j int) bool {
		x, y := open[i].Condition, open[j].Condition
		return cmp.Or(x.Since.Compare(y.Since), strings.Compare(x.key(), y.key())) < 0
	})
	return open, a.state.Silenced
}

// Log returns the last messages that were told or tried, the newest last.
func (a *Alerter) Log(ctx context.Context) ([]LogEntry, error) {
	return (outbox{a.o.Store}).log(ctx)
}
