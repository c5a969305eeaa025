package daemon

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// trialFailures is how often a pair on trial may fail before it is left. One
// crash may be chance; a pair that is not ready in time is left at once, since
// the start timeout is patience enough.
const trialFailures = 3

// trialReasons are the failures that speak against the pair. Others (a kick, a
// wrong account, a full disk) would happen with any pair.
var trialReasons = map[supervisor.Reason]bool{
	supervisor.ReasonNotReady:    true,
	supervisor.ReasonExited:      true,
	supervisor.ReasonCrashLoop:   true,
	supervisor.ReasonSpawnFailed: true,
	account.ReasonCrash:          true,
	account.ReasonUnsupportedQQ:  true,
	account.ReasonMissingLib:     true,
	account.ReasonNotNapCat:      true,
	account.ReasonNotResponding:  true,
}

// releases hands all accounts the pair to run: it installs what is missing, once
// for all of them, and leaves a new pair that does not come online for the one
// before. It is safe for concurrent use.
type releases struct {
	store   *install.Store
	log     *slog.Logger
	install func(context.Context, func(install.Event)) (install.Pair, error) // store.Install with the config's request

	newer newer // published ones

	mu       sync.Mutex
	running  *installing
	failures map[string]int // by pair on trial
}

type installing struct {
	done chan struct{} // closed when pair and err are set
	stop context.CancelFunc
	wait int // accounts that wait

	mu     sync.Mutex
	report map[*func(install.Event)]struct{}

	pair install.Pair
	err  error
}

func newReleases(store *install.Store, cfg func() config.NapCat, log *slog.Logger) *releases {
	r := &releases{store: store, log: log, failures: map[string]int{}}
	r.install = func(ctx context.Context, progress func(install.Event)) (install.Pair, error) {
		return store.Install(ctx, installRequest(cfg(), log), progress)
	}
	return r
}

// installRequest is what the config asks for.
func installRequest(c config.NapCat, log *slog.Logger) install.Request {
	req := install.Request{
		NapCat:  install.Package{Source: c.Source, SHA256: c.SHA256},
		QQ:      install.Package{Version: c.QQVersion, Source: c.QQSource, SHA256: c.QQSHA256},
		Mirrors: c.Mirrors,
		Keep:    c.Keep,
		Log:     log,

		CatalogueSource: c.Catalogue,
	}
	if c.Source == "" || strings.Contains(c.Source, "{version}") {
		// A package of the user's own says itself which version it is.
		req.NapCat.Version = c.Version
	}
	return req
}

// pair returns the pair to run, installing it first if there is none. report is
// told how that goes. Accounts that ask at the same time wait for the same
// install; it ends when none of them waits any more.
func (r *releases) pair(ctx context.Context, report func(install.Event)) (install.Pair, error) {
	p, err := r.store.Current()
	if !errors.Is(err, install.ErrNotInstalled) {
		return p, err
	}
	r.mu.Lock()
	in := r.running
	if in == nil {
		ictx, stop := context.WithCancel(context.WithoutCancel(ctx))
		in = &installing{done: make(chan struct{}), stop: stop, report: map[*func(install.Event)]struct{}{}}
		r.running = in
		go r.run(ictx, in) // ended by the last waiter's stop, and awaited by it below
	}
	in.wait++
	r.mu.Unlock()
	in.mu.Lock()
	in.report[&report] = struct{}{}
	in.mu.Unlock()

	select {
	case <-in.done:
	case <-ctx.Done():
	}
	in.mu.Lock()
	delete(in.report, &report)
	in.mu.Unlock()
	r.mu.Lock()
	in.wait--
	last := in.wait == 0
	if last && r.running == in {
		r.running = nil
	}
	r.mu.Unlock()
	if last {
		in.stop()
		<-in.done
	}
	if ctx.Err() != nil {
		return install.Pair{}, context.Cause(ctx)
	}
	return in.pair, in.err
}

func (r *releases) run(ctx context.Context, in *installing) {
	in.pair, in.err = r.install(ctx, func(e install.Event) {
		in.mu.Lock()
		defer in.mu.Unlock()
		for f := range in.report {
			(*f)(e)
		}
	})
	// Decompressing and hashing leave a heap behind that a daemon of years has no
	// use for.
	debug.FreeOSMemory()
	close(in.done)
}

// online confirms a pair on trial: an account came online with it.
func (r *releases) online(pair install.Pair) {
	if pair.State != install.Trial {
		return
	}
	r.mu.Lock()
	delete(r.failures, pair.String())
	r.mu.Unlock()
	if err := r.store.Confirm(pair); err != nil {
		r.log.Warn("a new pair came online but could not be recorded as good", "pair", pair.String(), "err", err)
	}
}

// notOnline learns that a process of pair ended by a fault before its account
// was online. It leaves a pair on trial that fails this way for the one before,
// and then reports true.
func (r *releases) notOnline(pair install.Pair, why supervisor.Cause) (left bool) {
	if pair.State != install.Trial || !trialReasons[why.Reason] {
		return false
	}
	key := pair.String()
	r.mu.Lock()
	r.failures[key]++
	enough := r.failures[key] >= trialFailures || why.Reason == supervisor.ReasonNotReady
	if enough {
		delete(r.failures, key)
	}
	r.mu.Unlock()
	if !enough {
		return false
	}
	now, err := r.store.RollBack(pair, install.Left{Reason: say(why.Why), Fault: why.Why, ByItself: true})
	switch {
	case errors.Is(err, install.ErrNoPrevious):
		return false // the first pair ever: there is nothing to go back to
	case err != nil:
		r.log.Error("a new pair does not come online and could not be left", "pair", key, "err", err)
		return false
	}
	r.log.Warn("left a new pair that did not come online", "pair", key, "back_to", now.String(), "reason", why.Reason, "detail", say(why.Why))
	return true
}

// installSteps tells the progress of an install as an account's state, once for
// each tenth of a transfer. It is used by one goroutine at a time.
type installSteps struct {
	said map[install.Product]string
}

// of returns what to say of e, the zero Fault if there is nothing new.
func (s *installSteps) of(e install.Event) api.Fault {
	var step api.Fault
	switch e.Kind {
	case install.EventPlan:
		step = api.Because(api.CodeFetching, e.Product.Name(), e.URL)
	case install.EventDownload:
		if e.Total > 0 {
			step = api.Because(api.CodeDownloading, e.Product.Name(), e.Bytes*10/e.Total*10)
		}
	case install.EventVerified:
		step = api.Because(api.CodeUnpacking, e.Product.Name())
	}
	key := say(step)
	if key == "" || s.said[e.Product] == key {
		return api.Fault{}
	}
	if s.said == nil {
		s.said = map[install.Product]string{}
	}
	s.said[e.Product] = key
	return step
}
