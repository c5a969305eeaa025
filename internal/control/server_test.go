package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
)

func stringsReader(s string) io.Reader { return strings.NewReader(s) }

func TestClientReachesEveryHandler(t *testing.T) {
	r := serve(t, false)
	ctx := t.Context()
	c := r.client
	for _, tt := range []struct {
		want string
		do   func() error
	}{
		{"want main stopped", func() error { return c.Want(ctx, "main", "stopped") }},
		{"restart main", func() error { return c.Restart(ctx, "main") }},
		{"restart ", func() error { return c.Restart(ctx, "") }},
		{"quick-list main", func() error {
			l, err := c.QuickAccounts(ctx, "main")
			if err == nil && len(l) != 1 {
				err = fmt.Errorf("got %v", l)
			}
			return err
		}},
		{"quick main 10001", func() error { return c.LoginQuick(ctx, "main", 10001) }},
		{"password main 10001", func() error {
			return c.LoginPassword(ctx, "main", api.PasswordLoginRequest{UIN: 10001, PasswordMD5: strings.Repeat("a", 32)})
		}},
		{"captcha main t", func() error { return c.LoginCaptcha(ctx, "main", api.CaptchaRequest{Ticket: "t", RandStr: "r"}) }},
		{"refresh main", func() error { return c.LoginRefresh(ctx, "main") }},
		{`call main get_status {"a":1}`, func() error {
			out, err := c.Call(ctx, "main", "get_status", json.RawMessage(`{"a":1}`))
			if err == nil && string(out.Data) != `{"x":1}` {
				err = fmt.Errorf("got %s", out.Data)
			}
			return err
		}},
		{"plugins", func() error { _, err := c.Plugins(ctx); return err }},
		{"alerts", func() error { _, err := c.Alerts(ctx); return err }},
		{"alert log", func() error { _, err := c.AlertLog(ctx); return err }},
		{"alert test phone", func() error { _, err := c.AlertTest(ctx, "phone"); return err }},
		{"silence main 2h0m0s", func() error { return c.AlertSilence(ctx, "main", 2*time.Hour) }},
		{"plugin demo true", func() error { return c.SetPlugin(ctx, "demo", true) }},
		{"plugin demo false", func() error { return c.SetPlugin(ctx, "demo", false) }},
		{"restart app mybot", func() error { return c.RestartApp(ctx, "mybot") }},
		{"reload", func() error { _, err := c.Reload(ctx); return err }},
		{"stop true false", func() error { return c.Stop(ctx, true) }},
		{"stop true true", func() error { return c.Again(ctx) }},
	} {
		if err := tt.do(); err != nil {
			t.Errorf("%s: %v", tt.want, err)
		}
		if got := r.backend.last(); got != tt.want {
			t.Errorf("the daemon was asked %q, want %q", got, tt.want)
		}
	}
	st, err := c.Status(ctx)
	if err != nil || st.PID != 42 || st.Accounts[0].Nickname != "喵" {
		t.Errorf("Status = %+v, %v", st, err)
	}
}

func TestErrorsHaveOneShape(t *testing.T) {
	r := serve(t, true)
	for _, tt := range []struct {
		name, method, path, body string
		backend                  error
		status                   int
		code                     string
	}{
		{"no such path", "GET", "/v0/nosuch", "", nil, 404, CodeNotFound},
		{"wrong method", "POST", "/v0/status", "", nil, 405, CodeBadMethod},
		{"no such account", "POST", "/v0/accounts/x/restart", "", nil, 404, CodeNoAccount},
		{"bad json", "POST", "/v0/accounts/main/want", "{", nil, 400, CodeBadRequest},
		{"unknown field", "POST", "/v0/accounts/main/want", `{"wnat":"running"}`, nil, 400, CodeBadRequest},
		{"bad word", "POST", "/v0/accounts/main/want", `{"want":"maybe"}`, nil, 400, CodeBadRequest},
		{"two values", "POST", "/v0/accounts/main/want", `{"want":"running"}{}`, nil, 400, CodeBadRequest},
		{"params no object", "POST", "/v0/accounts/main/call", `{"action":"a","params":[1]}`, nil, 400, CodeBadRequest},
		{"no action", "POST", "/v0/accounts/main/call", `{}`, nil, 400, CodeBadRequest},
		{"bad md5", "POST", "/v0/accounts/main/login/password", `{"uin":1,"password_md5":"x"}`, nil, 400, CodeBadRequest},
		{"bad kind", "GET", "/v0/watch?kinds=all", "", nil, 400, CodeBadRequest},
		{"bad level", "GET", "/v0/logs?level=loud", "", nil, 400, CodeBadRequest},
		{"not sent", "POST", "/v0/accounts/main/call", `{"action":"a"}`, errLost, 503, CodeNotSent},
		{"unknown outcome", "POST", "/v0/accounts/main/call", `{"action":"a"}`, errMaybe, 504, CodeUnknownOutcome},
		{"login required", "POST", "/v0/accounts/main/call", `{"action":"a"}`, &api.Error{Code: CodeLoginRequired, Message: "m"}, 503, CodeLoginRequired},
		{"internal", "POST", "/v0/reload", ``, errors.New("boom"), 500, CodeInternal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.backend.fail(tt.backend)
			status, code, body := r.get(t, tt.method, tt.path, tt.body, nil)
			if status != tt.status || code != tt.code {
				t.Errorf("got %d %s (%.200s), want %d %s", status, code, body, tt.status, tt.code)
			}
		})
	}
}

