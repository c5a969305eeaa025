package ncat

import (
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncatd/ncatd/onebot"
)

// ErrStop is returned by a handler that dealt with an event, to keep it from the
// handlers that would come after it. It is no failure.
var ErrStop = errors.New("event dealt with")

// Handler handles one event of any type. ctx ends when the account's bot is
// asked to end or the handler's plugin is switched off.
type Handler func(ctx context.Context, b *Bot, e onebot.Event) error

// Middleware wraps handlers. It runs once per handler when handlers change, the
// Handler it returns for every event.
type Middleware func(next Handler) Handler

// Filter tells whether a handler wants an event. It must return at once.
type Filter func(b *Bot, e onebot.Event) bool

// Registration is one registered handler.
type Registration struct {
	reg *registry
	r   *registration
}

// removeOwner takes out everything that belongs to o.
func (r *registry) removeOwner(o *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeOwnerLocked(o)
	r.changeLocked()
}

func (r *registry) removeOwnerLocked(o *owner) {
	mine := func(x *registration) bool { return x.owner == o }
	r.regs, r.commands = slices.DeleteFunc(r.regs, mine), slices.DeleteFunc(r.commands, mine)
	r.errorHooks = slices.DeleteFunc(r.errorHooks, func(h errorHook) bool { return h.owner == o })
}

// Remove takes the handler out. Events it is running for are not interrupted.
func (r *Registration) Remove() { r.reg.remove(func(x *registration) bool { return x == r.r }) }

// Name returns the handler's name.
func (r *Registration) Name() string { return r.r.name }

// registration is one handler as the registry keeps it.
type registration struct {
	owner      *owner
	name       string
	priority   int
	seq        int
	typ        reflect.Type // the event type, concrete or interface
	filters    []Filter
	middleware []Middleware
	handle     Handler
	help       string
	label      string // what help calls it if it is no command
	hidden     bool
	needs      []string
	limit      limiter
	parallel   int // see Concurrent; 0: one after the other
	slots      slots
	fallback   bool
	// cmd is set in the registration of a command, which the registration
	// with pick finds in the table's index.
	cmd  *command
	pick bool
}

func (r *registration) wants(t reflect.Type) bool {
	return r.typ == t || r.typ.Kind() == reflect.Interface && t != reflect.TypeFor[*presence]() && t.Implements(r.typ)
}

// owner is what registrations belong to: the bot itself or a plugin. When it
// is stopped, its handlers are gone and their contexts are cancelled.
type owner struct {
	id     string
	wraps  []Middleware // guarded by registry.mu
	hidden bool         // not in the table yet; guarded by registry.mu
	over   atomic.Bool  // it has ended, Close included

	mu        sync.Mutex // guards the fields below
	stopped   error      // the cause; nil while it runs
	cancels   map[*session]context.CancelCauseFunc
	opened    bool            // its schedules run
	ctx       context.Context // of its goroutines
	cancel    context.CancelCauseFunc
	doing     map[string]int // its goroutines by name
	schedules []*Scheduled
	starts    []hook
	stops     []hook
	active    sync.WaitGroup // handlers and goroutines that run
}

func newOwner(id string) *owner {
	return &owner{id: id, cancels: map[*session]context.CancelCauseFunc{}}
}

// bound is one registration ready to run: wrapped in all middleware.
type bound struct {
	*registration
	run Handler
}

// registry holds the handlers of a bot. Its table is read without a lock.
type registry struct {
	self *owner // of what is registered on the Bot itself

	mu         sync.Mutex // guards the fields below
	seq        int
	regs       []*registration // in the order in which they run
	middleware []Middleware
	errorHooks []errorHook
	taps       []tap
	commands   []*registration
	builtins   []*registration // commands of ncat itself; see permissionCommands

	table atomic.Pointer[table]
}

// errorHook is a function given to [Bot.OnError].
type errorHook struct {
	owner *owner
	run   func(ctx context.Context, b *Bot, e onebot.Event, err error)
}

// tap sees every event before it is queued and may take it away. Conversations
// wait with it for messages of a chat whose handler is busy waiting.
type tap func(b *Bot, e onebot.Event) (taken bool)

// table is the registry as events see it.
type table struct {
	regs       []bound
	errorHooks []errorHook
	taps       []tap
	byType     sync.Map // reflect.Type to []*bound
	commands   commandIndex
}

func (r *registry) init() {
	r.self = newOwner("")
	r.table.Store(&table{})
}

// changeLocked publishes the table after a change.
func (r *registry) changeLocked() {
	t := &table{taps: slices.Clone(r.taps), regs: make([]bound, 0, len(r.regs))}
	for _, h := range r.errorHooks {
		if !h.owner.hidden {
			t.errorHooks = append(t.errorHooks, h)
		}
	}
	for _, reg := range r.regs {
		if !reg.owner.hidden {
			t.regs = append(t.regs, r.bindLocked(reg))
		}
	}
	t.commands = r.indexLocked()
	r.table.Store(t)
}

// bindLocked wraps a handler in all middleware.
func (r *registry) bindLocked(reg *registration) bound {
	h := reg.handle
	for _, mw := range slices.Backward(reg.middleware) {
		h = mw(h)
	}
	for _, mw := range slices.Backward(reg.owner.wraps) {
		h = mw(h)
	}
	for _, mw := range slices.Backward(r.middleware) {
		h = mw(h)
	}
	return bound{registration: reg, run: h}
}

