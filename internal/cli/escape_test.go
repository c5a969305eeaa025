package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

// hostileText has everything that a terminal obeys instead of shows.
const hostileText = "a\x1b[2J\x1b]0;owned\x07\x08\x7f\u009b31m\u202eb\u2066c\u200fd\u2028e\r\nncatd: forged"

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain 中文 🐱\tx":    "plain 中文 🐱\tx",
		"\x1b[31m":         `\x1b[31m`,
		"\a\b\x7f\u0085":   `\a\b\x7f\u0085`,
		"a\u202eb":         `a\u202eb`,
		"a\xffb":           `a\xffb`,
		"\uFFFD is itself": "\uFFFD is itself",
		"two\nlines":       "two\nlines",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
	if got := printable("a\r\nb\tc"); got != "a b c" {
		t.Errorf("printable = %q", got)
	}
}

// hostileDaemon says hostile things wherever a stranger's text can stand.
type hostileDaemon struct{ *loginDaemon }

func (d hostileDaemon) Status() api.Status {
	x := hostileText
	now := time.Now()
	select {
	case d.watched <- struct{}{}:
	default:
	}
	return api.Status{Version: x, PID: 1, Started: now, Home: x,
		RolledBack: &api.RolledBack{NapCat: x, QQ: x, Reason: x, Time: now},
		LastCrash:  &api.LastCrash{Time: now, Panic: x, Account: x, Chat: x, MessageID: x},
		Accounts: []api.Account{
			{Name: "main", UIN: 1, Nickname: x, State: api.StateOnline, Detail: x, Since: now, Degraded: []api.Degraded{
				{Code: "made_up", Detail: x, Since: now}, {Code: api.CodePluginFailed, Args: []string{x, x}, Since: now, Count: 3}}},
			{Name: "b" + x, State: api.StateFailed, Reason: x, Detail: x, Since: now, Fault: api.Because(api.CodeSpawnFailed, x).With(api.Because(api.CodeLastLine, x))},
			{Name: "c", State: api.StateLoginRequired, Reason: "qr", Detail: x, Since: now, Login: &api.Login{Step: api.StepWaiting, URL: "https://x/" + x}},
		}}
}

func (d hostileDaemon) Plugins(context.Context) ([]api.Plugin, error) {
	return []api.Plugin{{ID: hostileText, Version: hostileText, State: hostileText, Error: hostileText}}, nil
}

func (d hostileDaemon) SetPlugin(context.Context, string, bool) error { return hostileError() }
func (d hostileDaemon) Restart(context.Context, string) error         { return hostileError() }
func (d hostileDaemon) Reload(context.Context) (api.ReloadResponse, error) {
	return api.ReloadResponse{Applied: []string{hostileText}, Restart: []string{hostileText}}, nil
}

func (d hostileDaemon) QuickAccounts(context.Context, string) ([]api.QuickAccount, error) {
	return []api.QuickAccount{{UIN: 1, Nickname: hostileText, Quick: true}}, nil
}

func (d hostileDaemon) Call(_ context.Context, _, action string, _ json.RawMessage) (api.CallResponse, error) {
	data, err := json.Marshal(map[string]string{"x": hostileText, "message_id": "1"})
	if err != nil {
		return api.CallResponse{}, err
	}
	if action == "get_status" {
		return api.CallResponse{Status: "failed", RetCode: 1, Data: data, Message: hostileText, Wording: hostileText}, nil
	}
	return api.CallResponse{Status: "ok", Data: data}, nil
}

func hostileError() error {
	return &api.Error{Code: "conflict", Message: hostileText, Hint: hostileText}
}