func TestTCPLetsOnlyItsOwnIn(t *testing.T) {
	r := serve(t, true)
	for _, tt := range []struct {
		name, path string
		edit       func(*http.Request)
		want       int
	}{
		{"right token", "/v0/status", nil, 200},
		{"no token", "/v0/status", func(q *http.Request) { q.Header.Del("Authorization") }, 401},
		{"wrong token", "/v0/status", func(q *http.Request) { q.Header.Set("Authorization", "Bearer x") }, 401},
		{"token without its scheme", "/v0/status", func(q *http.Request) { q.Header.Set("Authorization", testToken) }, 401},
		{"metrics need the token", "/metrics", func(q *http.Request) { q.Header.Del("Authorization") }, 401},
		{"probes need none", "/healthz", func(q *http.Request) { q.Header.Del("Authorization") }, 200},
		{"foreign host", "/v0/status", func(q *http.Request) { q.Host = "evil.example:80" }, 403},
		{"foreign host with the port", "/v0/status", func(q *http.Request) { q.Host = "evil.example" + q.URL.Host[strings.LastIndex(q.URL.Host, ":"):] }, 403},
		{"foreign host at a probe", "/healthz", func(q *http.Request) { q.Host = "evil.example:80" }, 403},
		{"localhost", "/v0/status", func(q *http.Request) { q.Host = "localhost" + q.URL.Host[strings.LastIndex(q.URL.Host, ":"):] }, 200},
		{"foreign origin", "/v0/status", func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") }, 403},
		{"own origin", "/v0/status", func(q *http.Request) { q.Header.Set("Origin", "http://"+q.URL.Host) }, 200},
		{"null origin", "/v0/status", func(q *http.Request) { q.Header.Set("Origin", "null") }, 403},
		{"cross site", "/v0/status", func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _, body := r.get(t, "GET", tt.path, "", tt.edit); got != tt.want {
				t.Errorf("got %d (%s), want %d", got, body, tt.want)
			}
		})
	}
}

// TestLargeBody holds that a body over the limit is refused before it is read,
// announced or not.
func TestLargeBody(t *testing.T) {
	r := serve(t, true)
	host := strings.TrimPrefix(r.tcp, "http://")
	for _, head := range []string{"Content-Length: 10485760", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /v0/accounts/main/call HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", host, testToken, head)
		if strings.HasPrefix(head, "Transfer") {
			chunk := strings.Repeat("a", 1<<20)
			fmt.Fprint(c, "b\r\n{\"action\":\"\r\n")
			for range 6 {
				if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(chunk), chunk); err != nil {
					break // refused already
				}
			}
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if !strings.Contains(line, "413") {
			t.Errorf("%s: %q, %v", head, line, err)
		}
		c.Close()
	}
	if got := r.backend.last(); got != "" {
		t.Errorf("the daemon was asked %q", got)
	}
}

func TestTCPNeedsAToken(t *testing.T) {
	if _, err := New(Options{Backend: &fakeBackend{}, Hub: &Hub{}, Listen: "127.0.0.1:0"}); err == nil {
		t.Error("a server without a token was made")
	}
}

