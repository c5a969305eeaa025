package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/onebot"
)

// fakeBackend is a daemon with one account that remembers what it was asked.
type fakeBackend struct {
	mu    sync.Mutex
	asked []string
	err   error // what every wish is answered with
	state api.State
}

func (f *fakeBackend) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fakeBackend) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return ""
	}
	return f.asked[len(f.asked)-1]
}

func (f *fakeBackend) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeBackend) Status() api.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.state
	if st == "" {
		st = api.StateOnline
	}
	now := time.Now()
	return api.Status{Version: "1.2.3", PID: 42, Started: now, Home: "/h", Accounts: []api.Account{{
		Name: "main", UIN: 10001, Nickname: "喵", State: st, Reason: "online", Since: now, NapCat: "4.18.13", QQ: "3.2",
		Login:   &api.Login{Step: api.StepWaiting, URL: "https://txz.qq.com/p?k=1", Issued: now, Seq: 1, Failed: &api.LoginFailure{Method: api.MethodQuick, Reason: api.LoginNoTicket, Time: now}},
		History: []api.Transition{{Time: now, State: st}},
	}}}
}
func (f *fakeBackend) Want(_ context.Context, a, w string) error { return f.note("want %s %s", a, w) }
func (f *fakeBackend) Restart(_ context.Context, a string) error { return f.note("restart %s", a) }
func (f *fakeBackend) QuickAccounts(_ context.Context, a string) ([]api.QuickAccount, error) {
	return []api.QuickAccount{{UIN: 10001, Quick: true}}, f.note("quick-list %s", a)
}
func (f *fakeBackend) LoginQuick(_ context.Context, a string, u int64) error {
	return f.note("quick %s %d", a, u)
}
func (f *fakeBackend) LoginPassword(_ context.Context, a string, r api.PasswordLoginRequest) error {
	return f.note("password %s %d", a, r.UIN)
}
func (f *fakeBackend) LoginCaptcha(_ context.Context, a string, r api.CaptchaRequest) error {
	return f.note("captcha %s %s", a, r.Ticket)
}
func (f *fakeBackend) LoginRefresh(_ context.Context, a string) error { return f.note("refresh %s", a) }
func (f *fakeBackend) Call(_ context.Context, a, action string, p json.RawMessage) (api.CallResponse, error) {
	return api.CallResponse{Status: "ok", Data: json.RawMessage(`{"x":1}`)}, f.note("call %s %s %s", a, action, p)
}
func (f *fakeBackend) Plugins(context.Context) ([]api.Plugin, error) {
	return []api.Plugin{{ID: "demo", Enabled: true, State: "running"}}, f.note("plugins")
}
func (f *fakeBackend) SetPlugin(_ context.Context, id string, on bool) error {
	return f.note("plugin %s %v", id, on)
}
func (f *fakeBackend) Plugin(_ context.Context, id string) (api.PluginInfo, error) {
	return api.PluginInfo{Plugin: api.Plugin{ID: id}, Needs: []string{}, Wants: api.PluginRights{Fetch: []string{}}, Granted: api.PluginRights{Fetch: []string{}}}, f.note("plugin %s", id)
}
func (f *fakeBackend) ReloadPlugin(_ context.Context, id string) error {
	return f.note("reload plugin %s", id)
}
func (f *fakeBackend) RestartApp(name string) error { return f.note("restart app %s", name) }
func (f *fakeBackend) Reload(context.Context) (api.ReloadResponse, error) {
	return api.ReloadResponse{}, f.note("reload")
}
func (f *fakeBackend) Alerts(context.Context) (api.Alerts, error) {
	return api.Alerts{Channels: []api.AlertChannel{{Name: "phone", Kind: "telegram"}}, Open: []api.AlertOpen{}, Silenced: []api.AlertSilence{}}, f.note("alerts")
}
func (f *fakeBackend) AlertLog(context.Context) ([]api.AlertLogEntry, error) {
	return nil, f.note("alert log")
}
func (f *fakeBackend) AlertTest(_ context.Context, channel string) ([]api.AlertTest, error) {
	return []api.AlertTest{{Channel: channel}}, f.note("alert test %s", channel)
}
func (f *fakeBackend) AlertSilence(_ context.Context, a string, d time.Duration) error {
	return f.note("silence %s %s", a, d)
}
func (f *fakeBackend) ConfigFile() (api.ConfigFile, error) {
	return api.ConfigFile{Path: "/h/ncatd.yaml", Text: "token: secret", Sum: "s"}, f.note("config")
}
func (f *fakeBackend) CheckConfig(r api.ConfigRequest) (api.ConfigCheck, error) {
	return api.ConfigCheck{OK: true}, f.note("check %s", r.Text)
}
func (f *fakeBackend) SaveConfig(r api.ConfigRequest) (api.ConfigFile, error) {
	return api.ConfigFile{Path: "/h/ncatd.yaml", Text: r.Text, Sum: "t"}, f.note("save %s", r.Text)
}
func (f *fakeBackend) History(a string) (api.History, error) {
	return api.History{Time: []int64{60}, RSSBytes: []float64{1}, CPU: []float64{1}, Events: []float64{1}, Calls: []float64{1}, Latency: []float64{1}, Restarts: []float64{0}}, f.note("history %s", a)
}
func (f *fakeBackend) Command(_ context.Context, args []string, line func(json.RawMessage)) error {
	line(json.RawMessage(`{"ok":true}`))
	return f.note("command %s", strings.Join(args, " "))
}
func (f *fakeBackend) FleetHosts(context.Context) ([]api.FleetHost, error) {
	return []api.FleetHost{{Name: "a", Status: f.Status()}}, f.note("fleet")
}
func (f *fakeBackend) FleetRemote(string) (http.RoundTripper, error) {
	return nil, &api.Error{Code: CodeNotFound, Message: "no fleet"}
}
func (f *fakeBackend) FleetDead(context.Context) ([]api.DeadEvent, error) {
	return []api.DeadEvent{{ID: 1, Event: json.RawMessage("{}")}}, f.note("dead")
}
func (f *fakeBackend) FleetSettle(_ context.Context, r api.SettleRequest) error {
	return f.note("settle %v %v", r.IDs, r.Retry)
}
func (f *fakeBackend) FleetMove(_ context.Context, a string, r api.MoveRequest) (api.Move, error) {
	return api.Move{To: r.To}, f.note("move %s", a)
}
func (f *fakeBackend) FleetMoved(_ context.Context, a string) (api.Move, error) {
	return api.Move{Phase: api.MoveDone}, f.note("moved %s", a)
}
func (f *fakeBackend) FleetIncoming(_ context.Context, in api.Incoming) (api.IncomingState, error) {
	return api.IncomingState{Account: in.Account}, f.note("incoming %s", in.ID)
}
func (f *fakeBackend) FleetTake(_ context.Context, a string) error { return f.note("take %s", a) }
func (f *fakeBackend) Stop(keep, again bool)                       { _ = f.note("stop %v %v", keep, again) }

