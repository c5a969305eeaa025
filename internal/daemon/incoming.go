package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet"
	"github.com/ncatd/ncatd/internal/parcel"
	"github.com/ncatd/ncatd/onebot"
)

const (
	arrivedFile  = "arrived.json" // in the folder of a parcel that is whole, and in the account's once it is in use
	replacedMark = "replaced-"    // begins the name of what a parcel's folder replaced
	// arrivalAge is how long a parcel waits for the lease that belongs to it.
	arrivalAge = 24 * time.Hour
	// trialTime is how long an account may take to come online that was moved here,
	// the install of NapCat not counted.
	trialTime = 4 * time.Minute
)

// incoming is an account that another host wants to move here.
type incoming struct {
	key   *parcel.Key
	state api.IncomingState
	begun bool // the parcel is being fetched, or was
}

// arrival says what a parcel that is whole is.
type arrival struct {
	ID      string        `json:"id"`
	UIN     onebot.UserID `json:"uin"`
	Account string        `json:"account"`
}

func (d *Daemon) arrivalDir(id string) string { return d.o.Home.Join("incoming", id) }

// FleetIncoming implements [control.Backend].
func (d *Daemon) FleetIncoming(_ context.Context, in api.Incoming) (api.IncomingState, error) {
	if d.fleet == nil {
		return api.IncomingState{}, errNoFleet
	}
	if in.ID == "" || filepath.Base(in.ID) != in.ID || in.UIN <= 0 {
		return api.IncomingState{}, &api.Error{Code: control.CodeBadRequest, Message: "id or uin makes no sense"}
	}
	m := d.fleet.moves
	m.mu.Lock()
	defer m.mu.Unlock()
	is := m.incoming[in.ID]
	switch {
	case is == nil && in.Sent:
		return api.IncomingState{Error: "it was started anew meanwhile"}, nil
	case is == nil:
		name, err := d.nameFor(onebot.UserID(in.UIN), in.Account)
		if err != nil {
			return api.IncomingState{}, err
		}
		key, address, err := parcel.NewKey()
		if err != nil {
			return api.IncomingState{}, err
		}
		here := d.fleet.Here(name)
		is = &incoming{key: key, state: api.IncomingState{Address: address, Account: name, Home: here.Home, Boot: here.Boot}}
		m.incoming[in.ID] = is
	case in.Sent && !is.begun:
		is.begun = true
		a := arrival{in.ID, onebot.UserID(in.UIN), is.state.Account}
		d.wg.Go(func() { d.fetch(d.run, a, is) })
	}
	return is.state, nil
}

// nameFor returns the name that an account has here, or would have.
func (d *Daemon) nameFor(uin onebot.UserID, wanted string) (string, error) {
	if s := d.slotOfUIN(uin); s != nil {
		return s.acc.Name(), nil
	}
	if _, err := d.slotOf(wanted); err == nil {
		named, err := config.NamesAccounts(d.o.ConfigPath)
		if err != nil {
			return "", err
		}
		if named {
			return "", control.Refuse(control.CodeConflict, api.Because(api.CodeMoveName, d.fleet.name, wanted))
		}
	}
	if err := config.TakesAccounts(d.o.ConfigPath, wanted); err != nil {
		return "", control.Refuse(control.CodeConflict, api.Because(api.CodeMoveConfig, d.fleet.name, err))
	}
	return wanted, nil
}

// fetch brings a parcel to the disk and waits for its lease.
func (d *Daemon) fetch(ctx context.Context, a arrival, is *incoming) {
	err := d.unpack(ctx, a, is.key)
	d.fleet.moves.mu.Lock()
	is.key = nil
	if is.state.Ready = err == nil; err != nil {
		is.state.Error = err.Error()
	}
	d.fleet.moves.mu.Unlock()
	if err != nil {
		d.log.Error("an account that was to move here did not arrive", "account", a.Account, "uin", int64(a.UIN), "err", err)
		d.removeArrival(a.ID)
		return
	}
	d.awaitLease(ctx, a)
}

func (d *Daemon) unpack(ctx context.Context, a arrival, key *parcel.Key) error {
	r, err := d.fleet.OpenParcel(ctx, a.ID)
	if err != nil {
		return err
	}
	defer r.Close()
	dir := d.arrivalDir(a.ID)
	if err := parcel.Unpack(r, key, dir); err != nil {
		return err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, arrivedFile), b, 0o600)
}

func (d *Daemon) removeArrival(id string) {
	if err := os.RemoveAll(d.arrivalDir(id)); err != nil {
		d.log.Warn("files of a move not removed", "move", id, "err", err)
	}
}

