package daemon

import (
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/schedule"
)

// samples measures the process tree.
func (l *life) samples() {
	t := time.NewTicker(l.n.c.Supervisor.Health.ProbeInterval.D())
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-l.ctx.Done():
			return
		}
		u, err := l.n.d.Sampler.Sample(l.proc)
		if err != nil {
			l.n.log.Debug("process tree not measured", "err", err)
			continue
		}
		l.tell.Tell(account.Measured{RSS: u.RSS, CPU: u.CPU, HaltedPID: u.Halted})
	}
}

// schedule restarts NapCat when the config says so.
func (l *life) schedule() {
	spec := l.n.c.Supervisor.RestartAt
	if spec == "" {
		return
	}
	s, err := schedule.Parse(spec, time.Local)
	if err != nil {
		l.n.log.Error("restart_at not understood", "restart_at", spec, "err", err)
		return
	}
	for {
		// By the wall clock, a minute at most at a time, since that clock may be
		// set while we wait.
		next := s.Next(time.Now())
		if next.IsZero() {
			return // it was a single moment
		}
		for time.Now().Before(next) {
			t := time.NewTimer(min(time.Minute, time.Until(next)))
			select {
			case <-t.C:
			case <-l.ctx.Done():
				t.Stop()
				return
			}
		}
		l.tell.Tell(account.Scheduled{})
	}
}
