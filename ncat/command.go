package ncat

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/ncatd/ncatd/onebot"
)

// Command registers h for messages that begin with one of the bot's prefixes
// (see [WithPrefixes]) and name, and binds what follows to A, a struct:
//
//	type rollArgs struct {
//		Sides int    `arg:"sides" default:"6" help:"how many sides"`
//		Times int    `flag:"times,n" default:"1"`
//		Note  string `arg:"note,rest,optional"`
//	}
//	ncat.Command(b, "roll", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a rollArgs) error { … })
//
// A name of several words is a sub-command: "vote start". A message that names a
// command and is followed by sub-commands' names is answered with what there
// is. Mistakes are answered with the usage and never reach h.
//
// # Fields
//
// Every exported field needs a tag, arg:"name,options" for what is given by its
// place, flag:"name,short" for --name and -s. Fields of embedded structs count
// as the struct's own. The types are string, all integers and floats, bool,
// time.Duration ("90s", "1d12h", "00:15:30", "10分钟"), time.Time ("15:04",
// "2026-01-02", "2026-01-02 15:04" in quotes, RFC 3339), [onebot.UserID] (a
// mention or a number), [onebot.GroupID], [onebot.MessageID], whatever is an
// encoding.TextUnmarshaler, a pointer to a segment such as *onebot.ImageSegment,
// [onebot.Segment] for any segment but text, and [onebot.Message]. A slice of any
// of them but Message takes as many as there are; it must come last unless it is
// a flag, which may be given again and again.
//
// The options of arg are rest (a string or Message that takes all that follows
// as it stands, quotes and spaces included) and optional. default:"…" gives the
// value of what was not given and makes it optional. enum:"a|b|c" restricts a
// text to words. help:"…" is for the usage.
//
// Arguments are separated by white space. Quotes ("…", '…', “…”, 「…」) keep it;
// within the first two a backslash keeps the next character. "--" ends the
// flags. A command without flags takes words with dashes as they are.
//
// # Order
//
// Commands come in the place of a handler with priority 100; a message that was
// a command goes no further unless [PassOn] is given. Messages of the account
// itself are no commands. Finding a command costs the same whether there is one
// or a thousand.
//
// Command panics if A or name cannot work or if the name or an alias is taken.
func Command[A any](b *Bot, name string, h func(ctx context.Context, b *Bot, m onebot.MessageEvent, args A) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("Command %q: the handler is nil", name)
	}
	spec, err := specOf(reflect.TypeFor[A]())
	if err != nil {
		misuse("command %q: %v", name, err)
	}
	return b.addCommand(name, spec, func(ctx context.Context, b *Bot, m onebot.MessageEvent, args reflect.Value) error {
		return h(ctx, b, m, args.Interface().(A))
	}, opts)
}

// OnCommand registers h for a command without arguments; see [Command]. What
// follows the name is a mistake.
func (b *Bot) OnCommand(name string, h func(ctx context.Context, b *Bot, m onebot.MessageEvent) error, opts ...HandlerOption) *Registration {
	if h == nil {
		misuse("OnCommand %q: the handler is nil", name)
	}
	return Command(b, name, func(ctx context.Context, b *Bot, m onebot.MessageEvent, _ struct{}) error { return h(ctx, b, m) }, opts...)
}

// command is what a registration of a command has more than others.
type command struct {
	reg     *registration // that it belongs to
	path    []string
	aliases []string
	pass    bool
	builtin bool // of ncat itself: help and usage are keys of texts
	spec    *argSpec
	call    commandCall
}

// path returns the words of a command's name; none for what is no command.
func (r *registration) path() []string {
	if r.cmd == nil {
		return nil
	}
	return r.cmd.path
}

func (c *command) name() string { return strings.Join(c.path, " ") }

// commandSettings are what all commands of a bot share.
type commandSettings struct {
	prefixes atomic.Pointer[[]string] // longest first
	english  atomic.Bool
	noHelp   atomic.Bool
	noPerm   atomic.Bool
	editor   ConfigEditor // set before the bot runs
}

func (c *commandSettings) init() { c.setPrefixes([]string{"/"}) }

func (c *commandSettings) setPrefixes(p []string) {
	p = slices.Clone(p)
	sort.SliceStable(p, func(i, j int) bool { return len(p[i]) > len(p[j]) })
	c.prefixes.Store(&p)
}

// WithPrefixes sets what commands begin with; "/" without it. "" lets commands
// do without. Unlike other options it may be applied while the bot runs.
func WithPrefixes(prefixes ...string) Option {
	return func(c *core) { c.commands.setPrefixes(prefixes) }
}

