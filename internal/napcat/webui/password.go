package webui

import (
	"context"
	"time"
)

// planPassword tries the configured password. It returns false to be called
// again.
func (r *run) planPassword(ctx context.Context) bool {
	if r.cfg.PasswordMD5 == nil {
		return r.drop("", "")
	}
	given, err := r.cfg.PasswordMD5()
	if err != nil {
		return r.drop(ReasonNoPassword, err.Error())
	}
	if given == "" {
		return r.drop("", "")
	}
	md5, ok := cleanMD5(given)
	switch {
	case !ok:
		return r.drop(ReasonBadMD5, "")
	case r.cfg.UIN == 0:
		return r.drop(ReasonNoUIN, "")
	case r.cfg.Memory.passwordRefused(md5):
		return r.drop(ReasonRefusedBefore, "")
	}
	rest := r.plan[1:]
	ch, err := r.sendPassword(ctx, r.cfg.UIN, md5)
	switch {
	case ctx.Err() != nil:
		return false
	case transient(err):
		if time.Since(r.since) < readyWait {
			return false
		}
		return r.drop(ReasonNotReady, MessageOf(err))
	case err != nil && isAnswer(err):
		return r.drop(ReasonRefused, MessageOf(err))
	case err != nil:
		// Lost on the way; it may have worked. The next looks will tell.
		r.plan = rest
		r.accept()
		return true
	}
	r.plan = rest
	r.challenged(ctx, ch)
	return true
}

// tryPassword is the same for a password that somebody just typed.
func (r *run) tryPassword(ctx context.Context, account int64, md5 string) error {
	ch, err := r.sendPassword(ctx, account, md5)
	if err != nil {
		switch KindOf(err) {
		case KindAlreadyLoggedIn, KindUnreachable:
			// Without an answer it may have worked; the next looks will tell.
			r.accept()
			return nil
		}
		if isAnswer(err) {
			r.report(Event{Step: StepFailed, Method: MethodPassword, UIN: account, Reason: ReasonRefused, Detail: MessageOf(err)})
		}
		r.restate()
		return err
	}
	r.challenged(ctx, ch)
	return nil
}

// sendPassword sends one password login.
func (r *run) sendPassword(ctx context.Context, account int64, md5 string) (Challenge, error) {
	r.report(Event{Step: StepPassword, Method: MethodPassword, UIN: account})
	ch, err := r.api.PasswordLogin(ctx, account, md5)
	if err == nil {
		r.account, r.md5 = account, md5
	}
	if KindOf(err) == KindRefused {
		r.cfg.Memory.refusePassword(md5)
	}
	return ch, err
}

// challenged goes on with what a password login was answered.
func (r *run) challenged(ctx context.Context, ch Challenge) {
	if ch.Captcha == nil && ch.NewDevice == nil {
		r.accept()
		return
	}
	if r.rounds++; r.rounds > maxRounds {
		r.enter(modeCaptcha) // leaves as a challenge does: a fresh code is needed
		r.failed(MethodPassword, ReasonRefused, "QQ keeps asking for another confirmation")
		return
	}
	if ch.Captcha != nil {
		r.captcha = *ch.Captcha
		r.enter(modeCaptcha)
		r.report(Event{Step: StepCaptcha, Method: MethodPassword, UIN: r.account, URL: r.captcha.URL})
		return
	}
	r.device = *ch.NewDevice
	r.enter(modeDevice)
	r.fetchDevice(ctx)
}

func (r *run) captchaCommand(ctx context.Context, ticket, randStr, sid string) error {
	if r.mode != modeCaptcha {
		return ErrNoCaptcha
	}
	if sid == "" {
		sid = r.captcha.SID
	}
	ch, err := r.api.CaptchaLogin(ctx, r.account, r.md5, ticket, randStr, sid)
	switch {
	case err == nil:
		r.challenged(ctx, ch)
		return nil
	case KindOf(err) == KindAlreadyLoggedIn:
		r.accept()
		return nil
	case KindOf(err) != KindRefused:
		return err // nothing was used up: the same captcha can be answered again
	}
	// A ticket works once. With the password sent again QQ says whether it was
	// the ticket or the password.
	r.report(Event{Step: StepFailed, Method: MethodCaptcha, UIN: r.account, Reason: ReasonRefused, Detail: MessageOf(err)})
	if again, perr := r.sendPassword(ctx, r.account, r.md5); perr == nil {
		r.challenged(ctx, again)
	} else if ctx.Err() == nil {
		r.failed(MethodPassword, ReasonRefused, MessageOf(perr))
	}
	return err
}

// fetchDevice asks for the code that confirms this device and shows it.
func (r *run) fetchDevice(ctx context.Context) {
	q, err := r.api.GetNewDeviceQRCode(ctx, r.account, r.device)
	if err != nil {
		if r.deviceQR.URL == "" {
			// Better a page to open than nothing.
			r.report(Event{Step: StepNewDevice, Method: MethodPassword, UIN: r.account, URL: r.device.JumpURL, Reason: "no_qr", Detail: MessageOf(err)})
		}
		r.deviceQR = DeviceQR{URL: r.device.JumpURL}
		r.deviceAt = time.Now().Add(deviceRetry)
		return
	}
	r.deviceQR, r.scanned = q, false
	r.deviceAt = time.Now().Add(devicePoll)
	r.report(Event{Step: StepNewDevice, Method: MethodPassword, UIN: r.account, URL: q.URL})
}

// pollDevice follows the phone.
func (r *run) pollDevice(ctx context.Context) {
	if time.Since(r.since) > personWait {
		r.deviceQR = DeviceQR{}
		r.failed(MethodPassword, ReasonDeviceTimeout, "nobody confirmed the new device in time")
		return
	}
	if time.Now().Before(r.deviceAt) {
		return
	}
	if r.deviceQR.Token == "" {
		r.fetchDevice(ctx)
		return
	}
	r.deviceAt = time.Now().Add(devicePoll)
	st, err := r.api.PollNewDeviceQR(ctx, r.account, r.deviceQR)
	switch {
	case ctx.Err() != nil:
		return
	case KindOf(err) == KindRefused:
		r.fetchDevice(ctx) // the code is used up
		return
	case err != nil:
		return
	}
	if st.Scanned && !r.scanned {
		r.scanned = true
		r.report(Event{Step: StepScanned, Method: MethodPassword, UIN: r.account})
	}
	if !st.Confirmed {
		return
	}
	ch, err := r.api.NewDeviceLogin(ctx, r.account, r.md5, r.device, st.Token)
	switch {
	case ctx.Err() != nil:
	case KindOf(err) == KindAlreadyLoggedIn:
		r.accept()
	case isAnswer(err):
		r.deviceQR = DeviceQR{}
		r.failed(MethodPassword, ReasonRefused, MessageOf(err))
	case err != nil:
		r.accept() // lost on the way; the next looks will tell
	default:
		r.deviceQR = DeviceQR{}
		r.challenged(ctx, ch)
	}
}
