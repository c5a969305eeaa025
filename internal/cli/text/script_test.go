package text

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/control/api"
)

// TestScriptCodesHaveTexts: every code of what is wrong with a script has its texts,
// and every text a code; what helps stands in parentheses in both languages.
func TestScriptCodesHaveTexts(t *testing.T) {
	src, err := os.ReadFile("../../control/api/scriptcodes.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, m := range regexp.MustCompile(`Code = "(script_\w+)"`).FindAllStringSubmatch(string(src), -1) {
		codes["fault."+m[1]] = true
	}
	if len(codes) < 100 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	for code := range codes {
		en, zh := scriptEN[code], scriptZH[code]
		if en == "" || zh == "" {
			t.Errorf("%s: %q, %q", code, en, zh)
		}
		if hint := strings.HasSuffix(code, "_hint"); hint != (strings.HasPrefix(en, "(") && strings.HasSuffix(en, ")")) || hint != (strings.HasPrefix(zh, "（") && strings.HasSuffix(zh, "）")) {
			t.Errorf("%s: %q, %q are not both in parentheses", code, en, zh)
		}
		if colon(en) != colon(zh) {
			t.Errorf("%s: %q, %q do not both end in a colon", code, en, zh)
		}
	}
	for code := range scriptEN {
		if strings.HasPrefix(code, "fault.") && !codes[code] {
			t.Errorf("%s is no code", code)
		}
	}
}

// TestFaultJoins: a colon introduces what comes next, parentheses belong to what was
// before, and a colon of others' words does neither.
func TestFaultJoins(t *testing.T) {
	at, said, hint := api.Because(api.CodeScriptAt, "a.ts:1:2"), api.Because(api.CodeScriptSaid, "oh:"), api.Because(api.CodeScriptUTF8Hint)
	for _, c := range []struct {
		f      api.Fault
		en, zh string
	}{
		{at.With(said, hint, at, said), "a.ts:1:2: oh: (save it as UTF-8); a.ts:1:2: oh:", "a.ts:1:2: oh:（请用编辑器另存为 UTF-8）；a.ts:1:2: oh:"},
		{api.Because(api.CodePluginFailed, "a").With(said, said), "plugin a does not run: oh:; oh:", "插件 a 没有运行：oh:；oh:"},
		{api.Because(api.CodePluginFailed, "a"), "plugin a does not run", "插件 a 没有运行"},
		{api.Because("no_such", "a").With(said), "fault.no_such a; oh:", "fault.no_such a；oh:"},
		{api.Fault{}, "", ""},
	} {
		if en, zh := Fault(English, c.f), Fault(Chinese, c.f); en != c.en || zh != c.zh {
			t.Errorf("%+v: %q, %q", c.f, en, zh)
		}
	}
}
