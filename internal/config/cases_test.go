package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestCases holds that each problem of the files in testdata is told once, at its
// place.
func TestCases(t *testing.T) {
	for name, want := range map[string][]string{
		"admins.yaml":      {"2:38 bad_int", "2:45 bad_uin", "2:49 bad_int"},
		"fullwidth2.yaml":  {"2:11 wide_colon", "3:9 wide_colon"},
		"gbk.yaml":         {"2:18 gbk"},
		"networks2.yaml":   {"5:7 unknown_nearest", "7:25 wrong_type", "7:44 bad_bool", "7:54 bad_url", "7:91 not_one_of"},
		"smartquotes.yaml": {"2:14 wide_char", "2:19 wide_char"},
	} {
		src, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := problems(t, string(src)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %v\nwant %v", name, got, want)
		}
	}
}

func TestChinesePunctuation(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"in a flow mapping", "accounts: [{name：main，uin：10001}]\n", []string{"1:17 wide_char"}},
		{"colons at any depth", "accounts:\n  - name: main\n    login:\n      order： [qr]\n      qr_timeout： 5m\n", []string{"4:12 wide_colon", "5:17 wide_colon"}},
		{"a comma in a list", "bot:\n  admins: [10001，10002]\n  plugins: {enable: [a、b]}\n", []string{"2:17 wide_char", "3:23 wide_char"}},
		{"digits", "accounts:\n  - {name: main, uin: １０００１}\n", []string{"2:23 wide_char"}},
		{"a comment", "log:\n  level: info ＃ what\n", []string{"2:15 wide_char"}},
		{"brackets", "bot:\n  prefixes: ［\"/\"］\n", []string{"2:13 wide_char"}},
		{"quotes around a key", "log:\n  “level”: info\n", []string{"2:3 wide_char"}},
		{"a broken quote", "log:\n  level: “a: b”\n", []string{"2:10 wide_char"}},
		{"a semicolon in a list", "bot:\n  admins: [10001； 10002]\n", []string{"2:17 wide_char"}},
		{"corner brackets as quotes", "bot:\n  prefixes: [「/」]\n", []string{"2:14 wide_char"}},
		{"the dash of a list", "accounts:\n  － name: main\n", []string{"2:3 wide_char"}},
		{"a long dash", "bot:\n  prefixes:\n    — a\n", []string{"3:5 wide_char"}},
		{"text that may be so", "bot:\n  prefixes: [\"，\", '“', ，]\n", nil},
		{"text in a plugin's section", "bot:\n  plugin_config:\n    x: {hello: 你好，朋友}\n", nil},
		{"a folded text with a colon", "bot:\n  plugin_config:\n    x:\n      t: |\n        name：a\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := problems(t, tt.src); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

// TestEachProblemOnce holds that what could not be read is told once, and that the
// places of what stands beside it hold.
func TestEachProblemOnce(t *testing.T) {
	got := problems(t, "bot:\n  admins: [\"x\", 0, -1, 1.5, \"12345678901234567890\", null, [1], 7]\n")
	want := []string{"2:12 bad_int", "2:17 bad_uin", "2:20 bad_uin", "2:24 bad_int", "2:29 bad_int", "2:53 wrong_type", "2:59 wrong_type", "2:64 bad_uin"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// What nobody can see is named by its number.
func TestSpacesOfOtherKinds(t *testing.T) {
	for src, want := range map[string]string{
		"accounts:\n\u3000- name: main\n":             `2:1: U+3000 is a full-width or curly character; YAML wants U+0020`,
		"accounts:\n\u00a0\u00a0- name: main\n":       `2:1: U+00A0 is a full-width or curly character; YAML wants U+0020`,
		"accounts:\n  - name: main\n \u2003 uin: 1\n": `3:2: U+2003 is a full-width or curly character; YAML wants U+0020`,
		"accounts:\n  - \u200bname: main\n":           `2:5: unknown key "\u200bname"; did you mean "name"?`,
		"accounts:\n  - name: ma\x00in\n":             `2:13: not valid YAML: control characters (U+0000) are not allowed`,
		"accounts:\n  - name: main\n\x1a":             `3:1: not valid YAML: control characters (U+001A) are not allowed`,
		"accounts:\n  - name: „main“\n":               `2:11: „ is a full-width or curly character; YAML wants "`,
	} {
		_, err := Parse("f", []byte(src))
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != 1 {
			t.Errorf("%q: %v", src, err)
			continue
		}
		p := e.Problems[0]
		if got := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message()); got != want {
			t.Errorf("%q:\n got %s\nwant %s", src, got, want)
		}
	}
	if _, err := Parse("f", []byte("log:\n  level: info # a\u00a0b\n")); err != nil {
		t.Errorf("in a comment: %v", err)
	}
}

func TestNetworks(t *testing.T) {
	in := func(s string) string { return "accounts:\n  - networks:\n      " + s + "\n" }
	for _, tt := range []struct {
		src  string
		want []string
	}{
		{"httpServers: [{name: a, enable: true, host: 0.0.0.0, port: 3000, token: x, enableCors: true, enableWebsocket: false, debug: false, messagePostFormat: string}]", nil},
		{"websocketClients: [{name: a, url: wss://example.org/x, reconnectInterval: 5000, heartInterval: 30000, verifyCertificate: false}]", nil},
		{"telegramClients: [{foo: 1}]", nil}, // a newer NapCat may know it
		{"httpClients: [{name: a, url: ws://127.0.0.1}]", []string{"3:36 bad_url"}},
		{"httpClients: [{name: a, url: \"http://\"}]", []string{"3:36 bad_url"}},
		{"websocketServers: [{name: a, port: 0}, {name: a, port: \"3001\"}]", []string{"3:42 out_of_range", "3:53 adapter_twice", "3:62 bad_int"}},
		{"websocketServers: [{name: plugin_manager, prot: 3}, {enable: 1}, {port: 1}]", []string{"3:33 adapter_name", "3:49 unknown_nearest", "3:68 bad_bool", "3:72 adapter_unnamed"}},
		{"websocketServers: [a]", []string{"3:26 wrong_type"}},
		{"reverseWs: [{name: a, url: ws://127.0.0.1:8080}]", []string{"3:7 unknown_nearest"}}, // as NapCat had it at first
		{"httpServers: on", []string{"3:20 wrong_type"}},
		{"websocketServers: [{name: \"\", heartInterval: -1}]", nil}, // no heartbeat
		{"websocketClients: [{name: a, url: ws://h, reconnectInterval: -1}]", []string{"3:68 out_of_range"}},
		{"httpServers: [{name: a, host: \"127.0.0.1:80\", heartInterval: x}]", []string{"3:37 bad_host"}},
	} {
		if got := problems(t, in(tt.src)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got  %v\nwant %v", tt.src, got, tt.want)
		}
	}
}

func TestEncodings(t *testing.T) {
	text := "log:\n  level: info # 日志\n"
	wide := func(order func(uint16) []byte, mark bool) string {
		var b bytes.Buffer
		units := utf16.Encode([]rune(text))
		if mark {
			units = append([]uint16{0xfeff}, units...)
		}
		for _, u := range units {
			b.Write(order(u))
		}
		return b.String()
	}
	little := func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }
	big := func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }
	for name, tt := range map[string]struct {
		src  string
		want []string
	}{
		"utf-8 with a mark":        {"\ufeff" + text, nil},
		"utf-16, little":           {wide(little, true), []string{"0:0 utf16"}},
		"utf-16, big":              {wide(big, true), []string{"0:0 utf16"}},
		"utf-16 without a mark":    {wide(little, false), []string{"0:0 utf16"}},
		"zeros":                    {strings.Repeat("\x00", 4096), []string{"0:0 zeroed"}},
		"neither":                  {"log: {}\n# \xff\n", []string{"2:3 not_utf8"}},
		"gbk in the second column": {"a\xd6\xd0: 1\n", []string{"1:2 gbk"}},
	} {
		got := problems(t, tt.src)
		if name == "utf-16 without a mark" && len(got) == 1 { // its letters beyond ASCII have no zero
			continue
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got  %v\nwant %v", name, got, tt.want)
		}
	}
}

