package daemon

import (
	"fmt"
	"time"

	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/schedule"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// quietFor is how long no event and no call may have come for a moment to count
// as quiet.
const quietFor = time.Minute

// samples measures the process tree.
func (l *life) samples() {
	t := time.NewTicker(l.a.c.Supervisor.Health.ProbeInterval.D())
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-l.ctx.Done():
			return
		}
		u, err := l.a.d.Sampler.Sample(l.proc)
		if err != nil {
			l.a.log.Debug("process tree not measured", "err", err)
			continue
		}
		l.post(func(f *facts, now time.Time) { l.sample(f, u, now) })
	}
}

func (l *life) sample(f *facts, u proc.Usage, now time.Time) {
	if u.Halted != 0 {
		f.HaltedPID = u.Halted
		f.HaltedFor++
	} else {
		f.HaltedFor = 0
	}
	percent := 0.0
	if d := now.Sub(l.cpuAt).Seconds(); !l.cpuAt.IsZero() && d > 0 && u.CPU > l.cpu {
		percent = (u.CPU - l.cpu) / d * 100
	}
	l.cpu, l.cpuAt = u.CPU, now
	l.a.mu.Lock()
	l.a.snap.RSSBytes, l.a.snap.CPUPercent = u.RSS, percent
	l.a.mu.Unlock()

	st := l.a.link.Stats()
	if n := st.Events + st.Calls; n != l.activity {
		l.activity, l.activeAt = n, now
	}
	limit := uint64(max(0, l.a.c.Supervisor.MemoryLimit))
	if limit == 0 || u.RSS <= limit {
		return
	}
	if quiet := now.Sub(l.activeAt) >= quietFor; quiet || float64(u.RSS) >= 1.5*float64(limit) {
		l.a.runner.Fault(l.n, &supervisor.Fault{Reason: reasonMemory, Detail: fmt.Sprintf("NapCat uses %d MiB of memory, %d are allowed", u.RSS>>20, limit>>20)})
	}
}

// schedule restarts NapCat when the config says so.
func (l *life) schedule() {
	spec := l.a.c.Supervisor.RestartAt
	if spec == "" {
		return
	}
	s, err := schedule.Parse(spec, time.Local)
	if err != nil {
		l.a.log.Error("restart_at not understood", "restart_at", spec, "err", err)
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
		l.post(func(f *facts, now time.Time) {
			if f.Login == loginDone {
				l.a.runner.Fault(l.n, &supervisor.Fault{Reason: reasonScheduled, Detail: "restart_at says so"})
			}
		})
	}
}