// TestWatch holds that a watcher gets a snapshot first, then what it asked for
// in order, and the end of the stream when the server stops.
func TestWatch(t *testing.T) {
	r := serve(t, false)
	var got []string
	err := r.client.Watch(t.Context(), "", []string{"state"}, func(it api.WatchItem) error {
		got = append(got, it.Kind+" "+it.Account)
		switch len(got) {
		case 1:
			r.hub.Publish(api.WatchItem{Kind: "log", Account: "main"})
			for i := range 3 {
				r.hub.Publish(api.WatchItem{Kind: "state", Account: fmt.Sprint(i), State: &api.Account{Name: "main"}})
			}
		case 4:
			go r.stop() // ends the stream; its result is awaited by the cleanup
		}
		return nil
	})
	if !errors.Is(err, io.EOF) {
		t.Errorf("Watch ended with %v, want io.EOF", err)
	}
	if want := "snapshot ,state 0,state 1,state 2"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if _, err := os.Stat(r.socket); !errors.Is(err, os.ErrNotExist) {
		if serr := r.stop(); serr != nil {
			t.Error(serr)
		}
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, err := os.Stat(r.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := r.client.Restart(t.Context(), ""); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("after the stop: %v, want ErrNotRunning", err)
	}
}

// TestSlowWatcherIsTold holds that a reader who does not read costs nobody
// anything, and learns how much it missed.
func TestSlowWatcherIsTold(t *testing.T) {
	var h Hub
	s := h.Subscribe("", "event")
	defer s.Close()
	const n = 10 * subscriberBuffer
	for range n {
		h.Publish(api.WatchItem{Kind: "event", Event: json.RawMessage(`{}`)})
	}
	if got := len(s.C()); got != subscriberBuffer {
		t.Errorf("%d items are kept", got)
	}
	if got := s.TakeDropped(); got != n-subscriberBuffer {
		t.Errorf("%d dropped", got)
	}
	if got := s.TakeDropped(); got != 0 {
		t.Errorf("told twice: %d", got)
	}
	s.Close()
	s.Close() // harmless
	if h.Wants("event") || h.Len() != 0 {
		t.Error("the subscription is still counted")
	}
}

// TestThousandIdleWatchers holds that watchers are bounded and cheap.
func TestThousandIdleWatchers(t *testing.T) {
	r := serve(t, true)
	host := strings.TrimPrefix(r.tcp, "http://")
	var mu sync.Mutex
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var wg sync.WaitGroup
	refused := 0
	const n = maxStreams + 50
	for range n {
		wg.Go(func() {
			c, err := net.Dial("tcp", host)
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(c, "GET /v0/watch HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", host, testToken)
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, c)
			if strings.Contains(line, "429") {
				refused++
			}
		})
	}
	wg.Wait()
	if refused != n-maxStreams {
		t.Errorf("%d of %d watchers were refused, want %d", refused, n, n-maxStreams)
	}
	start := time.Now()
	if _, err := r.client.Status(t.Context()); err != nil || time.Since(start) > 2*time.Second {
		t.Errorf("status beside them: %v after %s", err, time.Since(start))
	}
}

