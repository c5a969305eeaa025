package daemon

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/fleet"
	"github.com/ncatd/ncatd/internal/parcel"
	"github.com/ncatd/ncatd/onebot"
)

// What of an account's folder moves with it: QQ's home, which has the login tickets,
// and NapCat's own folder. The rest is of this host's processes.
var movedFolders = [...]string{"home", "napcat"}

const (
	sectionFile = "account.yaml" // the account's section of the config, in a parcel
	askPause    = 500 * time.Millisecond
	// receiveTime is how long the other host may take to fetch a parcel, and
	// outcomeTime how long the one that asked follows what becomes of the account.
	receiveTime = 15 * time.Minute
	outcomeTime = 30 * time.Minute
	departTime  = time.Minute
)

// moves are the moves of accounts from and to this host.
type moves struct {
	mu       sync.Mutex // guards the fields below
	gates    map[onebot.UserID]string
	last     map[string]*api.Move // by account, from here
	incoming map[string]*incoming // by ID, to here
	trials   map[string]bool      // by ID, being followed
}

func newMoves() *moves {
	return &moves{gates: map[onebot.UserID]string{}, last: map[string]*api.Move{}, incoming: map[string]*incoming{}, trials: map[string]bool{}}
}

// gate returns the host that an account is being moved to or from just now; it must
// not be started then.
func (m *moves) gate(uin onebot.UserID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gates[uin]
}

// shut keeps an account from being started until the function that it returns is
// called. It is nil if the account is kept so already.
func (m *moves) shut(uin onebot.UserID, other string) (open func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gates[uin] != "" {
		return nil
	}
	m.gates[uin] = other
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.gates, uin)
	})
}

func (m *moves) phase(account, phase string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mv := m.last[account]
	mv.Phase = phase
	if err != nil {
		mv.Error = err.Error()
	}
	if worded := (*api.Error)(nil); errors.As(err, &worded) {
		mv.Fault = worded.Fault
	}
}

// FleetMoved implements [control.Backend].
func (d *Daemon) FleetMoved(_ context.Context, name string) (api.Move, error) {
	if d.fleet == nil {
		return api.Move{}, errNoFleet
	}
	m := d.fleet.moves
	m.mu.Lock()
	defer m.mu.Unlock()
	if mv := m.last[name]; mv != nil {
		return *mv, nil
	}
	return api.Move{}, control.Refuse(control.CodeNotFound, api.Because(api.CodeMoveNone, name))
}

// departure is one move from here.
type departure struct {
	d    *Daemon
	s    *slot
	uin  onebot.UserID
	to   fleet.Place
	id   string
	host *client.Client // the other
	addr string         // whom the parcel is packed for
	open func()         // lets the account be started again
}

// FleetMove implements [control.Backend]. It returns as soon as the other host has
// agreed.
func (d *Daemon) FleetMove(ctx context.Context, name string, r api.MoveRequest) (api.Move, error) {
	if d.fleet == nil {
		return api.Move{}, errNoFleet
	}
	s, err := d.slotOf(name)
	if err != nil {
		return api.Move{}, err
	}
	uin := onebot.UserID(s.acc.Snapshot().UIN)
	switch {
	case r.To == "":
		return api.Move{}, &api.Error{Code: control.CodeBadRequest, Message: "to is empty"}
	case r.To == d.fleet.name:
		return api.Move{}, control.Refuse(control.CodeConflict, api.Because(api.CodeMoveHere, name, r.To))
	case uin == 0:
		return api.Move{}, control.Refuse(control.CodeConflict, api.Because(api.CodeMoveNumber, name))
	}
	owner, err := d.fleet.Owner(ctx, uin)
	switch {
	case errors.Is(err, fleet.ErrNobodys):
		return api.Move{}, control.Refuse(control.CodeConflict, api.Because(api.CodeMoveNever, name))
	case err != nil:
		return api.Move{}, d.fleet.explain(err)
	case !d.fleet.Mine(owner):
		return api.Move{}, control.Refuse(control.CodeConflict, api.Because(api.CodeLeaseHeld, owner.Host))
	}
	dep := &departure{d: d, s: s, uin: uin, id: nuid.Next(), host: client.Over(d.fleet.Remote(r.To))}
	if dep.open = d.fleet.moves.shut(uin, r.To); dep.open == nil {
		return api.Move{}, control.Refuse(control.CodeConflict, api.Because(api.CodeMoveBusy, name, d.fleet.moves.gate(uin)))
	}
	if r.As == "" {
		r.As = name
	}
	st, err := dep.host.FleetIncoming(ctx, api.Incoming{ID: dep.id, UIN: int64(uin), Account: r.As})
	if err != nil {
		dep.open()
		return api.Move{}, err
	}
	dep.to, dep.addr = fleet.Place{Host: r.To, Home: st.Home, Boot: st.Boot, Account: st.Account}, st.Address
	mv := api.Move{ID: dep.id, To: r.To, As: st.Account, Phase: api.MoveStopping}
	d.fleet.moves.mu.Lock()
	d.fleet.moves.last[name] = new(mv)
	d.fleet.moves.mu.Unlock()
	d.wg.Go(func() { dep.run(d.run) })
	return mv, nil
}

