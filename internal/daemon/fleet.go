package daemon

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

const (
	// leaseRetry is the pause before an account is asked for again that another host
	// has, busRetry that before it is if nobody could be asked.
	leaseRetry = 30 * time.Second
	busRetry   = 2 * time.Second
	hostsEvery = 20 * time.Second // how often hosts that fell silent are looked for
)

// member is this host's part of a fleet.
type member struct {
	*fleet.Fleet
	name   string          // of this host
	server *control.Server // for requests of other hosts; set before it runs
	moves  *moves
	silent atomic.Pointer[[]api.SilentHost] // the other hosts that are, if this one tells it
}

// openFleet makes this host one of a fleet, if the config says so; nil if not.
func (d *Daemon) openFleet(ctx context.Context, c config.Bus) (*member, error) {
	if c.URL == "" {
		return nil, nil
	}
	me, err := proc.Identify(os.Getpid())
	if err != nil {
		return nil, err
	}
	host := c.Host
	if host == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, err
		}
		host = strings.ReplaceAll(name, ".", "-")
	}
	m := &member{name: host, moves: newMoves()}
	m.Fleet, err = fleet.Open(ctx, fleet.Options{
		Bus:      bus.Options{URL: c.URL, Creds: c.Creds, CA: c.CA, Name: "ncatd " + host, Logger: d.log},
		Settings: bus.Settings{Replicas: c.Replicas, Retention: c.Retention.D()},
		Host:     host, Home: displayMarker(d.secrets.Control), Boot: me.BootID,
		Spool: d.o.Home.Join("data", "bus.db"), Known: d.o.Home.Join("data", "fleet.json"),
		Status: d.Status,
		API:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.server.Handler().ServeHTTP(w, r) }),
		Link:   d.linkOf,
		Logger: d.log,
	})
	return m, err
}

