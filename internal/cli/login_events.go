package cli

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// loginEvent is one line of login --json, and what the other views show.
type loginEvent struct {
	Time     time.Time `json:"time"`
	Account  string    `json:"account"`
	Event    string    `json:"event"` // state, qr, captcha, new_device, scanned, expired, quick, password, accepted, failed, timeout, restarted, away, back, online
	State    api.State `json:"state,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Method   string    `json:"method,omitempty"`
	URL      string    `json:"url,omitempty"`
	Seq      int       `json:"seq,omitempty"`
	File     string    `json:"file,omitempty"`
	UIN      int64     `json:"uin,omitempty"`
	Nickname string    `json:"nickname,omitempty"`

	fault api.Fault // of State
}

// loginEvents returns what happened between two snapshots of an account, in the
// order in which a person wants to hear it. It is pure.
func loginEvents(from, to api.Account) []loginEvent {
	if to.State == api.StateOnline {
		if from.State == api.StateOnline {
			return nil
		}
		return []loginEvent{{Event: "online", UIN: to.UIN, Nickname: to.Nickname}}
	}
	var out []loginEvent
	was, is := from.Login, to.Login
	if was == nil {
		was = new(api.Login)
	}
	if is == nil {
		is = new(api.Login)
	}
	if f := is.Failed; f != nil && (was.Failed == nil || !f.Time.Equal(was.Failed.Time)) {
		out = append(out, loginEvent{Time: f.Time, Event: "failed", Method: string(f.Method), Reason: string(f.Reason), Detail: f.Detail, UIN: is.UIN})
	}
	if to.State != from.State || to.Reason != from.Reason || to.Detail != from.Detail {
		out = append(out, loginEvent{Event: "state", State: to.State, Reason: to.Reason, Detail: to.Detail, fault: to.Fault})
	}
	switch is.Step {
	case "", api.StepFailed:
	case api.StepWaiting, api.StepRefreshed, api.StepTimeout:
		if is.Step == api.StepTimeout && was.Step != api.StepTimeout {
			out = append(out, loginEvent{Event: string(is.Step)})
		}
		if is.URL != "" && is.URL != was.URL {
			out = append(out, loginEvent{Time: is.Issued, Event: "qr", URL: is.URL, Seq: is.Seq})
		}
	case api.StepCaptcha, api.StepNewDevice:
		if is.URL != "" && is.URL != was.URL {
			out = append(out, loginEvent{Time: is.Issued, Event: string(is.Step), URL: is.URL, UIN: is.UIN})
		}
	default:
		if is.Step != was.Step {
			out = append(out, loginEvent{Event: string(is.Step), Method: string(is.Method), UIN: is.UIN, Nickname: is.Nickname})
		}
	}
	return out
}
