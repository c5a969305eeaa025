package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/cost"
)

// problems returns what is wrong with src, one "line:column code" a problem.
func problems(t *testing.T, src string) []string {
	t.Helper()
	_, err := Parse("f", []byte(src))
	if err == nil {
		return nil
	}
	var ce *Error
	if !errors.As(err, &ce) {
		t.Fatalf("error is %T: %v", err, err)
	}
	var out []string
	for _, p := range ce.Problems {
		out = append(out, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Code))
		if Formats[p.Code] == "" || strings.Contains(p.Message(), "%!") {
			t.Errorf("problem %s: %s", p.Code, p.Message())
		}
	}
	return out
}

func TestProblemsHaveTheirPlaces(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"empty", "", nil},
		{"only comments", "# nothing\n", nil},
		{"sections without keys", "log:\nbot:\naccounts:\n", nil},
		{"syntax", "log: [\n", []string{"1:0 syntax"}},
		{"tab", "log:\n\tlevel: info\n", []string{"2:1 tab"}},
		{"tab after spaces", "accounts:\n  - name: main\n  \tuin: 1\n", []string{"3:3 tab"}},
		{"full-width colon", "log：\n  level: debug\n", []string{"1:4 wide_colon"}},
		{"full-width colon in a list", "accounts:\n  - name：main\n    uin: 1\n", []string{"2:9 wide_colon"}},
		{"no mapping", "- a\n", []string{"1:1 not_mapping"}},
		{"two documents", "log: {}\n---\nlog: {}\n", []string{"2:1 several_docs"}},
		{"unknown key", "lgo: {}\nlog:\n  level: info\n  zzz: 1\n", []string{"1:1 unknown_nearest", "4:3 unknown_key"}},
		{"key of another place", "heartbeat: 3s\n", []string{"1:1 unknown_elsewhere"}},
		{"twice", "display: none\ndisplay: auto\n", []string{"2:1 duplicate_key"}},
		{"types", "log: 3\nbot: {admins: x, queue: many, prefixes: [[a]]}\nnapcat: {keep: 1.5}\n",
			[]string{"1:6 wrong_type", "2:15 wrong_type", "2:25 bad_int", "2:42 wrong_type", "3:16 bad_int"}},
		{"scalars", "supervisor: {stop_timeout: 3, memory_limit: lots, restart: {jitter: x}}\nlog: {max_size: -1}\naccounts: [{onebot: {report_self_message: \"true\"}}]\n",
			[]string{"1:28 bad_duration", "1:45 bad_size", "1:69 bad_float", "2:17 bad_size", "3:43 bad_bool"}},
		{"alias and merge", "a: &x {level: info}\nlog: *x\nbot: {<<: *x}\n",
			[]string{"1:1 unknown_key", "2:6 alias", "3:7 merge_key"}},
		{"words", "log: {level: loud, format: xml, events: all}\nnapcat: {update: maybe}\n",
			[]string{"1:14 not_one_of", "1:28 not_one_of", "1:41 not_one_of", "2:18 not_one_of"}},
		{"ranges", "bot: {queue: 0}\nsupervisor: {restart: {jitter: 2, initial: 10m}}\nlog: {max_size: 1MiB, max_total: 1KiB}\n",
			[]string{"1:14 out_of_range", "2:23 order", "2:32 out_of_range", "3:34 order"}},
		{"names", "accounts:\n  - name: a b\n  - name: x\n  - name: X\n  - uin: 10001\n",
			[]string{"2:11 bad_name", "4:11 duplicate_name", "5:5 no_name"}},
		{"numbers", "accounts:\n  - {name: a, uin: 10001}\n  - {name: b, uin: 10001}\n  - {name: c, uin: 7}\n",
			[]string{"3:20 duplicate_uin", "4:20 bad_uin"}},
		{"ports", "accounts:\n  - {name: a, webui: {port: 6099}, onebot: {port: 6099}}\n  - {name: b, webui: {port: 70000}, networks: {httpServers: [{port: 6099}]}}\ncontrol: {listen: \"127.0.0.1:6099\"}\n",
			[]string{"2:51 same_port", "3:29 out_of_range", "3:61 same_port", "4:19 same_port"}},
		{"no accounts", "accounts: []\n", []string{"1:11 no_accounts"}},
		{"unsafe", "accounts:\n  - webui: {host: 0.0.0.0}\n    onebot: {host: 192.168.1.2, token: short}\n",
			[]string{"2:19 unsafe_host", "3:40 short_token"}},
		{"safe", "accounts:\n  - webui: {host: 0.0.0.0, token: 0123456789abcdef}\n    onebot: {host: localhost}\n", nil},
		{"login", "accounts:\n  - login: {order: [qr, face, qr], password_md5_env: 0123456789abcdef0123456789abcdef}\n",
			[]string{"2:25 not_one_of", "2:31 repeated", "2:54 md5_itself"}},
		{"env", "accounts:\n  - env: {HOME: /x, 'A B': y, OK: 1}\n", []string{"2:11 reserved_env", "2:21 bad_env_name"}},
		{"others", "display: tv\nnapcat: {sha256: abc, extra_args: [--no-sandbox]}\nsupervisor: {restart_at: often}\nbot: {send_rate: fast, admins: [1]}\ncontrol: {listen: \":80\"}\n",
			[]string{"1:10 bad_display", "2:18 bad_sha256", "2:36 reserved_arg", "3:26 bad_schedule", "4:18 bad_rate", "4:33 bad_uin", "5:19 bad_listen"}},
		{"versions", "napcat: {version: ../x, qq_version: /etc/systemd}\n", []string{"1:19 bad_version", "1:37 bad_version"}},
		{"a zone alone", "supervisor: {restart_at: \"CRON_TZ=Asia/Shanghai\"}\n", []string{"1:26 bad_schedule"}},
		{"no such zone", "supervisor: {restart_at: \"CRON_TZ=Asia/Shanghia 0 5 * * *\"}\n", []string{"1:26 no_zone"}},
		{"for ever", "supervisor: {restart_at: \"@every 0s\"}\n", []string{"1:26 bad_schedule"}},
		{"each second", "supervisor: {restart_at: \"@every 1s\"}\n", []string{"1:26 too_often"}},
		{"each minute", "supervisor: {restart_at: \"* 5 * * 7\"}\n", []string{"1:26 too_often"}},
		{"schedules", "supervisor: {restart_at: \"CRON_TZ=Asia/Shanghai 0 5 * * 7\"}\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := problems(t, tt.src); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	if err := os.WriteFile(path, []byte("log: {level: warn, format: text}\naccounts: [{name: my-cat}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"NCATD_LOG_LEVEL=error", "NCATD_LOG_FORMAT=json", "NCATD_ACCOUNTS_MY_CAT_UIN=10001", "NCATD_BOT_ADMINS=10002,10003",
		"NCATD_HOME=/x", "NCATD_LANG=zh", "NCATD_PASSPHRASE=x", "NCATD_DISPLAY=", "OTHER=1"}
	c, err := Load(path, env, map[string]string{"log.level": "debug", "accounts.my-cat.onebot.heartbeat": "5s"})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Accounts[0]
	if c.Log.Level != "debug" || c.Log.Format != "json" || a.UIN != 10001 || a.OneBot.Heartbeat.D() != 5*time.Second ||
		!reflect.DeepEqual(c.Bot.Admins, []int64{10002, 10003}) || c.Display != "auto" {
		t.Errorf("got %+v", c)
	}
	_, err = Load(path, []string{"NCATD_LOG_LEVEL=loud", "NCATD_NO_SUCH=1"}, map[string]string{"log.lvl": "x"})
	var ce *Error
	if !errors.As(err, &ce) || len(ce.Problems) != 3 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"--set log.lvl", "NCATD_LOG_LEVEL", "NCATD_NO_SUCH"} {
		if ce.Problems[i].Place.String() != want {
			t.Errorf("problem %d is at %s, want %s", i, ce.Problems[i].Place, want)
		}
	}
	// A variable that the config names for a password is no setting.
	src := "accounts: [{login: {password_md5_env: NCATD_QQ_MD5}}]\n"
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, []string{"NCATD_QQ_MD5=x"}, nil); err != nil {
		t.Error(err)
	}
}