func TestOnlyFilesAreRead(t *testing.T) {
	for _, path := range []string{"/dev/zero", "/dev/null", t.TempDir()} {
		_, err := Load(path, nil, nil)
		var ce *Error
		if !errors.As(err, &ce) || len(ce.Problems) != 1 || ce.Problems[0].Code != "not_regular" {
			t.Errorf("%s: %v", path, err)
		}
	}
	big := filepath.Join(t.TempDir(), "ncatd.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("# x\n"), maxFile), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(big, nil, nil)
	var ce *Error
	if !errors.As(err, &ce) || ce.Problems[0].Code != "too_large" {
		t.Errorf("a large file: %v", err)
	}
}

// TestEmptiedSecretsHeal holds that secrets emptied by a loss of power are made
// anew.
func TestEmptiedSecretsHeal(t *testing.T) {
	for _, s := range []string{"", "\n", strings.Repeat("\x00", 512)} {
		path := filepath.Join(t.TempDir(), "secrets.json")
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := EnsureSecrets(path, Default(), "")
		if err != nil || len(got.Control) != tokenLength {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestForgetControlToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	if err := ForgetControlToken(path); err != nil {
		t.Error(err)
	}
	first, err := EnsureSecrets(path, Default(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := ForgetControlToken(path); err != nil {
		t.Fatal(err)
	}
	again, err := EnsureSecrets(path, Default(), "")
	if err != nil || again.Control == first.Control || again.Accounts["main"] != first.Accounts["main"] {
		t.Errorf("%v", err)
	}
}
