package webui

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind sorts what can go wrong in a request to the WebUI. The words are stable
// and fit for a log or a reason field.
type Kind string

// The kinds of failure.
const (
	KindUnreachable     Kind = "unreachable"       // no connection, or it broke, or the request timed out
	KindBadAnswer       Kind = "bad_answer"        // something answered that is not NapCat's WebUI
	KindUnauthorized    Kind = "unauthorized"      // credential unknown, expired or revoked, and a fresh one did not help
	KindBadToken        Kind = "bad_token"         // the WebUI has another token than we
	KindRateLimited     Kind = "rate_limited"      // too many logins to the WebUI; see Error.RetryAfter
	KindNeedsCode       Kind = "needs_2fa"         // 2FA is on and no secret was given
	KindBadCode         Kind = "bad_2fa"           // 2FA is on and our code was refused
	KindForbidden       Kind = "forbidden"         // the WebUI's address rules shut us out
	KindNotFound        Kind = "not_found"         // this version has no such endpoint
	KindNotReady        Kind = "not_ready"         // NapCat is still starting; ask again
	KindNoQR            Kind = "no_qr"             // no QR code was issued yet
	KindAlreadyLoggedIn Kind = "already_logged_in" // QQ accepted a login before
	KindNotLoggedIn     Kind = "not_logged_in"     // the endpoint needs a logged-in account
	KindNoRestart       Kind = "no_restart"        // NapCat runs as one process or lost its master
	KindInvalid         Kind = "invalid"           // a field is missing or has the wrong form
	KindRefused         Kind = "refused"           // QQ said no; Message has its words
	KindInternal        Kind = "internal"          // NapCat failed inside
)

// Error is a request to the WebUI that did not succeed.
type Error struct {
	Op         string        // endpoint below /api, such as "QQLogin/SetQuickLogin"
	Kind       Kind          // what it means
	Status     int           // HTTP status; 0 without an answer
	Message    string        // NapCat's or QQ's own words; may be empty
	RetryAfter time.Duration // when asking again can help; 0 is unknown
	Err        error         // transport error, if any
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("webui %s: %v", e.Op, e.Err)
	case e.Message != "":
		return fmt.Sprintf("webui %s: %s (%s)", e.Op, e.Message, e.Kind)
	default:
		return fmt.Sprintf("webui %s: %s", e.Op, e.Kind)
	}
}

// Unwrap returns the transport error.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// MessageOf returns NapCat's own words in err, or err's text if it has none.
func MessageOf(err error) string {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}

// known maps the messages of contract C.3 to C.8 to kinds. A message that is not
// here and came from a login endpoint is QQ's own text.
var known = map[string]Kind{
	"Unauthorized":                       KindUnauthorized,
	"Token has been revoked":             KindUnauthorized,
	"Authorization Failed":               KindUnauthorized,
	"token is empty":                     KindBadToken,
	"token is invalid":                   KindBadToken,
	"Server token not initialized":       KindNotReady,
	"login rate limit":                   KindRateLimited,
	"Invalid or expired code":            KindBadCode,
	"QQ Is Logined":                      KindAlreadyLoggedIn,
	"QRCode Get Error":                   KindNoQR,
	"uin is empty":                       KindInvalid,
	"passwordMd5 is empty":               KindInvalid,
	"uin or passwordMd5 is empty":        KindInvalid,
	"captcha ticket or randstr is empty": KindInvalid,
	"newDevicePullQrCodeSig is empty":    KindInvalid,
	"uin and jumpUrl are required":       KindInvalid,
	"uin and bytesToken are required":    KindInvalid,
	"config is empty":                    KindInvalid,
	"密码登录功能未初始化":                         KindNotReady,
	"Not Login":                          KindNotLoggedIn,
	"Config Get Error":                   KindNotReady,
	"重启功能未初始化":                           KindNoRestart,
	"无法与主进程通信":                           KindNoRestart,
	"OneBot 未初始化":                        KindNotReady,
	"OneBot 未初始化，无法创建调试适配器":              KindNotReady,
	"调试适配器不存在":                           KindNotFound,
	"An unknown error occurred.":         KindInternal,
}

// classifyMessage decides what a failure envelope of the endpoint op means.
func classifyMessage(op, message string) Kind {
	if k, ok := known[message]; ok {
		return k
	}
	switch {
	case message == "" && op == opSetQuickLogin:
		return KindNotReady // the login service is not up yet
	case strings.HasPrefix(message, "不支持的 API"):
		return KindNotFound
	case strings.HasPrefix(message, "Error: "):
		return KindInvalid // a schema or syntax error of SetConfig
	case strings.HasPrefix(message, "重启进程时发生错误"):
		return KindNoRestart
	case strings.HasPrefix(op, "QQLogin/"):
		return KindRefused
	}
	return KindInternal
}

// classifyStatus decides what an answer without an envelope means.
func classifyStatus(status int) Kind {
	switch status {
	case http.StatusNotFound:
		return KindNotFound
	case http.StatusForbidden, http.StatusUnauthorized:
		return KindForbidden
	case http.StatusTooManyRequests:
		return KindRateLimited
	}
	if status >= 500 {
		return KindInternal
	}
	return KindBadAnswer
}
