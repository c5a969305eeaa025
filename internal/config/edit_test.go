package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSetKeepsTheRest(t *testing.T) {
	for _, tt := range []struct{ name, src, key, value, want string }{
		{"empty file", "", "log.level", "debug", "log:\n  level: debug\n"},
		{"only comments", "# mine\n", "log.level", "debug", "# mine\nlog:\n  level: debug\n"},
		{"no final newline", "display: none", "display", "auto", "display: auto"},
		{"scalar with comment", "log:\n  level: info # quiet\n  format: text\n", "log.level", "debug", "log:\n  level: debug # quiet\n  format: text\n"},
		{"quoted", "display: \":5\" # x\n", "display", ":6", "display: :6 # x\n"},
		{"new key in block", "log:\n  # how much\n  level: info\n\n# end\ndisplay: none\n", "log.format", "json", "log:\n  # how much\n  level: info\n  format: json\n\n# end\ndisplay: none\n"},
		{"new key in flow", "log: {level: info} # one line\n", "log.format", "json", "log: {level: info, format: json} # one line\n"},
		{"new key in empty flow", "log: {}\n", "log.format", "json", "log: {format: json}\n"},
		{"key without value", "log:\n  level:\ndisplay: none\n", "log.level", "warn", "log:\n  level: warn\ndisplay: none\n"},
		{"section without keys", "log:\n  # level: debug\ndisplay: none\n", "log.level", "warn", "log:\n  level: warn\n  # level: debug\ndisplay: none\n"},
		{"block list becomes flow", "bot:\n  prefixes:\n    - \"/\"\n    - \"!\"\n  queue: 5\n", "bot.prefixes", "#,/", "bot:\n  prefixes: ['#', /]\n  queue: 5\n"},
		{"list at the key's indent", "bot:\n  admins: # who\n  - 10001\n  queue: 5\n", "bot.admins", "10002,10003", "bot:\n  admins: [10002, 10003] # who\n  queue: 5\n"},
		{"flow list over lines", "bot: {prefixes: [\"/\", # slash\n   \"!\"], queue: 5}\n", "bot.prefixes", "?", "bot: {prefixes: ['?'], queue: 5}\n"},
		{"uin of the default account", "display: none\n", "accounts.main.uin", "10001", "display: none\naccounts:\n  - name: main\n    uin: 10001\n"},
		{"uin of a named account", "accounts:\n  - name: a\n  - name: b # second\n    uin: 0   # adopt\n", "accounts.b.uin", "10001", "accounts:\n  - name: a\n  - name: b # second\n    uin: 10001   # adopt\n"},
		{"uin not written yet", "accounts:\n  - name: a # first\n  - name: b\n", "accounts.a.uin", "10001", "accounts:\n  - name: a # first\n    uin: 10001\n  - name: b\n"},
		{"deep", "supervisor:\n  stop_timeout: 3s\n", "supervisor.health.start_timeout", "2m", "supervisor:\n  stop_timeout: 3s\n  health:\n    start_timeout: 2m\n"},
		{"crlf", "log:\r\n  level: info\r\n  format: text\r\n", "log.level", "warn", "log:\r\n  level: warn\r\n  format: text\r\n"},
		{"chinese comment before on the line", "log: {level: info} # 日志\n", "log.level", "warn", "log: {level: warn} # 日志\n"},
		{"literal block", "display: |-\n  none\nlog: {level: info}\n", "display", "auto", "display: auto\nlog: {level: info}\n"},
		{"size", "log: {max_size: 1MiB}\n", "log.max_size", "1.5MiB", "log: {max_size: 1536KiB}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Set("f.yaml", []byte(tt.src), tt.key, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, tt := range []struct{ name, src, key, value, code string }{
		{"unknown key", "", "log.levle", "debug", "unknown_nearest"},
		{"unknown account", "", "accounts.x.uin", "10001", "unknown_account"},
		{"wrong type", "", "bot.queue", "many", "bad_int"},
		{"bad value", "", "log.level", "loud", "not_one_of"},
		{"unsafe", "", "accounts.main.webui.host", "0.0.0.0", "unsafe_host"},
		{"file that is no YAML", "log: [", "log.level", "debug", "syntax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Set("f.yaml", []byte(tt.src), tt.key, tt.value)
			var ce *Error
			if !errors.As(err, &ce) || ce.Problems[0].Code != tt.code {
				t.Fatalf("got %q, %v; want problem %s", got, err, tt.code)
			}
		})
	}
}

func TestSetFileMendsAndRefusesToBreak(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	if err := os.WriteFile(path, []byte("log: {level: loud} # broken\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if v, err := SetFile(path, "log.level", "warn"); err != nil || v != "warn" {
		t.Fatalf("SetFile = %v, %v", v, err)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "log: {level: warn} # broken\n" {
		t.Fatalf("file is %q, %v", b, err)
	}
	if _, err := SetFile(path, "log.level", "loud"); err == nil {
		t.Error("an invalid value was written")
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("mode is %v, %v", fi.Mode(), err)
	}
	if err := AdoptUIN(path, "main", 3889001001); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, nil, nil)
	if err != nil || c.Accounts[0].UIN != 3889001001 {
		t.Fatalf("after adopting: %+v, %v", c, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*[0-9]")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// FuzzSet holds that an edit changes the one key, loses no comment, and gives
// back a config that loads, or refuses.
func FuzzSet(f *testing.F) {
	f.Add("log:\n  level: info # a\n", "log.level", "debug")
	f.Add("accounts:\n  - name: a # x\n    onebot: {port: 3001}\n", "accounts.a.onebot.port", "3002")
	f.Add("bot: {prefixes: [\"/\", '#'], admins: []}\n# end", "bot.prefixes", "a,b")
	f.Add("log:\n", "log.max_size", "1MiB")
	f.Add("display: |\n  none\n\nlog: {}\n", "log.events", "off")
	f.Fuzz(func(t *testing.T, src, key, value string) {
		out, err := Set("f", []byte(src), key, value)
		if err != nil {
			return
		}
		c, err := Parse("f", out)
		if err != nil {
			t.Fatalf("%q + %s=%q gives %q: %v", src, key, value, out, err)
		}
		if _, err := Get(c, key); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		again, err := Set("f", out, key, value)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("not stable: %q then %q, %v", out, again, err)
		}
		if strings.HasPrefix(src, "# keep\n") && !bytes.Contains(out, []byte("# keep\n")) {
			t.Fatalf("%q lost its comment: %q", src, out)
		}
	})
}
