package webui

import (
	"context"
	"time"
)

// tryPlan does a step of the present method of the order. It is called at every
// look until the method was accepted or dropped.
func (r *run) tryPlan(ctx context.Context, phase Phase) {
	for r.mode == modePlan {
		if len(r.plan) == 0 {
			r.next()
			return
		}
		done := true
		switch r.plan[0] {
		case MethodQuick:
			done = r.planQuick(ctx, phase)
		case MethodPassword:
			done = r.planPassword(ctx)
		case MethodQR:
			r.plan = r.plan[1:]
			r.enterQR()
			r.showQR(ctx, phase)
			return
		}
		if !done || ctx.Err() != nil {
			return
		}
	}
}

// drop takes the present method off the plan and reports why, if reason is set.
func (r *run) drop(reason, detail string) bool {
	m := r.plan[0]
	r.plan = r.plan[1:]
	r.since = time.Now()
	r.seenError = r.st.LoginError
	r.absorb = true // a failed call leaves its text there
	if reason != "" {
		r.report(Event{Step: StepFailed, Method: m, UIN: r.cfg.UIN, Reason: reason, Detail: detail})
	}
	return true
}

// planQuick tries the ticket. It returns false to be called again.
func (r *run) planQuick(ctx context.Context, phase Phase) bool {
	waited := time.Since(r.since)
	if r.ownQuick {
		// NapCat is at it. Trying beside it would be a second login.
		switch phase {
		case PhaseStarting:
			if waited < readyWait {
				return false
			}
		case PhaseFailed:
			if r.st.LoginError != r.seenError {
				r.cfg.Memory.refuseQuick(r.cfg.UIN)
				return r.drop(ReasonRefused, r.st.LoginError)
			}
		}
	}
	list, err := r.api.GetQuickLoginListNew(ctx)
	if KindOf(err) == KindNotFound {
		return r.drop("", "")
	}
	if err != nil || len(list) == 0 && phase == PhaseStarting {
		// Before the login service is up the list is empty.
		if waited < readyWait {
			return false
		}
	}
	account, reason := r.candidate(list)
	if account == 0 {
		return r.drop(reason, "")
	}
	if r.ownQuick && waited < readyWait && time.Since(r.urlSince) < quickOwnWait {
		return false // a code beside a quick login that is about to succeed
	}
	if r.cfg.Memory.QuickRefused(account) {
		return r.drop(ReasonRefusedBefore, "")
	}
	err = r.tryQuick(ctx, account)
	switch {
	case err == nil:
		r.plan = r.plan[1:]
		return true
	case ctx.Err() != nil:
		return false
	case transient(err):
		if waited < readyWait {
			return false
		}
		return r.drop(ReasonNotReady, MessageOf(err))
	}
	return r.drop(ReasonRefused, MessageOf(err))
}

// candidate chooses whose ticket to use.
func (r *run) candidate(list []QuickAccount) (account int64, reason string) {
	var n int
	for _, a := range list {
		if !a.Quick {
			continue
		}
		if r.cfg.UIN != 0 && a.UIN == r.cfg.UIN {
			return a.UIN, ""
		}
		account = a.UIN
		n++
	}
	switch {
	case r.cfg.UIN != 0:
		return 0, ReasonNoTicket
	case n == 0:
		return 0, "" // a first login: nothing went wrong
	case n > 1:
		return 0, ReasonChoose
	}
	return account, ""
}

// tryQuick asks for a quick login and enters modeAccepted when QQ accepts.
func (r *run) tryQuick(ctx context.Context, account int64) error {
	r.report(Event{Step: StepQuick, Method: MethodQuick, UIN: account})
	err := r.api.SetQuickLogin(ctx, account)
	switch KindOf(err) {
	case KindAlreadyLoggedIn, KindUnreachable:
		// Without an answer it may have worked; the next looks will tell.
		err = nil
	case KindRefused:
		r.cfg.Memory.refuseQuick(account)
	}
	if err == nil {
		r.accept()
	}
	return err
}

func (r *run) quickCommand(ctx context.Context, account int64) error {
	if r.cfg.UIN != 0 && account != 0 && account != r.cfg.UIN {
		return ErrWrongAccount
	}
	if account == 0 {
		list, err := r.api.GetQuickLoginListNew(ctx)
		if err != nil {
			return err
		}
		var reason string
		if account, reason = r.candidate(list); account == 0 {
			if reason == ReasonChoose {
				return ErrNoUIN
			}
			return ask(opSetQuickLogin, KindRefused, "no account has a ticket")
		}
	}
	err := r.tryQuick(ctx, account)
	if err != nil && KindOf(err) == KindRefused {
		r.report(Event{Step: StepFailed, Method: MethodQuick, UIN: account, Reason: ReasonRefused, Detail: MessageOf(err)})
		r.restate()
	}
	return err
}

