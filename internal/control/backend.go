// Package control serves the control API of the daemon: HTTP/JSON under /v0/ on
// a unix socket that only its own user may use, and, if configured, on TCP with
// a bearer token; besides it /healthz, /readyz and /metrics. Its central type
// is [Server]; what it needs of the daemon is [Backend], what it tells watchers
// goes through [Hub], what it counts is in [Metrics]. The wire types are in
// package api, the Go client in package client. It decides nothing about
// accounts itself.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/onebot"
)

// Backend is what the server needs of the daemon. All methods are safe for
// concurrent use and end soon after ctx does.
//
// A method refuses with an [*api.Error] whose Code is one of the Code constants
// (it decides the HTTP status); any other error becomes [CodeInternal], except
// that errors wrapping onebot.ErrNotSent and onebot.ErrUnknownOutcome become
// [CodeNotSent] and [CodeUnknownOutcome]. An account name that does not exist
// is [CodeNoAccount]; the name "" means every account where the method says so.
type Backend interface {
	// Status returns the daemon as it stands now, accounts in config order. It
	// must be cheap: it is called for every status, snapshot and scrape.
	Status() api.Status

	// Want sets whether the account shall run ("running" or "stopped").
	Want(ctx context.Context, account, want string) error
	// Restart restarts the account's NapCat; account "" restarts all of them.
	Restart(ctx context.Context, account string) error

	// QuickAccounts lists the accounts whose ticket allows a quick login.
	QuickAccounts(ctx context.Context, account string) ([]api.QuickAccount, error)
	// LoginQuick, LoginPassword, LoginCaptcha and LoginRefresh begin one step of
	// a login and return when NapCat has taken it; how it goes on is told to
	// watchers.
	LoginQuick(ctx context.Context, account string, uin int64) error
	LoginPassword(ctx context.Context, account string, r api.PasswordLoginRequest) error
	LoginCaptcha(ctx context.Context, account string, r api.CaptchaRequest) error
	LoginRefresh(ctx context.Context, account string) error

	// Call makes one OneBot call on the account's link. An answer that refuses
	// is an answer, not an error.
	Call(ctx context.Context, account, action string, params json.RawMessage) (api.CallResponse, error)

	// Plugins lists the bot's plugins; SetPlugin switches one on or off in all
	// accounts.
	Plugins(ctx context.Context) ([]api.Plugin, error)
	SetPlugin(ctx context.Context, id string, enabled bool) error
	// Plugin tells all that is known of one plugin; ReloadPlugin loads a script
	// anew, the old version of which goes on if that fails.
	Plugin(ctx context.Context, id string) (api.PluginInfo, error)
	ReloadPlugin(ctx context.Context, id string) error

	// RestartApp starts the process of an app anew that the daemon runs.
	RestartApp(name string) error

	// Alerts returns the channels of alerts, what is wrong and what is silenced;
	// AlertLog what was told, the newest last. AlertTest sends a test through a
	// channel, "" is all; a channel that fails is an answer, not an error.
	// AlertSilence keeps an account's alerts back for a while, "" is all.
	Alerts(ctx context.Context) (api.Alerts, error)
	AlertLog(ctx context.Context) ([]api.AlertLogEntry, error)
	AlertTest(ctx context.Context, channel string) ([]api.AlertTest, error)
	AlertSilence(ctx context.Context, account string, d time.Duration) error

	// FleetHosts returns the hosts of the fleet, FleetRemote the way to the control
	// API of one. FleetDead lists the events that no worker could finish, FleetSettle
	// gives some again or drops them. FleetTake makes an account this host's whose
	// FleetMove begins to move an account to another host, and FleetMoved tells how
	// far that came. FleetIncoming is what the other host is told meanwhile.
	FleetMove(ctx context.Context, account string, r api.MoveRequest) (api.Move, error)
	FleetMoved(ctx context.Context, account string) (api.Move, error)
	FleetIncoming(ctx context.Context, in api.Incoming) (api.IncomingState, error)
	// host is gone.
	FleetHosts(ctx context.Context) ([]api.FleetHost, error)
	FleetRemote(host string) (http.RoundTripper, error)
	FleetDead(ctx context.Context) ([]api.DeadEvent, error)
	FleetSettle(ctx context.Context, r api.SettleRequest) error
	FleetTake(ctx context.Context, account string) error

	Desk

	// Reload reads the config again, applies what can be applied live and names
	// the rest. On error the old config stays in force.
	Reload(ctx context.Context) (api.ReloadResponse, error)
	// Stop begins an orderly stop and returns at once; with again the process
	// begins anew afterwards.
	Stop(keepNapCat, again bool)
}

