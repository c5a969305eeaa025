package ncat

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/ncatd/ncatd/onebot"
)

// WithoutPermissionCommands takes out the command perm (in Chinese 权限), by which
// the bot's admins see and change [Permissions] in the chat:
//
//	/perm list                     what is granted and denied here
//	/perm roles                    the roles that commands ask for
//	/perm grant editor @user       a role, in this group
//	/perm grant /ban @user         the use of a command, whatever role it asks for
//	/perm revoke editor @user
//	/perm deny /roll               a command, to everybody in this group
//	/perm deny plugin:points -e    a plugin, everywhere
//	/perm allow /roll
//
// To all others it is as good as absent. A command of the same name that the bot
// or a plugin registers takes its place without being asked to.
func WithoutPermissionCommands() Option {
	return func(c *core) {
		c.commands.noPerm.Store(true)
		c.registry.setBuiltins(false, nil)
	}
}

// setBuiltins puts the built-in commands in or takes them out.
func (r *registry) setBuiltins(on bool, editor ConfigEditor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case on == (r.builtins != nil):
		return
	case on:
		r.builtins = permissionCommands(r.self)
		if editor != nil {
			r.builtins = append(r.builtins, configCommands(r.self)...)
		}
		r.pickLocked()
	default:
		r.builtins = nil
		if len(r.commands) == 0 {
			r.regs = slices.DeleteFunc(r.regs, func(x *registration) bool { return x.pick })
		}
	}
	r.changeLocked()
}

// permGrant are the arguments of perm grant and perm revoke.
type permGrant struct {
	What string `arg:"what" help:"perm.arg.grant"`
	permScope
}

// permDeny are the arguments of perm deny and perm allow.
type permDeny struct {
	What string `arg:"what" help:"perm.arg.deny"`
	permScope
}

type permScope struct {
	User       onebot.UserID  `arg:"user,optional" help:"perm.arg.user"`
	All        bool           `flag:"all,a" help:"perm.flag.all"`
	Group      onebot.GroupID `flag:"group,g" help:"perm.flag.group"`
	Everywhere bool           `flag:"everywhere,e" help:"perm.flag.all2"`
}

// permList are the arguments of perm list.
type permList struct {
	permScope
	Page int `flag:"page,p" default:"1" help:"perm.flag.page"`
}

func permissionCommands(o *owner) []*registration {
	return []*registration{
		builtin(o, "perm list", "查看", permissionList),
		builtin(o, "perm roles", "角色", permissionRoles),
		builtin(o, "perm grant", "授予", func(ctx context.Context, b *Bot, m onebot.MessageEvent, a permGrant) error {
			return permissionChange(ctx, b, m, "grant", "grant", true, a.What, a.permScope)
		}),
		builtin(o, "perm revoke", "收回", func(ctx context.Context, b *Bot, m onebot.MessageEvent, a permGrant) error {
			return permissionChange(ctx, b, m, "revoke", "grant", false, a.What, a.permScope)
		}),
		builtin(o, "perm deny", "禁用", func(ctx context.Context, b *Bot, m onebot.MessageEvent, a permDeny) error {
			return permissionChange(ctx, b, m, "deny", "deny", true, a.What, a.permScope)
		}),
		builtin(o, "perm allow", "解禁", func(ctx context.Context, b *Bot, m onebot.MessageEvent, a permDeny) error {
			return permissionChange(ctx, b, m, "allow", "deny", false, a.What, a.permScope)
		}),
	}
}

// builtin returns a command of ncat itself, for admins. Its help is the text of its
// name with dots.
func builtin[A any](o *owner, name, chinese string, h func(ctx context.Context, b *Bot, m onebot.MessageEvent, a A) error) *registration {
	spec, err := specOf(reflect.TypeFor[A]())
	if err != nil {
		panic(fmt.Sprintf("ncat: command %s: %v", name, err))
	}
	reg := newCommand(o, name, spec, func(ctx context.Context, b *Bot, m onebot.MessageEvent, args reflect.Value) error {
		return h(ctx, b, m, args.Interface().(A))
	}, []HandlerOption{Need(RoleAdmin), Help(strings.ReplaceAll(name, " ", "."))})
	if chinese != "" {
		reg.configure([]HandlerOption{Alias(chinese)})
	}
	reg.cmd.builtin = true
	return reg
}

