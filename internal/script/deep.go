package script

import (
	"errors"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Rehearsal bundles the plugin at a path in a process of its own, with a stack of at
// most [RehearsalStack], and returns [ErrTooDeep] if that ended it. esbuild goes down
// one level for each that a source is nested, and a stack that is full ends a
// program; a file of 300 KB can do that.
type Rehearsal func(path string) error

// RehearsalStack is the stack of a rehearsal in bytes: some thousand levels.
const RehearsalStack = 32 << 20

// ErrTooDeep says that a plugin cannot be bundled, since something is nested in it
// too deeply, or it has so many mistakes that to tell them takes too long.
var ErrTooDeep = errors.New("the plugin is nested too deeply")

// errDeep says that a plugin needs a rehearsal.
var errDeep = errors.New("the plugin may be nested too deeply")

// maxTokens is how many tokens a file may have and is bundled without a rehearsal: it
// cannot be nested deeper than that, which is as much stack.
const maxTokens = 10_000

// tokens counts those at which something may be nested, or more.
func tokens(text string) int {
	n := 0
	word, blank := false, false // before this character: in a word, after blanks that follow one
	for i := range len(text) {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			blank = blank || word
			word = false
			continue
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80:
			if blank { // such as typeof typeof x
				n++
			}
			word = true
		case c == ',' || c == ';' || c == '"' || c == '\'' || c == ')' || c == ']' || c == '}':
			word = false
		default:
			n++
			word = false
		}
		blank = false
	}
	return n
}

// build bundles the plugin, after a rehearsal if it needs one; nil does without.
func (l location) build(m Manifest, rehearse Rehearsal) (*bundle, error) {
	main, err := l.main(m)
	if err != nil {
		return nil, err
	}
	out, err := (&bundler{root: l.root, main: main, alone: l.dir == "", plugin: true, trusted: rehearse == nil}).build()
	if !errors.Is(err, errDeep) {
		return out, err
	}
	if err := rehearse(l.path()); errors.Is(err, ErrTooDeep) {
		return nil, &buildError{[]Problem{{File: main, What: api.Because(api.CodeScriptDeep), Hint: api.Because(api.CodeScriptBundleHint)}}}
	} else if err != nil {
		return nil, err
	}
	return (&bundler{root: l.root, main: main, alone: l.dir == "", plugin: true, trusted: true}).build()
}
