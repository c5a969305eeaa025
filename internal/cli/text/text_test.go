package text

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var verbs = regexp.MustCompile(`%(\[\d+\])?[-+# 0]*\d*(\.\d+)?[a-zA-Z]`)

// TestBothLanguagesAreComplete holds that each code is in one part of the
// catalogue only, in both languages, with the same arguments.
func TestBothLanguagesAreComplete(t *testing.T) {
	where := map[string]int{}
	for i, p := range catalogues {
		for code, en := range p.en {
			if j, twice := where[code]; twice {
				t.Errorf("%s is in parts %d and %d", code, j, i)
			}
			where[code] = i
			zh, ok := p.zh[code]
			if !ok {
				t.Errorf("%s is not in Chinese", code)
				continue
			}
			if en == "" || zh == "" {
				t.Errorf("%s is empty", code)
			}
			if a, b := verbs.FindAllString(en, -1), verbs.FindAllString(zh, -1); !slices.Equal(a, b) && !indexed(zh) {
				t.Errorf("%s takes %v in English and %v in Chinese", code, a, b)
			}
			if strings.ContainsFunc(en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) && !strings.Contains(code, "example") {
				t.Errorf("%s: the English text is Chinese: %s", code, en)
			}
		}
		for code := range p.zh {
			if _, ok := p.en[code]; !ok {
				t.Errorf("%s is not in English", code)
			}
		}
	}
}

// indexed tells that a text names its arguments by number, in another order.
func indexed(s string) bool { return strings.Contains(s, "%[") }

// TestReasonsHaveTexts looks for every reason word that the daemon can give.
func TestReasonsHaveTexts(t *testing.T) {
	reason := regexp.MustCompile(`(?i)\breason\w*\s+(?:supervisor\.)?Reason\s*=\s*"(\w+)"`)
	n := 0
	for _, dir := range []string{"../../supervisor", "../../account"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range reason.FindAllStringSubmatch(string(b), -1) {
				n++
				if !Has("reason." + m[1]) {
					t.Errorf("%s: no text for the reason %s", f, m[1])
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d reasons were found", n)
	}
}

func TestT(t *testing.T) {
	for _, tt := range []struct {
		lang Lang
		code string
		args []any
		want string
	}{
		{English, "err.already_running", []any{7}, "ncatd is already running with pid 7"},
		{Chinese, "err.already_running", []any{7}, "ncatd 已在运行，进程号 7"},
		{"fr", "err.already_running", []any{7}, "ncatd is already running with pid 7"},
		{English, "no.such.code", []any{7}, "no.such.code 7"},
	} {
		if got := T(tt.lang, tt.code, tt.args...); got != tt.want {
			t.Errorf("T(%s, %s) = %q, want %q", tt.lang, tt.code, got, tt.want)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		flag string
		env  map[string]string
		want Lang
		ok   bool
	}{
		{"", nil, English, true},
		{"zh", map[string]string{"NCATD_LANG": "en"}, Chinese, true},
		{"", map[string]string{"NCATD_LANG": "zh-CN", "LANG": "en_US.UTF-8"}, Chinese, true},
		{"", map[string]string{"LANG": "zh_CN.UTF-8"}, Chinese, true},
		{"", map[string]string{"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, English, true},
		{"", map[string]string{"LANG": "de_DE.UTF-8"}, English, true},
		{"fr", nil, English, false},
		{"", map[string]string{"NCATD_LANG": "fr"}, English, false},
	} {
		l, ok := Detect(tt.flag, func(k string) string { return tt.env[k] })
		if l != tt.want || ok != tt.ok {
			t.Errorf("Detect(%q, %v) = %s, %v", tt.flag, tt.env, l, ok)
		}
	}
}
