package api

import "time"

// LoginStep is one word for how far a login is; people script against these
// words.
type LoginStep string

// The steps of a login.
const (
	StepQuick     LoginStep = "quick"      // a quick login of UIN is tried
	StepPassword  LoginStep = "password"   // a password login of UIN is tried
	StepWaiting   LoginStep = "waiting"    // the code URL waits to be scanned
	StepRefreshed LoginStep = "refreshed"  // like waiting; URL replaced the code before it
	StepExpired   LoginStep = "expired"    // the code no longer works, the next one is on its way
	StepTimeout   LoginStep = "timeout"    // nobody scanned for long; codes go on, slower
	StepCaptcha   LoginStep = "captcha"    // the page URL must be solved in a browser
	StepNewDevice LoginStep = "new_device" // the code URL must be scanned to confirm this device
	StepScanned   LoginStep = "scanned"    // the phone scanned the code of the new device
	StepAccepted  LoginStep = "accepted"   // QQ accepted, OneBot is being set up
	StepFailed    LoginStep = "failed"     // the last way did not work and none is left: somebody must log in
	StepRestarted LoginStep = "restarted"  // NapCat was started again; the login starts over
)

// LoginMethod is a way to log in.
type LoginMethod string

// The ways to log in.
const (
	MethodQuick    LoginMethod = "quick"
	MethodPassword LoginMethod = "password"
	MethodQR       LoginMethod = "qr"
	MethodCaptcha  LoginMethod = "captcha"
)

// LoginReason is why a way to log in did not work.
type LoginReason string

// The reasons of a [LoginFailure].
const (
	LoginNoTicket       LoginReason = "no_ticket"       // the account never logged in here or its ticket is gone
	LoginChoose         LoginReason = "choose"          // several accounts have tickets and none is configured
	LoginRefused        LoginReason = "refused"         // QQ refused; Detail has its words
	LoginRefusedBefore  LoginReason = "refused_before"  // QQ refused the same before, so it was not tried again
	LoginNoUIN          LoginReason = "no_uin"          // a password login needs the account's number
	LoginBadMD5         LoginReason = "bad_md5"         // the password's MD5 is not 32 hex digits
	LoginNotReady       LoginReason = "not_ready"       // NapCat did not become ready for this way
	LoginNoPassword     LoginReason = "no_password"     // the password could not be read
	LoginCaptchaTimeout LoginReason = "captcha_timeout" // nobody solved the captcha
	LoginDeviceTimeout  LoginReason = "device_timeout"  // nobody confirmed the new device
	LoginExhausted      LoginReason = "exhausted"       // every way of login.order failed
)

// Login is all that there is to know of a login that is under way. It stands in
// the account's snapshot from the login's first step until the account is
// logged in or its process has ended.
type Login struct {
	Step   LoginStep   `json:"step"`
	Method LoginMethod `json:"method,omitempty"` // that is being tried
	// URL is the text of the code to scan now (to encode, not a link to an image),
	// or the page of the captcha; empty when neither is needed.
	URL string `json:"url,omitempty"`
	// Seq counts the codes of one login, from 1.
	Seq    int       `json:"seq,omitempty"`
	Issued time.Time `json:"issued,omitzero"` // of URL
	// UIN is the account that is tried to log in; 0 is whichever scans.
	UIN      int64  `json:"uin,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	// Failed is the last way of this login that did not work. The login goes on.
	Failed *LoginFailure `json:"failed,omitempty"`
}

// LoginFailure is a way to log in that did not work.
type LoginFailure struct {
	Method LoginMethod `json:"method,omitempty"`
	Reason LoginReason `json:"reason"`
	Detail string      `json:"detail,omitempty"` // QQ's or NapCat's own words, as they came
	Cause  string      `json:"cause,omitempty"`  // what Detail comes down to, a line for people
	Time   time.Time   `json:"time"`
}

// Code reports whether URL is a code to scan, rather than a page to open.
func (l *Login) Code() bool { return l != nil && l.URL != "" && l.Step != StepCaptcha }

// Waits reports whether a person can do something for the login now.
func (l *Login) Waits() bool { return l != nil && l.URL != "" }

// Idle reports whether nobody can do anything for the login and nothing is on its
// way either: the next code is, and so is a phone's yes to a new device.
func (l *Login) Idle() bool {
	return !l.Waits() && (l == nil || l.Step != StepExpired && l.Step != StepScanned)
}
