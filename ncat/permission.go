package ncat

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/ncatd/ncatd/onebot"
)

// The roles that need no grant.
const (
	// RoleAdmin is the role of the bot's admins; see [WithAdmins].
	RoleAdmin = "bot.admin"
	// RoleGroupAdmin is the role of a group's administrators and its owner, there.
	RoleGroupAdmin = "group.admin"
	// RoleGroupOwner is the role of a group's owner, there.
	RoleGroupOwner = "group.owner"
)

// WithAdmins sets the bot's admins, who may use every command. A bot
// that has admins also has the command perm for them, see
// [WithoutPermissionCommands]. Unlike other options it may be applied while the
// bot runs.
func WithAdmins(ids ...onebot.UserID) Option {
	return func(c *core) {
		m := make(map[onebot.UserID]bool, len(ids))
		for _, id := range ids {
			m[id] = true
		}
		c.perms.admins.Store(&m)
		c.registry.setBuiltins(len(m) > 0 && !c.commands.noPerm.Load(), c.commands.editor)
	}
}

// IsAdmin reports whether the user is one of the bot's admins.
func (b *Bot) IsAdmin(id onebot.UserID) bool { return b.core.perms.isAdmin(id) }

// Permissions returns the grants and denials.
func (b *Bot) Permissions() *Permissions { return &Permissions{p: &b.core.perms} }

// Scope says where a grant or denial applies: to User, 0 for everybody, in
// Group, 0 for everywhere.
type Scope struct {
	Group onebot.GroupID `json:"group,omitempty"`
	User  onebot.UserID  `json:"user,omitempty"`
}

// Rule is one grant or denial.
type Rule struct {
	Kind string `json:"kind"` // "grant" or "deny"
	// Target is a role's name, "command " and a command's, or "plugin " and a
	// plugin's id.
	Target string `json:"target"`
	Scope
}

// Permissions holds grants of roles, which [Need] asks for, grants of commands
// and plugins, which do without the roles, and denials of commands and plugins,
// which count for more than grants. They are on disk when a method that changes
// them returns, if the bot has a store on disk, and hold from then on. Admins
// change them in the chat by the command perm. It is safe for concurrent use.
type Permissions struct{ p *permissions }

func commandTarget(name string) string { return "command " + strings.Join(strings.Fields(name), " ") }

func pluginTarget(id string) string { return "plugin " + id }

// Grant gives a role to the users of a scope.
func (p *Permissions) Grant(ctx context.Context, role string, to Scope) error {
	if fixedRole(role) {
		return fmt.Errorf("role %s is not granted", role)
	}
	if role == "" || strings.ContainsFunc(role, unicode.IsSpace) {
		return fmt.Errorf("%q is no name for a role", role)
	}
	return p.p.set(ctx, Rule{"grant", role, to}, true)
}

// Revoke takes a grant back.
func (p *Permissions) Revoke(ctx context.Context, role string, from Scope) error {
	return p.p.set(ctx, Rule{"grant", role, from}, false)
}

func fixedRole(role string) bool {
	return role == RoleAdmin || role == RoleGroupAdmin || role == RoleGroupOwner
}

// GrantCommand lets the users of a scope use a command and its sub-commands
// whatever roles they ask for.
func (p *Permissions) GrantCommand(ctx context.Context, name string, to Scope) error {
	return p.p.set(ctx, Rule{"grant", commandTarget(name), to}, true)
}

// RevokeCommand takes a grant back.
func (p *Permissions) RevokeCommand(ctx context.Context, name string, from Scope) error {
	return p.p.set(ctx, Rule{"grant", commandTarget(name), from}, false)
}

// GrantPlugin lets the users of a scope use all commands of a plugin whatever
// roles they ask for.
func (p *Permissions) GrantPlugin(ctx context.Context, id string, to Scope) error {
	return p.p.set(ctx, Rule{"grant", pluginTarget(id), to}, true)
}

// RevokePlugin takes a grant back.
func (p *Permissions) RevokePlugin(ctx context.Context, id string, from Scope) error {
	return p.p.set(ctx, Rule{"grant", pluginTarget(id), from}, false)
}

// DenyCommand makes a command as good as absent for the users of a scope, admins
// of the bot excepted. A denied command denies its sub-commands.
func (p *Permissions) DenyCommand(ctx context.Context, name string, to Scope) error {
	return p.p.set(ctx, Rule{"deny", commandTarget(name), to}, true)
}

// AllowCommand takes a denial back.
func (p *Permissions) AllowCommand(ctx context.Context, name string, to Scope) error {
	return p.p.set(ctx, Rule{"deny", commandTarget(name), to}, false)
}

// DenyPlugin keeps a plugin from what happens where the scope says, also from
// what admins of the bot do there.
func (p *Permissions) DenyPlugin(ctx context.Context, id string, to Scope) error {
	return p.p.set(ctx, Rule{"deny", pluginTarget(id), to}, true)
}

// AllowPlugin takes a denial back.
func (p *Permissions) AllowPlugin(ctx context.Context, id string, to Scope) error {
	return p.p.set(ctx, Rule{"deny", pluginTarget(id), to}, false)
}

// Has reports whether the user has a role by a grant, in a group or, with group
// 0, everywhere. The bot's admins have every role.
func (p *Permissions) Has(role string, group onebot.GroupID, user onebot.UserID) bool {
	return p.p.isAdmin(user) || p.p.matches("grant", role, group, user)
}

// Rules returns all grants and denials, sorted.
func (p *Permissions) Rules() []Rule {
	p.p.mu.RLock()
	rules := slices.Collect(maps.Keys(p.p.rules))
	p.p.mu.RUnlock()
	sort.Slice(rules, func(i, j int) bool { return rules[i].key() < rules[j].key() })
	return rules
}

