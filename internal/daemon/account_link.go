package daemon

import (
	"context"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// Link is the OneBot side of one account: a connection that is kept up while it
// is wanted, with the bot behind it. It outlives NapCat's processes. All methods
// are safe for concurrent use.
type Link interface {
	onebot.Caller
	// Run works until ctx ends, and then disconnects.
	Run(ctx context.Context) error
	// Connect makes the link want a connection to url, at once and again
	// whenever it is lost.
	Connect(url, token string)
	// Redial drops the connection, if there is one, and dials now.
	Redial()
	// Disconnect makes the link want none.
	Disconnect()
	// Stats returns the counters since the link was made.
	Stats() LinkStats
}

// LinkStats are the counters of a [Link].
type LinkStats struct {
	Events       uint64
	Calls        uint64
	SendsFailed  uint64
	QueueDropped uint64
}

// LinkKind says what a [LinkEvent] is.
type LinkKind string

// The kinds of link events.
const (
	LinkUp         LinkKind = "up"          // the WebSocket is open; not yet known whether the token is right
	LinkLifecycle  LinkKind = "lifecycle"   // NapCat accepted us; SelfID
	LinkHeartbeat  LinkKind = "heartbeat"   // Online, Interval
	LinkDown       LinkKind = "down"        // Err; BadToken. Also after a dial that did not succeed
	LinkBotOffline LinkKind = "bot_offline" // the session is dead; Text
	LinkSends      LinkKind = "sends"       // InRow sends in a row were not confirmed by QQ; 0: one was again
)

// LinkEvent is what a [Link] tells about itself.
type LinkEvent struct {
	Kind     LinkKind
	SelfID   int64
	Online   bool
	Interval time.Duration
	Text     string
	Err      error
	BadToken bool
	InRow    int
}
