package api

import "time"

// Alerts is the answer of GET /v0/alerts.
type Alerts struct {
	Channels []AlertChannel `json:"channels"`
	Open     []AlertOpen    `json:"open"` // what is wrong now or was a moment ago, the oldest first
	Silenced []AlertSilence `json:"silenced"`
}

// AlertChannel is a way to tell people something. It holds no secret.
type AlertChannel struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Waiting int    `json:"waiting,omitempty"` // messages that are not told yet
	// Failing is why the last try failed, zero if it did not; Since is the first
	// of the tries that failed in a row.
	Failing Fault     `json:"failing,omitzero"`
	Since   time.Time `json:"since,omitzero"`
}

// AlertOpen is something that is wrong. Account is empty if it is of the whole
// daemon.
type AlertOpen struct {
	Kind    string    `json:"kind"`
	Account string    `json:"account,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Fault   Fault     `json:"fault,omitzero"`
	Since   time.Time `json:"since"`
	Gone    time.Time `json:"gone,omitzero"` // it is not seen any more, but counts as mended later
	Told    time.Time `json:"told,omitzero"` // zero: not yet
}

// AlertSilence is an account that nothing is told of for a while; "" is all.
type AlertSilence struct {
	Account string    `json:"account"`
	Until   time.Time `json:"until"`
}

// AlertLogEntry is a message that was told, or a try that failed.
type AlertLogEntry struct {
	Time    time.Time   `json:"time"`
	Channel string      `json:"channel"`
	Tries   int         `json:"tries"`
	Items   []AlertItem `json:"items"`
	Failed  Fault       `json:"failed,omitzero"`
}

// AlertItem is one thing that a message says.
type AlertItem struct {
	Phase   string    `json:"phase"` // firing, repeated, resolved
	Kind    string    `json:"kind"`
	Account string    `json:"account,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Fault   Fault     `json:"fault,omitzero"`
	Since   time.Time `json:"since"`
	Seconds float64   `json:"seconds"` // how long it had lasted
}

// AlertTestRequest is the body of POST /v0/alerts/test; Channel "" is all.
type AlertTestRequest struct {
	Channel string `json:"channel"`
}

// AlertTest is how the test of a channel ended.
type AlertTest struct {
	Channel string  `json:"channel"`
	Seconds float64 `json:"seconds"`
	Failed  Fault   `json:"failed,omitzero"` // zero: the service has taken it
}

// MaxSilence bounds a silence: whoever wants more switches the channel off.
const MaxSilence = 366 * 24 * time.Hour

// AlertSilenceRequest is the body of POST /v0/alerts/silence. Account "" is all
// accounts; Seconds 0 ends a silence.
type AlertSilenceRequest struct {
	Account string  `json:"account"`
	Seconds float64 `json:"seconds"`
}