// scope returns what the arguments mean in the chat of m. In a group they mean
// that group, in private everywhere, unless they say otherwise.
func (a permScope) scope(m onebot.MessageEvent) Scope {
	s := Scope{Group: a.Group, User: a.User}
	if s.Group == 0 && !a.Everywhere {
		if c := ChatOf(m); c.IsGroup() {
			s.Group = c.Group
		}
	}
	return s
}

// permissionChange carries out a change of one rule and says what came of it.
func permissionChange(ctx context.Context, b *Bot, m onebot.MessageEvent, verb, kind string, on bool, what string, a permScope) error {
	say := func(format string, args ...any) error {
		return b.Reply(ctx, m, fmt.Sprintf(format, args...))
	}
	target, mistake := b.permissionTarget(what, kind)
	if mistake != "" && on {
		return say("%s", mistake)
	}
	if kind == "grant" && a.User == 0 && !a.All { // nobody grants something to all by leaving a word out
		return say("%s", b.text("perm.who"))
	}
	if a.All {
		a.User = 0
	}
	r := Rule{kind, target, a.scope(m)}
	text := b.ruleText(r)
	p := &b.core.perms
	if has, err := p.has(ctx, r); err != nil {
		return err
	} else if has == on {
		if on {
			return say(b.text("perm.isset"), text)
		}
		return say(b.text("perm.notset"), text)
	}
	if err := p.set(ctx, r, on); err != nil {
		return err
	}
	b.Logger().Info("permission changed", "by", int64(m.Msg().UserID), "change", verb, "target", target,
		"group_id", int64(r.Group), "user_id", int64(r.User))
	if on && kind == "grant" && !strings.Contains(target, " ") && b.rolesAsked()[target] == nil {
		text += b.text("perm.unasked")
	}
	return say(b.text("perm.done."+verb), text)
}

// permissionTarget returns the target that an admin's word means. mistake says
// why it means none; the target can be taken back all the same.
func (b *Bot) permissionTarget(what, kind string) (target, mistake string) {
	ix := &b.core.registry.table.Load().commands
	name, isCommand := cutAny(what, "command:", "命令:", "命令：")
	if !isCommand {
		for _, p := range *b.core.commands.prefixes.Load() {
			if p != "" && !isCommand {
				name, isCommand = strings.CutPrefix(what, p)
			}
		}
	}
	if isCommand {
		full, ok := ix.fullName(name)
		if !ok {
			return commandTarget(name), fmt.Sprintf(b.text("perm.nocommand"), short(name))
		}
		return commandTarget(full), ""
	}
	isPlugin := func(id string) bool {
		return slices.ContainsFunc(b.Plugins(), func(p PluginStatus) bool { return p.ID == id })
	}
	if id, ok := cutAny(what, "plugin:", "插件:", "插件："); ok {
		if !isPlugin(id) {
			mistake = fmt.Sprintf(b.text("perm.noplugin"), short(id))
		}
		return pluginTarget(id), mistake
	}
	if kind == "grant" {
		role, _ := cutAny(what, "role:", "角色:", "角色：")
		switch {
		case fixedRole(role):
			mistake = fmt.Sprintf(b.text("perm.fixed"), role)
		case role == "" || strings.ContainsFunc(role, unicode.IsSpace):
			mistake = b.text("perm.badrole")
		}
		return role, mistake
	}
	if full, ok := ix.fullName(what); ok {
		return commandTarget(full), ""
	}
	if isPlugin(what) {
		return pluginTarget(what), ""
	}
	return commandTarget(what), fmt.Sprintf(b.text("perm.neither"), short(what))
}

