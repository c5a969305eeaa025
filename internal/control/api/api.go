// Package api holds the wire types of the control API (version v0): what the
// daemon's handlers answer, what the Go client decodes and what `--json`
// prints. It does nothing.
package api

import (
	"encoding/json"
	"time"
)

// State is one word for what an account is doing; people script against these
// words.
type State string

// The states of an account.
const (
	StateStopped       State = "stopped"
	StateInstalling    State = "installing"
	StateStarting      State = "starting"
	StateLoginRequired State = "login_required"
	StateConnecting    State = "connecting"
	StateOnline        State = "online"
	StateOffline       State = "offline"
	StateBackoff       State = "backoff"
	StateFailed        State = "failed"
	StateStopping      State = "stopping"
)

// Packet says how NapCat's packet back end is.
type Packet string

// What the packet back end may be.
const (
	PacketAvailable Packet = "available"
	PacketMissing   Packet = "missing" // NapCat knows none for this QQ version
)

// Status is the answer of GET /v0/status and of `ncatd status --json`.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Home     string    `json:"home"`
	Host     string    `json:"host,omitempty"` // its name in the fleet; "": it is in none
	Accounts []Account `json:"accounts"`
	// RolledBack is the new pair of NapCat and QQ that was left by itself because
	// it did not come online, until another one is installed; nil if there is none.
	RolledBack *RolledBack `json:"rolled_back,omitempty"`
	// LastCrash is how this home's daemon last ended badly, nil if it never did.
	LastCrash *LastCrash `json:"last_crash,omitempty"`
	// LeftVersion is a version of ncatd that `self upgrade` left again by itself.
	LeftVersion *LeftVersion `json:"left_version,omitempty"`
	// Newer are published releases that are newer than what runs.
	Newer []NewerRelease `json:"newer,omitempty"`
	// Alerts are the channels of alerts with how they do; without what waits.
	Alerts []AlertChannel `json:"alerts,omitempty"`
	// Plugins are those of the bot, with what became of them.
	Plugins []Plugin `json:"plugins,omitempty"`
	// Apps are the programs that use the accounts through ncatd.
	Apps []App `json:"apps,omitempty"`
	// SilentHosts are the hosts of the fleet that are not heard any more, if it is this
	// one that tells: of those that are heard the first by name.
	SilentHosts []SilentHost `json:"silent_hosts,omitempty"`
}

// App is one program that uses accounts through ncatd.
type App struct {
	Name       string   `json:"name"`
	Accounts   []string `json:"accounts"`
	Transports []string `json:"transports"`
	// State is connected or waiting; of an app that ncatd runs, that of its process
	// in the words of an account's.
	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Fault     Fault     `json:"fault,omitzero"`
	Since     time.Time `json:"since,omitzero"`
	NextTry   time.Time `json:"next_try,omitzero"`
	URL       string    `json:"url,omitempty"` // where it is waited for, or waits; without the token
	Links     int       `json:"links"`
	Events    uint64    `json:"events"`   // events that it got
	Replayed  uint64    `json:"replayed"` // of them, those that it had missed
	Calls     uint64    `json:"calls"`    // calls that it made
	Refused   uint64    `json:"refused"`  // of them, those it has no right to
	Failed    uint64    `json:"failed"`   // of them, those that failed otherwise
	CutOff    uint64    `json:"cut_off"`  // how often it was cut off for reading too slowly
	Queue     int       `json:"queue"`    // bytes that wait for it
	LastError string    `json:"last_error,omitempty"`
	PID       int       `json:"pid,omitempty"` // of an app that ncatd runs
	Restarts  int       `json:"restarts,omitempty"`
	RSSBytes  uint64    `json:"rss_bytes,omitempty"`
}

// The states of an app that ncatd does not run.
const (
	StateConnected State = "connected"
	StateWaiting   State = "waiting"
)

// NewerRelease is a published release that is newer than what runs.
type NewerRelease struct {
	Name    string    `json:"name"` // napcat or ncatd
	Version string    `json:"version"`
	Runs    string    `json:"runs"`  // the version that runs
	Since   time.Time `json:"since"` // when it was found
}

// RolledBack is a pair of releases that was left for the one before.
type RolledBack struct {
	NapCat string    `json:"napcat_version"`
	QQ     string    `json:"qq_version"`
	Reason string    `json:"reason"`         // the catalogue's English sentence for Fault
	Fault  Fault     `json:"fault,omitzero"` // why it did not come online
	Time   time.Time `json:"time"`
}

// LeftVersion is a version of ncatd that was left for the one before.
type LeftVersion struct {
	Version string    `json:"version"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
}

// Account is one account as it stands now.
type Account struct {
	Name         string    `json:"name"`
	UIN          int64     `json:"uin"`
	Nickname     string    `json:"nickname"`
	State        State     `json:"state"`
	Reason       string    `json:"reason"`
	Detail       string    `json:"detail"`         // the catalogue's English sentence for Fault
	Fault        Fault     `json:"fault,omitzero"` // why the account is in this state
	Since        time.Time `json:"since"`
	NextTry      time.Time `json:"next_try,omitzero"` // when a start is tried again, in backoff and failed
	PIDs         PIDs      `json:"pids"`
	Restarts     int       `json:"restarts"`
	RSSBytes     uint64    `json:"rss_bytes"`
	CPUPercent   float64   `json:"cpu_percent"`
	NapCat       string    `json:"napcat_version"`
	QQ           string    `json:"qq_version"`
	WebUIURL     string    `json:"webui_url"` // without the token
	OneBotURL    string    `json:"onebot_url"`
	Events       uint64    `json:"events"`
	Calls        uint64    `json:"calls"`
	SendsFailed  uint64    `json:"sends_failed"`
	QueueDropped uint64    `json:"queue_dropped"`
	// Login is the login that is under way, nil if there is none.
	Login *Login `json:"login,omitempty"`
	// Degraded are the reasons why an account does less than it should although
	// it is online, the oldest first.
	Degraded []Degraded `json:"degraded,omitempty"`
	// Packet says whether NapCat's packet back end works, "" while that is not
	// known. Without one some actions fail.
	Packet Packet `json:"packet,omitempty"`
	// History holds the last transitions, oldest first.
	History []Transition `json:"history,omitempty"`
}

// PIDs names an account's processes; 0 is none.
type PIDs struct {
	NapCat int `json:"napcat"`
	Xvfb   int `json:"xvfb"`
}

// Transition is one change of an account's state.
type Transition struct {
	Time   time.Time `json:"time"`
	State  State     `json:"state"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
	Fault  Fault     `json:"fault,omitzero"`
}

