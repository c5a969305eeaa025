package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// codes returns which problems a key has when it is set to a value, as a variable
// or --set would.
func codes(t *testing.T, key, value string) []string {
	t.Helper()
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil, map[string]string{key: value})
	if err == nil {
		return nil
	}
	var ce *Error
	if !errors.As(err, &ce) {
		t.Fatalf("%s=%s: error is %T: %v", key, value, err, err)
	}
	var out []string
	for _, p := range ce.Problems {
		out = append(out, p.Code)
	}
	return out
}

// Both ends of every range are allowed, and nothing beyond them.
func TestRanges(t *testing.T) {
	for _, tt := range []struct{ key, below, lowest, highest, above string }{
		{"supervisor.restart.initial", "0s", "1ms", "5m", "5m1s"}, // of restart.max
		{"supervisor.restart.jitter", "-0.1", "0", "1", "1.1"},
		{"supervisor.restart.score_limit", "0.9", "1", "1000", "1000.1"},
		{"supervisor.restart.score_half_life", "0s", "1ms", "8760h", "8761h"},
		{"supervisor.restart.healthy_after", "0s", "1ms", "8760h", "8761h"},
		{"supervisor.health.probe_interval", "0s", "1ms", "8760h", "8761h"},
		{"supervisor.health.probe_timeout", "0s", "1ms", "8760h", "8761h"},
		{"supervisor.health.start_timeout", "0s", "1ms", "8760h", "8761h"},
		{"supervisor.health.heartbeat_misses", "0", "1", "1000", "1001"},
		{"supervisor.health.offline_samples", "0", "1", "1000", "1001"},
		{"supervisor.stop_timeout", "99ms", "100ms", "1h", "61m"},
		{"supervisor.memory_limit", "63MiB", "64MiB", "64GiB", ""},
		{"napcat.keep", "0", "1", "100", "101"},
		{"bot.queue", "0", "1", "1048576", "1048577"},
		{"bot.handler_warn", "0s", "1ms", "8760h", "8761h"},
		{"bot.handler_deadline", "-1s", "0s", "8760h", ""},
		{"bot.backfill.messages", "0", "1", "1000", "1001"},
		{"bot.backfill.chats", "0", "1", "1000", "1001"},
		{"bot.backfill.age", "0s", "1ms", "8760h", "8761h"},
		{"log.max_size", "63KiB", "64KiB", "10MiB", ""},
		{"accounts.main.onebot.heartbeat", "999ms", "1s", "1h", "61m"},
		{"accounts.main.onebot.port", "-1", "0", "65535", "65536"},
		{"accounts.main.webui.port", "-1", "0", "65535", "65536"},
		{"accounts.main.login.qr_timeout", "9s", "10s", "720h", "721h"},
		{"accounts.main.uin", "9999", "10000", "99999999999", "100000000000"},
	} {
		for _, v := range []string{tt.lowest, tt.highest} {
			if got := codes(t, tt.key, v); len(got) != 0 {
				t.Errorf("%s=%s: %v", tt.key, v, got)
			}
		}
		for _, v := range []string{tt.below, tt.above} {
			if got := codes(t, tt.key, v); v != "" && len(got) != 1 {
				t.Errorf("%s=%s: %v, want one problem", tt.key, v, got)
			}
		}
	}
}