type running struct {
	backend *fakeBackend
	hub     *Hub
	metrics *Metrics
	client  *client.Client
	console *console.Console
	socket  string
	tcp     string // http://host:port
	stop    func() error
}

const testToken = "0123456789abcdef0123456789abcdef"

// serve runs a server on a socket and, with tcp, on a loopback port.
func serve(t *testing.T, tcp bool) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{backend: &fakeBackend{}, hub: &Hub{}, metrics: NewMetrics(), socket: filepath.Join(dir, "run", "ncatd.sock")}
	o := Options{Backend: r.backend, Hub: r.hub, Metrics: r.metrics, Log: slog.New(slog.DiscardHandler), Socket: r.socket, LogDir: dir}
	door, err := console.New(console.Options{Dir: filepath.Join(dir, "console"), Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	o.Console, r.console = door, door
	if tcp {
		o.Listen, o.Token = "127.0.0.1:0", testToken
	}
	ready := make(chan string, 1)
	o.Ready = func(addr string) { ready <- addr }
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case addr := <-ready:
		r.tcp = "http://" + addr
	case err := <-done:
		t.Fatal(err)
	}
	r.client = client.New(r.socket)
	var once sync.Once
	var runErr error
	r.stop = func() error {
		once.Do(func() {
			cancel()
			runErr = <-done
			r.client.Close()
		})
		return runErr
	}
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// get makes a request over TCP and returns status, error code and body.
func (r *running) get(t *testing.T, method, path, body string, edit func(*http.Request)) (int, string, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.tcp+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Body = io.NopCloser(stringsReader(body))
		req.ContentLength = int64(len(body))
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	if edit != nil {
		edit(req)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e api.ErrorBody
	_ = json.Unmarshal(b, &e) // no error body has no code
	return resp.StatusCode, e.Error.Code, string(b)
}

var errLost = fmt.Errorf("link down: %w", onebot.ErrNotSent)
var errMaybe = errors.Join(onebot.ErrUnknownOutcome)
