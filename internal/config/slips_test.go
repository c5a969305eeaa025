package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestWideCharacters: each character that a Chinese keyboard or a word processor
// puts in the place of YAML's own is named, with what belongs there.
func TestWideCharacters(t *testing.T) {
	for wide, plain := range map[string]string{
		"“": `"`, "”": `"`, "„": `"`, "＂": `"`, "「": `"`, "」": `"`, "『": `"`, "』": `"`, "‘": "'", "’": "'", "＇": "'",
		"、": ",", "；": ",", "，": ",", "【": "[", "】": "]", "［": "[", "］": "]", "｛": "{", "｝": "}", "：": ":", "－": "-", "＃": "#", "１": "1", "ｚ": "z",
		"\u3000": " ", "\u00a0": " ",
	} {
		if got := plainOf([]rune(wide)[0]); got != plain {
			t.Errorf("%q becomes %q, want %q", wide, got, plain)
		}
	}
	for _, r := range "a1 -:[{#'\"—中。猫\u4e00\uff00\uff5f" {
		if got := plainOf(r); got != "" {
			t.Errorf("%q becomes %q", r, got)
		}
	}
	for line, want := range map[string]string{
		`log: {level: “debug”}`:      "1:14",
		`log: {level： debug}`:        "1:12",
		`log: ｛level: debug}`:        "1:6",
		`bot: {prefixes: ["/"，"!"]}`: "1:21",
		`bot: {prefixes: 【"/"]}`:     "1:17",
		"log:　{level: debug}":        "1:5",
	} {
		_, err := Parse("ncatd.yaml", []byte(line+"\n"))
		var bad *Error
		if !errors.As(err, &bad) || len(bad.Problems) != 1 {
			t.Errorf("%s: %v", line, err)
			continue
		}
		p := bad.Problems[0]
		if got := fmt.Sprintf("%d:%d", p.Line, p.Column); got != want || !strings.HasPrefix(p.Code, "wide_") {
			t.Errorf("%s: %s %s: %s", line, got, p.Code, p.Message())
		}
	}
	for _, line := range []string{`bot: {prefixes: ["，", '“']}`, "log: {level: debug} # 注释：“好”，【完】", "bot:\n  prefixes: [\"：\"]"} {
		if _, err := Parse("ncatd.yaml", []byte(line+"\n")); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
