package script

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	esbuild "github.com/evanw/esbuild/pkg/api"
)

// A promise that fails although nobody waits for it is known to the engine alone,
// which does not tell. So that the prelude gets every promise of an async function,
// esbuild makes generators of these, which the prelude runs (js/promises.js). At
// the top level there is no function to make a generator of, and esbuild refuses
// an await there: while it works, such an await is hidden as an operator of the
// same precedence and length, which nobody writes.
const (
	await       = "await"
	hiddenAwait = "~!~!~"
)

// at is a place in a file as esbuild tells it: the line from 1, the column in bytes
// from 0.
type at struct{ line, column int }

// findAwaits notes where files await at their top level, which esbuild refuses to
// translate, and reports whether one does.
func (b *bundler) findAwaits(errs []esbuild.Message) bool {
	b.awaits = map[string][]at{}
	for _, e := range errs {
		if strings.HasPrefix(e.Text, "Top-level await is not available") && e.Location != nil {
			b.awaits[e.Location.File] = append(b.awaits[e.Location.File], at{e.Location.Line, e.Location.Column})
		}
	}
	return len(b.awaits) > 0
}

// lowered returns the text of a file that esbuild gets.
func (b *bundler) lowered(file, text string) string {
	hidden := b.hideAwaits(file, text)
	if modern.MatchString(text) && !commonJS.MatchString(text) && !strings.Contains(file, "node_modules/") && sourceExt(file) {
		hidden += "\nexport {};" // esbuild takes one that only imports for CommonJS
	}
	return hidden
}

func sourceExt(file string) bool {
	return slices.Contains([]string{".ts", ".mts", ".tsx", ".js", ".mjs", ".jsx"}, strings.ToLower(path.Ext(file)))
}

var (
	modern   = regexp.MustCompile(`(?m)^\s*(import|export)\b|\bawait\b`)
	commonJS = regexp.MustCompile(`\b(module\.exports|exports\.|require\()`)
)

// hideAwaits hides the awaits at the top level of a file. One that is no operator
// stays, as do all of a file that holds what they are hidden as: esbuild refuses
// it again.
func (b *bundler) hideAwaits(file, text string) string {
	if strings.Contains(text, hiddenAwait) {
		return text
	}
	out := []byte(text)
	for _, p := range b.awaits[file] {
		i := offset(text, p)
		if i < 0 || !strings.HasPrefix(text[i:], await) || noOperator.MatchString(text[i:]) || strings.HasSuffix(strings.TrimRight(text[:i], " \t\r\n"), "for") {
			return text
		}
		copy(out[i:], hiddenAwait)
	}
	return string(out)
}

var noOperator = regexp.MustCompile(`^await\s+using\s`)

// offset returns where in text a place is, -1 if nowhere.
func offset(text string, p at) int {
	i := 0
	for line := 1; line < p.line; line++ {
		n := strings.IndexAny(text[i:], "\r\n\u2028\u2029")
		if n < 0 {
			return -1
		}
		i += n
		_, size := utf8.DecodeRuneInString(text[i:])
		if strings.HasPrefix(text[i:], "\r\n") {
			size = 2
		}
		i += size
	}
	if i+p.column > len(text) {
		return -1
	}
	return i + p.column
}

// restoreAwaits shows again what hideAwaits hid, in the code and in its map.
func restoreAwaits(code string, m *sourceMap) string {
	if !strings.Contains(code, hiddenAwait) {
		return code
	}
	lines := strings.Split(code, "\n")
	for i := range lines {
		for {
			before, after, found := strings.Cut(lines[i], hiddenAwait)
			if !found {
				break
			}
			lines[i] = before + await + " " + after
			if i < len(m.lines) {
				m.lines[i] = shifted(m.lines[i], utf8.RuneCountInString(before)+len(await))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// shifted returns a line's mappings with those from column on one further.
func shifted(row []mapping, column int) []mapping {
	out := append([]mapping{}, row...)
	for i := range out {
		if out[i].column >= column {
			out[i].column++
		}
	}
	return out
}

var (
	asyncHelper     = regexp.MustCompile(`(?s)\nvar __async = \(__this, __arguments, generator\) => \{\n.*?\n\};\n`)
	generatorHelper = regexp.MustCompile(`(?s)(\nvar __asyncGenerator = [^\n]*\n.*?)call\.then\(clear, clear\)`)
)

// runByPrelude puts the prelude's function in the place of esbuild's helper, on as
// many lines. The helper of async generators looks at each promise that it returns,
// which shall not count as waiting for it.
func runByPrelude(code string) string {
	code = asyncHelper.ReplaceAllStringFunc("\n"+code, func(helper string) string {
		return "\nvar __async = globalThis[Symbol.for(\"ncat/async\")];" + strings.Repeat("\n", strings.Count(helper, "\n")-1)
	})
	return generatorHelper.ReplaceAllString(code, `${1}globalThis[Symbol.for("ncat/async")].look(call, clear)`)[1:]
}
