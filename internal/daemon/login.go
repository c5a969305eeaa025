package daemon

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/webui"
)

// nextLogin returns the login as it stands after e; l is what it was before and
// does not change. It is pure.
func nextLogin(l *api.Login, e webui.Event, now time.Time) *api.Login {
	var n api.Login
	if l != nil {
		n = *l
	}
	step := func() {
		n.Step, n.URL, n.Issued = api.LoginStep(e.Step), "", time.Time{}
		if e.Method != "" {
			n.Method = api.LoginMethod(e.Method)
		}
		if e.UIN != 0 {
			n.UIN = e.UIN
		}
	}
	switch e.Step {
	case webui.StepWaiting, webui.StepRefreshed:
		step()
		n.Method, n.URL, n.Issued, n.Seq = api.MethodQR, e.URL, now, e.Seq
	case webui.StepCaptcha, webui.StepNewDevice:
		step()
		n.URL, n.Issued = e.URL, now
	case webui.StepTimeout:
		n.Step = api.StepTimeout // the code goes on
	case webui.StepFailed:
		n.Failed = &api.LoginFailure{Method: api.LoginMethod(e.Method), Reason: api.LoginReason(e.Reason), Detail: e.Detail, Time: now}
		if e.Reason == webui.ReasonExhausted {
			step()
		}
	case webui.StepRestarted:
		return &api.Login{Step: api.StepRestarted}
	case webui.StepOnline:
		n.Nickname = e.Nickname
	default: // quick, password, expired, scanned, accepted
		step()
	}
	return &n
}