// The codes of refused requests. People script against these words.
const (
	CodeBadRequest     = "bad_request"     // 400
	CodeUnauthorized   = "unauthorized"    // 401
	CodeForbidden      = "forbidden"       // 403
	CodeNotFound       = "not_found"       // 404
	CodeNoAccount      = "no_account"      // 404
	CodeNoPlugin       = "no_plugin"       // 404
	CodeNoChannel      = "no_channel"      // 404
	CodeBadMethod      = "bad_method"      // 405
	CodeConflict       = "conflict"        // 409: the account's state does not allow it
	CodeTooLarge       = "too_large"       // 413
	CodeBadConfig      = "bad_config"      // 422
	CodeTooMany        = "too_many"        // 429
	CodeInternal       = "internal"        // 500
	CodeNapCatFailed   = "napcat_failed"   // 502: NapCat answered with a refusal or nonsense
	CodeLoginRequired  = "login_required"  // 503
	CodeNotOnline      = "not_online"      // 503
	CodeNotSent        = "not_sent"        // 503: safe to repeat
	CodeStopping       = "stopping"        // 503
	CodeUnknownOutcome = "unknown_outcome" // 504: may have been carried out
)

var statusByCode = map[string]int{
	CodeBadRequest:     http.StatusBadRequest,
	CodeUnauthorized:   http.StatusUnauthorized,
	CodeForbidden:      http.StatusForbidden,
	CodeNotFound:       http.StatusNotFound,
	CodeNoAccount:      http.StatusNotFound,
	CodeNoPlugin:       http.StatusNotFound,
	CodeNoChannel:      http.StatusNotFound,
	CodeBadMethod:      http.StatusMethodNotAllowed,
	CodeConflict:       http.StatusConflict,
	CodeTooLarge:       http.StatusRequestEntityTooLarge,
	CodeBadConfig:      http.StatusUnprocessableEntity,
	CodeTooMany:        http.StatusTooManyRequests,
	CodeInternal:       http.StatusInternalServerError,
	CodeNapCatFailed:   http.StatusBadGateway,
	CodeLoginRequired:  http.StatusServiceUnavailable,
	CodeNotOnline:      http.StatusServiceUnavailable,
	CodeNotSent:        http.StatusServiceUnavailable,
	CodeStopping:       http.StatusServiceUnavailable,
	CodeUnknownOutcome: http.StatusGatewayTimeout,
}

// Refuse returns the error of a request that is not carried out; f says why, and
// the catalogue's English sentences for it are the message and the hint.
func Refuse(code string, f api.Fault) *api.Error {
	return &api.Error{Code: code, Message: text.Fault(text.English, f), Hint: text.FaultHint(text.English, f), Fault: f}
}

// asError turns any error into the one that goes over the wire.
func asError(err error) *api.Error {
	var e *api.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, onebot.ErrUnknownOutcome):
		return &api.Error{Code: CodeUnknownOutcome, Message: err.Error()}
	case errors.Is(err, onebot.ErrNotSent):
		return &api.Error{Code: CodeNotSent, Message: err.Error()}
	}
	return &api.Error{Code: CodeInternal, Message: err.Error()}
}

// httpStatus returns the HTTP status of a code, 500 for one it does not know.
func httpStatus(code string) int {
	if s := statusByCode[code]; s != 0 {
		return s
	}
	return http.StatusInternalServerError
}