// WatchItem is one line of GET /v0/watch. The first line has Kind "snapshot",
// each later one an account as it stands after a change, a log record or an
// event.
type WatchItem struct {
	Kind    string          `json:"kind"` // snapshot, state, log, event, app_event, dropped
	Time    time.Time       `json:"time"`
	Account string          `json:"account,omitempty"`
	Status  *Status         `json:"status,omitempty"`  // snapshot
	State   *Account        `json:"state,omitempty"`   // state
	Log     *LogRecord      `json:"log,omitempty"`     // log
	App     string          `json:"app,omitempty"`     // app_event: which app got it
	Event   json.RawMessage `json:"event,omitempty"`   // event, app_event: as OneBot sent it
	Dropped int             `json:"dropped,omitempty"` // dropped: items this reader missed
}

// LogRecord is one log line of ncatd or of an account's NapCat.
type LogRecord struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // debug, info, warn, error
	Account string    `json:"account,omitempty"`
	Source  string    `json:"source"` // ncatd, napcat
	Message string    `json:"msg"`
	Attrs   string    `json:"attrs,omitempty"`
}

// The words of [WantRequest].
const (
	WantRunning = "running"
	WantStopped = "stopped"
)

// WantRequest is the body of POST /v0/accounts/{name}/want.
type WantRequest struct {
	Want string `json:"want"`
}

// QuickLoginRequest is the body of POST …/login/quick; UIN 0 is the configured account.
type QuickLoginRequest struct {
	UIN int64 `json:"uin"`
}

// PasswordLoginRequest is the body of POST …/login/password.
type PasswordLoginRequest struct {
	UIN         int64  `json:"uin"`
	PasswordMD5 string `json:"password_md5"` // 32 hex digits
	// Password is the password itself, in place of its MD5.
	Password string `json:"password,omitempty"`
}

// CaptchaRequest is the body of POST …/login/captcha.
type CaptchaRequest struct {
	Ticket  string `json:"ticket"`
	RandStr string `json:"randstr"`
	SID     string `json:"sid,omitempty"`
}

// QuickAccount is an account that has a login ticket.
type QuickAccount struct {
	UIN      int64  `json:"uin"`
	Nickname string `json:"nickname"`
	Quick    bool   `json:"quick"` // quick login is possible
}

// CallRequest is the body of POST …/call.
type CallRequest struct {
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
}

// CallResponse is its answer: OneBot's own, refusals included.
type CallResponse struct {
	Status  string          `json:"status"`
	RetCode int             `json:"retcode"`
	Data    json.RawMessage `json:"data"`
	Message string          `json:"message"`
	Wording string          `json:"wording"`
}

// StopRequest is the body of POST /v0/stop.
type StopRequest struct {
	KeepNapCat bool `json:"keep_napcat,omitempty"`
	// Again makes the process begin anew with the program that lies at its path
	// then, as after an upgrade; its pid stays.
	Again bool `json:"again,omitempty"`
}

// ReloadResponse is the answer of POST /v0/reload.
type ReloadResponse struct {
	Applied []string `json:"applied"` // config keys applied live
	Restart []string `json:"restart"` // config keys that need a restart, of the daemon or an account
}

// Plugin is one plugin of the bot.
type Plugin struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Enabled bool   `json:"enabled"`
	State   string `json:"state"` // running, disabled, failed, stopping
	Error   string `json:"error,omitempty"`
	// Fault is why it does not run, or not in its newest version; Error is its
	// English sentence.
	Fault Fault `json:"fault,omitzero"`
}

// PluginInfo is all that is known of one plugin.
type PluginInfo struct {
	Plugin
	Description string       `json:"description,omitempty"`
	Path        string       `json:"path,omitempty"` // of a script
	Loads       int          `json:"loads"`          // versions of a script that ran since the start
	Needs       []string     `json:"needs"`          // other plugins
	Wants       PluginRights `json:"wants"`
	Granted     PluginRights `json:"granted"`
}

// PluginRights is what a script may do beside answering.
type PluginRights struct {
	Fetch []string `json:"fetch"` // hosts
	Files bool     `json:"files"` // it may name files of NapCat's machine
}

// ErrorBody is the body of every answer that is not 2xx.
type ErrorBody struct {
	Error Error `json:"error"`
}

// Error is a refused request. Code is one word that a script can match.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Fault is Message and Hint without a language (entries fault.CODE and
	// hint.fault.CODE of the catalogue); zero if there is only Message.
	Fault Fault `json:"fault,omitzero"`
}

// Error implements error.
func (e *Error) Error() string { return e.Message }
