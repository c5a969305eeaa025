package onebot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNotSent says that the request certainly never left this process: the link
// was down or the context had ended. Repeating the call is safe.
var ErrNotSent = errors.New("not sent")

// ErrUnknownOutcome says that the request was written (at least in part) and
// the link was lost, or time ran out, before its answer came. It may have been
// carried out; repeating a send may deliver the message twice.
var ErrUnknownOutcome = errors.New("outcome unknown")

// The codes of Error.RetCode. A WebSocket has one set (contract E.2), HTTP
// another (contract E.5), in which 200 stands for an unknown action and for an
// action that failed alike. The predicates of this package know both.
const (
	RetOK          = 0
	RetFailed      = 1200 // the action was tried and failed
	RetBadParams   = 1400 // the request or its params were refused
	RetBadToken    = 1403
	RetUnsupported = 1404 // no such action
	RetHTTPFailed  = 200  // over HTTP: failed, or no such action
	RetHTTPBad     = 400  // over HTTP: params were refused
	RetHTTPToken   = 403  // over HTTP: the status of an answer to a bad token
)

// Error is the answer to a call that OneBot refused, that it called done
// although the answer itself shows that QQ refused, or that QQ did not confirm.
// [Error.Cause] tells these apart.
type Error struct {
	Action  string
	RetCode int    // 0 if NapCat called it done, see Verdict
	Message string // NapCat's or QQ's text, often Chinese
	Wording string // NapCat repeats Message here
	// Verdict is QQ's own code if the answer said ok but held QQ's refusal.
	Verdict int
	// Raw is the whole answer as it came; with a Verdict it is the answer's data.
	Raw json.RawMessage
}

// Error implements error. It tells the cause in one line; the whole text is in
// Message and Raw.
func (e *Error) Error() string {
	c := e.Cause()
	switch {
	case c.Class == ClassUnconfirmed:
		return fmt.Sprintf("%s: not confirmed by QQ, it may have been done: %s", e.Action, c)
	case c.Class == ClassRefused:
		return fmt.Sprintf("%s: refused by QQ: %s", e.Action, c)
	}
	return fmt.Sprintf("%s: refused (retcode %d): %s", e.Action, e.RetCode, c)
}

// IsRefused reports whether err is an answer of any kind that says the call
// failed. Where QQ did not confirm it the call may have been carried out all the
// same, see [MaybeDone].
func IsRefused(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// IsUnsupported reports whether the endpoint does not know the action.
func IsUnsupported(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.RetCode == RetUnsupported ||
		e.RetCode == RetHTTPFailed && strings.HasPrefix(strings.ToLower(e.Message), "不支持的api ")
}

// IsBadParams reports whether the endpoint refused the params, or, with the same
// code, the action because the packet layer it needs is missing.
func IsBadParams(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.RetCode == RetBadParams || e.RetCode == RetHTTPBad)
}

// IsBadToken reports whether the endpoint refused the access token. Trying again
// with the same one is of no use.
func IsBadToken(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.RetCode == RetBadToken || e.RetCode == RetHTTPToken)
}

// MaybeDone reports whether the call may have been carried out although it
// failed: the outcome is unknown ([ErrUnknownOutcome]), or NapCat gave up
// waiting for QQ's confirmation, in which case a message may have been
// delivered all the same (contract E.9, L.1). A call that failed in another way,
// by QQ's refusal for instance, can be repeated without doing anything twice.
func MaybeDone(err error) bool {
	return errors.Is(err, ErrUnknownOutcome) || IsUnconfirmed(err)
}