// resumeIncoming goes on with what an earlier ncatd had received.
func (d *Daemon) resumeIncoming(ctx context.Context) {
	entries, err := os.ReadDir(d.o.Home.Join("incoming"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("moves not resumed", "err", err)
	}
	for _, e := range entries {
		a, err := d.arrived(d.arrivalDir(e.Name()))
		if err != nil || a.ID != e.Name() {
			d.removeArrival(e.Name()) // it was cut off: the account is where it was
			continue
		}
		d.wg.Go(func() { d.awaitLease(ctx, a) })
	}
}

// arrived reads which move brought the files in a folder.
func (d *Daemon) arrived(dir string) (a arrival, err error) {
	b, err := os.ReadFile(filepath.Join(dir, arrivedFile))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	return a, err
}

// awaitLease starts an account whose files have arrived once its lease is this
// host's. Files whose lease never comes are removed.
func (d *Daemon) awaitLease(ctx context.Context, a arrival) {
	for ctx.Err() == nil {
		st, err := os.Stat(filepath.Join(d.arrivalDir(a.ID), arrivedFile))
		if err != nil {
			return // in use
		}
		old := time.Since(st.ModTime()) > arrivalAge
		o, err := d.fleet.Owner(ctx, a.UIN)
		switch {
		case err != nil:
		case d.fleet.Mine(o) && o.Trial() && o.Move.ID == a.ID:
			if err := d.admit(ctx, a); err != nil {
				d.log.Error("an account that was moved here cannot be run", "account", a.Account, "err", err)
				if d.giveBack(ctx, a.UIN, a.ID) {
					d.removeArrival(a.ID)
				}
			}
			return
		case old:
			d.removeArrival(a.ID)
			return
		}
		pause(ctx, askPause)
	}
}

// admit brings an account that was moved here into the config and starts it.
func (d *Daemon) admit(ctx context.Context, a arrival) error {
	if d.slotOfUIN(a.UIN) == nil {
		section, err := os.ReadFile(filepath.Join(d.arrivalDir(a.ID), sectionFile))
		if err != nil {
			return err
		}
		if err := config.AddAccount(d.o.ConfigPath, string(section)); err != nil {
			return err
		}
		if _, err := d.Reload(ctx); err != nil {
			return err
		}
	}
	s := d.slotOfUIN(a.UIN)
	if s == nil {
		return errors.New("the config does not have it")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.wanted = true
	s.acc.Restart()
	return nil
}

// movedIn puts the files of an account that was moved here in their place, and has
// it followed whether it comes online. It runs just before the account's start, so
// that nothing of it runs. It can be repeated after a crash at any instant.
func (d *Daemon) movedIn(name string, uin onebot.UserID, m *fleet.Move) error {
	from, to := d.arrivalDir(m.ID), d.o.Home.Account(name)
	if a, err := d.arrived(to); err != nil || a.ID != m.ID {
		a, err := d.arrived(from)
		if err == nil {
			err = putInPlace(from, to)
		}
		if err == nil {
			var b []byte
			if b, err = json.Marshal(a); err == nil {
				err = atomicfile.Write(filepath.Join(to, arrivedFile), b, 0o600)
			}
		}
		if err != nil {
			d.log.Error("an account that was moved here cannot be run", "account", name, "err", err)
			d.wg.Go(func() { d.giveBack(d.run, uin, m.ID) })
			return leasedTo(api.CodeLeaseMoving, leaseRetry, m.From.Host)
		}
	}
	d.removeArrival(m.ID)
	d.fleet.moves.mu.Lock()
	defer d.fleet.moves.mu.Unlock()
	if !d.fleet.moves.trials[m.ID] {
		d.fleet.moves.trials[m.ID] = true
		d.wg.Go(func() { d.trial(d.run, name, uin, m) })
	}
	return nil
}

// putInPlace replaces the folders of an account by those that arrived.
func putInPlace(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, sub := range movedFolders {
		is := filepath.Join(from, sub)
		if _, err := os.Lstat(is); errors.Is(err, fs.ErrNotExist) {
			continue // done before a crash
		}
		was := filepath.Join(to, sub)
		if err := os.Rename(was, filepath.Join(from, replacedMark+sub)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(is, was); err != nil {
			return err
		}
	}
	return nil
}

// trial settles the move of an account that came online, and gives back one that
// does not.
func (d *Daemon) trial(ctx context.Context, name string, uin onebot.UserID, m *fleet.Move) {
	log := d.log.With("account", name, "from", m.From.Host, "move", m.ID)
	end := time.Now().Add(trialTime)
	for ctx.Err() == nil {
		s, err := d.slotOf(name)
		if err != nil {
			return // the config no longer has it
		}
		a := s.acc.Snapshot()
		switch {
		case a.State == api.StateOnline:
			if err := d.fleet.SettleMove(ctx, uin, m.ID); err != nil {
				log.Error("move not settled", "err", err)
				return
			}
			log.Info("account was moved here")
			return
		case a.State == api.StateInstalling:
			end = time.Now().Add(trialTime)
		case a.State == api.StateLoginRequired, a.State == api.StateFailed, time.Now().After(end):
			log.Warn("account does not come online and goes back", "state", a.State, "reason", a.Reason)
			if open := d.fleet.moves.shut(uin, m.From.Host); open != nil {
				defer open()
			}
			s.acc.Want(false)
			if stopped(ctx, s) == nil && d.giveBack(ctx, uin, m.ID) {
				s.acc.Want(true) // it waits until the lease is this host's again
			}
			return
		}
		pause(ctx, askPause/5)
	}
}

// giveBack gives an account that is stopped to the host that it came from, and
// reports whether that is certain.
func (d *Daemon) giveBack(ctx context.Context, uin onebot.UserID, id string) bool {
	err := d.fleet.Return(ctx, uin, id)
	if err != nil && !errors.Is(err, fleet.ErrMoved) {
		d.log.Error("account not given back", "uin", int64(uin), "err", err)
	}
	return err == nil || errors.Is(err, fleet.ErrMoved)
}
