package daemon

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/console/history"
	"github.com/ncatd/ncatd/internal/control/api"
)

// recorder writes down once a minute how the accounts are, for the plots of the
// console. It is safe for concurrent use.
type recorder struct {
	d *Daemon

	mu    sync.Mutex
	calls map[string]*timed
}

// timed is how long the calls of the running minute took.
type timed struct {
	n    int
	took time.Duration
}

func newRecorder(d *Daemon) *recorder { return &recorder{d: d, calls: map[string]*timed{}} }

// called counts a call of an account.
func (r *recorder) called(account string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.calls[account]
	if t == nil {
		t = &timed{}
		r.calls[account] = t
	}
	t.n++
	t.took += took
}

// run records every full minute until ctx ends.
func (r *recorder) run(ctx context.Context) {
	last := map[string]api.Account{}
	for {
		now := time.Now()
		timer := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		r.mu.Lock()
		calls := r.calls
		r.calls = map[string]*timed{}
		r.mu.Unlock()
		minute := time.Now().Unix() / 60
		for _, a := range r.d.Status().Accounts {
			if err := r.put(minute, a, last[a.Name], calls[a.Name]); err != nil {
				r.d.log.Debug("nothing to plot from", "account", a.Name, "err", err)
			}
			last[a.Name] = a
		}
	}
}

func (r *recorder) put(minute int64, a, was api.Account, calls *timed) (err error) {
	s := history.Sample{Minute: minute, RSS: float64(a.RSSBytes), CPU: a.CPUPercent}
	if was.Name != "" {
		s.Events, s.Restarts = float64(a.Events-min(was.Events, a.Events)), float64(max(0, a.Restarts-was.Restarts))
	}
	if calls != nil {
		s.Calls, s.Latency = float64(calls.n), calls.took.Seconds()/float64(calls.n)
	}
	ring, err := history.Open(r.path(a.Name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.Close()) }()
	return ring.Put(s)
}

func (r *recorder) path(account string) string {
	return r.d.o.Home.Join("accounts", account, "history.ring")
}

// History implements [control.Backend].
func (d *Daemon) History(account string) (h api.History, err error) {
	if _, err := os.Stat(d.record.path(account)); errors.Is(err, os.ErrNotExist) {
		return columns(nil), nil
	}
	ring, err := history.Open(d.record.path(account))
	if err != nil {
		return api.History{}, err
	}
	defer func() { err = errors.Join(err, ring.Close()) }()
	day, err := ring.Day(time.Now())
	return columns(day), err
}

// columns turns samples into what a plot takes. A gap shows as one.
func columns(day []history.Sample) api.History {
	n := len(day)
	column := func(of func(history.Sample) float64) []float64 {
		c := make([]float64, 0, n)
		for _, s := range day {
			c = append(c, of(s))
		}
		return c
	}
	h := api.History{
		RSSBytes: column(func(s history.Sample) float64 { return s.RSS }),
		CPU:      column(func(s history.Sample) float64 { return s.CPU }),
		Events:   column(func(s history.Sample) float64 { return s.Events }),
		Calls:    column(func(s history.Sample) float64 { return s.Calls }),
		Latency:  column(func(s history.Sample) float64 { return s.Latency }),
		Restarts: column(func(s history.Sample) float64 { return s.Restarts }),
	}
	h.Time = slices.Grow([]int64{}, n)
	for _, s := range day {
		h.Time = append(h.Time, s.Minute*60)
	}
	return h
}
