package webui

import "strings"

// Phase is where a login stands, as far as one look at the WebUI can tell.
type Phase string

// The phases of a login.
const (
	PhaseStarting Phase = "starting" // NapCat is up, no code and no error yet
	PhaseQR       Phase = "qr"       // a code may be scanned
	PhaseExpired  Phase = "expired"  // the code expired at least once; a newer one may be shown already
	PhaseFailed   Phase = "failed"   // QQ refused a login; QRCodeURL may still be good
	PhaseAccepted Phase = "accepted" // QQ accepted, OneBot is not up yet
	PhaseOnline   Phase = "online"   // logged in
	PhaseOffline  Phase = "offline"  // logged in, QQ's connection is down (status 20)
	PhaseKicked   Phase = "kicked"   // the session is dead; only a fresh process can log in
)

const (
	expiredText  = "二维码已过期，请刷新"
	kickedPrefix = "[KickedOffLine]"
)

// Classify reads the table of contract C.4. Accepted says that another endpoint
// answered "QQ Is Logined", the only sign of the seconds between QQ's yes and
// OneBot being up. isLogin is looked at first, because the other fields keep old
// texts.
func Classify(st LoginStatus, accepted bool) Phase {
	switch {
	case st.IsLogin:
		return PhaseOnline
	case strings.HasPrefix(st.LoginError, kickedPrefix):
		return PhaseKicked
	case st.IsOffline:
		return PhaseOffline
	case accepted:
		return PhaseAccepted
	case st.LoginError == expiredText:
		return PhaseExpired
	case st.LoginError != "":
		return PhaseFailed
	case st.QRCodeURL != "":
		return PhaseQR
	}
	return PhaseStarting
}

// KickDetail returns the title and text in a [KickedOffLine] message, "" if st
// has none.
func KickDetail(st LoginStatus) string {
	rest, ok := strings.CutPrefix(st.LoginError, kickedPrefix)
	if !ok {
		return ""
	}
	return strings.TrimSpace(rest)
}
