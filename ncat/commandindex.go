package ncat

import (
	"maps"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ncatd/ncatd/onebot"
)

// commandIndex finds commands by the words of their names.
type commandIndex struct {
	root *commandNode
	help *bound // answers help, half-named commands and misspelled ones; nil without commands
	own  bool   // there are commands that are not built in, or other handlers to list
	// plain are the handlers that are no commands and say what they are for.
	plain []*registration
}

// commandNode is one word of the commands' names.
type commandNode struct {
	word  string
	cmd   *bound // nil if only longer names exist
	under map[string]*commandNode
	order []*commandNode // under, without aliases, as registered

	builtin bool // there are only built-in commands at and under it
}

func (n *commandNode) reg() *registration {
	if n == nil || n.cmd == nil {
		return nil
	}
	return n.cmd.registration
}

// next returns the node of a word, in any case.
func (n *commandNode) next(word string) *commandNode {
	if c := n.under[word]; c != nil {
		return c
	}
	if low := strings.ToLower(word); low != word {
		return n.under[low]
	}
	return nil
}

// indexLocked builds the index of the commands there are.
func (r *registry) indexLocked() commandIndex {
	ix := commandIndex{}
	for _, reg := range r.regs {
		if reg.help != "" && !reg.owner.hidden {
			ix.plain = append(ix.plain, reg)
		}
	}
	if len(r.commands) == 0 && len(r.builtins) == 0 && len(ix.plain) == 0 {
		return ix
	}
	ix.root, ix.own = &commandNode{}, len(r.commands) > 0 || len(ix.plain) > 0
	for _, reg := range r.commands {
		if reg.owner.hidden {
			continue
		}
		ix.add(reg.cmd, r.bindLocked(reg))
	}
	taken := maps.Clone(ix.root.under)
	for _, reg := range r.builtins { // they give way to others
		if taken[reg.cmd.path[0]] == nil {
			ix.add(reg.cmd, r.bindLocked(reg))
		}
	}
	for name, chinese := range map[string]string{"perm": "权限", "cfg": "设置"} {
		if n := ix.root.under[name]; n != nil && taken[name] == nil && taken[chinese] == nil {
			ix.root.under[chinese] = n
		}
	}
	helper := &registration{owner: r.self, name: "command help", cmd: &command{path: []string{"help"}}}
	helper.cmd.reg = helper
	helper.handle = answerHelp
	bd := r.bindLocked(helper)
	ix.help = &bd
	return ix
}

// add puts a command in under all its names.
func (ix *commandIndex) add(cmd *command, bd bound) {
	for i, path := range cmd.names() {
		n := ix.root
		for j, w := range path {
			w = strings.ToLower(w)
			c := n.under[w]
			if c == nil {
				c = &commandNode{word: path[j], builtin: true}
				if n.under == nil {
					n.under = map[string]*commandNode{}
				}
				n.under[w] = c
				if i == 0 {
					n.order = append(n.order, c)
				}
			}
			n = c
			n.builtin = n.builtin && cmd.builtin
		}
		n.cmd = &bd
	}
}

// place is where a message led in the index.
type place struct {
	prefix  string
	node    *commandNode
	args    scanner
	unknown string // the word that leads nowhere; node is where it was looked for
}

// withoutAddress returns msg without what may stand before a command: a
// quotation, the mention of the user who was quoted, which QQ adds by itself, and
// mentions of the account.
func withoutAddress(msg onebot.Message, self onebot.UserID) onebot.Message {
	quoted := false // and its mention has not come yet
	for len(msg) > 1 {
		switch s := msg[0].(type) {
		case *onebot.ReplySegment:
			quoted = true
		case *onebot.AtSegment:
			if s.UserID() != self {
				if !quoted {
					return msg
				}
				quoted = false
			}
		case *onebot.TextSegment:
			if strings.TrimSpace(s.Text) != "" {
				return msg
			}
		default:
			return msg
		}
		msg = msg[1:]
	}
	return msg
}

