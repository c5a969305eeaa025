package ncat

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// texts are what the bot says by itself, in Chinese and English.
var texts = map[string][2]string{
	"denied":           {"没有权限使用此命令", "you may not use this command"},
	"cooldown":         {"太快了，请 %s 后再试", "too fast, try again in %s"},
	"missing":          {"缺少参数 %s", "argument %s is missing"},
	"wrong":            {"参数 %s 应为 %s，收到“%s”", "argument %s: expected %s, got %q"},
	"toomany":          {"多余的参数“%s”", "unexpected argument %q"},
	"openquote":        {"引号没有闭合：%s", "a quote is not closed: %s"},
	"unknownflag":      {"未知选项 %s", "unknown flag %s"},
	"twice":            {"选项 %s 重复", "flag %s is given twice"},
	"novalue":          {"选项 --%s 缺少值", "flag --%s needs a value"},
	"usage":            {"用法", "usage"},
	"aliases":          {"别名", "aliases"},
	"commands":         {"命令", "commands"},
	"default":          {"默认 %s", "default %s"},
	"unknown":          {"没有命令 %s", "no command %s"},
	"meant":            {"是不是想输入：%s", "did you mean: %s"},
	"page":             {"第 %d/%d 页，%shelp 页码 翻页，%shelp 命令 查看用法", "page %d/%d; %shelp PAGE turns, %shelp COMMAND explains"},
	"more":             {"%shelp 命令 查看用法", "%shelp COMMAND explains"},
	"nothing":          {"没有可用的命令", "there are no commands for you"},
	"seconds":          {"%d 秒", "%d s"},
	"kind.any":         {"任意内容", "anything"},
	"kind.text":        {"文本", "text"},
	"kind.int":         {"整数", "a whole number"},
	"kind.float":       {"数字", "a number"},
	"kind.bool":        {"是/否", "yes or no"},
	"kind.duration":    {"时长（如 2h30m、10分钟）", "a duration such as 2h30m"},
	"kind.time":        {"时间（如 08:30、2026-01-02）", "a time such as 08:30 or 2026-01-02"},
	"kind.user":        {"@用户 或 QQ 号", "@user or a QQ number"},
	"kind.group":       {"群号", "a group's number"},
	"kind.segment":     {"消息段", "a message segment"},
	"kind.image":       {"图片", "a picture"},
	"kind.record":      {"语音", "a voice message"},
	"kind.video":       {"视频", "a video"},
	"kind.file":        {"文件", "a file"},
	"kind.face":        {"表情", "a face"},
	"kind.at":          {"@某人", "a mention"},
	"cfg":              {"查看和修改插件的设置", "show and change what is configured of plugins"},
	"cfg.arg.plugin":   {"插件", "the plugin"},
	"cfg.arg.key":      {"键", "the key"},
	"cfg.arg.value":    {"新的值", "the new value"},
	"cfg.set":          {"已设置：%s = %s", "set: %s = %s"},
	"cfg.none":         {"没有插件", "there are no plugins"},
	"switch.enable":    {"在本群启用插件", "switch a plugin on in this group"},
	"switch.disable":   {"在本群停用插件", "switch a plugin off in this group"},
	"switch.on":        {"%s：本群已启用", "%s: on in this group"},
	"switch.off":       {"%s：本群已停用", "%s: off in this group"},
	"perm.list":        {"查看授权与禁用", "show what is granted and denied"},
	"perm.roles":       {"查看命令要求的角色", "show the roles that commands ask for"},
	"perm.grant":       {"授予角色、命令或插件的使用权", "grant a role, or the use of a command or plugin"},
	"perm.revoke":      {"收回授予的权限", "take a grant back"},
	"perm.deny":        {"禁用命令或插件", "deny a command or plugin"},
	"perm.allow":       {"解除禁用", "take a denial back"},
	"perm.arg.grant":   {"角色名，或 command:命令、plugin:插件", "a role, or command:NAME, or plugin:ID"},
	"perm.arg.deny":    {"命令名，或 plugin:插件", "a command, or plugin:ID"},
	"perm.arg.user":    {"对哪个用户", "whom"},
	"perm.flag.all":    {"对所有人", "everybody"},
	"perm.flag.group":  {"在哪个群，默认为当前群", "in which group; without it, in this one"},
	"perm.flag.all2":   {"在所有群和私聊，私聊中默认如此", "everywhere, as in private chats without it"},
	"perm.flag.page":   {"页码", "which page"},
	"perm.who":         {"请指定用户，或用 --all 表示所有人", "say whom, or --all for everybody"},
	"perm.nothing":     {"没有任何授权或禁用", "nothing is granted or denied"},
	"perm.noroles":     {"没有命令要求角色", "no command asks for a role"},
	"perm.unasked":     {"（没有命令要求此角色）", " (no command asks for this role)"},
	"perm.nocommand":   {"没有命令 %s", "no command %s"},
	"perm.noplugin":    {"没有插件 %s", "no plugin %s"},
	"perm.neither":     {"没有名为 %s 的命令或插件", "no command or plugin is called %s"},
	"perm.fixed":       {"角色 %s 由配置或群身份决定，不能授予", "role %s comes from the config or the group and is not granted"},
	"perm.badrole":     {"角色名不能含空白", "a role's name has no white space"},
	"perm.isset":       {"已经如此：%s", "it is so already: %s"},
	"perm.notset":      {"本来就没有：%s", "there was no such thing: %s"},
	"perm.done.grant":  {"已授予：%s", "granted: %s"},
	"perm.done.revoke": {"已收回：%s", "revoked: %s"},
	"perm.done.deny":   {"已禁用：%s", "denied: %s"},
	"perm.done.allow":  {"已解除禁用：%s", "allowed again: %s"},
	"perm.kind.grant":  {"授予", "grant"},
	"perm.kind.deny":   {"禁用", "deny"},
	"perm.role":        {"角色 %s", "role %s"},
	"perm.command":     {"命令 %s", "command %s"},
	"perm.plugin":      {"插件 %s", "plugin %s"},
	"perm.to":          {"%s，%s，%s", "%s, %s, %s"},
	"perm.user":        {"用户 %d", "user %d"},
	"perm.everybody":   {"所有人", "everybody"},
	"perm.group":       {"群 %d", "group %d"},
	"perm.everywhere":  {"所有会话", "everywhere"},
	"perm.page":        {"第 %d/%d 页，--page 翻页", "page %d/%d; --page turns"},
	"ask.default":      {"（回复 - 则为“%s”）", "(- for %q)"},
	"ask.retry":        {"请回复序号或选项", "answer with a number or one of the words"},
	"ask.yesno":        {"请回复 是 或 否", "answer yes or no"},
}