// fullName returns the name, without aliases, of the command or group of
// sub-commands that words lead to.
func (ix *commandIndex) fullName(words string) (string, bool) {
	n := ix.root
	var path []string
	for _, w := range strings.Fields(words) {
		if n = n.next(w); n == nil {
			return "", false
		}
		path = append(path, n.word)
	}
	if len(path) == 0 {
		return "", false
	}
	if n.cmd != nil {
		return n.cmd.cmd.name(), true
	}
	return strings.Join(path, " "), true
}

// rolesAsked returns the commands that ask for each role.
func (b *Bot) rolesAsked() map[string][]string {
	roles := map[string][]string{}
	var walk func(n *commandNode)
	walk = func(n *commandNode) {
		if n.cmd != nil && !n.cmd.cmd.builtin {
			for _, role := range n.cmd.needs {
				roles[role] = append(roles[role], b.prefix()+n.cmd.cmd.name())
			}
		}
		for _, c := range n.order {
			walk(c)
		}
	}
	if root := b.core.registry.table.Load().commands.root; root != nil {
		walk(root)
	}
	return roles
}

func permissionRoles(ctx context.Context, b *Bot, m onebot.MessageEvent, _ struct{}) error {
	roles := b.rolesAsked()
	lines := make([]string, 0, len(roles))
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		lines = append(lines, role+": "+strings.Join(roles[role], " "))
	}
	if len(lines) == 0 {
		lines = append(lines, b.text("perm.noroles"))
	}
	return b.Reply(ctx, m, strings.Join(lines, "\n"))
}

// rulesPage is how many rules one page has.
const rulesPage = 15

func permissionList(ctx context.Context, b *Bot, m onebot.MessageEvent, a permList) error {
	if err := b.core.perms.load(ctx); err != nil {
		return err
	}
	scope := a.scope(m)
	var lines []string
	for _, r := range b.Permissions().Rules() {
		if (scope.Group == 0 || r.Group == 0 || r.Group == scope.Group) && (a.User == 0 || r.User == 0 || r.User == a.User) {
			lines = append(lines, b.text("perm.kind."+r.Kind)+": "+b.ruleText(r))
		}
	}
	pages := max((len(lines)+rulesPage-1)/rulesPage, 1)
	page := min(max(a.Page, 1), pages)
	shown := lines[min((page-1)*rulesPage, len(lines)):min(page*rulesPage, len(lines))]
	if len(shown) == 0 {
		shown = []string{b.text("perm.nothing")}
	}
	if pages > 1 {
		shown = append(slices.Clone(shown), fmt.Sprintf(b.text("perm.page"), page, pages))
	}
	return b.Reply(ctx, m, strings.Join(shown, "\n"))
}

// ruleText returns what a rule is about.
func (b *Bot) ruleText(r Rule) string {
	what := fmt.Sprintf(b.text("perm.role"), r.Target)
	if name, ok := strings.CutPrefix(r.Target, "command "); ok {
		what = fmt.Sprintf(b.text("perm.command"), b.prefix()+name)
	} else if id, ok := strings.CutPrefix(r.Target, "plugin "); ok {
		what = fmt.Sprintf(b.text("perm.plugin"), id)
	}
	who, where := b.text("perm.everybody"), b.text("perm.everywhere")
	if r.User != 0 {
		who = fmt.Sprintf(b.text("perm.user"), r.User)
	}
	if r.Group != 0 {
		where = fmt.Sprintf(b.text("perm.group"), r.Group)
	}
	return fmt.Sprintf(b.text("perm.to"), what, who, where)
}

// has reports whether a rule is set.
func (p *permissions) has(ctx context.Context, r Rule) (bool, error) {
	if err := p.load(ctx); err != nil {
		return false, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.rules[r], nil
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
