package control

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/qrterm"
)

// route is one entry of the table of handlers. In and Out are the types of the
// request's and the answer's JSON bodies; the OpenAPI description is made of
// them.
type route struct {
	Method, Path string
	Summary      string
	In, Out      reflect.Type // nil: no body
	Query        []param
	handle       func(s *Server, w http.ResponseWriter, r *http.Request) error
	stream       bool   // lasts until one side leaves; Out is one line
	text         bool   // the answer is plain text
	mime         string // of an answer that is neither text nor JSON
	access       access
}

// param is one query parameter.
type param struct{ Name, Doc string }

// none is the body of a request or an answer that says nothing.
type none struct{}

// target is what the path of a request names.
type target struct {
	account string // it exists; "" if the path names none
	id      string
	who     caller
	console *console.Console
	server  *Server
}

// exchange returns the route of one request and one answer: it finds the
// target, reads and checks In, asks f, and answers with its Out.
func exchange[In, Out any](method, path, summary string, f func(ctx context.Context, b Backend, t target, in In) (Out, error)) route {
	rt := route{Method: method, Path: path, Summary: summary, Out: reflect.TypeFor[Out]()}
	if in := reflect.TypeFor[In](); in != reflect.TypeFor[none]() {
		rt.In = in
	}
	rt.handle = func(s *Server, w http.ResponseWriter, r *http.Request) error {
		t := target{id: r.PathValue("id"), who: callerOf(r.Context()), console: s.o.Console, server: s}
		var err error
		if name := r.PathValue("name"); name != "" {
			if t.account, err = s.account(name); err != nil {
				return err
			}
		}
		var in In
		if rt.In != nil {
			if err := decode(r, &in); err != nil {
				return err
			}
		}
		out, err := f(r.Context(), s.o.Backend, t, in)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	}
	return rt
}

// get is an exchange without a request body.
func get[Out any](path, summary string, f func(ctx context.Context, b Backend, t target) (Out, error)) route {
	return exchange("GET", path, summary, func(ctx context.Context, b Backend, t target, _ none) (Out, error) { return f(ctx, b, t) })
}

// post is an exchange that changes something.
func post[In, Out any](path, summary string, f func(ctx context.Context, b Backend, t target, in In) (Out, error)) route {
	return exchange("POST", path, summary, f)
}

// act is a post whose answer says nothing but that it was done.
func act[In any](path, summary string, f func(ctx context.Context, b Backend, t target, in In) error) route {
	return post(path, summary, func(ctx context.Context, b Backend, t target, in In) (none, error) { return none{}, f(ctx, b, t, in) })
}

// list makes an answer without elements an empty one.
func list[T any](l []T, err error) ([]T, error) { return append([]T{}, l...), err }

func restart(ctx context.Context, b Backend, t target, _ none) error {
	return b.Restart(ctx, t.account)
}

func loginCaptcha(ctx context.Context, b Backend, t target, in api.CaptchaRequest) error {
	if in.Ticket == "" {
		return badRequest("ticket is empty")
	}
	return b.LoginCaptcha(ctx, t.account, in)
}

func loginPassword(ctx context.Context, b Backend, t target, in api.PasswordLoginRequest) error {
	if in.Password != "" {
		sum := md5.Sum([]byte(in.Password))
		in.PasswordMD5, in.Password = hex.EncodeToString(sum[:]), ""
	}
	if !isMD5(in.PasswordMD5) {
		return badRequest("password_md5 is not 32 hex digits")
	}
	return b.LoginPassword(ctx, t.account, in)
}

func want(ctx context.Context, b Backend, t target, in api.WantRequest) error {
	if in.Want != api.WantRunning && in.Want != api.WantStopped {
		return badRequest("want is %q, not running or stopped", in.Want)
	}
	return b.Want(ctx, t.account, in.Want)
}

