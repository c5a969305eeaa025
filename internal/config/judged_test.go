package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Both ends of every range of the newer sections are allowed, and nothing beyond.
func TestMoreRanges(t *testing.T) {
	for _, tt := range []struct{ key, below, lowest, highest, above string }{
		{"scripts.limits.memory", "4095KiB", "4MiB", "4GiB", "4097MiB"},
		{"scripts.limits.cpu", "9ms", "10ms", "1m", "61s"},
		{"scripts.limits.queue", "0", "1", "1048576", "1048577"},
		{"scripts.limits.calls", "0", "1", "65536", "65537"},
		{"scripts.limits.timers", "0", "1", "65536", "65537"},
		{"scripts.limits.setup", "99ms", "100ms", "25s", "26s"},
		{"scripts.limits.unload", "99ms", "100ms", "8s", "9s"},
	} {
		for _, v := range []string{tt.lowest, tt.highest} {
			if got := codes(t, tt.key, v); len(got) != 0 {
				t.Errorf("%s=%s: %v", tt.key, v, got)
			}
		}
		for _, v := range []string{tt.below, tt.above} {
			if got := codes(t, tt.key, v); !slices.Equal(got, []string{"out_of_range"}) {
				t.Errorf("%s=%s: %v, want one problem", tt.key, v, got)
			}
		}
	}
}

