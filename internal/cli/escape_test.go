package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

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
	apps, _ := filled[[]api.App]() // never fails
	return api.Status{Version: x, PID: 1, Started: now, Home: x, Apps: apps,
		RolledBack: &api.RolledBack{NapCat: x, QQ: x, Reason: x, Time: now},
		LastCrash:  &api.LastCrash{Time: now, Panic: x, Account: x, Chat: x, MessageID: x},
		Accounts: []api.Account{
			{Name: "main", UIN: 1, Nickname: x, State: api.StateOnline, Detail: x, Since: now, Degraded: []api.Degraded{
				{Code: "made_up", Detail: x, Since: now}, {Code: api.CodePluginFailed, Args: []string{x}, Cause: &api.Fault{Code: api.CodePluginError, Args: []string{x}}, Since: now, Count: 3}}},
			{Name: "b" + x, State: api.StateFailed, Reason: x, Detail: x, Since: now, Fault: api.Because(api.CodeSpawnFailed, x).With(api.Because(api.CodeLastLine, x))},
			{Name: "c", State: api.StateLoginRequired, Reason: "qr", Detail: x, Since: now, Login: &api.Login{Step: api.StepWaiting, URL: "https://x/" + x}},
		}}
}

// fill puts hostileText wherever a text can stand in v.
func fill(v reflect.Value, depth int) {
	switch {
	case depth > 10: // a type that has itself in it
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Now()))
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		b, _ := json.Marshal(map[string]string{"x": hostileText}) // strings always work
		v.SetBytes(b)
	case v.Kind() == reflect.String:
		v.SetString(hostileText)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.CanFloat():
		v.SetFloat(1)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case v.Kind() == reflect.Map:
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k, depth+1)
		fill(e, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(k, e)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	}
}

// filled returns a T with hostileText wherever a text can stand in it.
func filled[T any]() (v T, err error) {
	fill(reflect.ValueOf(&v).Elem(), 0)
	return v, nil
}

func (d hostileDaemon) Plugins(context.Context) ([]api.Plugin, error) { return filled[[]api.Plugin]() }
func (d hostileDaemon) Plugin(context.Context, string) (api.PluginInfo, error) {
	return filled[api.PluginInfo]()
}
func (d hostileDaemon) ReloadPlugin(context.Context, string) error { return hostileError() }
func (d hostileDaemon) Alerts(context.Context) (api.Alerts, error) { return filled[api.Alerts]() }
func (d hostileDaemon) AlertLog(context.Context) ([]api.AlertLogEntry, error) {
	return filled[[]api.AlertLogEntry]()
}
func (d hostileDaemon) AlertTest(context.Context, string) ([]api.AlertTest, error) {
	return filled[[]api.AlertTest]()
}
func (d hostileDaemon) AlertSilence(context.Context, string, time.Duration) error {
	return hostileError()
}
func (d hostileDaemon) FleetHosts(context.Context) ([]api.FleetHost, error) {
	return filled[[]api.FleetHost]()
}
func (d hostileDaemon) FleetDead(context.Context) ([]api.DeadEvent, error) {
	return filled[[]api.DeadEvent]()
}
func (d hostileDaemon) FleetSettle(context.Context, api.SettleRequest) error { return hostileError() }
func (d hostileDaemon) FleetTake(context.Context, string) error              { return hostileError() }
func (d hostileDaemon) FleetRemote(string) (http.RoundTripper, error)        { return nil, hostileError() }
func (d hostileDaemon) Want(context.Context, string, string) error           { return hostileError() }
func (d hostileDaemon) Stop(bool, bool)                                      {}

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
	a, all := tree(text.English)
	tried := map[*cobra.Command]bool{}
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
		{"app list", nil}, {"app list --json", nil}, {"app show " + hostileText, nil}, {"app add " + hostileText, nil}, {"app remove " + hostileText, nil}, {"app restart " + hostileText, nil}, {"app log " + hostileText, nil}, {"app token " + hostileText, nil},
		{"plugin info x", nil}, {"plugin info x --json", nil}, {"plugin disable x", nil}, {"plugin reload x", nil}, {"plugin reload x --json", nil}, {"plugin log " + hostileText, nil},
		{"plugin new " + hostileText, nil}, {"plugin check " + hostileText, nil}, {"plugin test " + hostileText, nil}, {"plugin install /nowhere/" + hostileText, nil}, {"plugin remove " + hostileText + " --yes", nil},
		{"app", nil}, {"fleet dead", nil}, {"alert", nil}, {"self", nil}, {"service", nil}, {"alert list", nil}, {"alert list --json", nil}, {"alert log", nil}, {"alert log --json", nil}, {"alert test", nil}, {"alert test --json", nil}, {"alert silence main 1h", nil},
		{"fleet hosts", nil}, {"fleet hosts --json", nil}, {"fleet dead list", nil}, {"fleet dead list --json", nil}, {"fleet dead drop 1", nil}, {"fleet dead retry 1", nil},
		{"account list", nil}, {"account list --json", nil}, {"account move main " + hostileText, nil}, {"account take main --yes", nil},
		{"console sessions", nil}, {"console sessions --json", nil}, {"console revoke " + hostileText, nil}, {"console", nil}, {"console password", nil},
		{"config path", nil}, {"config show", nil}, {"config show --json", nil}, {"config set " + hostileText + " 1", nil}, {"config set log.level " + hostileText, nil}, {"config unset " + hostileText, nil}, {"config schema", nil}, {"init", nil},
		{"versions", nil}, {"versions --json", nil}, {"upgrade --napcat-version " + hostileText, nil}, {"rollback " + hostileText, nil}, {"import /nowhere/" + hostileText, nil},
		{"backup /nowhere/" + hostileText, nil}, {"doctor --offline", nil}, {"doctor --offline --json", nil}, {"logout main", nil}, {"uninstall", nil},
		{"self upgrade --source /nowhere/" + hostileText, nil}, {"self upgrade --version " + hostileText, nil}, {"self rollback", nil},
		{"service status", nil}, {"service unit", nil}, {"version", nil}, {"completion bash", nil}, {"help " + hostileText, nil}, {"start", nil}, {"dev /nowhere/" + hostileText, nil},
	} {
		args := strings.Split(tt.args, " ")
		c, _, _ := a.root.Find(args)
		tried[c] = true
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
	for _, c := range all {
		name := strings.TrimPrefix(c.CommandPath(), "ncatd ")
		if c.Runnable() && !c.Hidden && !tried[c] && name != "ncatd" && !slices.ContainsFunc(untried, func(u string) bool { return name == u || strings.HasPrefix(name, u+" ") }) {
			t.Errorf("ncatd %s is fed nothing hostile", name)
		}
	}
}

// untried are the commands that TestNoCommandObeysStrangers leaves out: they change
// the system, play with the simulator, or wait for a daemon that does not end.
var untried = []string{"service install", "service uninstall", "sim", "stop"}

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