func TestMissingFileIsTheDefault(t *testing.T) {
	c, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil, nil)
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := Load(t.TempDir(), nil, nil); err == nil {
		t.Error("a folder was read as a file")
	}
}

func TestScalarsRoundTrip(t *testing.T) {
	for _, s := range []string{"0s", "1s", "1m30s", "5m", "1h", "1h0m5s", "48h", "100ms"} {
		d, err := ParseDuration(s)
		if err != nil || d.String() != s {
			t.Errorf("%s becomes %s, %v", s, d, err)
		}
	}
	for s, want := range map[string]int64{"0": 0, "10": 10, "1.5GiB": 3 << 29, "20MB": 20e6, "1k": 1024, " 2 KiB ": 2048} {
		n, err := ParseSize(s)
		if err != nil || n.Bytes() != want {
			t.Errorf("%q is %d, %v; want %d", s, n, err, want)
		}
		if again, err := ParseSize(n.String()); err != nil || again != n {
			t.Errorf("%q is written %s, which is %d", s, n, again)
		}
	}
	for _, s := range []string{"", "x", "-1", "1e400", "NaN", "9999999TiB"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
	if n, per, err := ParseRate("20/10s"); n != 20 || per != 10*time.Second || err != nil {
		t.Error(n, per, err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"level", "format", "max_size", "group_id", "user_id"}
	for s, want := range map[string]string{"levle": "level", "LEVEL": "level", "maxsize": "max_size", "group": "group_id", "x": "", "color": "", "frmat": "format"} {
		if got := Nearest(s, names); got != want {
			t.Errorf("Nearest(%s) = %q, want %q", s, got, want)
		}
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	c := Default()
	first, err := EnsureSecrets(path, c, "")
	if err != nil {
		t.Fatal(err)
	}
	m := first.Accounts["main"]
	for _, s := range []Secret{first.Control, m.WebUI, m.OneBot} {
		if len(s) != tokenLength || strings.Trim(string(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("token %q", s.Reveal())
		}
	}
	if m.WebUI == m.OneBot || m.WebUI == first.Control {
		t.Error("tokens are alike")
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	// They stay, also when an account comes and goes; a wide mode is narrowed.
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	c.Accounts = []Account{DefaultAccount("b")}
	if _, err := EnsureSecrets(path, c, ""); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	again, err := EnsureSecrets(path, Default(), "")
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("tokens changed: %v", err)
	}
	// Config before credential before file.
	creds := t.TempDir()
	for name, v := range map[string]string{"ncatd.control": "from-cred\n", "ncatd.main.webui": "w", "ncatd.main.onebot": "o", "ncatd.main.password_md5": "p"} {
		if err := os.WriteFile(filepath.Join(creds, name), []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c = Default()
	c.Accounts[0].WebUI.Token = "configured"
	got, err := EnsureSecrets(path, c, creds)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Accounts["main"]; got.Control != "from-cred" || a.WebUI != "configured" || a.OneBot != "o" || a.PasswordMD5 != "p" {
		t.Error("the order of the sources is wrong")
	}
	if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), "from-cred") || strings.Contains(string(b), "configured") {
		t.Errorf("the file has what is not its own: %v", err)
	}
	for _, verb := range []string{"%v", "%s", "%q", "%#v", "%+v", "%x", "%d"} {
		if s := fmt.Sprintf(verb, got); strings.Contains(s, "configured") || strings.Contains(s, "66726f6d") {
			t.Errorf("%s shows a secret: %s", verb, s)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureSecrets(path, c, ""); err == nil {
		t.Error("a broken file was replaced: its tokens would be lost")
	}
}

// TestRenewSecrets: one account's generated tokens are new, what somebody chose and
// what is another's stays.
func TestRenewSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	c := Default()
	c.Accounts = []Account{DefaultAccount("a"), DefaultAccount("b")}
	c.Accounts[0].WebUI.Token = "configured"
	was, err := EnsureSecrets(path, c, "")
	if err != nil {
		t.Fatal(err)
	}
	is, err := RenewSecrets(path, c, "a", "")
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := EnsureSecrets(path, c, ""); err != nil || !reflect.DeepEqual(kept, is) {
		t.Errorf("not kept: %v", err)
	}
	if a := is.Accounts["a"]; a.OneBot == was.Accounts["a"].OneBot || a.OneBot == "" || a.WebUI != "configured" {
		t.Error("a has its old token, or lost what was chosen")
	}
	if is.Control != was.Control || is.Accounts["b"] != was.Accounts["b"] {
		t.Error("others changed too")
	}
	// A planted link is replaced, and its target stays.
	target := path + ".target"
	if err := errors.Join(os.Rename(path, target), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RenewSecrets(path, c, "b", ""); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(target); err != nil || string(after) != string(before) {
		t.Errorf("written through a link: %v", err)
	}
}

// frugal is what a config may cost.
var frugal = cost.Bounds{Memory: 4 << 10, MemoryAnyway: 4 << 20, Time: 20 * time.Microsecond, TimeAnyway: 200 * time.Millisecond}

// TestCostOfConfigs: aliases of aliases, depth, keys without end and problems
// without end cost no more than their bytes.
func TestCostOfConfigs(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		n, was := strconv.Itoa(i+1), strconv.Itoa(i)
		laughs += "a" + n + ": &a" + n + " [" + strings.Repeat("*a"+was+", ", 10) + "x]\n"
	}
	for name, src := range map[string]string{
		"billion laughs": laughs,
		"in a value":     laughs + "accounts: *a12\nbot: {plugin_config: {p: *a12}}\n",
		"deep lists":     strings.Repeat("[", 20_000),
		"deep maps":      "bot: {plugin_config: {p: " + strings.Repeat("{a: ", 9000) + "1" + strings.Repeat("}", 9000) + "}}",
		"many keys":      strings.Repeat("kxxxxxxx: 1\n", 20_000),
		"one key":        strings.Repeat("log: {}\n", 20_000),
		"accounts":       "accounts:\n" + strings.Repeat("- {name: a, onebot: {port: 70000}}\n", 5_000),
		"a long line":    "log: {level: " + strings.Repeat("x", 200_000) + "}",
		"merges":         "x: &x {a: 1}\ny: {" + strings.Repeat("<<: *x, ", 10_000) + "}",
		"quotes":         "bot: {prefixes: [" + strings.Repeat("“”，", 10_000) + "]}",
	} {
		t.Run(name, func(t *testing.T) {
			frugal.Hold(t, len(src), func() { _, _ = Parse("f", []byte(src)) })
		})
	}
}

// FuzzLoad holds that no text makes the loader panic, that a problem always has
// words and a place, and that what loads is within its limits.
func FuzzLoad(f *testing.F) {
	f.Add("accounts:\n  - name: main\n    onebot: {port: 3001}\n")
	f.Add("log: {level: info}\nbot: {prefixes: ['/']}\n")
	f.Add("a: &x [*x]\n")
	f.Add("? {a: b}\n: c\n")
	f.Fuzz(func(t *testing.T, src string) {
		c, err := Parse("f", []byte(src))
		frugal.Hold(t, len(src), func() { _, _ = Parse("f", []byte(src)) })
		if err != nil {
			var ce *Error
			if !errors.As(err, &ce) || len(ce.Problems) == 0 {
				t.Fatalf("%q: %v", src, err)
			}
			for _, p := range ce.Problems {
				if strings.Contains(p.Message(), "%!") || p.Place.String() == "" {
					t.Fatalf("%q: %s: %s", src, p.Place, p.Message())
				}
			}
			return
		}
		if len(c.Accounts) == 0 || c.Bot.Queue < 1 || c.NapCat.Keep < 1 {
			t.Fatalf("%q loads as %+v", src, c)
		}
	})
}