func silence(ctx context.Context, b Backend, _ target, in api.AlertSilenceRequest) error {
	if in.Seconds < 0 || in.Seconds > api.MaxSilence.Seconds() {
		return badRequest("seconds is %v, not between 0 and %v", in.Seconds, api.MaxSilence.Seconds())
	}
	return b.AlertSilence(ctx, in.Account, time.Duration(in.Seconds*float64(time.Second)))
}

func reload(ctx context.Context, b Backend, _ target, _ none) (api.ReloadResponse, error) {
	out, err := b.Reload(ctx)
	out.Applied, out.Restart = append([]string{}, out.Applied...), append([]string{}, out.Restart...)
	return out, err
}

// handlers returns the table of handlers, sorted by path and method.
func handlers() []route {
	table := slices.Concat(baseRoutes(), doorRoutes(), deskRoutes(), fleetRoutes())
	sort.Slice(table, func(i, j int) bool {
		a, b := table[i], table[j]
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) < 0
	})
	return table
}

func baseRoutes() []route {
	return []route{
		{Method: "GET", Path: "/healthz", Summary: "Answers ok while the daemon serves.", text: true, handle: (*Server).healthz},
		{Method: "GET", Path: "/metrics", Summary: "Metrics in the text format of Prometheus.", text: true, handle: (*Server).serveMetrics},
		{Method: "GET", Path: "/readyz", Summary: "Answers 200 if every account that shall run is online, else 503.", text: true, handle: (*Server).readyz},
		post("/v0/accounts/{name}/call", "Makes one OneBot call. A refusal by NapCat is an answer with 200.", call),
		{Method: "GET", Path: "/v0/accounts/{name}/events", Summary: "Streams the account's events as OneBot sent them, one a line.",
			Out: reflect.TypeFor[json.RawMessage](), stream: true, handle: (*Server).events},
		act("/v0/accounts/{name}/login/captcha", "Hands in a solved captcha.", loginCaptcha),
		act("/v0/accounts/{name}/login/password", "Begins a login by password.", loginPassword),
		get("/v0/accounts/{name}/login/quick", "Lists the accounts whose ticket allows a quick login.", func(ctx context.Context, b Backend, t target) ([]api.QuickAccount, error) {
			return list(b.QuickAccounts(ctx, t.account))
		}),
		{Method: "GET", Path: "/v0/accounts/{name}/login/qr.png", Summary: "The code to scan now, as a picture; 404 if there is none.",
			handle: (*Server).picture, mime: "image/png", access: forOwner},
		act("/v0/accounts/{name}/login/quick", "Begins a quick login.", func(ctx context.Context, b Backend, t target, in api.QuickLoginRequest) error {
			return b.LoginQuick(ctx, t.account, in.UIN)
		}),
		act("/v0/accounts/{name}/login/refresh", "Asks for a new QR code.", func(ctx context.Context, b Backend, t target, _ none) error {
			return b.LoginRefresh(ctx, t.account)
		}),
		act("/v0/accounts/{name}/restart", "Restarts the account's NapCat.", restart),
		act("/v0/accounts/{name}/want", "Sets whether the account shall run.", want),
		get("/v0/alerts", "The channels of alerts, what is wrong, and what is silenced.", func(ctx context.Context, b Backend, _ target) (api.Alerts, error) {
			return b.Alerts(ctx)
		}),
		get("/v0/alerts/log", "The last alerts that were told or tried, the newest last.", func(ctx context.Context, b Backend, _ target) ([]api.AlertLogEntry, error) {
			return list(b.AlertLog(ctx))
		}),
		act("/v0/alerts/silence", "Tells nothing of an account for a while.", silence),
		post("/v0/alerts/test", "Sends a test through a channel, or all, and tells how it went.", func(ctx context.Context, b Backend, _ target, in api.AlertTestRequest) ([]api.AlertTest, error) {
			return list(b.AlertTest(ctx, in.Channel))
		}),
		{Method: "GET", Path: "/v0/apps/{id}/events", Summary: "Streams the events that an app gets, one a line.",
			Out: reflect.TypeFor[json.RawMessage](), stream: true, handle: (*Server).appEvents},
		act("/v0/apps/{id}/restart", "Starts anew the process of an app that ncatd runs.", func(_ context.Context, b Backend, t target, _ none) error { return b.RestartApp(t.id) }),
		{Method: "GET", Path: "/v0/logs", Summary: "Logs of ncatd and NapCat merged by time, one record a line.",
			Out: reflect.TypeFor[api.LogRecord](), stream: true, handle: (*Server).logs, Query: []param{
				{"account", "only this account's"}, {"level", "debug, info, warn or error: at least this"},
				{"since", "RFC 3339: only what is younger"}, {"lines", "the last n; 0: all; default 200"}, {"follow", "true: go on with what comes"}}},
		{Method: "GET", Path: "/v0/openapi.json", Summary: "This description.", Out: reflect.TypeFor[json.RawMessage](), handle: (*Server).openAPI},
		get("/v0/plugins", "Lists the bot's plugins.", func(ctx context.Context, b Backend, _ target) ([]api.Plugin, error) {
			return list(b.Plugins(ctx))
		}),
		get("/v0/plugins/{id}", "All that is known of one plugin.", func(ctx context.Context, b Backend, t target) (api.PluginInfo, error) {
			return b.Plugin(ctx, t.id)
		}),
		act("/v0/plugins/{id}/disable", "Switches a plugin off.", func(ctx context.Context, b Backend, t target, _ none) error {
			return b.SetPlugin(ctx, t.id, false)
		}),
		act("/v0/plugins/{id}/enable", "Switches a plugin on.", func(ctx context.Context, b Backend, t target, _ none) error {
			return b.SetPlugin(ctx, t.id, true)
		}),
		act("/v0/plugins/{id}/reload", "Loads a script anew; if that fails the old version goes on.", func(ctx context.Context, b Backend, t target, _ none) error { return b.ReloadPlugin(ctx, t.id) }),
		post("/v0/reload", "Reads the config again and applies what can be applied live.", reload),
		act("/v0/restart", "Restarts every account's NapCat.", restart),
		get("/v0/status", "The daemon and its accounts as they stand now.", func(_ context.Context, b Backend, t target) (api.Status, error) {
			if t.who.role != api.RoleOwner {
				return redact(b.Status()), nil
			}
			return b.Status(), nil
		}),
		{Method: "POST", Path: "/v0/stop", Summary: "Begins an orderly stop of the daemon.",
			In: reflect.TypeFor[api.StopRequest](), Out: reflect.TypeFor[none](), handle: (*Server).stopDaemon},
		{Method: "GET", Path: "/v0/watch", Summary: "Streams a snapshot and then every change, one document a line.",
			Out: reflect.TypeFor[api.WatchItem](), stream: true, handle: (*Server).watch, Query: []param{
				{"account", "only this account's changes"}, {"kinds", "of state, log, event, with commas; default state"}}},
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.register(mux.HandleFunc)
	return mux
}

// register gives every pattern that is served to handle.
func (s *Server) register(handle func(pattern string, h func(http.ResponseWriter, *http.Request))) {
	paths := map[string][]string{}
	for _, rt := range s.table {
		paths[rt.Path] = append(paths[rt.Path], rt.Method)
		handle(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) {
			if rt.stream {
				_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
				if s.streams.Add(1) > maxStreams {
					s.streams.Add(-1)
					writeError(w, &api.Error{Code: CodeTooMany, Message: fmt.Sprintf("more than %d watchers", maxStreams)})
					return
				}
				defer s.streams.Add(-1)
				if who := callerOf(r.Context()); who.session != "" {
					ctx, cancel := context.WithCancel(r.Context())
					defer cancel()
					defer s.o.Console.WhenRevoked(who.session, cancel)()
					r = r.WithContext(ctx)
				}
			} else {
				ctx, cancel := context.WithTimeout(r.Context(), defaultTimeout)
				defer cancel()
				r = r.WithContext(ctx)
			}
			err := s.answer(rt, w, r)
			s.audit(r, rt, err)
			if err != nil {
				writeError(w, err)
			}
		})
	}
	for p, methods := range paths {
		allow := strings.Join(methods, ", ")
		handle(p, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			writeError(w, &api.Error{Code: CodeBadMethod, Message: r.Method + " is not possible here; try " + allow})
		})
	}
	for pattern, h := range s.handedOn() {
		handle(pattern, h)
	}
	handle("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &api.Error{Code: CodeNotFound, Message: "no such path: " + r.URL.Path,
			Hint: "GET /v0/openapi.json lists them"})
	})
}