// enterQR begins to show codes.
func (r *run) enterQR() {
	r.enter(modeQR)
	r.plan = nil
	r.shown, r.expired = "", false
	r.askPause = noQRWait
	r.asked = time.Time{}
	r.seenError = r.st.LoginError
	if r.qrSince.IsZero() {
		r.qrSince = r.since
	}
}

// restate says again what the login waits for, after something that was tried
// meanwhile did not work.
func (r *run) restate() {
	r.absorb = true // a failed call leaves its text there
	switch r.mode {
	case modeQR:
		r.shown = ""
	case modeCaptcha:
		r.report(Event{Step: StepCaptcha, Method: MethodPassword, UIN: r.account, URL: r.captcha.URL})
	case modeDevice:
		r.report(Event{Step: StepNewDevice, Method: MethodPassword, UIN: r.account, URL: r.deviceQR.URL})
	case modeIdle:
		r.report(Event{Step: StepFailed, UIN: r.cfg.UIN, Reason: ReasonExhausted, Detail: "no method of the login order worked"})
	}
}

// showQR reports a new code and keeps codes coming.
func (r *run) showQR(ctx context.Context, phase Phase) {
	if r.needRefresh {
		// The code on record is from before a challenge.
		r.shown = r.st.QRCodeURL
		r.askQR(ctx)
		return
	}
	if r.expired && r.st.LoginError == "" && r.st.QRCodeURL == r.shown {
		// QQ brought a code again, with the same text.
		r.shown, r.counted, r.urlSince = "", "", time.Now()
	}
	if url := r.st.QRCodeURL; url != "" && url != r.shown {
		r.expired = false
		r.shown = url
		r.seenError = r.st.LoginError
		r.asked, r.askPause = time.Time{}, noQRWait
		step := StepWaiting
		if url != r.counted {
			r.seq++
			r.counted = url
			if r.seq > 1 {
				step = StepRefreshed
			}
		}
		r.report(Event{Step: step, Method: MethodQR, UIN: r.cfg.UIN, URL: url, Seq: r.seq})
	}
	if !r.timedOut && time.Since(r.qrSince) > r.cfg.QRTimeout {
		r.timedOut = true
		r.report(Event{Step: StepTimeout, Method: MethodQR, UIN: r.cfg.UIN})
	}
	if r.st.LoginError != r.seenError {
		r.seenError = r.st.LoginError
		switch phase {
		case PhaseExpired:
			r.expired = true
			r.report(Event{Step: StepExpired, Method: MethodQR, UIN: r.cfg.UIN})
			r.asked = time.Now() // NapCat asks by itself; give it noQRWait
		case PhaseFailed:
			// After such a refusal NapCat fetches no new code.
			r.report(Event{Step: StepFailed, Method: MethodQR, UIN: r.cfg.UIN, Reason: ReasonRefused, Detail: r.st.LoginError})
			r.askQR(ctx)
			return
		}
	}
	if r.wantsQR() {
		r.askQR(ctx)
	}
}

// wantsQR tells whether it is time to ask for a code ourselves.
func (r *run) wantsQR() bool {
	if !r.asked.IsZero() {
		return time.Since(r.asked) > r.askPause
	}
	if r.st.QRCodeURL == "" {
		return time.Since(r.since) > noQRWait
	}
	stale := qrStale
	if r.timedOut {
		stale = qrStaleSlow
	}
	return time.Since(r.urlSince) > stale
}

// askQR asks for a new code; the pause until the next try grows while none
// comes.
func (r *run) askQR(ctx context.Context) {
	if !r.asked.IsZero() {
		r.askPause = min(2*r.askPause, refreshMax)
	}
	r.asked = time.Now()
	if err := r.api.RefreshQRcode(ctx); err != nil {
		r.log.DebugContext(ctx, "asking for a qr code", "err", err)
		return
	}
	r.needRefresh = false
	r.absorb = true
}

func (r *run) refreshCommand(ctx context.Context) error {
	if r.mode == modeAccepted && r.confirmed {
		return ask("QQLogin/RefreshQRcode", KindAlreadyLoggedIn, "QQ accepted a login already")
	}
	if err := r.api.RefreshQRcode(ctx); err != nil {
		return err
	}
	r.md5 = ""
	r.timedOut = false
	r.qrSince = time.Time{}
	old := r.st.QRCodeURL
	r.enterQR()
	r.needRefresh, r.absorb = false, true
	r.shown, r.asked = old, time.Now()
	return nil
}
