package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/onebot"
)

// written is a log that may be read while it is written.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// appsRig is a daemon whose config a test changes, and which it reloads.
type appsRig struct {
	t   *testing.T
	d   *Daemon
	dir string
	log *written
}

func newAppsRig(t *testing.T, yaml string) *appsRig {
	r := &appsRig{t: t, dir: t.TempDir(), log: new(written)}
	if err := os.Mkdir(filepath.Join(r.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, end := asStarted(t, r.dir, r.load(yaml), slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(end)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	r.d = d
	d.apps.start(d.run, d.cfg, d.secrets)
	return r
}

func (r *appsRig) load(yaml string) *config.Config {
	r.t.Helper()
	path := filepath.Join(r.dir, "ncatd.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		r.t.Fatal(err)
	}
	c, err := config.Load(path, nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// reload reloads with another config and returns what of it was applied.
func (r *appsRig) reload(yaml string) []string {
	r.t.Helper()
	c := r.load(yaml)
	r.d.o.LoadConfig = func() (*config.Config, error) { return c, nil }
	resp, err := r.d.Reload(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.Applied
}

func (r *appsRig) url(app string) string {
	for _, a := range r.d.apps.snapshot() {
		if a.Name == app {
			_, rest, _ := strings.Cut(a.URL, "://")
			return "://" + rest
		}
	}
	r.t.Fatalf("no app %s", app)
	return ""
}

// call calls an action over HTTP and returns the answer, "" if there is none.
func (r *appsRig) call(url, token, action string) (body string) {
	await.True(r.t, 10*time.Second, "an answer", func() bool {
		req, err := http.NewRequestWithContext(r.t.Context(), "GET", "http"+url+action+"?access_token="+token, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Log(err)
			return false
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		body = string(b)
		return true
	})
	return body
}

// link opens a WebSocket; closed is closed when it has ended.
func (r *appsRig) link(url, token string) (closed chan struct{}) {
	var ws *websocket.Conn
	await.True(r.t, 10*time.Second, "a link", func() (ok bool) {
		var err error
		ws, _, err = websocket.Dial(r.t.Context(), "ws"+url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		return err == nil
	})
	closed = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(closed)
		for {
			if _, _, err := ws.Read(ctx); err != nil {
				return
			}
		}
	}()
	r.t.Cleanup(func() { cancel(); <-done; _ = ws.CloseNow() })
	return closed
}

const (
	tokenOne = "token-one-of-enough-letters"
	tokenTwo = "token-two+with/odd=letters&more"
)

func appsYAML(sections ...string) string {
	return "accounts: [{name: main, uin: 10001}]\napps:\n  - " + strings.Join(sections, "\n  - ") + "\n"
}

// Apps follow the config of a reload: what changed of one cuts its own links only.
func TestAppsFollowTheConfig(t *testing.T) {
	const away, refused = `"retcode":1461`, `"retcode":1460`
	one := "{name: one, token: " + tokenOne + ", transports: [forward, http]}"
	two := func(more string) string {
		return "{name: two, token: " + tokenOne + "2, transports: [forward, http]" + more + "}"
	}
	r := newAppsRig(t, appsYAML(one, two("")))
	url1, url2 := r.url("one"), r.url("two")
	link1, link2 := r.link(url1, tokenOne), r.link(url2, tokenOne+"2")
	if got := r.call(url2, tokenOne+"2", "set_group_kick"); !strings.Contains(got, refused) {
		t.Error(got)
	}
	if got := r.call(url2, tokenOne+"2", "get_status"); !strings.Contains(got, away) {
		t.Error(got)
	}
	if got := r.call(url2, tokenOne, "get_status"); strings.Contains(got, "retcode") {
		t.Errorf("the other app's token: %s", got)
	}

	if got := r.reload(appsYAML(one, two(", allow: [manage, get_s*]"))); !slices.Equal(got, []string{"apps.two"}) {
		t.Errorf("applied %v", got)
	}
	<-link2
	if got := r.call(r.url("two"), tokenOne+"2", "set_group_kick"); !strings.Contains(got, away) {
		t.Error(got)
	}
	if got := r.call(r.url("two"), tokenOne+"2", "get_group_list"); !strings.Contains(got, refused) {
		t.Error(got)
	}
	if r.url("two") != url2 {
		t.Errorf("its address became %s, was %s", r.url("two"), url2)
	}

	link2 = r.link(url2, tokenOne+"2")
	if got := r.reload(appsYAML(one, "{name: three, transports: [http]}")); !slices.Equal(got, []string{"apps.two", "apps.three"}) {
		t.Errorf("applied %v", got)
	}
	<-link2
	if got := r.call(r.url("three"), r.d.secrets.Apps["three"].Reveal(), "get_status"); !strings.Contains(got, away) {
		t.Error(got)
	}
	if _, err := http.Get("http" + url2); err == nil {
		t.Error("a removed app is waited for")
	}

	if got := r.reload(appsYAML("{name: one, token: " + tokenOne + "-new, transports: [forward, http]}")); !slices.Contains(got, "apps.one") {
		t.Errorf("applied %v", got)
	}
	<-link1
	if got := r.call(url1, tokenOne, "get_status"); strings.Contains(got, "retcode") {
		t.Errorf("the old token: %s", got)
	}
	if got := r.call(url1, tokenOne+"-new", "get_status"); !strings.Contains(got, away) {
		t.Error(got)
	}
}

// An app whose section stays as it is keeps its link, whatever else a reload brings.
func TestAnUnchangedAppKeepsItsLink(t *testing.T) {
	one := "{name: one, token: " + tokenOne + ", transports: [forward]}"
	r := newAppsRig(t, appsYAML(one))
	closed := r.link(r.url("one"), tokenOne)
	for _, more := range []string{"{name: two}", "{name: two, events: {types: [notice]}}", "{name: three}"} {
		r.reload("log: {level: debug}\n" + appsYAML(more, one))
	}
	load := r.d.o.LoadSecrets
	r.d.o.LoadSecrets = func(c *config.Config) (*config.Secrets, error) { // a token of ncatd's own that is another
		s, err := load(c)
		s.Apps["three"] = "another-token-of-enough-letters"
		return s, err
	}
	if got := r.reload("log: {level: debug}\n" + appsYAML("{name: three}", one)); !slices.Equal(got, []string{"apps.three"}) {
		t.Errorf("applied %v", got)
	}
	select {
	case <-closed:
		t.Error("the link was cut")
	default:
	}
	if n := r.d.apps.snapshot()[1].Links; n != 1 {
		t.Errorf("%d links", n)
	}
}

// What is unwise about apps is told when they start.
func TestUnwiseAppsAreTold(t *testing.T) {
	r := newAppsRig(t, appsYAML("{name: one, events: {types: [notice.group_bann]}}"))
	if !strings.Contains(r.log.String(), "notice.group_bann") || !strings.Contains(r.log.String(), "notice.group_ban?") {
		t.Error(r.log.String())
	}
}

// A token is in no log, in whatever way an app gives it, and whatever it prints.
func TestTokensOfAppsAreInNoLog(t *testing.T) {
	section := func(name, token, more string) string {
		return fmt.Sprintf("{name: %s, token: %q, %s}", name, token, more)
	}
	r := newAppsRig(t, "log: {level: debug, events: full}\n"+appsYAML(
		section("one", tokenTwo, "transports: [forward, http, sse]"),
		section("back", tokenOne, `transports: [reverse, webhook], reverse: {url: "ws://127.0.0.1:1/x?access_token=`+tokenOne+`"}, webhook: {url: "http://127.0.0.1:1/?token=`+tokenOne+`"}`),
		section("runs", tokenTwo+"3", `transports: [http], run: {command: [sh, -c, "echo token=$ONEBOT_TOKEN; echo 'a%2Bb `+strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D", "&", "%26").Replace(tokenTwo+"3")+`'; sleep 100"]}`),
	))
	escaped := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D", "&", "%26").Replace(tokenTwo)
	if got := r.call(r.url("one"), escaped, "get_status"); !strings.Contains(got, "1461") {
		t.Error(got)
	}
	r.call(r.url("one"), escaped+"x", "get_status")
	r.link(r.url("one"), tokenTwo)
	r.d.apps.mu.Lock()
	runs := r.d.apps.list[2]
	r.d.apps.mu.Unlock()
	runs.comp.Want(true)
	printed := filepath.Join(r.dir, "logs", "app-runs.log")
	await.True(t, 20*time.Second, "what the app prints", func() bool {
		b, _ := os.ReadFile(printed)
		return bytes.Contains(b, []byte("a%2Bb"))
	})
	await.True(t, 20*time.Second, "that the other app is not reached", func() bool { return strings.Contains(r.log.String(), "app not reached") })
	all := r.log.String()
	err := filepath.WalkDir(filepath.Join(r.dir, "logs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all += string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{tokenOne, tokenTwo, escaped} {
		if i := strings.Index(all, token); i >= 0 {
			t.Errorf("in a log: %.300s", all[max(0, i-200):])
		}
	}
	for _, s := range r.d.apps.snapshot() {
		if strings.Contains(s.URL+s.LastError, tokenOne) {
			t.Errorf("in the status: %s, %s", s.URL, s.LastError)
		}
	}
}

// While a reload waits for the end of an app that takes its time, status is told.
func TestStatusIsToldWhileAnAppEnds(t *testing.T) {
	slow := `{name: slow, transports: [http], run: {command: [sh, -c, "trap 'touch told' TERM; touch began; until [ -e go ]; do sleep 0.05; done"]}}`
	r := newAppsRig(t, "supervisor: {stop_timeout: 20s}\n"+appsYAML(slow))
	r.d.apps.mu.Lock()
	n := r.d.apps.list[0]
	r.d.apps.mu.Unlock()
	n.comp.Want(true)
	dir := filepath.Join(r.dir, "apps", "slow")
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	}
	await.True(t, 20*time.Second, "that it runs", exists("began"))
	reloaded := make(chan struct{})
	go func() { defer close(reloaded); r.reload("supervisor: {stop_timeout: 20s}\n" + appsYAML("{name: one}")) }()
	await.True(t, 20*time.Second, "that it is told to end", exists("told"))
	r.d.Status()
	select {
	case <-reloaded:
		t.Error("status was told after the reload only")
	default:
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-reloaded
}

// What happens while an app that changed waits for the end of another comes to it
// when it is back.
func TestAppMissesNothingInAReload(t *testing.T) {
	slow := `{name: slow, accounts: [second], transports: [http], run: {command: [sh, -c, "trap 'touch told' TERM; touch began; until [ -e go ]; do sleep 0.05; done"]}%s}`
	yaml := func(one, more string) string {
		return "supervisor: {stop_timeout: 20s}\naccounts: [{name: main, uin: 10001}, {name: second, uin: 10002}]\napps:\n  - {name: one, accounts: [main], token: " + tokenOne + one + "}\n  - " + fmt.Sprintf(slow, more) + "\n"
	}
	r := newAppsRig(t, yaml("", ""))
	r.d.apps.mu.Lock()
	n := r.d.apps.list[1]
	r.d.apps.mu.Unlock()
	n.comp.Want(true)
	dir := filepath.Join(r.dir, "apps", "slow")
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	}
	await.True(t, 20*time.Second, "that it runs", exists("began"))
	r.link(r.url("one"), tokenOne)
	await.True(t, 20*time.Second, "the link", func() bool { return r.d.apps.snapshot()[0].Links == 1 })
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		r.reload(yaml(", heartbeat: 10s", ", heartbeat: 10s"))
	}()
	await.True(t, 20*time.Second, "that it is told to end", exists("told"))
	await.True(t, 20*time.Second, "the end of the link", func() bool { return r.d.apps.snapshot()[0].Links == 0 })
	e, err := onebot.Decode([]byte(`{"time":1795973856,"self_id":10001,"post_type":"message","message_type":"group","sub_type":"normal","message_id":77,"group_id":1,"user_id":30001,"raw_message":"kept","message":[{"type":"text","data":{"text":"kept"}}],"sender":{"user_id":30001}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.d.apps.feed(r.d.apps.gw.Account("main"), e, true)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-reloaded
	r.link(r.url("one"), tokenOne)
	await.True(t, 20*time.Second, "what it missed", func() bool { return r.d.apps.snapshot()[0].Replayed == 1 })
}

// What a killed ncatd left running of an app that has another name now is ended: two
// copies of one program never run.
func TestLeftoverOfARenamedAppIsEnded(t *testing.T) {
	run := "transports: [http], run: {command: [sleep, '1000']}}"
	r := newAppsRig(t, appsYAML("{name: old, "+run))
	old := r.d.apps.list[0].comp
	old.Want(true)
	await.True(t, 20*time.Second, "that it runs", func() bool { return old.Status().PID != 0 })
	pid := old.Status().PID
	old.Detach() // as if ncatd had been killed
	r.reload(appsYAML("{name: new, " + run))
	if proc, err := os.FindProcess(pid); err == nil && proc.Signal(syscall.Signal(0)) == nil {
		t.Errorf("process %d runs on", pid)
	}
	if s := r.d.apps.snapshot(); len(s) != 1 || s[0].Name != "new" {
		t.Errorf("%+v", s)
	}
}

// An app whose user is not there is shown, with the reason.
func TestAppOfAnUnknownUserIsShown(t *testing.T) {
	r := newAppsRig(t, appsYAML("{name: one, transports: [http], run: {command: [sleep, '1000'], user: nobody-of-that-name}}"))
	if len(r.d.apps.list) != 1 {
		t.Fatal("it is not there")
	}
	r.d.apps.list[0].comp.Want(true)
	await.True(t, 20*time.Second, "the reason", func() bool {
		s := r.d.apps.snapshot()[0]
		return s.Reason == "spawn_failed" && strings.Contains(s.Detail, "nobody-of-that-name")
	})
}

// A program that ncatd runs is started anew when the operator asks for it; one that
// runs elsewhere is not ncatd's to restart.
func TestRestartOfAnApp(t *testing.T) {
	r := newAppsRig(t, appsYAML("{name: runs, transports: [http], run: {command: [sleep, '1000']}}", "{name: elsewhere}"))
	comp := r.d.apps.list[0].comp
	comp.Want(true)
	await.True(t, 20*time.Second, "that it runs", func() bool { return comp.Status().PID != 0 })
	pid := comp.Status().PID
	if err := r.d.RestartApp("runs"); err != nil {
		t.Fatal(err)
	}
	await.True(t, 20*time.Second, "another process", func() bool { s := comp.Status(); return s.PID != 0 && s.PID != pid })
	for name, code := range map[string]string{"elsewhere": control.CodeConflict, "nosuch": control.CodeNotFound} {
		var refused *api.Error
		if err := r.d.RestartApp(name); !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A call is one line of JSON in the log, however it was written.
func TestCallsAreLinesOfALog(t *testing.T) {
	r := newAppsRig(t, "log: {events: full}\n"+appsYAML("{name: one}"))
	n := r.d.apps.list[0]
	called := r.d.apps.called(n)
	for _, params := range []string{"{\n  \"a\": 1,\r\n  \"b\": \"\\n\"\n}", "{a: 1}\n", "", "\x1b[2J"} {
		called("main", "get_status\n", 0, time.Millisecond, []byte(params))
	}
	n.logs[len(n.logs)-1].Close()
	b, err := os.ReadFile(filepath.Join(r.dir, "logs", "app-one.access.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("no JSON: %q", l)
		}
	}
	if len(lines) != 4 || !strings.Contains(lines[0], `"params":{"a":1,"b":"\n"}`) {
		t.Errorf("%d lines: %s", len(lines), b)
	}
}