// handedOn are the paths that another host answers, by any method.
func (s *Server) handedOn() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/v0/fleet/hosts/{host}/{rest...}": s.remote}
}

// answer carries a route out if the caller may use it.
func (s *Server) answer(rt route, w http.ResponseWriter, r *http.Request) error {
	if !rt.lets(callerOf(r.Context()).role) {
		return &api.Error{Code: CodeForbidden, Message: "viewers change nothing and see no secret"}
	}
	if s.o.Console == nil && strings.HasPrefix(rt.Path, "/v0/console/") {
		return Refuse(CodeConflict, api.Because(api.CodeConsoleOff))
	}
	return rt.handle(s, w, r)
}

// decode reads a JSON body into v; an empty body leaves v as it is.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &api.Error{Code: CodeTooLarge, Message: fmt.Sprintf("request body is over %d bytes", tooLarge.Limit)}
		}
		return &api.Error{Code: CodeBadRequest, Message: "request body: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &api.Error{Code: CodeBadRequest, Message: "request body: something follows the JSON value"}
	}
	return nil
}

func badRequest(format string, args ...any) error {
	return &api.Error{Code: CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

// account returns name if there is an account of that name.
func (s *Server) account(name string) (string, error) {
	st := s.o.Backend.Status()
	names := make([]string, len(st.Accounts))
	for i, a := range st.Accounts {
		if a.Name == name {
			return name, nil
		}
		names[i] = a.Name
	}
	return "", Refuse(CodeNoAccount, api.Because(api.CodeNoAccount, name, strings.Join(names, ", ")))
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := io.WriteString(w, "ok\n")
	return err
}

// readyz answers 200 if every account that shall run is online, else 503.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) error {
	word, code := "ready\n", http.StatusOK
	for _, a := range s.o.Backend.Status().Accounts {
		if a.State != api.StateOnline && a.State != api.StateStopped {
			word, code = "not ready\n", http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, err := io.WriteString(w, word)
	_ = err // headers are out; the prober has gone
	return nil
}

func isMD5(h string) bool {
	return len(h) == 32 && strings.Trim(strings.ToLower(h), "0123456789abcdef") == ""
}

func call(ctx context.Context, b Backend, t target, in api.CallRequest) (api.CallResponse, error) {
	if in.Action == "" {
		return api.CallResponse{}, badRequest("action is empty")
	}
	if p := strings.TrimSpace(string(in.Params)); p != "" && p != "null" && p[0] != '{' {
		return api.CallResponse{}, badRequest("params is not a JSON object")
	}
	return b.Call(ctx, t.account, in.Action, in.Params)
}

// picture draws the code of an account's login.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	for _, a := range s.o.Backend.Status().Accounts {
		if a.Name != name {
			continue
		}
		if !a.Login.Code() {
			return &api.Error{Code: CodeNotFound, Message: "account " + name + " shows no code now"}
		}
		code, err := qrterm.New(a.Login.URL)
		if err != nil {
			return err
		}
		png, err := code.PNG()
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(png) // the reader has gone; nothing to tell it
		return nil
	}
	_, err := s.account(name)
	return err
}

// stopDaemon answers before the daemon stops.
func (s *Server) stopDaemon(w http.ResponseWriter, r *http.Request) error {
	var in api.StopRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, none{})
	_ = http.NewResponseController(w).Flush()
	s.o.Backend.Stop(in.KeepNapCat, in.Again)
	return nil
}