// One value of a kind that is right, and ones that are not.
func TestKinds(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for _, tt := range []struct {
		key  string
		good []string
		bad  map[string]string // value to problem
	}{
		{"napcat.update", []string{"notify", "auto", "off"}, map[string]string{"on": "not_one_of"}},
		{"napcat.version", []string{"4.8.90", "v4.8.90-beta"}, map[string]string{"../x": "bad_version", ".4": "bad_version", strings.Repeat("1", 65): "bad_version"}},
		{"napcat.qq_version", []string{"3.2.18-36580"}, map[string]string{"a b": "bad_version"}},
		{"napcat.sha256", []string{sum, strings.ToUpper(sum)}, map[string]string{sum[1:]: "bad_sha256", "x" + sum[1:]: "bad_sha256"}},
		{"napcat.qq_sha256", []string{sum}, map[string]string{sum + "00": "bad_sha256"}},
		{"napcat.extra_args", []string{"--disable-gpu"}, map[string]string{"--no-sandbox": "reserved_arg", "-q": "reserved_arg", "-q=1": "reserved_arg"}},
		{"display", []string{"auto", "none", ":1", "host:1.0"}, map[string]string{"1": "bad_display", ":x": "bad_display"}},
		{"bot.send_policy", []string{"wait", "merge", "refuse"}, map[string]string{"drop": "not_one_of"}},
		{"bot.backfill.mode", []string{"auto", "ask", "off"}, map[string]string{"on": "not_one_of"}},
		{"bot.send_rate", []string{"20/1m"}, map[string]string{"20 per minute": "bad_rate"}},
		{"bot.admins", []string{"10001"}, map[string]string{"1": "bad_uin"}},
		{"log.level", []string{"debug", "info", "warn", "error"}, map[string]string{"trace": "not_one_of"}},
		{"log.format", []string{"auto", "text", "json"}, map[string]string{"xml": "not_one_of"}},
		{"log.events", []string{"off", "summary", "full"}, map[string]string{"on": "not_one_of"}},
		{"log.max_total", []string{"100MiB"}, map[string]string{"1MiB": "order"}},
		{"control.listen", []string{"127.0.0.1:6099", "[::1]:6099", "localhost:0"}, map[string]string{"6099": "bad_listen", ":6099": "bad_listen", "127.0.0.1:65536": "bad_listen", "127.0.0.1:-1": "bad_listen", "a b:1": "bad_listen"}},
		{"supervisor.restart_at", []string{"0 4 * * *", "@weekly"}, map[string]string{"25:00": "bad_schedule", "* * * * *": "too_often"}},
		{"supervisor.memory_limit", []string{"0"}, nil},
		{"accounts.main.login.order", []string{"qr", "quick,password,qr"}, map[string]string{"sms": "not_one_of", "qr,qr": "repeated"}},
		{"accounts.main.login.password_md5_env", []string{"QQ_MD5", "_x"}, map[string]string{"1x": "bad_env_name", sum[:32]: "md5_itself"}},
		{"accounts.main.webui.host", []string{"127.0.0.1", "::1", "localhost", "LOCALHOST"}, map[string]string{"0.0.0.0": "unsafe_host", "a b": "bad_host", strings.Repeat("a", 254): "bad_host"}},
		{"accounts.main.onebot.report_self_message", []string{"true", "false"}, map[string]string{"perhaps": "bad_bool"}},
	} {
		for _, v := range tt.good {
			if got := codes(t, tt.key, v); len(got) != 0 {
				t.Errorf("%s=%s: %v", tt.key, v, got)
			}
		}
		for v, want := range tt.bad {
			if got := codes(t, tt.key, v); !slices.Equal(got, []string{want}) {
				t.Errorf("%s=%s: %v, want %s", tt.key, v, got, want)
			}
		}
	}
}

func TestProblemsOfSeveral(t *testing.T) {
	long := strings.Repeat("t", MinToken)
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"no account", "accounts: []\n", []string{"1:11 no_accounts"}},
		{"one name twice", "accounts:\n  - name: a\n  - name: A\n", []string{"3:11 duplicate_name"}},
		{"two names", "accounts:\n  - name: a\n  - name: b\n", nil},
		{"a name of 32", "accounts:\n  - name: " + strings.Repeat("a", 32) + "\n", nil},
		{"a name of 33", "accounts:\n  - name: " + strings.Repeat("a", 33) + "\n", []string{"2:11 bad_name"}},
		{"one uin twice", "accounts:\n  - {name: a, uin: 10001}\n  - {name: b, uin: 10001}\n", []string{"3:20 duplicate_uin"}},
		{"no uin twice", "accounts:\n  - {name: a, uin: 0}\n  - {name: b, uin: 0}\n", nil},
		{"one port twice", "accounts:\n  - {name: a, webui: {port: 6099}, onebot: {port: 6099}}\n", []string{"2:51 same_port"}},
		{"no port twice", "accounts:\n  - {name: a, webui: {port: 0}, onebot: {port: 0}}\n", nil},
		{"the control port", "control: {listen: \"127.0.0.1:6099\"}\naccounts:\n  - {name: a, webui: {port: 6099}}\n", []string{"1:19 same_port"}},
		{"env of ours", "accounts:\n  - {name: a, env: {HOME: /x}}\n", []string{"2:27 reserved_env"}},
		{"env of no name", "accounts:\n  - {name: a, env: {1x: y}}\n", []string{"2:25 bad_env_name"}},
		{"env", "accounts:\n  - {name: a, env: {TZ: UTC}}\n", nil},
		{"everywhere without a token", "accounts:\n  - {name: a, webui: {host: 0.0.0.0}}\n", []string{"2:29 unsafe_host"}},
		{"everywhere with a short one", "accounts:\n  - {name: a, webui: {host: 0.0.0.0, token: " + long[1:] + "}}\n", []string{"2:45 short_token"}},
		{"everywhere with a long one", "accounts:\n  - {name: a, webui: {host: 0.0.0.0, token: " + long + "}}\n", nil},
	} {
		got := problems(t, tt.src)
		for i := range got { // the code matters here; places have a test of their own
			got[i] = got[i][strings.LastIndexByte(got[i], ' ')+1:]
		}
		var want []string
		for _, w := range tt.want {
			want = append(want, w[strings.LastIndexByte(w, ' ')+1:])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
	}
}