// TestSlowLoris holds that a connection which sends its head drop by drop is
// ended.
func TestSlowLoris(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the header timeout")
	}
	r := serve(t, true)
	c, err := net.Dial("tcp", strings.TrimPrefix(r.tcp, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /v0/status HTTP/1.1\r\nX: ")
	if err := c.SetReadDeadline(time.Now().Add(2 * headerTimeout)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = io.ReadAll(c)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("the connection is still open after %s", time.Since(start))
	}
}

// TestOpenAPI holds that the description lists exactly the handlers and that
// their answers are as it says.
func TestOpenAPI(t *testing.T) {
	r := serve(t, true)
	_, _, body := r.get(t, "GET", "/v0/openapi.json", "", nil)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for p, ops := range doc.Paths {
		n += len(ops)
		for m := range ops {
			path := strings.NewReplacer("{name}", "main", "{id}", "demo").Replace(p)
			if strings.HasSuffix(p, "stop") {
				continue // tested elsewhere
			}
			req := map[string]string{"/call": `{"action":"a"}`, "/want": `{"want":"running"}`, "/captcha": `{"ticket":"t"}`,
				"/password": `{"uin":1,"password_md5":"` + strings.Repeat("0", 32) + `"}`}
			in := ""
			for suffix, b := range req {
				if strings.HasSuffix(p, suffix) {
					in = b
				}
			}
			if p == "/v0/console/login" || strings.HasSuffix(p, ".png") { // in their own tests
				continue
			}
			if p == "/v0/console/password" {
				in = `{"password":"correct horse"}`
			}
			if strings.HasSuffix(p, "/revoke") {
				path = "/v0/console/sessions/all/revoke"
			}
			if p == "/v0/watch" || strings.HasSuffix(p, "/events") {
				continue // below
			}
			status, _, out := r.get(t, strings.ToUpper(m), path, in, nil)
			if status != 200 {
				t.Errorf("%s %s answers %d: %s", m, p, status, out)
				continue
			}
			if strings.HasPrefix(p, "/v0/") && p != "/v0/logs" {
				mime := "application/json"
				if handlerOf(p, m).stream {
					mime = "application/x-ndjson"
				}
				validate(t, body, p, m, mime, out)
			}
		}
	}
	if n != len(handlers()) {
		t.Errorf("%d operations are described, there are %d handlers", n, len(handlers()))
	}
	st := r.backend.Status()
	for _, it := range []api.WatchItem{
		{Kind: "snapshot", Time: time.Now(), Status: &st},
		{Kind: "log", Time: time.Now(), Log: &api.LogRecord{Time: time.Now(), Level: "info", Source: "ncatd"}},
		{Kind: "state", Time: time.Now(), Account: "main", State: &st.Accounts[0]},
		{Kind: "event", Time: time.Now(), Event: json.RawMessage(`{"post_type":"message"}`)},
		{Kind: "dropped", Time: time.Now(), Dropped: 3},
	} {
		b, err := json.Marshal(it)
		if err != nil {
			t.Fatal(err)
		}
		validate(t, body, "/v0/watch", "get", "application/x-ndjson", string(b))
	}
}

func handlerOf(path, method string) route {
	for _, rt := range handlers() {
		if rt.Path == path && strings.EqualFold(rt.Method, method) {
			return rt
		}
	}
	return route{}
}

// validate checks an answer against the schema of the description.
func validate(t *testing.T, doc, path, method, mime, answer string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	root, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("mem:openapi.json", root); err != nil {
		t.Fatal(err)
	}
	esc := func(s string) string {
		return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
	}
	sch, err := c.Compile("mem:openapi.json#/paths/" + esc(path) + "/" + method + "/responses/200/content/" + esc(mime) + "/schema")
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	if err := sch.Validate(v); err != nil {
		t.Errorf("%s %s answers %s: %v", method, path, answer, err)
	}
}

// TestMetrics holds the names and that what strangers make up does not grow them.
func TestMetrics(t *testing.T) {
	r := serve(t, true)
	m := r.metrics
	for i := range 10_000 {
		m.Event("main", fmt.Sprint("type", i))
		m.Call("main", fmt.Sprint("action", i), fmt.Sprint(i), time.Millisecond)
		m.Restart("main", fmt.Sprint("reason", i))
	}
	m.Handled("main", time.Millisecond)
	m.Dropped("main", 3)
	m.QueueLength("main", 7)
	m.Handled("main", 5*time.Second)
	m.QueueLength("say \"hi\"\\\n", 1)
	_, _, body := r.get(t, "GET", "/metrics", "", nil)
	for _, want := range []string{
		`ncatd_build_info{version="1.2.3"} 1`,
		`ncatd_account_state{account="main",state="online"} 1`,
		`ncatd_account_state{account="main",state="failed"} 0`,
		`ncatd_events_total{account="main",type="type1"} 1`,
		`ncatd_events_total{account="main",type="other"} 9744`,
		`ncatd_events_dropped_total{account="main"} 3`,
		`ncatd_event_queue_length{account="main"} 7`,
		`ncatd_call_duration_seconds_count{account="main"} 10000`,
		"# HELP ncatd_events_total Events received from OneBot, by type.\n# TYPE ncatd_events_total counter",
		`ncatd_event_queue_length{account="say \"hi\"\\\n"} 1`,
		`ncatd_handler_duration_seconds_bucket{account="main",le="0.001"} 1`,
		`ncatd_handler_duration_seconds_bucket{account="main",le="1"} 1`,
		`ncatd_handler_duration_seconds_bucket{account="main",le="10"} 2`,
		`ncatd_handler_duration_seconds_bucket{account="main",le="+Inf"} 2`,
		`ncatd_handler_duration_seconds_sum{account="main"} 5.001`,
		`ncatd_control_watchers 0`,
		"# TYPE go_gc_duration_seconds summary",
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("metrics lack %s", want)
		}
	}
	if n := strings.Count(body, "\n"); n > 2500 {
		t.Errorf("%d lines of metrics", n)
	}
	var none *Metrics
	none.Event("a", "b") // must not panic
	none.Call("a", "b", "0", 0)
}

func TestLogsEndpoint(t *testing.T) {
	r := serve(t, true)
	status, _, body := r.get(t, "GET", "/v0/logs?lines=5", "", nil)
	if status != 200 || strings.TrimSpace(body) != "" {
		t.Errorf("no logs: %d %q", status, body)
	}
}

func TestLimitedListenerClosesWhatIsTooMuch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lim := limitConns(l, 1)
	defer lim.Close()
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := lim.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	second := dial()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection got data")
	}
	first.Close()
	first.Close() // must not make room twice
	third := dial()
	c := <-accepted
	go func() { c.Write([]byte("x")) }()
	if b, err := io.ReadAll(io.LimitReader(third, 1)); err != nil || !bytes.Equal(b, []byte("x")) {
		t.Errorf("after the first had gone: %q, %v", b, err)
	}
}

func TestRunFailsWhereItCannotListen(t *testing.T) {
	r := serve(t, false)
	s, err := New(Options{Backend: r.backend, Hub: r.hub, Log: nil, Metrics: NewMetrics(), Socket: r.socket})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err == nil {
		t.Error("two servers share a socket")
	}
}
