package daemon

import (
	"context"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// adopt takes over the process that an ncatd before us left running, if it is
// the one that should run and is not wedged; otherwise it returns nil, and what
// is left of it is swept before a start.
func (a *Account) adopt(ctx context.Context, n uint64, pair install.Pair) *life {
	a.mu.Lock()
	st, uin := a.state, a.uin()
	a.mu.Unlock()
	if !proc.Alive(st.Process) {
		return nil
	}
	log := a.log.With("pid", st.Process.PID)
	if st.Main != pair.NapCatMain || st.QQ != pair.QQ.Version {
		log.Info("survivor runs another version, ending it", "napcat", st.NapCat, "qq", st.QQ)
		return nil
	}
	if c := a.c.Account; c.UIN != 0 && st.UIN != 0 && st.UIN != c.UIN ||
		c.WebUI.Port != 0 && c.WebUI.Port != st.WebUIPort || c.OneBot.Port != 0 && c.OneBot.Port != st.OneBotPort {
		log.Info("survivor runs with another configuration, ending it")
		return nil
	}
	// The X server it draws on must be found again before anybody else looks
	// for one.
	screen, err := a.d.Display.Get(ctx)
	if err != nil {
		log.Debug("no display for the survivor", "err", err)
	}
	l := a.newLife(n, pair, screen.Lost)
	l.quickStarted = st.Quick
	if st.WebUIKnown {
		l.tls = st.WebUITLS
		l.reach(st.WebUIPort, l.tls)
		ctx, cancel := context.WithTimeout(ctx, a.c.Supervisor.Health.ProbeTimeout.D())
		_, err := l.web.CheckLoginStatus(ctx)
		cancel()
		if err != nil {
			log.Warn("survivor does not answer, ending it", "err", err)
			l.end()
			return nil
		}
	}
	offset := st.Output
	if !st.WebUIKnown {
		offset = 0 // what it said so far has to tell
	}
	proc, err := launch.Adopt(a.spec(l, pair, uin, false, launch.Screen{}), st.Process, offset)
	if err != nil {
		log.Warn("survivor not adopted, ending it", "err", err)
		l.end()
		return nil
	}
	log.Info("adopted", "running_for", time.Since(st.Started).Round(time.Second))
	a.runner.Health(n, supervisor.Health{State: supervisor.StateStarting, Reason: reasonAdopted, Detail: "NapCat was still running and is kept"})
	// It is shown before anything else: what comes at once would hide that no
	// new process was started.
	_ = a.runner.Ping(ctx) // if ctx ends, the spawn is given up anyway
	a.take(l, proc)
	a.d.Ports.Hold(a.Name()+"/webui", st.WebUIPort)
	a.d.Ports.Hold(a.Name()+"/onebot", st.OneBotPort)
	if st.WebUIKnown {
		l.webuiAt(st.WebUIPort, st.WebUITLS)
	}
	return l
}
