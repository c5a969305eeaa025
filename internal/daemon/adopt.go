package daemon

import (
	"context"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/proc"
)

// adopt takes over the process that an ncatd before us left running, if it is
// the one that should run and is not wedged; otherwise it returns false, and what
// is left of it is swept before a start.
func (n *napCat) adopt(ctx context.Context, tell *account.Life, pair install.Pair) bool {
	n.mu.Lock()
	st := n.state
	n.mu.Unlock()
	if !proc.Alive(st.Process) {
		return false
	}
	log := n.log.With("pid", st.Process.PID)
	if st.Main != pair.NapCatMain || st.QQ != pair.QQ.Version {
		log.Info("survivor runs another version, ending it", "napcat", st.NapCat, "qq", st.QQ)
		return false
	}
	uin := n.store.Saved().UIN
	if c := n.c.Account; c.UIN != 0 && uin != 0 && uin != c.UIN ||
		elsewhere(c.WebUI, st.WebUIPort) || elsewhere(c.OneBot.Endpoint, st.OneBotPort) {
		log.Info("survivor runs with another configuration, ending it")
		return false
	}
	// The X server it draws on must be found again before anybody else looks
	// for one.
	screen, err := n.d.Display.Get(ctx)
	if err != nil {
		log.Debug("no display for the survivor", "err", err)
	}
	l := n.newLife(ctx, tell, pair, screen.Lost)
	l.quickStarted = st.Quick
	if st.WebUIKnown {
		l.tls = st.WebUITLS
		l.reach(st.WebUIPort, l.tls)
		ctx, cancel := context.WithTimeout(ctx, n.c.Supervisor.Health.ProbeTimeout.D())
		_, err := n.web.CheckLoginStatus(ctx)
		cancel()
		if err != nil {
			log.Warn("survivor does not answer, ending it", "err", err)
			l.end()
			return false
		}
	}
	offset := st.Output
	if !st.WebUIKnown {
		offset = 0 // what it said so far has to tell
	}
	process, err := launch.Adopt(n.spec(l, pair, tell.UIN(), false, launch.Screen{}), st.Process, offset)
	if err != nil {
		log.Warn("survivor not adopted, ending it", "err", err)
		l.end()
		return false
	}
	log.Info("adopted", "running_for", time.Since(st.Started).Round(time.Second))
	tell.Show(ctx, account.Started{PID: st.Process.PID, DisplayPID: n.d.Display.PID(), Since: st.Started, Adopted: true})
	n.d.Ports.Hold(n.name()+"/webui", st.WebUIPort)
	n.d.Ports.Hold(n.name()+"/onebot", st.OneBotPort)
	_ = n.placed("onebot", n.c.Account.OneBot.Endpoint, st.OneBotPort) // it may be there: see elsewhere
	n.take(l, process)
	if st.WebUIKnown {
		l.webuiAt(st.WebUIPort, st.WebUITLS)
	}
	return true
}