func (r Rule) key() string { return fmt.Sprintf("%s|%s|%d|%d", r.Kind, r.Target, r.Group, r.User) }

// permissions are the rules in memory; the store has the same.
type permissions struct {
	core   *core
	admins atomic.Pointer[map[onebot.UserID]bool]
	denies atomic.Int64 // how many rules deny something

	changing sync.Mutex   // orders the changes of store and memory
	mu       sync.RWMutex // guards the fields below
	rules    map[Rule]bool
	loaded   bool

	unread  atomic.Bool // the store has rules that could not be read
	loading sync.WaitGroup
}

func (p *permissions) isAdmin(id onebot.UserID) bool {
	m := p.admins.Load()
	return m != nil && id != 0 && (*m)[id]
}

// permissionSpace is the owner of the rules in the store.
const permissionSpace = "ncat.permissions"

// load reads the rules from the store, once.
func (p *permissions) load(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	return p.loadLocked(ctx)
}

// loadAgain is how long after a failure the rules are read again.
const loadAgain = 2 * time.Second

// keepLoading reads the rules, and goes on trying until ctx ends if they cannot be
// read.
func (p *permissions) keepLoading(ctx context.Context) {
	err := p.load(ctx)
	if err == nil {
		return
	}
	p.unread.Store(true)
	p.core.log.Error("permissions cannot be read; only admins may do what needs one", "error", err)
	p.core.tell(PartPermissions, err)
	p.loading.Go(func() {
		t := time.NewTicker(loadAgain)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			if p.load(ctx) == nil {
				p.core.log.Info("permissions can be read again")
				p.core.tell(PartPermissions, nil)
				return
			}
		}
	})
}

func (p *permissions) loadLocked(ctx context.Context) error {
	p.mu.RLock()
	loaded := p.loaded
	p.mu.RUnlock()
	if loaded {
		return nil
	}
	return p.readLocked(ctx)
}

// refresh reads the rules anew, which another process has changed.
func (p *permissions) refresh(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	return p.readLocked(ctx)
}

func (p *permissions) readLocked(ctx context.Context) error {
	entries, err := Scan[Rule](ctx, p.core.stores.space(permissionSpace), "")
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	rules, denies := make(map[Rule]bool, len(entries)), int64(0)
	for _, e := range entries {
		rules[e.Value] = true
		if e.Value.Kind == "deny" {
			denies++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded, p.rules = true, rules
	p.denies.Store(denies)
	p.unread.Store(false)
	return nil
}

func (p *permissions) putLocked(r Rule, on bool) {
	if p.rules[r] == on {
		return
	}
	n := int64(1)
	if on {
		p.rules[r] = true
	} else {
		delete(p.rules, r)
		n = -1
	}
	if r.Kind == "deny" {
		p.denies.Add(n)
	}
}

func (p *permissions) set(ctx context.Context, r Rule, on bool) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	if err := p.loadLocked(ctx); err != nil {
		return err
	}
	store := p.core.stores.space(permissionSpace)
	var err error
	if on {
		err = Put(ctx, store, r.key(), r)
	} else {
		err = Delete(ctx, store, r.key())
	}
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.putLocked(r, on)
	return nil
}

// matches reports whether a rule for target covers the user in the group.
func (p *permissions) matches(kind, target string, group onebot.GroupID, user onebot.UserID) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.rules) == 0 {
		return false
	}
	for _, s := range [...]Scope{{}, {Group: group}, {User: user}, {Group: group, User: user}} {
		if p.rules[Rule{kind, target, s}] {
			return true
		}
	}
	return false
}

// may reports whether the user of e has what a handler needs.
func (p *permissions) may(e onebot.Event, reg *registration) bool {
	if len(reg.needs) == 0 {
		return true
	}
	group, user, role := ChatOf(e).Group, UserOf(e), onebot.Role("")
	if m, ok := e.(onebot.MessageEvent); ok {
		role = m.Msg().Sender.Role
	}
	if p.isAdmin(user) {
		return true
	}
	if p.unread.Load() { // what was denied is not known
		return false
	}
	for _, need := range reg.needs {
		switch need {
		case RoleAdmin:
		case RoleGroupAdmin:
			if role == onebot.RoleAdmin || role == onebot.RoleOwner {
				return true
			}
		case RoleGroupOwner:
			if role == onebot.RoleOwner {
				return true
			}
		default:
			if p.matches("grant", need, group, user) {
				return true
			}
		}
	}
	return p.names("grant", reg, group, user)
}

// names reports whether a rule names a command, one that it is a sub-command of,
// or its plugin.
func (p *permissions) names(kind string, reg *registration, group onebot.GroupID, user onebot.UserID) bool {
	for i := range reg.path() {
		if p.matches(kind, "command "+strings.Join(reg.cmd.path[:i+1], " "), group, user) {
			return true
		}
	}
	return reg.owner.id != "" && p.matches(kind, pluginTarget(reg.owner.id), group, user)
}

// denied reports whether a command is denied to the sender of m.
func (p *permissions) denied(m onebot.MessageEvent, reg *registration) bool {
	if p.denies.Load() == 0 {
		return false
	}
	group, user := ChatOf(m).Group, m.Msg().UserID
	if p.isAdmin(user) { // but a plugin that is denied in a group is so for all
		return reg.owner.id != "" && p.matches("deny", pluginTarget(reg.owner.id), group, user)
	}
	return p.names("deny", reg, group, user)
}

func (p *permissions) deniesPlugin(e onebot.Event, id string) bool {
	return p.denies.Load() != 0 && p.matches("deny", pluginTarget(id), ChatOf(e).Group, UserOf(e))
}