// text returns one of the texts in the bot's language.
func (b *Bot) text(key string) string {
	if b.core.commands.english.Load() {
		return texts[key][1]
	}
	return texts[key][0]
}

func duration(b *Bot, d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Second {
		d = time.Second
	}
	if d < time.Minute {
		return fmt.Sprintf(b.text("seconds"), int(d/time.Second))
	}
	return d.String()
}

func (b *Bot) prefix() string {
	p := *b.core.commands.prefixes.Load()
	if len(p) == 0 {
		return ""
	}
	return p[len(p)-1]
}

// signature returns how a command is written.
func (c *command) signature(b *Bot) string {
	var s strings.Builder
	s.WriteString(b.prefix() + c.name())
	for _, f := range c.spec.args {
		name := f.name
		if len(f.enum) > 0 {
			name = strings.Join(f.enum, "|")
		}
		if f.repeated || f.rest {
			name += "…"
		}
		if f.optional {
			s.WriteString(" [" + name + "]")
		} else {
			s.WriteString(" <" + name + ">")
		}
	}
	for _, f := range c.spec.flags {
		s.WriteString(" [" + f.flagName() + "]")
	}
	return s.String()
}

func (f *argField) flagName() string {
	s := "--" + f.name
	if f.short != "" {
		s = "-" + f.short + "/" + s
	}
	if f.kind != "bool" {
		v := f.name
		if len(f.enum) > 0 {
			v = strings.Join(f.enum, "|")
		}
		s += " <" + v + ">"
	}
	return s
}

// usage returns how a command is used.
func (c *command) usage(b *Bot) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s", b.text("usage"), c.signature(b))
	if c.reg.help != "" {
		s.WriteString("\n" + c.say(b, c.reg.help))
	}
	line := func(name string, f *argField) {
		if f.help == "" && f.def == nil {
			return
		}
		fmt.Fprintf(&s, "\n  %s", name)
		if f.help != "" {
			s.WriteString(" – " + c.say(b, f.help))
		}
		if f.def != nil {
			fmt.Fprintf(&s, " ("+b.text("default")+")", *f.def)
		}
	}
	for _, f := range c.spec.args {
		line(f.name, f)
	}
	for _, f := range c.spec.flags {
		line("--"+f.name, f)
	}
	if len(c.aliases) > 0 {
		fmt.Fprintf(&s, "\n%s: %s", b.text("aliases"), strings.Join(c.aliases, ", "))
	}
	return s.String()
}

// say returns a text of c's author in the bot's language: what is built in gives
// keys.
func (c *command) say(b *Bot, text string) string {
	if c.builtin {
		return b.text(text)
	}
	return text
}

