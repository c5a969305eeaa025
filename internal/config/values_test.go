package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, " 5s ": 5 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "0.5d": 12 * time.Hour, "0d": 0, "36499d": 36499 * 24 * time.Hour, "0s": 0,
	} {
		if d, err := ParseDuration(s); err != nil || d.D() != want {
			t.Errorf("%q: %v, %v", s, d.D(), err)
		}
	}
	for _, s := range []string{"", "5", "-1s", "-1d", "36500d", "d", "xd", "1h30", "NaNd", "5 s"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q is %v", s, d.D())
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Second: "5s", 5 * time.Minute: "5m", 10 * time.Minute: "10m", time.Hour: "1h", 20 * time.Hour: "20h",
		time.Hour + time.Minute: "1h1m", time.Hour + time.Second: "1h0m1s", 90 * time.Second: "1m30s", 1500 * time.Millisecond: "1.5s",
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]Size{
		"1KiB": 1 << 10, "1MiB": 1 << 20, "1GiB": 1 << 30, "1TiB": 1 << 40, "1KB": 1e3, "1MB": 1e6, "1GB": 1e9, "1TB": 1e12,
		"1K": 1 << 10, "1M": 1 << 20, "1G": 1 << 30, "1T": 1 << 40, "7B": 7, "7": 7, "7 mib": 7 << 20, "0.5K": 512,
	} {
		if n, err := ParseSize(s); err != nil || n != want {
			t.Errorf("%q: %d, %v; want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"KiB", "-1K", "1PiB", "1 2", "8388608TiB", "inf"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
	for n, want := range map[Size]string{0: "0", 1: "1", 1023: "1023", 1024: "1KiB", 1536: "1536", 3 << 20: "3MiB", 3<<20 + 1024: "3073KiB", 5 << 30: "5GiB", 2 << 40: "2TiB", 1 << 50: "1024TiB"} {
		if got := n.String(); got != want {
			t.Errorf("%d is written %s, want %s", int64(n), got, want)
		}
		if n.Bytes() != int64(n) {
			t.Errorf("%d bytes of %d", n.Bytes(), int64(n))
		}
	}
}

func TestRates(t *testing.T) {
	for s, want := range map[string]struct {
		n   int
		per time.Duration
	}{"": {0, 0}, "1/1ms": {1, time.Millisecond}, "1000000/1h": {1e6, time.Hour}, " 20 / 10s ": {20, 10 * time.Second}, "3/1d": {3, 24 * time.Hour}} {
		if n, per, err := ParseRate(s); err != nil || n != want.n || per != want.per {
			t.Errorf("%q: %d in %v, %v", s, n, per, err)
		}
	}
	for _, s := range []string{"0/1s", "-1/1s", "1000001/1s", "20", "20/", "/1s", "20/0", "20/1us", "20/x", "x/1s", "1.5/1s", "1/1s/1s"} {
		if n, per, err := ParseRate(s); err == nil {
			t.Errorf("%q: %d in %v", s, n, per)
		}
	}
}

func TestNetworksOfProxies(t *testing.T) {
	for s, want := range map[string]string{"10.0.0.7": "10.0.0.7/32", "10.1.2.3/8": "10.0.0.0/8", "::1": "::1/128", "::ffff:10.0.0.7": "10.0.0.7/32", "fd00::1/16": "fd00::/16"} {
		if p, err := ParseNetwork(s); err != nil || p != netip.MustParsePrefix(want) {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "10.0.0", "10.0.0.0/33", "host", "10.0.0.1/x"} {
		if p, err := ParseNetwork(s); err == nil {
			t.Errorf("%q is %v", s, p)
		}
	}
}

func TestTimesOfDay(t *testing.T) {
	for s, want := range map[string]time.Duration{"00:00": 0, "23:59": 23*time.Hour + 59*time.Minute, "07:30": 7*time.Hour + 30*time.Minute} {
		if d, err := TimeOfDay(s); err != nil || d != want {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "24:00", "7", "07:60", "07:30:00"} {
		if d, err := TimeOfDay(s); err == nil {
			t.Errorf("%q is %v", s, d)
		}
	}
}

// TestCommandLines are split as a shell does, without its other tricks.
func TestCommandLines(t *testing.T) {
	for s, want := range map[string][]string{
		"":                        nil,
		"  \t ":                   nil,
		"sh":                      {"sh"},
		"sh -c  'echo a b'":       {"sh", "-c", "echo a b"},
		`a "b 'c' d" e`:           {"a", "b 'c' d", "e"},
		`a'b'"c"`:                 {"abc"},
		"a '' b":                  {"a", "", "b"},
		"a\nb\tc ":                {"a", "b", "c"},
		"python3 -m bot --n '1 '": {"python3", "-m", "bot", "--n", "1 "},
	} {
		if got, ok := words(s); !ok || !slices.Equal(got, want) {
			t.Errorf("%q: %q %v", s, got, ok)
		}
	}
	for _, s := range []string{"'", `a "b`, `'a"`} {
		if got, ok := words(s); ok {
			t.Errorf("%q: %q", s, got)
		}
	}
}

// TestHostsAndNumbers: what is a host, a port of a URL, a QQ number.
func TestHostsAndNumbers(t *testing.T) {
	for h, want := range map[string]bool{
		"localhost": true, "a": true, "a.b-c.d": true, "127.0.0.1": true, "::1": true, "fe80::1": true, strings.Repeat("a", 253): true,
		"": false, "-a": false, "a-": false, "a:1": false, "a b": false, "[::1]": false, strings.Repeat("a", 254): false, "中": false,
	} {
		if hostOK(h) != want {
			t.Errorf("host %q: %v", h, !want)
		}
	}
	for h, want := range map[string]bool{"localhost": true, "LocalHost": true, "127.9.9.9": true, "::1": true, "0.0.0.0": false, "10.0.0.1": false, "example.org": false, "": false} {
		if isLoopback(h) != want {
			t.Errorf("loopback %q: %v", h, !want)
		}
	}
	for p, want := range map[string]bool{"": true, "1": true, "65535": true, "0": false, "65536": false, "-1": false, "x": false} {
		if portOK(p) != want {
			t.Errorf("port %q: %v", p, !want)
		}
	}
	for u, want := range map[string]bool{
		"ws://h": true, "wss://h:1/x": true, "ws://h:65535": true, "http://h": false, "ws://": false, "ws://h:": false, "ws://h:0": false, "ws://h:65536": false, "ws://h:x": false, "h": false, "": false,
	} {
		if urlOK(u, "ws") != want {
			t.Errorf("url %q: %v", u, !want)
		}
	}
	for n, want := range map[int64]bool{9999: false, 10000: true, 99999999999: true, 100000000000: false, 0: false, -10001: false} {
		if uinOK(n) != want {
			t.Errorf("number %d: %v", n, !want)
		}
	}
	for u, want := range map[string]bool{"http://h": true, "https://h/x": true, "ftp://h": false, "https://": false, "h": false} {
		if webAddress(u) != want {
			t.Errorf("address %q: %v", u, !want)
		}
	}
	for s, want := range map[string]string{"nats://h": "nats://h", "nats://u:p@h": "nats://…@h", "tls://u@p@h:1": "tls://…@h:1", "x": "x"} {
		if got := redact(s); got != want {
			t.Errorf("%q is shown as %q", s, got)
		}
	}
	if got := (Listen{"::1", 80}).Address(); got != "[::1]:80" {
		t.Errorf("%s", got)
	}
}

// TestSecretsArePrintedAsStars, whatever prints them, and only where there is one.
func TestSecretsArePrintedAsStars(t *testing.T) {
	s := Secret("hunter2")
	for _, f := range []string{"%v", "%s", "%q", "%#v", "%+v", "%x", "%d", "%10s"} {
		if got := fmt.Sprintf(f, s); got != "***" {
			t.Errorf("%s: %s", f, got)
		}
	}
	b, err := json.Marshal(map[string]any{"a": s, "b": Secret(""), "d": Duration(time.Minute), "s": Size(2048)})
	if err != nil || string(b) != `{"a":"***","b":"","d":"1m","s":"2KiB"}` {
		t.Errorf("%s %v", b, err)
	}
	for v, want := range map[any]any{Secret("x"): "***", Secret(""): "", Duration(90 * time.Second): "1m30s", Size(1 << 20): "1MiB"} {
		m, ok := v.(interface{ MarshalYAML() (any, error) })
		if !ok {
			t.Fatalf("%T", v)
		}
		if got, err := m.MarshalYAML(); err != nil || got != want {
			t.Errorf("%T: %v, %v", v, got, err)
		}
	}
	if s.Reveal() != "hunter2" || s.GoString() != "***" || s.String() != "***" {
		t.Error("shown wrongly")
	}
}

// TestTree: a config as the command line and the console show it.
func TestTree(t *testing.T) {
	c, err := Parse("f", []byte(`accounts:
  - {name: a, uin: 10001, webui: {token: hunter2}, env: {K: v}}
bot: {plugin_config: {p: {n: [1, x]}}, admins: [10002]}
supervisor: {stop_timeout: 90s, memory_limit: 1GiB}
`))
	if err != nil {
		t.Fatal(err)
	}
	m := Tree(c).(map[string]any)
	a := m["accounts"].([]any)[0].(map[string]any)
	sup := m["supervisor"].(map[string]any)
	for _, tt := range []struct{ got, want any }{
		{a["name"], "a"}, {a["uin"], int64(10001)}, {a["webui"].(map[string]any)["token"], "***"}, {a["onebot"].(map[string]any)["token"], ""},
		{a["env"], map[string]any{"K": "v"}}, {sup["stop_timeout"], "1m30s"}, {sup["memory_limit"], "1GiB"},
		{m["bot"].(map[string]any)["admins"], []any{int64(10002)}}, {m["bot"].(map[string]any)["plugin_config"], map[string]any{"p": map[string]any{"n": []any{1, "x"}}}},
		{sup["health"].(map[string]any)["heartbeat_misses"], 3},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%#v, want %#v", tt.got, tt.want)
		}
	}
	if Tree(nil) != nil || Tree((*Config)(nil)) != nil {
		t.Error("nothing is something")
	}
}

// TestGetKeys: a key by the account's name or number, its value as it is.
func TestGetKeys(t *testing.T) {
	c, err := Parse("f", []byte("accounts:\n  - {name: a, uin: 10001}\n  - {name: \"0\", uin: 10002}\napps: [{name: x}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"accounts.a.uin": int64(10001), "accounts.0.uin": int64(10002), "accounts.1.uin": int64(10002), "log.level": "info",
		"supervisor.stop_timeout": sec(10), "apps.x.replay.events": 1000, "apps.0.heartbeat": sec(30), "control.console": true,
	} {
		if got, err := Get(c, key); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", key, got, err)
		}
	}
	for key, code := range map[string]string{
		"accounts.b.uin": "unknown_account", "accounts.2.uin": "unknown_account", "accounts.-1.uin": "unknown_account", "apps.y.token": "unknown_app",
		"log.levle": "unknown_nearest", "log.zzzzzz": "unknown_key", "log.level.x": "unknown_key", "zzzzzz": "unknown_key",
	} {
		_, err := Get(c, key)
		e, ok := err.(*Error)
		if !ok || len(e.Problems) != 1 || e.Problems[0].Code != code || e.Problems[0].Source != key {
			t.Errorf("%s: %v, want %s", key, err, code)
		}
	}
	if got, want := EnvName("accounts.my-cat.onebot.port"), "NCATD_ACCOUNTS_MY_CAT_ONEBOT_PORT"; got != want {
		t.Errorf("%s", got)
	}
	keys := Keys("cat")
	if !slices.Contains(keys, "accounts.cat.uin") || !slices.Contains(keys, "log.level") || slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, "[]") || strings.HasPrefix(k, "apps") }) {
		t.Errorf("%v", keys)
	}
	for _, k := range keys {
		if _, err := Get(c, strings.Replace(k, "accounts.cat", "accounts.a", 1)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}

// TestDistance counts what has to be mended.
func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"level", "level", 0}, {"levle", "level", 1}, {"elvel", "level", 1}, {"leel", "level", 1}, {"llevel", "level", 1}, {"lexel", "level", 1}, {"abc", "xyz", 3}, {"ca", "abc", 3}, {"名字", "名子", 1}} {
		if got := distance(tt.a, tt.b); got != tt.n {
			t.Errorf("%q to %q: %d, want %d", tt.a, tt.b, got, tt.n)
		}
	}
	for s, want := range map[string]string{"lo": "log", "napca": "napcat", "nap": "napcat", "NAPCAT": "napcat", "ab": "", "displya": "display", "accuont": "accounts"} {
		if got := Nearest(s, []string{"accounts", "napcat", "display", "log"}); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