// runFleet takes part in the fleet, if there is one, until the function that it
// returns is called: later than the accounts end, so that what they still tell gets
// there.
func (d *Daemon) runFleet() (stop func()) {
	if d.fleet == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.run))
	var wg sync.WaitGroup
	wg.Go(func() { d.tendFleet(ctx) })
	wg.Go(func() { d.watchHosts(ctx) })
	d.wg.Go(func() { d.resumeIncoming(d.run) })
	wg.Go(func() {
		if err := d.fleet.Run(ctx); err != nil {
			d.log.Error("this host's part of the fleet ended badly", "err", err)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// linkOf returns the link of the account with that number, nil if there is none.
func (d *Daemon) linkOf(uin onebot.UserID) onebot.Caller {
	if s := d.slotOfUIN(uin); s != nil {
		return s.acc.Link()
	}
	return nil
}

// slotOfUIN returns the slot of the account with that number, nil if there is none.
func (d *Daemon) slotOfUIN(uin onebot.UserID) *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.slots {
		if s.acc.Snapshot().UIN == int64(uin) {
			return s
		}
	}
	return nil
}

// publisher brings the events of an account to the fleet, in the order in which the bot
// gets them.
type publisher struct {
	d    *Daemon
	name string
	link interface {
		onebot.Caller
		Had(onebot.MessageEvent) bool
	}
	once sync.Once
}

// ready says that the account's link is up. The first time it looks for what an earlier
// ncatd had not published any more; that goes before all that comes.
func (p *publisher) ready(self onebot.UserID) {
	p.once.Do(func() {
		p.d.fleet.Hold(self)
		p.d.wg.Go(func() {
			ctx, cancel := context.WithTimeout(p.d.run, catchUpWait)
			defer cancel()
			found, err := p.catchUp(ctx, onebot.NewClient(p.link))
			if err != nil && p.d.run.Err() == nil {
				p.d.log.Warn("what came just before the start may be missing on the bus", "account", p.name, "err", err)
			}
			p.d.fleet.Release(self, found)
		})
	})
}

// put publishes an event.
func (p *publisher) put(e onebot.Event) { p.d.fleet.Publish(p.event(e, ncat.Backfilled(nil, e))) }

func (p *publisher) event(e onebot.Event, backfilled bool) fleet.Event {
	base, c := e.Base(), ncat.ChatOf(e)
	out := fleet.Event{Account: p.name, Self: base.SelfID, Kind: string(base.PostType), Chat: bus.Chat(c.Group, c.User), Backfilled: backfilled, Raw: base.Raw()}
	if m, ok := e.(onebot.MessageEvent); ok {
		out.ID = strconv.FormatInt(int64(m.Msg().MessageID), 10)
	}
	return out
}

const (
	// catchUpWait is how long the search for what was not published may take, and
	// catchUpAge how old that may be: the bus drops what it has had for 10 minutes.
	catchUpWait     = 30 * time.Second
	catchUpAge      = 2 * time.Minute
	catchUpRetry    = time.Second // between two tries
	catchUpChats    = 100
	catchUpMessages = 20
	catchUpPages    = 50 // of a chat, each of so many messages
)

// catchUp returns the newest messages of all chats that had their turn here. The others
// still come, after what was missed before them.
func (p *publisher) catchUp(ctx context.Context, c *onebot.Client) (out []fleet.Event, err error) {
	since := time.Now().Add(-catchUpAge)
	list, err := tried(ctx, func() ([]onebot.RecentContact, error) {
		chats := catchUpChats
		return c.GetRecentContact(ctx, onebot.GetRecentContactParams{Count: &chats})
	})
	for _, r := range list {
		if time.Unix(r.MsgTime, 0).Before(since) {
			continue
		}
		found, failed := tried(ctx, func() ([]onebot.MessageEvent, error) {
			return messagesSince(since, func(from onebot.MessageID) ([]*onebot.ChatMessage, error) { return pageOf(ctx, c, r, from) })
		})
		for _, m := range found { // also those before an error
			if !m.Msg().FromSelf() && p.link.Had(m) {
				out = append(out, p.event(m, true))
			}
		}
		err = errors.Join(err, failed)
	}
	return out, err
}

// tried calls f until it succeeds or ctx ends, and returns its last result.
func tried[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for {
		out, err := f()
		if err == nil {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(catchUpRetry):
		}
	}
}

// pageOf returns messages of a chat of the list, up to and with from.
func pageOf(ctx context.Context, c *onebot.Client, r onebot.RecentContact, from onebot.MessageID) ([]*onebot.ChatMessage, error) {
	id, err := strconv.ParseInt(r.PeerUIN, 10, 64)
	if err != nil {
		return nil, nil // not a chat that can be asked for
	}
	messages := catchUpMessages
	switch r.ChatType {
	case 1:
		h, err := c.GetFriendMsgHistory(ctx, onebot.GetFriendMsgHistoryParams{UserID: onebot.UserID(id), MessageSeq: from, Count: &messages})
		if err != nil {
			return nil, err
		}
		return h.Messages, nil
	case 2:
		h, err := c.GetGroupMsgHistory(ctx, onebot.GetGroupMsgHistoryParams{GroupID: onebot.GroupID(id), MessageSeq: from, Count: &messages})
		if err != nil {
			return nil, err
		}
		return h.Messages, nil
	}
	return nil, nil
}

// messagesSince returns the messages of a chat that are not older than since, in order. page
// returns some up to and with a message, the oldest first; up to the newest for 0.
func messagesSince(since time.Time, page func(onebot.MessageID) ([]*onebot.ChatMessage, error)) ([]onebot.MessageEvent, error) {
	var out []onebot.MessageEvent
	seen := map[onebot.MessageID]bool{}
	from := onebot.MessageID(0)
	for range catchUpPages {
		raw, err := page(from)
		if err != nil {
			return out, err
		}
		var fresh []onebot.MessageEvent
		for _, r := range raw {
			e, err := onebot.Decode(r.Raw())
			m, ok := e.(onebot.MessageEvent)
			if err != nil || !ok || seen[m.Msg().MessageID] || m.Base().When().Before(since) {
				continue
			}
			seen[m.Msg().MessageID] = true
			fresh = append(fresh, m)
		}
		if len(fresh) == 0 {
			break
		}
		out, from = append(fresh, out...), fresh[0].Msg().MessageID
	}
	return out, nil
}

// tendFleet shows how the bus is, until ctx ends.
func (d *Daemon) tendFleet(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	var told api.Code
	for {
		told = d.showBus(told)
		if s := d.fleet.Stats(); s.Lost > 0 {
			d.health.Set("", api.CodeBusLost, strconv.FormatUint(s.Lost, 10))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// watchHosts looks for hosts that fall silent, until ctx ends. While the bus is away
// nothing is known, and what was stays.
func (d *Daemon) watchHosts(ctx context.Context) {
	t := time.NewTicker(hostsEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		lctx, cancel := context.WithTimeout(ctx, hostsEvery)
		silent, err := d.fleet.SilentHosts(lctx)
		cancel()
		if err != nil {
			continue
		}
		d.fleet.silent.Store(&silent)
		d.alerts.changed()
	}
}

// leased is an account's host that runs nothing that belongs to another host of the
// fleet.
type leased struct {
	account.Host
	d    *Daemon
	name string
	life *account.Life // of the process that runs, nil if none
	uin  onebot.UserID // whose lease is held, 0: none
}

// Spawn implements [account.Host]. An account whose number is not known yet is
// asked for once it is online.
func (l *leased) Spawn(ctx context.Context, life *account.Life) error {
	l.life = life
	if uin := life.UIN(); uin != 0 {
		if err := l.take(ctx, onebot.UserID(uin)); err != nil {
			return err
		}
		if m := l.d.fleet.Trial(onebot.UserID(uin)); m != nil {
			if err := l.d.movedIn(l.name, onebot.UserID(uin), m); err != nil {
				return err
			}
		}
	}
	return l.Host.Spawn(ctx, life)
}

// take asks for the account; the error is a [*supervisor.Fault].
func (l *leased) take(ctx context.Context, uin onebot.UserID) error {
	life := l.life
	if other := l.d.fleet.moves.gate(uin); other != "" {
		return leasedTo(api.CodeLeaseMoving, leaseRetry, other)
	}
	err := l.d.fleet.Take(ctx, uin, l.name, func(err error) {
		code := api.CodeLeaseUnheard
		if errors.Is(err, fleet.ErrTaken) {
			code = api.CodeLeaseLost
		}
		life.Tell(account.Doomed{Fault: leasedTo(code, leaseRetry)})
	})
	var held *fleet.HeldError
	switch {
	case err == nil:
		l.uin = uin
		return nil
	case errors.As(err, &held) && l.d.fleet.Mine(held.Owner):
		return leasedTo(api.CodeLeaseCopy, leaseRetry)
	case errors.As(err, &held):
		l.d.movedOut(l.name, held.Owner)
		return leasedTo(api.CodeLeaseHeld, leaseRetry, held.Owner.Host)
	}
	l.d.log.Warn("account waits for the bus", "account", l.name, "err", err)
	f := leasedTo(api.CodeLeaseUnasked, busRetry)
	f.Cause.Why = f.Cause.Why.With(l.d.fleet.busFault())
	return f
}

// leasedTo is why an account does not run here.
func leasedTo(code api.Code, pause time.Duration, args ...any) *supervisor.Fault {
	return &supervisor.Fault{Cause: supervisor.Because(account.ReasonLeased, code, args...), Pause: pause}
}

// Online implements [account.Host].
func (l *leased) Online() {
	l.Host.Online()
	if uin := onebot.UserID(l.life.UIN()); uin != 0 && l.uin == 0 {
		ctx, cancel := context.WithTimeout(l.d.run, leaseRetry)
		defer cancel()
		var f *supervisor.Fault
		if err := l.take(ctx, uin); errors.As(err, &f) {
			l.life.Tell(account.Doomed{Fault: f})
		}
	}
}

// Stop implements [account.Host].
func (l *leased) Stop(ctx context.Context, timeout time.Duration) error {
	if err := l.Host.Stop(ctx, timeout); err != nil {
		return err // it may still run: the lease is kept
	}
	if l.uin != 0 {
		l.d.fleet.Rest(l.uin)
		l.uin = 0
	}
	return nil
}

// FleetHosts implements [control.Backend].
func (d *Daemon) FleetHosts(ctx context.Context) ([]api.FleetHost, error) {
	if d.fleet == nil {
		return nil, errNoFleet
	}
	hosts, err := d.fleet.Hosts(ctx)
	return hosts, d.fleet.explain(err)
}

// FleetRemote implements [control.Backend].
func (d *Daemon) FleetRemote(host string) (http.RoundTripper, error) {
	if d.fleet == nil {
		return nil, errNoFleet
	}
	return d.fleet.Remote(host), nil
}

// FleetDead implements [control.Backend].
func (d *Daemon) FleetDead(ctx context.Context) ([]api.DeadEvent, error) {
	if d.fleet == nil {
		return nil, errNoFleet
	}
	dead, err := d.fleet.Dead(ctx)
	return dead, d.fleet.explain(err)
}

// FleetSettle implements [control.Backend].
func (d *Daemon) FleetSettle(ctx context.Context, r api.SettleRequest) error {
	if d.fleet == nil {
		return errNoFleet
	}
	for _, id := range r.IDs {
		err := d.fleet.Settle(ctx, id, r.Retry)
		if errors.Is(err, fleet.ErrNoDead) {
			return control.Refuse(control.CodeNotFound, api.Because(api.CodeNoDead, id))
		}
		if err != nil {
			return d.fleet.explain(err)
		}
	}
	return nil
}

// FleetTake implements [control.Backend].
func (d *Daemon) FleetTake(ctx context.Context, name string) error {
	if d.fleet == nil {
		return errNoFleet
	}
	s, err := d.slotOf(name)
	if err != nil {
		return err
	}
	uin := s.acc.Snapshot().UIN
	if uin == 0 {
		return control.Refuse(control.CodeConflict, api.Because(api.CodeMoveNumber, name))
	}
	if o, err := d.fleet.Owner(ctx, onebot.UserID(uin)); err == nil && d.fleet.Mine(o) && s.acc.Snapshot().Reason != string(account.ReasonLeased) {
		return control.Refuse(control.CodeConflict, api.Because(api.CodeMoveHere, name, d.fleet.name))
	}
	if err := d.fleet.Seize(ctx, onebot.UserID(uin), name); err != nil {
		var held *fleet.HeldError
		if errors.As(err, &held) {
			return control.Refuse(control.CodeConflict, api.Because(api.CodeTakeAlive, held.Owner.Host, held.Ago.Round(time.Second)))
		}
		return d.fleet.explain(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.wanted = true
	s.acc.Restart()
	return nil
}
