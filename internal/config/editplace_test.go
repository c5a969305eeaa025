package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// forms are texts in which one key is set. What stands between two § is the only
// thing that may change, so that it includes no comment and no neighbour.
var forms = []struct{ name, key, value, text string }{
	{"plain", "log.level", "debug", "# log.level: info\nlog:\n  level: §info§ # log.level: info\n  format: text\n"},
	{"single quotes", "log.level", "debug", "log:\n  level: §'info'§   # it's quiet\n"},
	{"double quotes", "log.level", "debug", "log:\n  \"level\": §\"info\"§ # \"so\"\n"},
	{"single quotes around the key", "log.level", "debug", "log:\n  'level': §info§\n"},
	{"a space before the colon", "log.level", "debug", "log :\n  level : §info§ # x\n"},
	{"no value, a comment", "log.level", "debug", "log:\n  level:§§ # not yet\n  format: text\n"},
	{"null by its sign", "log.level", "debug", "log:\n  level: §~§ # not yet\n"},
	{"null by its word", "log.level", "debug", "log:\n  level: §null§\n"},
	{"a value below its key", "log.level", "debug", "log:\n  level:\n    §info§ # deep\n  format: text\n"},
	{"a literal", "log.level", "debug", "log:\n  level:§ |-\n    info§\n\n  # a comment\n  format: text\n"},
	{"a literal at the end", "log.level", "debug", "display: none\nlog:\n  level:§ >-\n    info§\n\n\n# the end\n"},
	{"a flow map", "log.level", "debug", "log: {level: §info§, format: text} # {level: info}\n"},
	{"a flow map over lines", "log.level", "debug", "log: { # first\n  level: §info§, # second\n  format: text # third\n  }\n"},
	{"flow in flow", "bot.plugins.enable", "b,c", "bot: {plugins: {enable: §[a, 'b]', \"c}\"]§}, prefixes: ['}']}\n"},
	{"a list with comments", "bot.prefixes", "a,b", "bot:\n  prefixes:§\n    - \"#\" # hash\n    - '/' # slash§\n  # next\n  queue: 5\n"},
	{"a new key after a literal", "log.format", "json", "log:\n  level: |-\n    info\n§§\n# the end\n"},
	{"a new key after a flow map", "log.format", "json", "log: {level: info§§}\n"},
	{"a new key before a comma at the end", "log.format", "json", "log: {level: info§§,}\n"},
	{"a new key in a map over lines", "log.format", "json", "log: {\n  level: info§§ # here\n  }\n"},
	{"a new key below quoted lines", "log.format", "json", "log:\n  level: \"in\\\n    fo\"\n§§# the end\n"},
	{"a new key with more indentation", "log.format", "json", "log:\n      level: info\n§§\ndisplay: none\n"},
	{"a section that is only named", "log.format", "json", "log:\n§§# log of old\ndisplay: none\n"},
	{"an account in a flow list", "accounts.b.uin", "10001", "accounts: [{name: a}, {name: b§§}] # two\n"},
	{"an account at the margin", "accounts.b.uin", "10001", "accounts:\n- name: a\n  uin: 10002\n- name: b\n§§- name: c\n"},
	{"an account by its number", "accounts.1.onebot.port", "3009", "accounts:\n  - {name: a, onebot: {port: 3001}}\n  - {name: b, onebot: {port: §3002§}}\n"},
	{"a key that another has too", "accounts.main.onebot.port", "3009", "accounts:\n  - webui:\n      port: 6099\n    onebot:\n      port: §3001§\n"},
	{"Chinese before on the line", "log.format", "json", "log: {events: full, \"level\": info§§} # 日志：全部\n"},
	{"Chinese in the values before", "bot.queue", "7", "bot: {plugin_config: {天气: {城市: \"北京，上海\"}}, queue: §5§} # 队列\n"},
	{"a new key after a list over lines", "bot.queue", "7", "bot: {\n  admins: [ # who\n    10001, # me\n    10002 ]§§ # all\n}\n"},
	{"a new key after a key alone", "log.format", "json", "log: {level:§§ }\n"},
	{"a new key in braces with a space", "log.format", "json", "log: {§§ }\n"},
	{"a new key beside a comment", "log.format", "json", "log: {§§ # nothing yet\n  }\n"},
	{"four bytes a letter", "bot.queue", "7", "bot: {prefixes: [\"😀\", '𠀀'], queue: §5§}\n"},
	{"tabs in values", "log.level", "debug", "bot: {prefixes: [\"\t\"]}\nlog:\n  level: §info§\t# a tab\n"},
	{"a document mark", "log.level", "debug", "%YAML 1.1\n---\nlog:\n  level: §info§\n"},
	{"an end mark", "log.level", "debug", "log:\n  level: §info§\n...\n"},
	{"a whole file in braces", "log.level", "debug", "{log: {level: §info§}, display: none}\n"},
	{"a new section in braces", "log.level", "debug", "{display: none§§}\n"},
	{"a map of any kind", "accounts.main.env", "{TZ: UTC}", "accounts:\n  - name: main\n    env:§\n      A: |\n        two\n\n        lines\n      B: \"2\"§\n    uin: 10001\n"},
	{"a list below a list", "bot.admins", "10003", "bot:\n  admins:§\n  - 10001\n  -   10002§\n  prefixes:\n  - /\n"},
}

