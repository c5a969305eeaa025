package ncat

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// HandlerOption configures one handler. All but [Alias] and [PassOn], which are
// for commands, are for handlers of any kind.
type HandlerOption func(*registration)

// Priority sets when a handler runs relative to others of the same event: the
// higher the earlier; 0 without it, 100 for commands.
func Priority(n int) HandlerOption { return func(r *registration) { r.priority = n } }

// Fallback makes a handler run after all others of the same event, and only if none
// of them ran.
func Fallback() HandlerOption { return func(r *registration) { r.fallback = true } }

// Named sets the name of a handler in logs, errors and /help; without it, it is
// the name of its function.
func Named(name string) HandlerOption { return func(r *registration) { r.name, r.label = name, name } }

// Where restricts a handler to events that pass all filters.
func Where(filters ...Filter) HandlerOption {
	for i, f := range filters {
		if f == nil {
			misuse("Where: filter %d is nil", i+1)
		}
	}
	return func(r *registration) { r.filters = append(r.filters, filters...) }
}

// Wrap wraps one handler in middleware, the first outermost.
func Wrap(mw ...Middleware) HandlerOption {
	for i, f := range mw {
		if f == nil {
			misuse("Wrap: middleware %d is nil", i+1)
		}
	}
	return func(r *registration) { r.middleware = append(r.middleware, mw...) }
}

// Help says in one line what a handler is for. It makes /help show it, and lets a
// handler that is no command say why it does not run ([Need], [Cooldown]) as
// commands do; without it such a handler keeps silent.
func Help(text string) HandlerOption { return func(r *registration) { r.help = text } }

// Hidden keeps a handler out of /help.
func Hidden() HandlerOption { return func(r *registration) { r.hidden = true } }

// Need restricts a handler to users who have one of the roles: [RoleAdmin],
// [RoleGroupAdmin], [RoleGroupOwner] or a name that was granted with
// [Permissions.Grant]. The bot's admins have every role.
func Need(roles ...string) HandlerOption {
	return func(r *registration) { r.needs = append(r.needs, roles...) }
}

// Cooldown lets each user have a handler run only once in d. A user who comes too early
// is told once; see [Help].
func Cooldown(d time.Duration) HandlerOption { return Limit(1, d) }

// Limit lets each user have a handler run at most n times within d. Several
// limits count together: Limit(20, 24*time.Hour) and Cooldown(10*time.Second).
func Limit(n int, d time.Duration) HandlerOption {
	if n < 1 || d < 0 {
		misuse("Limit: %d times within %v is no limit; write how many times and within how long", n, d)
	}
	return func(r *registration) {
		if d > 0 {
			r.limit.rules = append(r.limit.rules, limitRule{n, d})
		}
	}
}

// Concurrent lets a handler run for up to n events of one chat at the same time,
// and lets the chat go on meanwhile: an answer that takes half a minute does not
// hold up /ping. Without it the events of a chat are handled one after the other.
// Answers may overtake each other then, and handlers after this one do not wait
// for it: its [ErrStop] stops nothing. When n run, the chat waits for one of them.
func Concurrent(n int) HandlerOption {
	if n < 1 {
		misuse("Concurrent: %d handlers are none; write how many may run at a time", n)
	}
	return func(r *registration) { r.parallel = n }
}

// forCommand makes an option of one that only commands have.
func forCommand(name string, f func(c *command)) HandlerOption {
	return func(r *registration) {
		if r.cmd == nil {
			misuse("%s is an option of commands and was given to handler %s; register it with OnCommand or Command, or leave %s out", name, r.name, name)
		}
		f(r.cmd)
	}
}

// Alias gives a command more names. For a sub-command they stand in the place of
// its last word.
func Alias(names ...string) HandlerOption {
	return forCommand("Alias", func(c *command) { c.aliases = append(c.aliases, names...) })
}

// PassOn lets a message that was this command go on to the handlers after it.
func PassOn() HandlerOption { return forCommand("PassOn", func(c *command) { c.pass = true }) }

// misuse panics because a program uses the package in a way that cannot work, and
// says where.
func misuse(format string, args ...any) {
	panic(fmt.Sprintf("ncat: "+format, args...) + " (" + callSite() + ")")
}

// callSite returns where the package was called from.
func callSite() string {
	var pc [32]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc[:])])
	for {
		f, more := frames.Next()
		if !ours(f.File) {
			return fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}

// ours reports whether a file is one of this package's. Names of functions do not
// tell: what was inlined is called by whatever it was inlined into.
func ours(file string) bool {
	_, here, _, _ := runtime.Caller(0)
	return path.Dir(file) == path.Dir(here) && !strings.HasSuffix(file, "_test.go")
}

// limiter is how often each user may have a handler run.
type limiter struct {
	rules []limitRule

	mu    sync.Mutex // guards the field below
	users map[limitKey]*limitUses
}

type limitRule struct {
	n   int
	per time.Duration
}

type limitKey struct{ self, user onebot.UserID }

// limitUses is when a user had a handler run, the newest last, and until when a
// refusal was told.
type limitUses struct {
	times []time.Time
	told  time.Time
}

// take counts a run. If it is one too many it returns how long the user must
// wait, and whether to say so.
func (l *limiter) take(self, user onebot.UserID) (wait time.Duration, tell bool) {
	if len(l.rules) == 0 {
		return 0, false
	}
	now, most, longest := time.Now(), 0, time.Duration(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[limitKey{self, user}]
	if u == nil {
		u = &limitUses{}
	}
	for _, r := range l.rules {
		most, longest = max(most, r.n), max(longest, r.per)
		if len(u.times) >= r.n {
			wait = max(wait, u.times[len(u.times)-r.n].Add(r.per).Sub(now))
		}
	}
	if wait > 0 {
		tell = !now.Before(u.told)
		u.told = now.Add(wait)
		return wait, tell
	}
	if len(l.users) >= 1024 { // forget the users that nothing holds back
		for k, x := range l.users {
			if now.Sub(x.times[len(x.times)-1]) >= longest {
				delete(l.users, k)
			}
		}
	}
	if l.users == nil {
		l.users = map[limitKey]*limitUses{}
	}
	u.times = append(u.times[max(0, len(u.times)+1-most):], now)
	u.told = time.Time{}
	l.users[limitKey{self, user}] = u
	return 0, false
}
