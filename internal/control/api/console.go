package api

import "time"

// Role says what a caller of the control API may do.
type Role string

// The roles.
const (
	RoleOwner  Role = "owner"  // everything
	RoleViewer Role = "viewer" // looks, sees no secret and changes nothing
)

// ConsoleLinkRequest is the body of POST /v0/console/link; no role is owner.
type ConsoleLinkRequest struct {
	Role Role `json:"role,omitempty"`
}

// ConsoleLink is a link into the console that works once.
type ConsoleLink struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
	Role    Role      `json:"role"`
	// Loopback says that only this machine reaches the link.
	Loopback bool `json:"loopback"`
	// Fingerprint is the SHA-256 of the certificate that was made here, "" if a
	// browser can check it by itself.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// ConsoleLoginRequest is the body of POST /v0/console/login: the secret of a
// link, or the password.
type ConsoleLoginRequest struct {
	Secret   string `json:"secret,omitempty"`
	Password string `json:"password,omitempty"`
}

// ConsolePasswordRequest is the body of POST /v0/console/password; an empty one
// takes the password away.
type ConsolePasswordRequest struct {
	Password string `json:"password"`
}

// ConsoleSession is one browser that was let in.
type ConsoleSession struct {
	ID      string    `json:"id"`
	Role    Role      `json:"role"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"` // to within an hour
	From    string    `json:"from"` // address it was let in from
	Agent   string    `json:"agent"`
	Current bool      `json:"current,omitempty"` // it is the one that asks
}

// ConsoleMe is the answer of GET /v0/console/me: what the caller may do.
type ConsoleMe struct {
	Role     Role   `json:"role"`
	Session  string `json:"session,omitempty"` // "": no browser
	Password bool   `json:"password"`          // a password can be used
}

// ConfigFile is the config file as it stands on disk.
type ConfigFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
	// Sum is what a change is based on: a save with another one is refused.
	Sum string `json:"sum"`
}

// ConfigRequest is the body of POST /v0/config and of /v0/config/check.
type ConfigRequest struct {
	Text string `json:"text"`
	Sum  string `json:"sum,omitempty"`
	Lang string `json:"lang,omitempty"` // of the problems' messages: en or zh
}

// ConfigCheck says what is wrong with a config.
type ConfigCheck struct {
	OK       bool            `json:"ok"`
	Problems []ConfigProblem `json:"problems"`
	Warnings []ConfigProblem `json:"warnings"`
}

// ConfigProblem is one thing wrong with a config, or odd.
type ConfigProblem struct {
	Line    int    `json:"line,omitempty"` // from 1; 0 if it is not the file's
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// History is the last day of an account, a value for each minute that was
// measured.
type History struct {
	Time     []int64   `json:"time"` // seconds since 1970
	RSSBytes []float64 `json:"rss_bytes"`
	CPU      []float64 `json:"cpu_percent"`
	Events   []float64 `json:"events"`  // in the minute
	Calls    []float64 `json:"calls"`   // in the minute
	Latency  []float64 `json:"latency"` // seconds, the mean of the minute's calls
	Restarts []float64 `json:"restarts"`
}

// UpgradeRequest is the body of POST /v0/releases/upgrade; an empty version is
// the newest that is known to work.
type UpgradeRequest struct {
	To string `json:"to,omitempty"`
}