// TestNoCommandObeysStrangers feeds every command that shows something from
// outside: no byte of it may reach the terminal that the terminal obeys.
func TestNoCommandObeysStrangers(t *testing.T) {
	d := hostileDaemon{newLoginDaemon(t)}
	serveControl(t, d, &d.hub, d.home)
	record, err := json.Marshal(map[string]string{"time": time.Now().Format(time.RFC3339Nano), "level": "ERROR", "msg": hostileText, "err": hostileText})
	if err != nil {
		t.Fatal(err)
	}
	lines := string(record) + "\n" + hostileText + "\n"
	for _, f := range []string{d.home.Join("logs", "ncatd.log"), filepath.Join(d.home.Account("main"), "napcat.log"), d.home.Join("logs", "main.log")} {
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	event, err := json.Marshal(map[string]any{"post_type": "message", "message_type": "group", "group_id": 1, "group_name": hostileText, "user_id": 2, "raw_message": hostileText, "sender": map[string]string{"nickname": hostileText, "card": hostileText}})
	if err != nil {
		t.Fatal(err)
	}
	publish := func() {
		d.until(t, "printed", func() bool {
			d.hub.Publish(api.WatchItem{Kind: "event", Account: "main", Event: event})
			return d.live.String() != ""
		})
	}
	for _, tt := range []struct {
		args   string
		script func()
	}{
		{"status", nil}, {"status --json", nil}, {"status --strict --lang zh", nil},
		{"plugin list", nil}, {"plugin list --json", nil}, {"plugin enable x", nil}, {"restart", nil}, {"reload", nil}, {"reload --json", nil},
		{"logs", nil}, {"logs --json", nil}, {"logs main", nil},
		{"login main --list", nil}, {"login main --list --json", nil}, {"login main", nil}, {"login main --json", nil},
		{"call get_status -a main", nil}, {"call get_login_info -a main", nil}, {"call get_login_info -a main --data", nil},
		{"call " + hostileText + " -a main", nil}, {"call get_status --no-check " + hostileText + "=1 -a main", nil},
		{"send --group 1 x -a main", nil}, {"send --group 1 x -a main --json", nil},
		{"events -n 1 -a main", publish}, {"events -n 1 -a main --json", publish},
		{"config get " + hostileText, nil}, {"config check --config /nowhere/" + hostileText, nil},
		{"send --group 1 --image /nowhere/" + hostileText + " x", nil}, {hostileText, nil}, {"status --" + hostileText, nil},
		{"restore /nowhere/" + hostileText, nil}, {"install --napcat-package /nowhere/" + hostileText, nil},
	} {
		args := strings.Split(tt.args, " ")
		r := d.ncatd(t, "", tt.script, args...)
		for stream, s := range map[string]string{"stdout": r.out, "stderr": r.err} {
			if i := strings.IndexFunc(s, hostile); i >= 0 || !utf8.ValidString(s) {
				t.Errorf("%q: %s has %q", tt.args, stream, s[max(0, i-40):min(len(s), max(0, i)+40)])
			}
			if strings.Contains(s, "\nncatd: forged") {
				t.Errorf("%q: %s has a line of a stranger's:\n%s", tt.args, stream, s)
			}
		}
	}
}

// TestOtherEncodingsAreRefused: text of a GBK terminal goes out right or not at
// all.
func TestOtherEncodingsAreRefused(t *testing.T) {
	const gbk = "\xb2\xe2\xca\xd4" // 测试
	d := newLoginDaemon(t)
	d.serve(t)
	for _, args := range [][]string{
		{"send", "--group", "1", gbk}, {"call", "send_group_msg", "group_id=1", "message=" + gbk}, {"call", "send_group_msg", "--params", `{"message":"` + gbk + `"}`},
		{"sim", "say", "--group", "1", gbk}, {"status", "--set", "bot.admins=" + gbk},
	} {
		if r := d.ncatd(t, "", nil, args...); r.code != 2 || !strings.Contains(r.err, "UTF-8") {
			t.Errorf("%q: exit %d\n%s", args, r.code, r.err)
		}
	}
	if r := d.ncatd(t, `{"message":"`+gbk+`"}`, nil, "call", "send_group_msg", "--params", "-"); r.code != 2 || !strings.Contains(r.err, "UTF-8") {
		t.Errorf("from a file: exit %d\n%s", r.code, r.err)
	}
}

func TestDrawsBlocks(t *testing.T) {
	for _, tt := range []struct {
		env  []string
		want bool
	}{
		{nil, true}, {[]string{"TERM=xterm-256color"}, true}, {[]string{"TERM=linux", "LANG=zh_CN.UTF-8"}, true}, {[]string{"LC_ALL=C.utf8", "LANG=C"}, true},
		{[]string{"TERM=vt100", "LANG=C.UTF-8"}, false}, {[]string{"TERM=vt220"}, false}, {[]string{"TERM=dumb"}, false},
		{[]string{"LANG=zh_CN.GBK"}, false}, {[]string{"LC_ALL=POSIX", "LANG=C.UTF-8"}, false}, {[]string{"LANG=C"}, false},
	} {
		a := &app{Deps: Deps{Env: tt.env}}
		if got := a.drawsBlocks(); got != tt.want {
			t.Errorf("%q: %v", tt.env, got)
		}
	}
}

// TestSimulatedQQIsNotEscaped: what plays QQ writes the controls that QQ writes,
// which the daemon reads; what people run escapes them.
func TestSimulatedQQIsNotEscaped(t *testing.T) {
	a, _ := tree(text.English)
	for _, c := range newSim(a).Commands() {
		if _, escapes := c.OutOrStdout().(escapingWriter); escapes == c.Hidden {
			t.Errorf("sim %s: escapes %v", c.Name(), escapes)
		}
	}
}