// visible reports whether help shows a node to the sender of m: it or something
// under it may be used.
func (n *commandNode) visible(b *Bot, m onebot.MessageEvent) bool {
	if n.cmd != nil && n.usable(b, m) {
		return true
	}
	for _, c := range n.order {
		if c.visible(b, m) {
			return true
		}
	}
	return false
}

func (n *commandNode) usable(b *Bot, m onebot.MessageEvent) bool {
	return !n.cmd.hidden && !n.cmd.owner.ended() && !b.core.perms.denied(m, n.cmd.registration) && b.core.perms.may(m, n.cmd.registration)
}

// list returns the commands at and under n that the sender of m may use.
func (n *commandNode) list(b *Bot, m onebot.MessageEvent) []*command {
	var out []*command
	if n.cmd != nil && n.usable(b, m) {
		out = append(out, n.cmd.cmd)
	}
	for _, c := range n.order {
		out = append(out, c.list(b, m)...)
	}
	return out
}

// others returns the lines of the handlers that are no commands and say what they
// are for, as far as the sender of m may use them.
func (ix *commandIndex) others(b *Bot, m onebot.MessageEvent) []string {
	var out []string
	for _, r := range ix.plain {
		if !r.hidden && !r.owner.ended() && b.core.perms.may(m, r) && (r.owner.id == "" || !b.core.perms.deniesPlugin(m, r.owner.id)) {
			out = append(out, r.label+" – "+r.help)
		}
	}
	return out
}

// helpPage is how many commands one page of help has.
const helpPage = 10

// answerHelp answers help, half a command and a misspelled one.
func answerHelp(ctx context.Context, b *Bot, e onebot.Event) error {
	m := e.(onebot.MessageEvent)
	ix := &b.core.registry.table.Load().commands
	at, ok := ix.locate(b, m.Msg())
	if !ok {
		return nil
	}
	return b.Reply(ctx, m, ix.answer(b, m, at))
}

func (ix *commandIndex) answer(b *Bot, m onebot.MessageEvent, at place) string {
	if at.node == ix.root && isHelp(at.unknown) {
		n, page := ix.root, 1
		for first := true; ; first = false {
			tok, ok := at.args.next()
			if !ok {
				break
			}
			if p, err := strconv.Atoi(tok.text); err == nil && p > 0 {
				page = p
				break
			}
			word := tok.text
			if first {
				word = strings.TrimPrefix(word, at.prefix)
			}
			c := n.next(word)
			if c == nil || !c.visible(b, m) {
				return ix.miss(b, m, place{node: n, unknown: word})
			}
			n = c
		}
		if n.cmd != nil && n.usable(b, m) && len(n.order) == 0 {
			return n.cmd.cmd.usage(b)
		}
		return ix.list(b, m, n, page)
	}
	if at.unknown != "" {
		return ix.miss(b, m, at)
	}
	return ix.list(b, m, at.node, 1)
}

// miss answers a word that leads nowhere.
func (ix *commandIndex) miss(b *Bot, m onebot.MessageEvent, at place) string {
	s := fmt.Sprintf(b.text("unknown"), short(at.unknown))
	if near := ix.near(b, m, at); len(near) > 0 {
		for i, w := range near {
			if at.node == ix.root {
				near[i] = b.prefix() + w
			}
		}
		return s + "\n" + fmt.Sprintf(b.text("meant"), strings.Join(near, ", "))
	}
	if at.node != ix.root {
		return s + "\n" + ix.list(b, m, at.node, 1)
	}
	return s
}

// list lists commands and, at the root, the other handlers.
func (ix *commandIndex) list(b *Bot, m onebot.MessageEvent, n *commandNode, page int) string {
	var all []string
	for _, c := range n.list(b, m) {
		line := c.signature(b)
		if c.reg.help != "" {
			line += " – " + c.say(b, c.reg.help)
		}
		all = append(all, line)
	}
	if n == ix.root {
		all = append(all, ix.others(b, m)...)
	}
	if len(all) == 0 {
		return b.text("nothing")
	}
	pages := (len(all) + helpPage - 1) / helpPage
	page = min(page, pages)
	var s strings.Builder
	s.WriteString(b.text("commands") + ":")
	for _, line := range all[(page-1)*helpPage : min(page*helpPage, len(all))] {
		s.WriteString("\n" + line)
	}
	p := b.prefix()
	if pages > 1 {
		fmt.Fprintf(&s, "\n"+b.text("page"), page, pages, p, p)
	} else {
		fmt.Fprintf(&s, "\n"+b.text("more"), p)
	}
	return s.String()
}