// What is legal but unwise is said, and only that.
func TestWarnings(t *testing.T) {
	long := strings.Repeat("t", MinToken)
	dir := t.TempDir()
	for _, tt := range []struct {
		name, src string
		mode      os.FileMode
		want      []string
	}{
		{"the default", "", 0o644, nil},
		{"no QR code", "accounts: [{name: a, login: {order: [quick]}}]\n", 0o600, []string{"accounts.a.login.order no_qr"}},
		{"a password that is not there", "accounts: [{name: a, login: {order: [password, qr]}}]\n", 0o600, []string{"accounts.a.login.order password_env"}},
		{"a password that is", "accounts: [{name: a, login: {order: [password, qr], password_md5_env: P}}]\n", 0o600, nil},
		{"a password second", "accounts: [{name: a, login: {order: [quick, password, qr]}}]\n", 0o600, nil},
		{"a short token", "accounts: [{name: a, webui: {token: abc}}]\n", 0o600, []string{"accounts.a.webui.token loopback_token"}},
		{"a long token", "accounts: [{name: a, onebot: {token: " + long + "}}]\n", 0o600, nil},
		{"a token in a file for all", "accounts: [{name: a, onebot: {token: " + long + "}}]\n", 0o644, []string{" file_mode"}},
		{"a WebUI for all", "accounts: [{name: a, webui: {host: 0.0.0.0, token: " + long + "}}]\n", 0o600, []string{"accounts.a.webui.host public_webui"}},
		{"control for all", "control: {listen: \"0.0.0.0:1\"}\n", 0o600, []string{"control.listen public_control"}},
		{"control for all by TLS", "control: {listen: \"0.0.0.0:1\", tls: self}\n", 0o600, nil},
		{"control behind a proxy", "control: {listen: \"0.0.0.0:1\", proxies: [10.0.0.0/8]}\n", 0o600, nil},
		{"debug", "log: {level: debug}\n", 0o600, []string{"log.level debug"}},
		{"little memory", "supervisor: {memory_limit: 511MiB}\n", 0o600, []string{"supervisor.memory_limit memory"}},
		{"enough memory", "supervisor: {memory_limit: 512MiB}\n", 0o600, nil},
		{"a server without a token", "accounts: [{name: a, networks: {httpServers: [{name: n, host: \"\", port: 1}]}}]\n", 0o600, []string{"accounts.a.networks.httpServers network_token"}},
		{"a server that is off", "accounts: [{name: a, networks: {httpServers: [{name: n, host: \"\", port: 1, enable: false}]}}]\n", 0o600, nil},
		{"a server for this machine", "accounts: [{name: a, networks: {httpServers: [{name: n, host: 127.0.0.1, port: 1}]}}]\n", 0o600, nil},
		{"a server with a token", "accounts: [{name: a, networks: {httpServers: [{name: n, host: \"\", port: 1, token: " + long + "}]}}]\n", 0o600, nil},
		{"known types of events", "apps: [{name: x, events: {types: [message, message.group, notice.poke, request.friend, message_sent.private]}}]\n", 0o600, nil},
		{"types that nobody knows", "apps: [{name: x, events: {types: [message.foo, notice.group_bann, notice.notify.poke]}}]\n", 0o600, []string{"apps.x.events.types event_type", "apps.x.events.types event_type_nearest", "apps.x.events.types event_type_nearest"}},
		{"one token for two apps", "apps: [{name: x, token: " + long + "}, {name: y, token: " + long + "}]\n", 0o600, []string{"apps.y.token shared_token"}},
		{"one token for what another app waits with", "apps: [{name: x, token: " + long + "}, {name: y, token: " + long + ", transports: [webhook], webhook: {url: \"http://x/\"}}]\n", 0o600, nil},
		{"a client", "accounts: [{name: a, networks: {httpClients: [{name: n, url: \"http://x/\"}]}}]\n", 0o600, nil},
	} {
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(tt.src), tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		for _, w := range Warnings(path, c) {
			got = append(got, w.Key+" "+w.Code)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
