package fetch

import (
	"log/slog"
	"net/http"
	"os"
	"time"
)

// Place is one address that a file can be had from.
type Place struct {
	URL string
	// Via names the place to people: "direct", or the mirror's prefix.
	Via string
	// Trusted is the publisher's own address. Without a known digest only a
	// trusted place is asked, and only over https from end to end.
	Trusted bool
}

// File says what to fetch.
type File struct {
	// Name is what the file is called in the Fetcher's folder; while it is
	// incomplete, ".part" and ".part.json" are added.
	Name string
	// Places are tried group by group; those of one group race for their order.
	Places [][]Place
	// SHA256 is the digest in lower-case hex, empty when none is known.
	SHA256 string
	// DigestFrom says in one word where SHA256 comes from.
	DigestFrom string
	// Size in bytes, 0 when it is not known.
	Size int64
	// Insecure accepts the bytes of any place when no digest is known.
	Insecure bool
	// Sniff judges the first bytes of the file, Check the whole of it, before it
	// is accepted. Either may be nil.
	Sniff func(head []byte) error
	Check func(f *os.File, size int64) error
}

// Got is a file that was fetched and found right.
type Got struct {
	Path   string
	SHA256 string
	Size   int64
	Place  Place // zero when the file had been fetched before
}

// EventKind is one word for an [Event].
type EventKind string

// The kinds of events.
const (
	Tried    EventKind = "tried"    // a place answered the first read: Rate, or Err
	Chosen   EventKind = "chosen"   // the transfer from a place begins: Bytes are there, Total to come
	Arriving EventKind = "arriving" // Bytes of Total are there
	GivenUp  EventKind = "given_up" // a place was given up: Err
	Complete EventKind = "complete" // the file is there and right: SHA256
)

// Event is one step of a fetch.
type Event struct {
	Kind   EventKind
	Place  Place
	Bytes  int64
	Total  int64
	Rate   float64 // bytes per second, of the first read
	SHA256 string
	Err    error
}

// Limits are the times and sizes that a Fetcher works with. A zero field means
// that of [DefaultLimits].
type Limits struct {
	Connect time.Duration // to a connection, and again for TLS
	Header  time.Duration // to the answer's first line
	Try     time.Duration // of one trial read
	// Grace is how long a race goes on after its first good answer.
	Grace time.Duration
	// Stall is the time in which at least MinRate times itself must arrive.
	Stall    time.Duration
	MinRate  int64 // bytes per second
	TryBytes int64 // of one trial read
	// TryWhole is the size up to which a trial reads a file to its end, so that
	// whatever is wrong with it shows before anything is transferred.
	TryWhole int64
	// MaxBytes bounds a file whose size was not known beforehand.
	MaxBytes int64
	// Attempts is how often one place may break off, each time further on,
	// before it is given up.
	Attempts int
}

// DefaultLimits suit the slow and distant: a mirror that needs eight seconds for
// its first byte is still better than none.
var DefaultLimits = Limits{
	Connect:  10 * time.Second,
	Header:   15 * time.Second,
	Try:      12 * time.Second,
	Grace:    2 * time.Second,
	Stall:    15 * time.Second,
	MinRate:  1 << 10,
	TryBytes: 256 << 10,
	TryWhole: 2 << 20,
	MaxBytes: 2 << 30,
	Attempts: 3,
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	set(&l.Connect, d.Connect)
	set(&l.Header, d.Header)
	set(&l.Try, d.Try)
	set(&l.Grace, d.Grace)
	set(&l.Stall, d.Stall)
	set(&l.MinRate, d.MinRate)
	set(&l.TryBytes, d.TryBytes)
	set(&l.TryWhole, d.TryWhole)
	set(&l.MaxBytes, d.MaxBytes)
	set(&l.Attempts, d.Attempts)
	return l
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Fetcher fetches into one folder. It may be used by several goroutines for
// files of different names.
type Fetcher struct {
	dir    string
	lim    Limits
	log    *slog.Logger
	client *http.Client
	space  func(need int64) error
}

// Options configure a [Fetcher].
type Options struct {
	Dir    string // where files go; must exist
	Limits Limits
	Log    *slog.Logger // must not be nil
	// Space says before a transfer whether need more bytes fit; nil is yes.
	Space func(need int64) error
	// UserAgent is sent with every request.
	UserAgent string
	// Transport replaces the ordinary one, which verifies TLS and takes its
	// proxy from the environment.
	Transport http.RoundTripper
}
