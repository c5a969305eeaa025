package install

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// EventKind is one word for what an [Event] tells.
type EventKind string

// The kinds of events, in the order in which one install gives them.
const (
	EventPlan       EventKind = "plan"        // what will be fetched, from where, how large
	EventMirror     EventKind = "mirror"      // a source was tried out: Rate, or Error
	EventDownload   EventKind = "download"    // bytes arrive: Bytes, Total, Rate, ETA
	EventFailed     EventKind = "failed"      // a source was given up: URL, Error
	EventVerified   EventKind = "verified"    // the package is whole and has the right digest
	EventUnpack     EventKind = "unpack"      // files are written: Bytes, Total
	EventReleased   EventKind = "released"    // a release is complete on disk
	EventSwitched   EventKind = "switched"    // the pair is the current one now
	EventPruned     EventKind = "pruned"      // an old release was removed
	EventNote       EventKind = "note"        // something worth knowing: Code, Message
	EventRolledBack EventKind = "rolled_back" // the current pair was left
)

// Event is one step of an install. As JSON it is one line of `--json`.
type Event struct {
	Time    time.Time `json:"time"`
	Kind    EventKind `json:"event"`
	Product Product   `json:"product,omitempty"`
	Version string    `json:"version,omitempty"`
	URL     string    `json:"url,omitempty"` // or path
	Bytes   int64     `json:"bytes,omitempty"`
	Total   int64     `json:"total,omitempty"` // 0: not known
	Rate    float64   `json:"bytes_per_second,omitempty"`
	// ETA is the time left in seconds, 0 when it cannot be told.
	ETA     float64 `json:"eta_seconds,omitempty"`
	SHA256  string  `json:"sha256,omitempty"`
	Code    string  `json:"code,omitempty"` // of a note: one word
	Message string  `json:"message,omitempty"`
	Error   string  `json:"error,omitempty"`
	// Fault is Error without a language.
	Fault api.Fault `json:"fault,omitzero"`
	// QQ is the version of QQ in the pair that was switched to, Version that of NapCat.
	QQ string `json:"qq_version,omitempty"`
}
