package script

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that may be nested too deeply is rehearsed before it is bundled; what has
// few tokens is not.
func TestRehearsal(t *testing.T) {
	deep := strings.Repeat("(", 8000) + "1" + strings.Repeat(")", 8000)
	for name, c := range map[string]struct {
		source string
		answer error
		asked  bool
		want   string
	}{
		"short":          {"export {};", ErrTooDeep, false, ""},
		"a long text":    {"export const a = \"" + strings.Repeat("word, ", 5000) + "\";", ErrTooDeep, false, ""},
		"a long list":    {"export const a = [" + strings.Repeat("1, ", 50_000) + "];", ErrTooDeep, false, ""},
		"not that deep":  {deep, ErrTooDeep, false, ""},
		"two times that": {deep + ";" + deep, nil, true, ""},
		"too deep":       {deep + ";" + deep, ErrTooDeep, true, "main.ts: esbuild does not get through the file or what it imports: something is nested too deeply"},
		"operators":      {strings.Repeat("!", 20_000) + "1", ErrTooDeep, true, "nested too deeply"},
		"words":          {strings.Repeat("typeof ", 20_000) + "1", ErrTooDeep, true, "nested too deeply"},
		"no rehearsal":   {deep + ";" + deep, errors.New("no such program"), true, "no such program"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"deep.ts": c.source, "main.ts": `import "./deep"; console.log(1);`} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		asked := false
		problems, err := Check(dir, func(path string) error {
			asked = path == dir
			return c.answer
		})
		said := ""
		if err != nil {
			said = err.Error()
		}
		for _, p := range problems {
			said += p.String()
		}
		if asked != c.asked || (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: asked %v, said %q", name, asked, said)
		}
	}
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 0, "a b": 1, "typeof typeof  x": 2, "a(b)": 1, "a , b; c": 0, "x=>y=>z": 4, "!-~1": 3, "é é": 1} {
		if got := tokens(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