// run carries the move out. Until the lease is the other host's a failure leaves the
// account here.
func (m *departure) run(ctx context.Context) {
	defer m.open()
	name, log := m.s.acc.Name(), m.d.log.With("account", m.s.acc.Name(), "to", m.to.Host, "move", m.id)
	log.Info("account is being moved")
	err := m.leave(ctx)
	m.open()
	if ctx.Err() != nil {
		return
	}
	m.d.mu.Lock()
	wanted := m.s.wanted
	m.d.mu.Unlock()
	m.s.acc.Want(wanted) // the lease says whether it may run
	if err != nil {
		log.Error("account stays: it could not be moved", "err", err)
		m.d.fleet.moves.phase(name, api.MoveFailed, err)
		return
	}
	m.d.fleet.moves.phase(name, api.MoveStarting, nil)
	ctx, cancel := context.WithTimeout(ctx, outcomeTime)
	defer cancel()
	for ctx.Err() == nil {
		o, err := m.d.fleet.Owner(ctx, m.uin)
		switch {
		case err != nil:
		case m.d.fleet.Mine(o):
			log.Warn("account did not come online there and is back")
			m.d.fleet.moves.phase(name, api.MoveReturned, nil)
			m.again(wanted)
			return
		case !o.Trial():
			log.Info("account was moved")
			m.d.fleet.moves.phase(name, api.MoveDone, nil)
			m.again(wanted) // is refused, and clears up
			return
		}
		pause(ctx, askPause)
	}
	m.d.fleet.moves.phase(name, api.MoveFailed, control.Refuse(control.CodeInternal, api.Because(api.CodeMoveUnsure, m.to.Host)))
}

// again has the lease asked for at once.
func (m *departure) again(wanted bool) {
	if wanted {
		m.s.acc.Restart()
	}
}

// leave stops the account, brings its files to the other host, and gives it the lease.
func (m *departure) leave(ctx context.Context) error {
	d, name := m.d, m.s.acc.Name()
	m.s.acc.Want(false)
	if err := stopped(ctx, m.s); err != nil {
		return err
	}
	d.fleet.moves.phase(name, api.MoveCopying, nil)
	if err := m.send(ctx); err != nil {
		return err
	}
	defer d.fleet.DropParcel(context.WithoutCancel(ctx), m.id)
	d.fleet.moves.phase(name, api.MoveReceiving, nil)
	rctx, cancel := context.WithTimeout(ctx, receiveTime)
	defer cancel()
	for {
		st, err := m.host.FleetIncoming(rctx, api.Incoming{ID: m.id, UIN: int64(m.uin), Account: m.to.Account, Sent: true})
		if err == nil && st.Error != "" {
			return control.Refuse(control.CodeInternal, api.Because(api.CodeMoveThere, m.to.Host, st.Error))
		}
		if err == nil && st.Ready {
			break
		}
		if rctx.Err() != nil {
			return control.Refuse(control.CodeInternal, api.Because(api.CodeMoveLate, m.to.Host, cmp.Or(err, rctx.Err())))
		}
		pause(rctx, askPause)
	}
	dctx, cancel := context.WithTimeout(ctx, departTime)
	defer cancel()
	return d.fleet.Depart(dctx, m.uin, m.id, m.to)
}

// send packs the account's files for the other host and puts them on the bus.
func (m *departure) send(ctx context.Context) error {
	m.d.mu.Lock()
	c := config.Account{}
	for _, a := range m.d.cfg.Accounts {
		if a.Name == m.s.acc.Name() {
			c = a
		}
	}
	m.d.mu.Unlock()
	c.Name, c.UIN = m.to.Account, int64(m.uin)
	section, err := config.AccountSection(c)
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	packed := make(chan struct{})
	go func() { // ends with r
		defer close(packed)
		w.CloseWithError(parcel.Pack(w, m.addr, m.d.o.Home.Account(m.s.acc.Name()), movedFolders[:], map[string][]byte{sectionFile: []byte(section)}))
	}()
	err = m.d.fleet.SendParcel(ctx, m.id, r)
	r.CloseWithError(errStopAsked)
	<-packed
	return err
}

// movedOut removes what is left here of an account that is another host's and was
// online there. It runs in the place of a start, so that nothing of it runs.
func (d *Daemon) movedOut(name string, o fleet.Owner) {
	if o.Move == nil || !o.Move.Settled || o.Move.From != d.fleet.Here(name) {
		return
	}
	for _, sub := range movedFolders {
		if err := os.RemoveAll(filepath.Join(d.o.Home.Account(name), sub)); err != nil {
			d.log.Warn("files of an account that was moved not removed", "account", name, "err", err)
		}
	}
}

// stopped waits until nothing of an account runs that shall not run.
func stopped(ctx context.Context, s *slot) error {
	for s.acc.Snapshot().State != api.StateStopped {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause(ctx, askPause/5)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