// WithLanguage sets the language of what the bot says by itself (usage, help,
// refusals): "zh", which it is without it, or "en".
func WithLanguage(lang string) Option {
	return func(c *core) { c.commands.english.Store(strings.HasPrefix(lang, "en")) }
}

// WithoutHelp takes out the command help, which a bot with commands otherwise
// has, and the hints at a misspelled command.
func WithoutHelp() Option { return func(c *core) { c.commands.noHelp.Store(true) } }

// commandPriority is where commands stand among the handlers.
const commandPriority = 100

func (b *Bot) addCommand(name string, spec *argSpec, call commandCall, opts []HandlerOption) *Registration {
	reg := newCommand(b.owner(), name, spec, call, opts)
	c, r := reg.cmd, &b.core.registry
	if b.next != nil {
		b.next.commands = append(b.next.commands, reg)
		return &Registration{reg: r, r: reg}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// What is set up beside an older self may have the same commands.
	others := func(x *registration) bool {
		return !reg.owner.hidden || x.owner.id != reg.owner.id || x.owner == reg.owner
	}
	if taken := r.takenLocked(c, others); taken != nil {
		misuse("command %q: the name or an alias is taken by command %q%s", c.name(), taken.cmd.name(), ofPlugin(taken.owner))
	}
	r.pickLocked()
	r.commands = append(r.commands, reg)
	r.changeLocked()
	return &Registration{reg: r, r: reg}
}

// commandCall is a command's handler, whose arguments are in a struct.
type commandCall func(ctx context.Context, b *Bot, m onebot.MessageEvent, args reflect.Value) error

func newCommand(o *owner, name string, spec *argSpec, call commandCall, opts []HandlerOption) *registration {
	c := &command{path: strings.Fields(name), spec: spec, call: call}
	if len(c.path) == 0 {
		misuse("a command needs a name")
	}
	reg := &registration{owner: o, name: "command " + c.name(), typ: reflect.TypeFor[onebot.MessageEvent](), cmd: c, priority: commandPriority}
	reg.handle = func(ctx context.Context, b *Bot, e onebot.Event) error {
		return c.run(ctx, b, reg, e.(onebot.MessageEvent))
	}
	c.reg = reg
	reg.configure(opts)
	return reg
}

// pickLocked makes sure that there is a registration that looks for commands.
func (r *registry) pickLocked() {
	if !slices.ContainsFunc(r.regs, func(x *registration) bool { return x.pick }) {
		r.addLocked(&registration{owner: r.self, name: "commands", typ: reflect.TypeFor[onebot.MessageEvent](), pick: true, priority: commandPriority})
	}
}

func ofPlugin(o *owner) string {
	if o.id == "" {
		return ""
	}
	return " of plugin " + o.id
}

// names returns every path that leads to c.
func (c *command) names() [][]string {
	all := [][]string{c.path}
	for _, a := range c.aliases {
		all = append(all, append(slices.Clone(c.path[:len(c.path)-1]), strings.Fields(a)...))
	}
	return all
}

// takenLocked returns the command, of those that count, that has a name of c
// already.
func (r *registry) takenLocked(c *command, counts func(*registration) bool) *registration {
	list := r.commands
	if counts != nil {
		list = slices.DeleteFunc(slices.Clone(list), func(x *registration) bool { return !counts(x) })
	}
	return takenOf(list, c)
}

func takenOf(list []*registration, c *command) *registration {
	for _, x := range list {
		for _, n := range x.cmd.names() {
			if slices.ContainsFunc(c.names(), func(m []string) bool { return slices.EqualFunc(n, m, strings.EqualFold) }) {
				return x
			}
		}
	}
	return nil
}

// run does what stands between a message and a command's handler.
func (c *command) run(ctx context.Context, b *Bot, reg *registration, m onebot.MessageEvent) error {
	at, ok := b.core.registry.table.Load().commands.locate(b, m.Msg())
	if !ok || at.node.reg() != reg {
		return nil // the prefixes or the commands changed just now
	}
	say := func(text string) error {
		return b.Reply(ctx, m, text)
	}
	if !b.core.perms.may(m, reg) {
		return say(b.text("denied"))
	}
	args, mistake := c.spec.bind(b, m.Msg(), at.args)
	if mistake != nil {
		return say(mistake.text(b) + "\n" + c.usage(b))
	}
	if wait, tell := reg.limit.take(m.Msg().SelfID, m.Msg().UserID); wait > 0 {
		if !tell {
			return nil
		}
		return say(fmt.Sprintf(b.text("cooldown"), duration(b, wait)))
	}
	return c.call(ctx, b, m, args)
}