// locate finds what command a message names. ok is false if it begins with no
// prefix.
func (ix *commandIndex) locate(b *Bot, m *onebot.MessageBase) (place, bool) {
	if ix.root == nil || m.FromSelf() {
		return place{}, false
	}
	msg := m.Message
	msg = withoutAddress(msg, m.SelfID)
	if len(msg) == 0 {
		return place{}, false
	}
	t, ok := msg[0].(*onebot.TextSegment)
	if !ok {
		return place{}, false
	}
	text := strings.TrimLeftFunc(t.Text, unicode.IsSpace)
	for _, p := range *b.core.commands.prefixes.Load() {
		rest, ok := strings.CutPrefix(text, p)
		if !ok {
			continue
		}
		if r, _ := utf8.DecodeLastRuneInString(p); unicode.IsLetter(r) {
			rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		}
		end := strings.IndexFunc(rest, unicode.IsSpace)
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			continue
		}
		word := rest[:end]
		at := place{prefix: p, node: ix.root, args: scanner{msg: msg, off: len(t.Text) - len(rest) + end}}
		n := ix.root.next(word)
		if n == nil {
			if p == "" && !ix.bareHelp(at, word) {
				continue
			}
			at.unknown = word
			return at, true
		}
		at.node = n
		for len(at.node.under) > 0 {
			sc := at.args
			tok, ok := sc.next()
			if !ok || tok.seg != nil || tok.quoted || tok.open {
				break
			}
			n := at.node.next(tok.text)
			if n == nil {
				if at.node.cmd == nil {
					at.unknown = tok.text
				}
				break
			}
			at.node, at.args = n, sc
		}
		return at, true
	}
	return place{}, false
}

// bareHelp reports whether a message without a prefix asks for help and is no
// talk that begins with the word: nothing follows, or one command or page.
func (ix *commandIndex) bareHelp(at place, word string) bool {
	if !isHelp(word) {
		return false
	}
	sc := at.args
	tok, ok := sc.next()
	if !ok {
		return true
	}
	_, err := strconv.Atoi(tok.text)
	return !sc.skip() && (err == nil || ix.root.next(tok.text) != nil)
}

// find returns the handler for a message that is a command, nil for others.
func (ix *commandIndex) find(b *Bot, e onebot.Event) *bound {
	m, ok := e.(onebot.MessageEvent)
	if !ok || ix.root == nil {
		return nil
	}
	at, ok := ix.locate(b, m.Msg())
	if !ok {
		return nil
	}
	if at.node.cmd != nil && at.unknown == "" {
		reg := at.node.cmd.registration
		if b.core.perms.denied(m, reg) || reg.cmd.builtin && !b.core.perms.may(m, reg) {
			return nil
		}
		return at.node.cmd
	}
	if b.core.commands.noHelp.Load() {
		return nil
	}
	if at.node.builtin && !at.node.visible(b, m) || at.node == ix.root && !ix.own && !ix.root.visible(b, m) {
		return nil // as good as absent
	}
	if at.node != ix.root || isHelp(at.unknown) || len(ix.near(b, m, at)) > 0 {
		return ix.help
	}
	return nil
}

func isHelp(word string) bool {
	return strings.EqualFold(word, "help") || word == "帮助"
}

// near returns the words that the unknown one was perhaps meant to be.
func (ix *commandIndex) near(b *Bot, m onebot.MessageEvent, at place) []string {
	if at.unknown == "" {
		return nil
	}
	word := []rune(strings.ToLower(at.unknown))
	if len(word) > 32 {
		return nil
	}
	limit := 1
	if len(word) > 4 {
		limit = 2
	}
	if len(word) < 2 {
		return nil
	}
	var out []string
	for _, n := range at.node.order {
		if n.visible(b, m) && distance(word, []rune(strings.ToLower(n.word)), limit) <= limit {
			out = append(out, n.word)
		}
	}
	if len(out) > 3 {
		out = out[:3]
	}
	return out
}

// distance returns how many letters must be added, dropped, changed or swapped
// with their neighbour to make b of a; more than limit means just that.
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var two, one, row []int
	one = make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row = make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}