// TestOnlyTheValueChanges sets a key in texts of every form, with line ends, marks
// and ends of any kind, and holds that nothing beside the value changes, that Get
// finds it, that it is stable, and that the old value comes back.
func TestOnlyTheValueChanges(t *testing.T) {
	for _, f := range forms {
		parts := strings.Split(f.text, "§")
		for dress, wear := range map[string]func(string) string{
			"as it is": func(s string) string { return s },
			"crlf":     func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
			"a mark":   func(s string) string { return "\ufeff" + s },
			"both":     func(s string) string { return "\ufeff" + strings.ReplaceAll(s, "\n", "\r\n") },
		} {
			if strings.HasPrefix(f.text, "%") && strings.HasPrefix(wear("x"), "\ufeff") {
				continue // a mark before a directive is none of ours
			}
			t.Run(f.name+"/"+dress, func(t *testing.T) {
				src := wear(strings.Join(parts, ""))
				before, after := wear(parts[0]), strings.TrimPrefix(wear(parts[2]), "\ufeff")
				setOnly(t, src, before, after, f.key, f.value)
			})
		}
	}
}

func setOnly(t *testing.T, src, before, after, key, value string) {
	t.Helper()
	was, err := Parse("f", []byte(src))
	if err != nil {
		t.Fatalf("the test's text is wrong: %v", err)
	}
	out, err := Set("f", []byte(src), key, value)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(out); !strings.HasPrefix(s, before) || !strings.HasSuffix(s, after) || len(s) < len(before)+len(after) {
		t.Fatalf("more changed than the value:\n%q\n%q", src, out)
	}
	if strings.Contains(src, "\r\n") && strings.Count(string(out), "\n") != strings.Count(string(out), "\r\n") {
		t.Errorf("line ends are mixed: %q", out)
	}
	is, err := Parse("f", out)
	if err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	got, err := Get(is, key)
	want, werr := Get(mustSet(t, was, key, value), key)
	if err != nil || werr != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Get = %#v, %v, want %#v, %v", got, err, want, werr)
	}
	if again, err := Set("f", out, key, value); err != nil || string(again) != string(out) {
		t.Errorf("the second time: %q, %v, want %q", again, err, out)
	}
}

// mustSet returns the config that c is with a flag for key.
func mustSet(t *testing.T, c *Config, key, value string) *Config {
	t.Helper()
	d := newDecoder("f")
	copied := *c
	copied.Accounts = append([]Account(nil), c.Accounts...)
	d.set(&copied, "", key, value)
	if len(d.problems) > 0 {
		t.Fatalf("%s=%s: %v", key, value, d.problems)
	}
	return &copied
}

// TestAnyTextIsAValue sets texts that YAML has signs for, and gets each back as it
// was, with all else as it stood.
func TestAnyTextIsAValue(t *testing.T) {
	for _, value := range []string{
		"a", "", " ", " a ", "a: b", "a #b", "#", "'", `"`, `\`, `a\nb`, "a\nb", "a\n\n  b\n", "-", "- a", "? a", "!x", "&x", "*x", "|", ">", "%x", "@x", "`x`",
		"[", "]", "{", "}", ",", "[a, b]", "{a: b}", "~", "null", "true", "no", "1", "0x10", "1e3", "1_000", "2001-01-01", "=", "<<", "猫：，。", "😀", "\u00a0", "\u3000a",
		"a\tb", "\t", strings.Repeat("long words ", 60), strings.Repeat("长", 300), "a  b", "\u200b", "\u2028", "\u0085", "---", "...", "a\r\nb",
	} {
		for _, src := range []string{
			"", "# top\nbot:\n  plugin_config:\n    p:\n      word: old # kept\n      n: 1\n", "bot: {plugin_config: {p: {word: 'old', n: 1}}} # kept\n",
			"bot:\n  plugin_config:\n    p:\n      word: |\n        old\n        older\n      n: 1\n# end\n",
		} {
			p := Plugins{"p": &struct {
				Word string `json:"word"`
				N    int    `json:"n"`
			}{}}
			out, err := p.set("f", []byte(src), "bot.plugin_config.p.word", value)
			if err != nil {
				t.Errorf("%q in %q: %v", value, src, err)
				continue
			}
			c, err := Parse("f", out)
			if err != nil {
				t.Errorf("%q in %q: %q: %v", value, src, out, err)
				continue
			}
			if got, err := p.Get(c, "bot.plugin_config.p.word"); err != nil || got != value {
				t.Errorf("%q in %q: got %q, %v\n%s", value, src, got, err, out)
			}
			for _, kept := range []string{"# top", "# kept", "# end", "n: 1"} {
				if strings.Contains(src, kept) && !strings.Contains(string(out), kept) {
					t.Errorf("%q in %q: %s is gone: %q", value, src, kept, out)
				}
			}
		}
	}
}

// TestListsOfAnyText sets lists of texts, one item after the other.
func TestListsOfAnyText(t *testing.T) {
	for _, list := range [][]string{{"/"}, {"#", "!"}, {"'", `"`}, {"a b", "c"}, {"[", "]"}, {"{", "}"}, {"猫", "，"}, {":", ": "}, {" "}, {"\t"}, {"null", "~", "true", "1"}, {"|", ">"}, {"&a", "*a"}, {strings.Repeat("x", 500), "y"}} {
		quoted := make([]string, len(list))
		for i, s := range list {
			quoted[i] = fmt.Sprintf("%q", s)
		}
		out, err := Set("f", []byte("bot:\n  prefixes: [\"/\", '#'] # which\n  queue: 5\n"), "bot.prefixes", "["+strings.Join(quoted, ", ")+"]")
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		c, err := Parse("f", out)
		if err != nil || !reflect.DeepEqual(c.Bot.Prefixes, list) || c.Bot.Queue != 5 || !strings.Contains(string(out), "# which\n  queue: 5\n") {
			t.Errorf("%q: %v\n%s", list, err, out)
		}
	}
}