// TestJudged: texts and all that is wrong with them, at its place.
func TestJudged(t *testing.T) {
	token := strings.Repeat("t", MinToken)
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"tls without files", "control: {tls: files}\n", []string{"1:16 no_cert"}},
		{"tls with half of them", "control: {tls: files, cert: /c}\n", []string{"1:16 no_cert"}},
		{"tls with both", "control: {tls: files, cert: /c, key: /k}\n", nil},
		{"tls of another kind", "control: {tls: acme}\n", []string{"1:16 not_one_of"}},
		{"hosts and proxies", "control: {hosts: [a.example, 'a b'], proxies: [10.0.0.0/8, 10.0.0.1, x]}\n", []string{"1:30 bad_host", "1:70 bad_network"}},
		{"a network without a server", "bus: {creds: /x, ca: /y, host: h}\n", []string{"1:14 bus_without_url", "1:22 bus_without_url", "1:32 bus_without_url"}},
		{"a bus", "bus: {url: 'nats://a:4222, tls://b', host: h_1-a, replicas: 3, retention: 1m}\n", nil},
		{"a bus on the web", "bus: {url: 'ws://c,wss://d'}\n", nil},
		{"half on the web", "bus: {url: 'nats://a,ws://c'}\n", []string{"1:12 mixed_bus_url"}},
		{"files of something else", "bus: {url: 'nats://a', creds: check.go, ca: check.go}\n", []string{"1:31 bad_bus_creds", "1:45 bad_bus_ca"}},
		{"a bus of five", "bus: {url: 'nats://a', replicas: 5, retention: 8760h}\n", nil},
		{"another scheme", "bus: {url: 'http://a'}\n", []string{"1:12 bad_bus_url"}},
		{"no host", "bus: {url: 'nats://'}\n", []string{"1:12 bad_bus_url"}},
		{"the second is wrong", "bus: {url: 'nats://a,b'}\n", []string{"1:12 bad_bus_url"}},
		{"a name of the bus", "bus: {url: 'nats://a', host: 'a.b'}\n", []string{"1:30 bad_bus_host"}},
		{"a name of 64", "bus: {url: 'nats://a', host: " + strings.Repeat("a", 64) + "}\n", nil},
		{"a name of 65", "bus: {url: 'nats://a', host: " + strings.Repeat("a", 65) + "}\n", []string{"1:30 bad_bus_host"}},
		{"two replicas", "bus: {url: 'nats://a', replicas: 2}\n", []string{"1:34 bad_replicas"}},
		{"a short memory", "bus: {url: 'nats://a', retention: 59s}\n", []string{"1:35 out_of_range"}},
		{"files that are none", "bus: {url: 'nats://a', creds: /nonexistent, ca: /}\n", []string{"1:31 no_file", "1:49 no_file"}},
		{"grants", "scripts: {grants: {a: {fetch: [x.org], files: true}, b: , c: {}}}\n", nil},
		{"grants that are none", "scripts: {grants: {a: 1, b: {fetch: x}, c: {fetch: [1]}, d: {files: 1}, e: {other: 1}}}\n",
			[]string{"1:23 bad_grant", "1:29 bad_grant", "1:44 bad_grant", "1:61 bad_grant", "1:76 bad_grant"}},
		{"a zone", "bot: {time_zone: Asia/Shanghai}\n", nil},
		{"no zone", "bot: {time_zone: Asia/Shangai}\n", []string{"1:18 bad_zone"}},
		{"a zone by its file", "bot: {time_zone: ':UTC'}\n", []string{"1:18 bad_zone"}},
		{"a zone by its path", "bot: {time_zone: /etc}\n", []string{"1:18 bad_zone"}},
		{"mirrors", "napcat: {mirrors: []}\n", []string{"1:19 empty_list"}},
		{"no way to log in", "accounts: [{login: {order: []}}]\n", []string{"1:28 empty_list"}},
		{"a busy port", "accounts: [{webui: {port_busy: ask}}]\n", []string{"1:32 not_one_of"}},
		{"tokens", "accounts:\n  - webui: {host: 0.0.0.0, token: " + token + "}\n    onebot: {host: 0.0.0.0, token: " + token[1:] + "}\n", []string{"3:36 short_token"}},
		{"a token where none is needed", "accounts: [{webui: {token: x}}]\n", nil},
		{"one account without a name", "accounts: [{uin: 10001}]\n", nil},
		{"one with an empty one", "accounts: [{name: \"\"}]\n", []string{"1:12 no_name"}},
		{"two of any number", "accounts: [{name: a}, {name: b}]\n", nil},
		{"a port for each", "accounts: [{webui: {port: 1}, onebot: {port: 2}}]\ncontrol: {listen: 'localhost:3'}\n", nil},
		{"free ports do not clash", "accounts: [{webui: {port: 0}, onebot: {port: 0}}]\n", nil},
		{"the port of an adapter that is off", "accounts: [{onebot: {port: 3001}, networks: {httpServers: [{name: a, port: 3001, enable: false}]}}]\n", nil},
		{"the port of a client", "accounts: [{onebot: {port: 3001}, networks: {websocketClients: [{name: a, url: 'ws://h:3001'}]}}]\n", nil},
		{"an app on the port of an account", "accounts: [{onebot: {port: 3001}}]\napps: [{name: a, listen: {port: 3001}}]\n", []string{"2:33 same_port"}},
		{"an app that does not listen", "accounts: [{onebot: {port: 3001}}]\napps: [{name: a, transports: [reverse], reverse: {url: 'ws://h'}, listen: {port: 3001}}]\n", nil},
		{"restarts as close as they may be", "supervisor: {restart_at: \"*/10 * * * *\"}\n", nil},
		{"restarts too close", "supervisor: {restart_at: \"*/9 * * * *\"}\n", []string{"1:26 too_often"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := problems(t, tt.src); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

// TestAppsAreJudged: the rights, events, ways and programs of apps.
func TestAppsAreJudged(t *testing.T) {
	for src, want := range map[string][]string{
		"{name: a, replay: {events: 0, age: 0s}, heartbeat: 1s}":                              nil,
		"{name: a, replay: {events: 10000, age: 24h}, heartbeat: 1h}":                         nil,
		"{name: a, replay: {events: -1}}":                                                     {"out_of_range"},
		"{name: a, replay: {events: 10001}}":                                                  {"out_of_range"},
		"{name: a, replay: {age: 25h}}":                                                       {"out_of_range"},
		"{name: a, heartbeat: 999ms}":                                                         {"out_of_range"},
		"{name: a, heartbeat: 61m}":                                                           {"out_of_range"},
		"{name: a, send_rate: 1/1s}":                                                          nil,
		"{name: a, send_rate: fast}":                                                          {"bad_rate"},
		"{name: a, files: [/srv, srv]}":                                                       {"not_absolute"},
		"{name: a, transports: []}":                                                           {"empty_list"},
		"{name: a, transports: [forward, http, sse]}":                                         nil,
		"{name: a, transports: [forward, forward]}":                                           {"repeated"},
		"{name: a, token: \"a b\"}":                                                           {"bad_token"},
		"{name: a, token: \"a\\x7f\"}":                                                        {"bad_token"},
		"{name: a, token: \"ä\"}":                                                             {"bad_token"},
		"{name: a, token: '!~'}":                                                              nil,
		"{name: a, listen: {port: 65535}}":                                                    nil,
		"{name: a, listen: {port: 65536}}":                                                    {"out_of_range"},
		"{name: a, listen: {port: -1}}":                                                       {"out_of_range"},
		"{name: a, listen: {host: 'a b'}}":                                                    {"bad_host"},
		"{name: a, listen: {host: 0.0.0.0}}":                                                  nil, // its token is generated
		"{name: a, token: 123456789012345, listen: {host: 0.0.0.0}}":                          {"short_token"},
		"{name: a, token: 1234567890123456, listen: {host: 0.0.0.0}}":                         nil,
		"{name: a, token: short, listen: {host: localhost}}":                                  nil,
		"{name: a, transports: [webhook], webhook: {url: 'http://h'}, listen: {host: 'a b'}}": nil,
		"{name: a, transports: [webhook]}":                                                    {"no_url"},
		"{name: a, transports: [webhook], webhook: {url: 'http://h', timeout: 99ms}}":         {"out_of_range"},
		"{name: a, transports: [webhook], webhook: {url: 'https://h:443/x', timeout: 10m}}":   nil,
		"{name: a, transports: [webhook], webhook: {url: 'http://h', timeout: 11m}}":          {"out_of_range"},
		"{name: a, transports: [reverse], reverse: {api_url: 'ws://h'}}":                      nil,
		"{name: a, transports: [reverse], reverse: {event_url: 'wss://h'}}":                   nil,
		"{name: a, transports: [reverse], reverse: {url: 'http://h'}}":                        {"bad_url"},
		"{name: a, transports: [reverse], reverse: {url: 'ws://h', interval: 100ms}}":         nil,
		"{name: a, transports: [reverse], reverse: {url: 'ws://h', interval: 99ms}}":          {"out_of_range"},
		"{name: a, transports: [reverse], reverse: {url: 'ws://h', interval: 61m}}":           {"out_of_range"},
		"{name: a, webhook: {url: 'http://h'}}":                                               {"unused_url"},
		"{name: a, reverse: {api_url: 'ws://h'}}":                                             {"unused_url"},
		"{name: a, reverse: {event_url: 'ws://h'}}":                                           {"unused_url"},
		"{name: a, allow: []}":                                                                nil,
		"{name: a, allow: [\"*\", get_msg, read]}":                                            nil,
		"{name: a, allow: [qqqqqqqq]}":                                                        {"unknown_right"},
		"{name: a, events: {types: [message, message_sent, notice.group_ban, request]}}":      nil,
		"{name: a, events: {types: [meta_event]}}":                                            {"not_one_of"},
		"{name: a, events: {groups: [1], users: [10000]}}":                                    nil,
		"{name: a, events: {groups: [0], users: [9999]}}":                                     {"bad_uin", "bad_uin"},
		"{name: a, run: {command: [sh], memory_limit: 16MiB}}":                                nil,
		"{name: a, run: {command: [sh], memory_limit: 15MiB}}":                                {"out_of_range"},
		"{name: a, run: {command: [sh], dir: rel}}":                                           {"not_absolute"},
		"{name: a, run: {command: [sh], env: {'1x': y}}}":                                     {"bad_env_name"},
		"{name: a, run: {command: [./nothing], dir: /tmp}}":                                   {"command_missing"},
		"{name: a, run: {}}":                                                                  {"no_command"},
		"{name: 'a b'}":                                                                       {"bad_app_name"},
		"a":                                                                                   {"wrong_type"},
	} {
		_, err := Parse("f", []byte("apps:\n  - "+src+"\n"))
		var got []string
		var ce *Error
		if errors.As(err, &ce) {
			for _, p := range ce.Problems {
				got = append(got, p.Code)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", src, got, want)
		}
	}
}

// TestProgramsOfApps are found on the path, by their own, and in the app's folder.
func TestProgramsOfApps(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, dir string
		found     bool
	}{
		{"sh", "", true}, {"sh", dir, true}, {filepath.Join(dir, "run.sh"), "", true}, {filepath.Join(dir, "run.sh"), "/", true},
		{"./run.sh", dir, true}, {"./run.sh", "/", false}, {"run.sh", dir, false}, {"nosuchprogram", "", false},
	} {
		if err := findCommand(tt.name, tt.dir); (err == nil) != tt.found {
			t.Errorf("%s in %q: %v", tt.name, tt.dir, err)
		}
	}
}

func TestGrantsAreRead(t *testing.T) {
	c, err := Parse("f", []byte("scripts: {grants: {a: {fetch: [x.org, y.org], files: true}, b: }}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if g := c.Scripts.Grant("a"); !slices.Equal(g.Fetch, []string{"x.org", "y.org"}) || !g.Files {
		t.Errorf("%+v", g)
	}
	for _, id := range []string{"b", "c"} {
		if g := c.Scripts.Grant(id); len(g.Fetch) != 0 || g.Files {
			t.Errorf("%s: %+v", id, g)
		}
	}
}

// TestUnwiseSettings: each thing that is unwise is told, and what is not is not.
func TestUnwiseSettings(t *testing.T) {
	t.Setenv("TZ", "UTC")
	token := strings.Repeat("t", MinToken)
	for _, tt := range []struct {
		name string
		edit func(c *Config)
		want []string
	}{
		{"nothing", func(*Config) {}, nil},
		{"a short token that is not needed", func(c *Config) { c.Accounts[0].OneBot.Token = "x" }, []string{"accounts.main.onebot.token loopback_token"}},
		{"a long one", func(c *Config) { c.Accounts[0].OneBot.Token = Secret(token) }, nil},
		{"a control page for all", func(c *Config) { c.Accounts[0].WebUI.Host = "0.0.0.0" }, []string{"accounts.main.webui.host public_webui"}},
		{"no code to scan", func(c *Config) { c.Accounts[0].Login.Order = []string{"quick"} }, []string{"accounts.main.login.order no_qr"}},
		{"a password that is not there", func(c *Config) { c.Accounts[0].Login.Order = []string{"password", "qr"} }, []string{"accounts.main.login.order password_env"}},
		{"a password that is", func(c *Config) {
			c.Accounts[0].Login.Order, c.Accounts[0].Login.PasswordMD5Env = []string{"password", "qr"}, "X"
		}, nil},
		{"control for all", func(c *Config) { c.Control.Listen = "0.0.0.0:1" }, []string{"control.listen public_control"}},
		{"control for all, with TLS", func(c *Config) { c.Control.Listen, c.Control.TLS = "0.0.0.0:1", "self" }, nil},
		{"control behind a proxy", func(c *Config) { c.Control.Listen, c.Control.Proxies = "0.0.0.0:1", []string{"10.0.0.1"} }, nil},
		{"control here", func(c *Config) { c.Control.Listen = "127.0.0.1:1" }, nil},
		{"debug", func(c *Config) { c.Log.Level = "debug" }, []string{"log.level debug"}},
		{"little memory", func(c *Config) { c.Supervisor.MemoryLimit = 512<<20 - 1 }, []string{"supervisor.memory_limit memory"}},
		{"enough memory", func(c *Config) { c.Supervisor.MemoryLimit = 512 << 20 }, nil},
		{"an adapter for all", func(c *Config) {
			c.Accounts[0].Networks = map[string]any{"httpServers": []any{map[string]any{"name": "a", "host": "0.0.0.0"}}}
		}, []string{"accounts.main.networks.httpServers network_token"}},
		{"an adapter anywhere", func(c *Config) {
			c.Accounts[0].Networks = map[string]any{"httpServers": []any{map[string]any{"name": "a"}}}
		}, []string{"accounts.main.networks.httpServers network_token"}},
		{"with a token", func(c *Config) {
			c.Accounts[0].Networks = map[string]any{"httpServers": []any{map[string]any{"host": "0.0.0.0", "token": token}}}
		}, nil},
		{"that is off", func(c *Config) {
			c.Accounts[0].Networks = map[string]any{"httpServers": []any{map[string]any{"host": "0.0.0.0", "enable": false}}}
		}, nil},
		{"that is a client", func(c *Config) {
			c.Accounts[0].Networks = map[string]any{"websocketClients": []any{map[string]any{"host": "0.0.0.0"}}}
		}, nil},
		{"that is here", func(c *Config) {
			c.Accounts[0].Networks = map[string]any{"httpServers": []any{map[string]any{"host": "127.0.0.1"}}, "odd": 1}
		}, nil},
	} {
		c := Default()
		tt.edit(c)
		var got []string
		for _, w := range Warnings("/nonexistent", c) {
			got = append(got, w.Key+" "+w.Code)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	for _, tt := range []struct {
		mode  os.FileMode
		token Secret
		want  int
	}{{0o644, Secret(token), 1}, {0o640, Secret(token), 1}, {0o600, Secret(token), 0}, {0o644, "", 0}} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, tt.mode)); err != nil {
			t.Fatal(err)
		}
		c := Default()
		c.Accounts[0].WebUI.Token = tt.token
		if got := Warnings(path, c); len(got) != tt.want {
			t.Errorf("mode %v: %+v", tt.mode, got)
		}
	}
}

// TestTextsThatAreNoUTF8: what is no UTF-8 is told once, as what it is, where it begins.
func TestTextsThatAreNoUTF8(t *testing.T) {
	utf16 := func(s string, at int) string {
		var b []byte
		for _, r := range []byte(s) {
			pair := []byte{0, 0}
			pair[at] = r
			b = append(b, pair...)
		}
		return string(b)
	}
	for _, tt := range []struct{ name, src, want string }{
		{"little endian with a mark", "\xff\xfe" + utf16("log: {}\n", 0), "0:0 utf16"},
		{"big endian with a mark", "\xfe\xff" + utf16("log: {}\n", 1), "0:0 utf16"},
		{"little endian", utf16("log: {}\n", 0), "0:0 utf16"},
		{"big endian", utf16("log: {}\n", 1), "0:0 utf16"},
		{"zeros, after a loss of power", "\x00\x00\x00\x00", "0:0 zeroed"},
		{"GBK", "log: {}\n# \xd6\xd0\xce\xc4\n", "2:3 gbk"},
		{"GB 18030", "# \x81\x30\x81\x30\n", "1:3 gbk"},
		{"Latin-1", "# caf\xe9\n", "1:6 not_utf8"},
		{"half a letter at the end", "# \xd6", "1:3 not_utf8"},
		{"after Chinese", "# 中文 \xff\n", "1:6 not_utf8"},
	} {
		if got := problems(t, tt.src); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
	for _, src := range []string{"", "\ufefflog: {}\n", "# 中文\n", "# \ufffd\n"} {
		if got := problems(t, src); got != nil {
			t.Errorf("%q: %v", src, got)
		}
	}
	big := []byte("# " + strings.Repeat("x", maxFile-2))
	if _, err := Parse("f", big); err != nil {
		t.Errorf("as large as may be: %v", err)
	}
	if _, err := Parse("f", append(big, 'x')); err == nil || !strings.Contains(err.Error(), "over 1048576 bytes") {
		t.Errorf("too large: %v", err)
	}
}

// TestReplace: a file is only replaced by one who has seen what is in it.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "ncatd.yaml")
	src, sum, err := ReadFile(path)
	if err != nil || len(src) != 0 || sum == "" {
		t.Fatalf("%q %q %v", src, sum, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := Replace(path, []byte("log: {}\n"), sum)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if src, now, err := ReadFile(path); err != nil || string(src) != "log: {}\n" || now != first {
		t.Errorf("%q %q %v", src, now, err)
	}
	if _, err := Replace(path, []byte("bot: {}\n"), sum); !errors.Is(err, ErrChanged) {
		t.Errorf("with an old sum: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Replace(path, []byte("bot: {}\n"), first); err != nil {
		t.Error(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", fi.Mode(), err)
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("log: {level: warn}\n")); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "log: {level: warn}\n" {
		t.Errorf("%q %v", b, err)
	}
	for _, dir := range []string{filepath.Dir(path)} {
		if _, _, err := ReadFile(dir); err == nil {
			t.Error("a folder was read")
		}
		if names, err := NamesAccounts(dir); err == nil || names {
			t.Error("a folder names accounts")
		}
	}
}

func TestNamesAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	if names, err := NamesAccounts(path); err != nil || names {
		t.Errorf("no file: %v %v", names, err)
	}
	for src, want := range map[string]bool{"": false, "log: {}\n": false, "accounts:\n": false, "accounts: []\n": true, "accounts: [{name: a}]\n": true} {
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		if names, err := NamesAccounts(path); err != nil || names != want {
			t.Errorf("%q: %v %v", src, names, err)
		}
	}
	if err := os.WriteFile(path, []byte("accounts: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NamesAccounts(path); err == nil {
		t.Error("no YAML")
	}
}

// TestTokensOfApps: each app has one of its own, which stays, and the control API's
// can be forgotten.
func TestTokensOfApps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x", "secrets.json")
	c := Default()
	c.Apps = []App{DefaultApp("a"), DefaultApp("b"), DefaultApp("c")}
	c.Apps[1].Token = "configured"
	if err := os.WriteFile(filepath.Join(dir, "ncatd.app.c"), []byte(" given\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := EnsureSecrets(path, c, dir)
	if err != nil || len(s.Apps["a"]) != tokenLength || s.Apps["b"] != "configured" || s.Apps["c"] != "given" {
		t.Fatalf("%d letters, %v", len(s.Apps["a"]), err)
	}
	if fi, err := os.Stat(filepath.Dir(path)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if err := ForgetControlToken(path); err != nil {
		t.Fatal(err)
	}
	again, err := EnsureSecrets(path, c, "")
	if err != nil || again.Control == s.Control || again.Apps["a"] != s.Apps["a"] || again.Apps["c"] == "given" || again.Accounts["main"] != s.Accounts["main"] {
		t.Errorf("another control token: %v, the same for a: %v, %v", again.Control != s.Control, again.Apps["a"] == s.Apps["a"], err)
	}
	none := filepath.Join(dir, "none.json")
	if err := ForgetControlToken(none); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a file was made to forget something")
	}
	if err := os.WriteFile(path, []byte(" \x00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := EnsureSecrets(path, c, ""); err != nil || len(s.Control) != tokenLength {
		t.Errorf("emptied, as by a loss of power: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "ncatd.control"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureSecrets(path, c, dir); err == nil {
		t.Error("a credential that cannot be read is none")
	}
}