// handlers returns the registrations for events of type t, in order.
func (t *table) handlers(typ reflect.Type) []*bound {
	if l, ok := t.byType.Load(typ); ok {
		return l.([]*bound)
	}
	var l []*bound
	for i := range t.regs {
		if t.regs[i].wants(typ) {
			l = append(l, &t.regs[i])
		}
	}
	t.byType.Store(typ, l)
	return l
}

func (r *registry) add(reg *registration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addLocked(reg)
	r.changeLocked()
}

func (r *registry) addLocked(reg *registration) {
	if reg.help != "" {
		r.pickLocked()
	}
	r.seq++
	reg.seq = r.seq
	i, _ := slices.BinarySearchFunc(r.regs, reg, func(a, b *registration) int {
		if a.fallback != b.fallback {
			if a.fallback {
				return 1
			}
			return -1
		}
		if a.priority != b.priority {
			return b.priority - a.priority
		}
		return a.seq - b.seq
	})
	r.regs = slices.Insert(r.regs, i, reg)
}

func (r *registry) remove(match func(*registration) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.regs = slices.DeleteFunc(r.regs, match)
	r.commands = slices.DeleteFunc(r.commands, match)
	r.changeLocked()
}

// On registers h for every event of type E, a pointer to an event struct of
// package onebot, or an interface such as [onebot.MessageEvent] or
// [onebot.Event] for all events that implement it. It may be called at any
// time, also while the bot runs.
func On[E onebot.Event](b *Bot, h func(ctx context.Context, b *Bot, e E) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("On: the handler of %v is nil", reflect.TypeFor[E]())
	}
	return b.register(reflect.TypeFor[E](), funcName(h), func(ctx context.Context, b *Bot, e onebot.Event) error {
		return h(ctx, b, e.(E))
	}, opts)
}

func (b *Bot) register(typ reflect.Type, name string, h Handler, opts []HandlerOption) *Registration {
	reg := &registration{owner: b.owner(), name: name, label: name, typ: typ, handle: h}
	reg.configure(opts)
	if b.next != nil {
		b.next.regs = append(b.next.regs, reg)
	} else {
		b.core.registry.add(reg)
	}
	return &Registration{reg: &b.core.registry, r: reg}
}

func (r *registration) configure(opts []HandlerOption) {
	for _, o := range opts {
		if o == nil {
			misuse("an option of handler %s is nil", r.name)
		}
		o(r)
	}
}

// labelled is what help calls a handler, unless it is [Named].
func labelled(text string) HandlerOption { return func(r *registration) { r.label = text } }

// OnGroup registers h for messages in groups.
func (b *Bot) OnGroup(h func(ctx context.Context, b *Bot, m *onebot.GroupMessage) error, opts ...HandlerOption) *Registration {
	return On(b, h, opts...)
}

// OnPrivate registers h for messages in private chats.
func (b *Bot) OnPrivate(h func(ctx context.Context, b *Bot, m *onebot.PrivateMessage) error, opts ...HandlerOption) *Registration {
	return On(b, h, opts...)
}

// OnMessage registers h for messages in any chat.
func (b *Bot) OnMessage(h func(ctx context.Context, b *Bot, m onebot.MessageEvent) error, opts ...HandlerOption) *Registration {
	return On(b, h, opts...)
}

// OnText registers h for messages whose text, without surrounding white space, is
// text; see [TextIs] and [Keyword] for other filters.
func (b *Bot) OnText(text string, h func(ctx context.Context, b *Bot, m onebot.MessageEvent) error, opts ...HandlerOption) *Registration {
	return On(b, h, append([]HandlerOption{labelled(text), Where(TextIs(text))}, opts...)...)
}

// Use wraps every handler in middleware, the first outermost, around what [Wrap]
// adds to single handlers. A plugin's Use wraps the plugin's handlers only.
func (b *Bot) Use(mw ...Middleware) {
	for i, f := range mw {
		if f == nil {
			misuse("Use: middleware %d is nil", i+1)
		}
	}
	r := &b.core.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.own != nil {
		b.own.wraps = append(b.own.wraps, mw...)
	} else {
		r.middleware = append(r.middleware, mw...)
	}
	r.changeLocked()
}

// OnError registers h for the errors of handlers; a panic comes as a
// [*PanicError]. They are logged in any case. In a plugin it is for the errors of
// all handlers as well, and ends with the plugin.
func (b *Bot) OnError(h func(ctx context.Context, b *Bot, e onebot.Event, err error)) {
	if h == nil {
		misuse("OnError: the function is nil")
	}
	r := &b.core.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errorHooks = append(r.errorHooks, errorHook{b.owner(), h})
	r.changeLocked()
}

// PanicError is the panic of a handler.
type PanicError struct {
	Handler string // its name
	Value   any
	Stack   []byte
}

// Error implements error.
func (e *PanicError) Error() string {
	return fmt.Sprintf("handler %s panicked: %v", e.Handler, e.Value)
}

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// funcName returns the name of a function without its package's path.
func funcName(f any) string {
	fn := runtime.FuncForPC(reflect.ValueOf(f).Pointer())
	if fn == nil {
		return "unknown"
	}
	file, line := fn.FileLine(fn.Entry())
	if ours(file) { // one that Say made, for instance
		return "handler at " + callSite()
	}
	name := path.Base(fn.Name())
	if strings.Contains(name, ".func") { // a literal: its place says more
		return fmt.Sprintf("%s (%s:%d)", name, path.Base(file), line)
	}
	return name
}