// TestWhatIsNotEditedStays: a file that an edit is refused for is not touched, not
// even its time.
func TestWhatIsNotEditedStays(t *testing.T) {
	for _, tt := range []struct{ name, src, key, value string }{
		{"an alias", "x: &x info\nlog: {level: *x}\n", "log.level", "debug"},
		{"a merge", "a: &a {level: info}\nlog:\n  <<: *a\n", "log.format", "json"},
		{"two documents", "log: {}\n---\nbot: {}\n", "log.level", "debug"},
		{"no mapping", "- log\n", "log.level", "debug"},
		{"GBK", "# \xd6\xd0\xce\xc4\nlog: {}\n", "log.level", "debug"},
		{"UTF-16", "\xff\xfel\x00:\x00", "log.level", "debug"},
		{"zeros", "\x00\x00\x00\x00", "log.level", "debug"},
		{"a tab", "log:\n\tlevel: info\n", "log.level", "debug"},
		{"a wide colon", "log：\n  level: info\n", "log.level", "debug"},
		{"a text where a section is", "log: none\n", "log.level", "debug"},
		{"no such account", "accounts: [{name: a}]\n", "accounts.b.uin", "10001"},
		{"a number over", "accounts: [{name: a}]\n", "accounts.1.uin", "10001"},
		{"a number below", "accounts: [{name: a}]\n", "accounts.-1.uin", "10001"},
		{"a section", "log: {level: info}\n", "log", "debug"},
		{"below a value", "log: {level: info}\n", "log.level.x", "debug"},
		{"nothing", "log: {level: info}\n", "", "debug"},
		{"dots", "log: {level: info}\n", "log..level", "debug"},
		{"another's number", "accounts: [{name: a, uin: 10001}, {name: b}]\n", "accounts.b.uin", "10001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ncatd.yaml")
			if err := os.WriteFile(path, []byte(tt.src), 0o600); err != nil {
				t.Fatal(err)
			}
			was, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			v, err := SetFile(path, tt.key, tt.value)
			if err == nil {
				t.Fatalf("set to %v", v)
			}
			var ce *Error
			if !errors.As(err, &ce) && !errors.Is(err, ErrEdit) {
				t.Errorf("the error is %T: %v", err, err)
			}
			if ce != nil && (len(ce.Problems) == 0 || ce.Problems[0].Message() == "" || strings.Contains(ce.Error(), "%!")) {
				t.Errorf("nobody learns what is wrong: %v", ce)
			}
			now, err := os.ReadFile(path)
			is, serr := os.Stat(path)
			if err != nil || serr != nil || string(now) != tt.src || !os.SameFile(was, is) || !was.ModTime().Equal(is.ModTime()) {
				t.Errorf("the file is %q now, %v", now, errors.Join(err, serr))
			}
		})
	}
}

// TestSetFileWritesNothingNew: a value that is there already is not written again,
// and a link to the file stays one.
func TestSetFileWritesNothingNew(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "kept", "real.yaml"), filepath.Join(dir, "ncatd.yaml")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("log:\n  level: info\n"), 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := SetFile(link, "log.level", "info"); err != nil || v != "info" {
		t.Fatal(v, err)
	}
	if is, err := os.Stat(path); err != nil || !os.SameFile(was, is) {
		t.Errorf("written again: %v", err)
	}
	if _, err := SetFile(link, "log.level", "warn"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	fi, lerr := os.Lstat(link)
	if err != nil || lerr != nil || string(b) != "log:\n  level: warn\n" || fi.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%q, %v: %v", b, fi.Mode(), errors.Join(err, lerr))
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
