// Package alert tells people who do not look that something is wrong with an
// account or with ncatd itself, and that it is well again. Conditions follow
// from the daemon's status ([Observe]), never from log text. A pure core ([Step])
// decides by the rules what is told and when; what it decides is written to an
// outbox in the store in the same transaction, from which each channel sends on
// its own. Its central type is [Alerter]. It knows neither NapCat nor the
// supervisor, and no language: sentences come from the catalogue by a function.
package alert

import (
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Kind is what a condition is about; people script and configure by these words.
type Kind string

// The kinds of conditions.
const (
	KindLogin    Kind = "login_needed" // a person has to log in: QR, captcha, new device
	KindKicked   Kind = "kicked"       // QQ ended the session
	KindFailed   Kind = "failed"       // the account failed, or restarts again and again
	KindOffline  Kind = "offline"      // not online, whatever the reason
	KindFlapping Kind = "flapping"     // on and off again and again
	KindDisk     Kind = "disk_low"
	KindStore    Kind = "store_broken" // the store or the journal cannot be read or written
	KindPlugin   Kind = "plugin_failed"
	KindApp      Kind = "app_failed"
	KindPart     Kind = "degraded"    // another part of ncatd does less than it should
	KindRelease  Kind = "release"     // a new release was left for the one before
	KindNewer    Kind = "newer"       // a newer release is published; told once
	KindCert     Kind = "certificate" // of control.listen: not readable, or about to end
	KindHost     Kind = "host_silent" // another host of the fleet is not heard any more
	KindChannel  Kind = "channel_failed"
	KindTest     Kind = "test"
	// kindRest is nothing wrong: nobody wants the account to run.
	kindRest Kind = "rest"
)

// Kinds are all kinds that a rule may name.
func Kinds() []Kind {
	return []Kind{KindLogin, KindKicked, KindFailed, KindOffline, KindFlapping, KindDisk, KindStore, KindPlugin, KindApp, KindPart, KindRelease, KindNewer, KindCert, KindHost, KindChannel}
}

// Condition is something that is wrong now. Kind, Account and Subject together
// name it; the rest describes it and may change while it lasts.
type Condition struct {
	Kind    Kind      `json:"kind"`
	Account string    `json:"account,omitempty"` // empty: of the whole daemon
	Subject string    `json:"subject,omitempty"` // which plugin, file, channel
	Since   time.Time `json:"since"`
	// Code and Args name the catalogue's sentence for it (entry fault.CODE), Cause
	// what it goes on with.
	Code  string     `json:"code,omitempty"`
	Args  []string   `json:"args,omitempty"`
	Cause *api.Fault `json:"cause,omitempty"`
	// UIN is the account's number, 0 if it is not known.
	UIN int64 `json:"uin,omitempty"`
}

// Fault returns what describes c.
func (c Condition) Fault() api.Fault {
	return api.Fault{Code: api.Code(c.Code), Args: c.Args, Cause: c.Cause}
}

func (c Condition) key() string { return string(c.Kind) + "\x00" + c.Account + "\x00" + c.Subject }

// Rule says for some kinds and accounts when and through what is told. The first
// rule that fits decides.
type Rule struct {
	Kinds    []Kind   // empty: all
	Accounts []string // empty: all, and what is of no account
	Channels []string // empty: nothing is told
	// HoldOff is how long a condition has to last before it is told.
	HoldOff time.Duration
	// Settle is how long it has to be gone before it counts as mended; what comes
	// back sooner is the same alert.
	Settle time.Duration
	// Repeat is the pause before it is told again; each pause is twice the one
	// before, up to RepeatMax. 0: told once.
	Repeat, RepeatMax time.Duration
	// Quiet are hours in which nothing is told; what still lasts is told at
	// their end.
	Quiet Quiet
}

func (r Rule) fits(c Condition) bool {
	return (len(r.Kinds) == 0 || slices.Contains(r.Kinds, c.Kind)) &&
		(len(r.Accounts) == 0 || slices.Contains(r.Accounts, c.Account))
}

// Quiet is a part of each day, by a clock of Zone, from From to To after
// midnight; To may be before From. The zero Quiet is never.
type Quiet struct {
	From, To time.Duration
	Zone     *time.Location
}

// End returns when the quiet hours around now end; now itself outside of them.
func (q Quiet) End(now time.Time) time.Time {
	if q.From == q.To || q.Zone == nil {
		return now
	}
	t := now.In(q.Zone)
	at := func(day int, d time.Duration) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+day, int(d/time.Hour), int(d%time.Hour/time.Minute), 0, 0, q.Zone)
	}
	for day := -1; day <= 0; day++ {
		from, to := at(day, q.From), at(day, q.To)
		if q.To < q.From {
			to = at(day+1, q.To)
		}
		if !t.Before(from) && t.Before(to) {
			return to
		}
	}
	return now
}

// Phase is what a message says of a condition.
type Phase string

// The phases.
const (
	Firing   Phase = "firing"
	Repeated Phase = "repeated"
	Resolved Phase = "resolved"
)

// Item is one condition in a message.
type Item struct {
	Phase Phase `json:"phase"`
	Condition
	// Lasted is how long it has lasted, or had when it was mended.
	Lasted time.Duration `json:"lasted_ns"`
}

// Message is what one channel is to tell at once.
type Message struct {
	Channel string    `json:"channel"`
	Time    time.Time `json:"time"`
	Items   []Item    `json:"items"`
}

// test reports whether it only tries a channel.
func (m Message) test() bool { return len(m.Items) == 1 && m.Items[0].Kind == KindTest }
