package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"
)

// A file that cannot be read for sure is not edited either, and its own problem is told.
func TestSetRefusesWhatCannotBeRead(t *testing.T) {
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("log: {level: info}\n")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for code, src := range map[string][]byte{
		"syntax": []byte("log: ["), "tab": []byte("log:\n\tlevel: info\n"), "wide_colon": []byte("log： {level: info}\n"),
		"wide_char": []byte("log: {level: “info”}\n"), "several_docs": []byte("log: {}\n---\nlog: {}\n"), "gbk": []byte("# \xc4\xe3\xba\xc3\nlog: {}\n"),
		"utf16": wide, "not_utf8": []byte("# \xff\xff\nlog: {}\n"), "zeroed": make([]byte, 10), "not_mapping": []byte("- log\n"),
		"too_large": bytes.Repeat([]byte("# x\n"), maxFile/4+1),
	} {
		out, err := Set("f.yaml", src, "log.level", "debug")
		var bad *Error
		if !errors.As(err, &bad) || bad.Problems[0].Code != code {
			t.Errorf("%s: %.60q, %v", code, out, err)
		}
	}
	out, err := Set("f.yaml", []byte("log: {level: loud, levle: info}\n"), "log.level", "debug")
	if err == nil {
		t.Errorf("a key that there is not stays and was taken: %q", out)
	}
}

// A problem names where it is: in the file a line and a column, else the variable or
// the flag. What comes after a value of those is none of theirs.
func TestProblemsNameTheirPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	if err := os.WriteFile(path, []byte("bot: {queue: -1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, []string{"NCATD_LOG_LEVEL=“debug”", "NCATD_LOG_FORMAT=text", "NCATD_NOPE=1", "NCATD_DISPLAY="}, map[string]string{"log.events": "＃full", "log.max_size": "1MiB"})
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatal(err)
	}
	got := map[string]Problem{}
	for _, p := range bad.Problems {
		got[p.Key+p.Source] = p
	}
	for at, want := range map[string]Place{
		"log.levelNCATD_LOG_LEVEL":   {Source: "NCATD_LOG_LEVEL"},
		"NCATD_NOPE":                 {Source: "NCATD_NOPE"},
		"log.events--set log.events": {Source: "--set log.events"},
		"bot.queue":                  {File: path, Line: 1, Column: got["bot.queue"].Column},
	} {
		p, ok := got[at]
		if p.Text = ""; !ok || p.Source != want.Source || p.File != want.File || p.Line != want.Line || p.Column != want.Column {
			t.Errorf("%s: %+v, want %+v", at, p.Place, want)
		}
	}
	if len(got) != 4 || got["bot.queue"].Column == 0 {
		t.Errorf("%+v", bad.Problems)
	}
}

// UTF-16 is known without a mark as well, and what has a zero here and there is none.
func TestUTF16WithoutAMark(t *testing.T) {
	little := func(s string) (b []byte) {
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return b
	}
	big := func(s string) (b []byte) {
		for _, r := range s {
			b = append(b, byte(r>>8), byte(r))
		}
		return b
	}
	for _, c := range []struct {
		src  []byte
		code string
	}{
		{little("log: {}\n"), "utf16"}, {big("log: {}\n"), "utf16"},
		{little("log: {} # 日志\n"), "utf16"}, {big("log: {} # 日志\n"), "utf16"},
		{little("ab"), "utf16"}, {big("ab"), "utf16"},
		{[]byte("a\x00"), "syntax"}, {[]byte("log: {}\x00"), "syntax"}, {[]byte("l\x00o\x00g\x00: {}  "), "syntax"},
		{[]byte("\x00a\x00bc\x00"), "syntax"}, {append(little("log: {}\n"), 'x'), "syntax"},
		{little("日志日志a"), "not_utf8"},
	} {
		_, err := Parse("f.yaml", c.src)
		var bad *Error
		if !errors.As(err, &bad) || bad.Problems[0].Code != c.code && !(c.code == "not_utf8" && bad.Problems[0].Code == "gbk") {
			t.Errorf("%q: %v, want %s", c.src, err, c.code)
		}
	}
}

// Secrets that others may read are written anew for us alone, and the control
// token is forgotten also then.
func TestSecretsOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	path := filepath.Join(t.TempDir(), "secrets.json")
	mode := func(loose bool) os.FileMode {
		t.Helper()
		if loose {
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	first, err := EnsureSecrets(path, Default(), "")
	if err != nil {
		t.Fatal(err)
	}
	mode(true)
	again, err := EnsureSecrets(path, Default(), "")
	if err != nil || again.Control != first.Control || mode(false) != 0o600 {
		t.Errorf("%v, mode %v", err, mode(false))
	}
	mode(true)
	if err := ForgetControlToken(path); err != nil || mode(false) != 0o600 {
		t.Errorf("%v, mode %v", err, mode(false))
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(b), string(first.Control)) {
		t.Errorf("the token is still there, %v", err)
	}
	last, err := EnsureSecrets(path, Default(), "")
	if err != nil || last.Control == first.Control || last.Accounts["main"] != first.Accounts["main"] {
		t.Errorf("%v: other tokens than the control token are new", err)
	}
}
