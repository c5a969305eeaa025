package account

import (
	"context"
	"time"

	"github.com/ncatd/ncatd/internal/supervisor"
	"github.com/ncatd/ncatd/onebot"
)

// Host runs one OneBot host for one account: NapCat. Its methods are called one
// at a time but for Look, Online and Repair, which may come at any moment.
type Host interface {
	// Spawn adopts the process that an earlier ncatd left running, or starts one,
	// and returns when it runs. What is learnt of it from then on is told to l.
	// When it returns an error, which may be a [*supervisor.Fault], nothing of the
	// process is left. It gives up when ctx ends.
	Spawn(ctx context.Context, l *Life) error
	// Stop ends the process, if there is one, and returns when nothing of it is
	// left; not before, unless ctx ends. After it nothing is told to its Life.
	Stop(ctx context.Context, timeout time.Duration) error
	// Release lets go of the process without ending it, for a later ncatd.
	Release() error
	// Look is told that the login may have changed. It does not block.
	Look()
	// Online is told that the account came online, once for each process.
	Online()
	// NotOnline is told that a process is ending by f without ever having been
	// online. It may have mended what was wrong, and then returns a lighter fault.
	NotOnline(f *supervisor.Fault) *supervisor.Fault
	// Repair sets up anew a OneBot server that cannot be reached, as why says. It
	// does nothing to one that is found in order, nor once still returns false.
	Repair(ctx context.Context, why Link, still func() bool) error
	// Forget is told that a person asks for another try: what was refused before
	// may be tried again.
	Forget()
}

// Life is one process of an account, as its [Host] sees it: what it is, and where
// to tell what happens to it. It is safe for concurrent use.
type Life struct {
	a *Account
	n uint64
}

// Tell enters a fact. What comes after the end of the process is ignored.
func (l *Life) Tell(e Fact) { l.a.tell(l.n, e) }

// Show enters a fact and waits until it was shown, so that what follows at once
// does not hide it. It returns early if ctx ends.
func (l *Life) Show(ctx context.Context, e Fact) {
	l.Tell(e)
	_ = l.a.runner.Ping(ctx) // the caller gives up anyway when ctx ends
}

// UIN returns the account that must log in, 0 for any.
func (l *Life) UIN() int64 {
	f := l.a.Facts()
	return f.want(l.a.o.Policy)
}

// Exited tells that the process ended by itself at a time, why, and that nothing
// of it is left.
func (l *Life) Exited(why *supervisor.Fault, at time.Time) {
	why = l.a.softened(why)
	l.Tell(Ended{why.Reason})
	l.a.runner.Exited(l.n, why, at)
}

// Connection is the OneBot side of one account: a link that is kept up while it
// is wanted, with the bot behind it. It outlives the host's processes. All
// methods are safe for concurrent use, and none but Run and Call blocks.
type Connection interface {
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
	Stats() Stats
}

// Stats are the counters of a [Connection].
type Stats struct {
	Events       uint64
	Calls        uint64
	SendsFailed  uint64
	QueueDropped uint64
}
