package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/logfile"
)

// route is one entry of the table of handlers. In and Out are values of the
// types of the request's and the answer's JSON bodies, nil for none; the OpenAPI
// description is made of them.
type route struct {
	Method, Path string
	Summary      string
	In, Out      any
	Query        []param
	handle       func(s *Server, w http.ResponseWriter, r *http.Request) error
	stream       bool // lasts until one side leaves; Out is one line
	text         bool // the answer is plain text
}

// param is one query parameter.
type param struct{ Name, Doc string }

type none struct{}

// table lists every handler, sorted by path and method.
var table = []route{
	{Method: "GET", Path: "/healthz", Summary: "Answers ok while the daemon serves.", text: true, handle: (*Server).healthz},
	{Method: "GET", Path: "/metrics", Summary: "Metrics in the text format of Prometheus.", text: true, handle: (*Server).serveMetrics},
	{Method: "GET", Path: "/readyz", Summary: "Answers 200 if every account that shall run is online, else 503.", text: true, handle: (*Server).readyz},
	{Method: "POST", Path: "/v0/accounts/{name}/call", Summary: "Makes one OneBot call. A refusal by NapCat is an answer with 200.", In: api.CallRequest{}, Out: api.CallResponse{}, handle: (*Server).call},
	{Method: "GET", Path: "/v0/accounts/{name}/events", Summary: "Streams the account's events as OneBot sent them, one a line.", Out: json.RawMessage{}, stream: true, handle: (*Server).events},
	{Method: "POST", Path: "/v0/accounts/{name}/login/captcha", Summary: "Hands in a solved captcha.", In: api.CaptchaRequest{}, Out: none{}, handle: (*Server).loginCaptcha},
	{Method: "POST", Path: "/v0/accounts/{name}/login/password", Summary: "Begins a login by password.", In: api.PasswordLoginRequest{}, Out: none{}, handle: (*Server).loginPassword},
	{Method: "GET", Path: "/v0/accounts/{name}/login/quick", Summary: "Lists the accounts whose ticket allows a quick login.", Out: []api.QuickAccount{}, handle: (*Server).quickAccounts},
	{Method: "POST", Path: "/v0/accounts/{name}/login/quick", Summary: "Begins a quick login.", In: api.QuickLoginRequest{}, Out: none{}, handle: (*Server).loginQuick},
	{Method: "POST", Path: "/v0/accounts/{name}/login/refresh", Summary: "Asks for a new QR code.", Out: none{}, handle: (*Server).loginRefresh},
	{Method: "POST", Path: "/v0/accounts/{name}/restart", Summary: "Restarts the account's NapCat.", Out: none{}, handle: (*Server).restart},
	{Method: "POST", Path: "/v0/accounts/{name}/want", Summary: "Sets whether the account shall run.", In: api.WantRequest{}, Out: none{}, handle: (*Server).want},
	{Method: "GET", Path: "/v0/logs", Summary: "Logs of ncatd and NapCat merged by time, one record a line.", Out: api.LogRecord{}, stream: true, handle: (*Server).logs, Query: []param{
		{"account", "only this account's"}, {"level", "debug, info, warn or error: at least this"},
		{"since", "RFC 3339: only what is younger"}, {"lines", "the last n; 0: all; default 200"}, {"follow", "true: go on with what comes"}}},
	{Method: "GET", Path: "/v0/openapi.json", Summary: "This description.", Out: json.RawMessage{}, handle: (*Server).openAPI},
	{Method: "GET", Path: "/v0/plugins", Summary: "Lists the bot's plugins.", Out: []api.Plugin{}, handle: (*Server).plugins},
	{Method: "POST", Path: "/v0/plugins/{id}/disable", Summary: "Switches a plugin off.", Out: none{}, handle: (*Server).disablePlugin},
	{Method: "POST", Path: "/v0/plugins/{id}/enable", Summary: "Switches a plugin on.", Out: none{}, handle: (*Server).enablePlugin},
	{Method: "POST", Path: "/v0/reload", Summary: "Reads the config again and applies what can be applied live.", Out: api.ReloadResponse{}, handle: (*Server).reload},
	{Method: "POST", Path: "/v0/restart", Summary: "Restarts every account's NapCat.", Out: none{}, handle: (*Server).restart},
	{Method: "GET", Path: "/v0/status", Summary: "The daemon and its accounts as they stand now.", Out: api.Status{}, handle: (*Server).status},
	{Method: "POST", Path: "/v0/stop", Summary: "Begins an orderly stop of the daemon.", In: api.StopRequest{}, Out: none{}, handle: (*Server).stopDaemon},
	{Method: "GET", Path: "/v0/watch", Summary: "Streams a snapshot and then every change, one document a line.", Out: api.WatchItem{}, stream: true, handle: (*Server).watch, Query: []param{
		{"account", "only this account's changes"}, {"kinds", "of state, log, event, with commas; default state"}}},
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	paths := map[string][]string{}
	for _, rt := range s.table {
		paths[rt.Path] = append(paths[rt.Path], rt.Method)
		mux.HandleFunc(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) {
			if rt.stream {
				_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
				if s.streams.Add(1) > maxStreams {
					s.streams.Add(-1)
					writeError(w, &api.Error{Code: CodeTooMany, Message: fmt.Sprintf("more than %d watchers", maxStreams)})
					return
				}
				defer s.streams.Add(-1)
			} else {
				ctx, cancel := context.WithTimeout(r.Context(), defaultTimeout)
				defer cancel()
				r = r.WithContext(ctx)
			}
			if err := rt.handle(s, w, r); err != nil {
				writeError(w, err)
			}
		})
	}
	for p, methods := range paths {
		allow := strings.Join(methods, ", ")
		mux.HandleFunc(p, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			writeError(w, &api.Error{Code: CodeBadMethod, Message: r.Method + " is not possible here; try " + allow})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &api.Error{Code: CodeNotFound, Message: "no such path: " + r.URL.Path,
			Hint: "GET /v0/openapi.json lists them"})
	})
	return mux
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

func ok(w http.ResponseWriter) error {
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

func (s *Server) account(r *http.Request) (string, error) {
	name := r.PathValue("name")
	st := s.o.Backend.Status()
	names := make([]string, len(st.Accounts))
	for i, a := range st.Accounts {
		if a.Name == name {
			return name, nil
		}
		names[i] = a.Name
	}
	return "", &api.Error{Code: CodeNoAccount, Message: "no account named " + name,
		Hint: "accounts: " + strings.Join(names, ", ")}
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, s.o.Backend.Status())
	return nil
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

func (s *Server) want(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	var in api.WantRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	if !slices.Contains([]string{"running", "stopped"}, in.Want) {
		return &api.Error{Code: CodeBadRequest, Message: fmt.Sprintf("want is %q, not running or stopped", in.Want)}
	}
	if err := s.o.Backend.Want(r.Context(), name, in.Want); err != nil {
		return err
	}
	return ok(w)
}

func (s *Server) restart(w http.ResponseWriter, r *http.Request) error {
	name := ""
	if r.PathValue("name") != "" {
		var err error
		if name, err = s.account(r); err != nil {
			return err
		}
	}
	if err := s.o.Backend.Restart(r.Context(), name); err != nil {
		return err
	}
	return ok(w)
}

func (s *Server) quickAccounts(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	list, err := s.o.Backend.QuickAccounts(r.Context(), name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, append([]api.QuickAccount{}, list...))
	return nil
}

func (s *Server) loginQuick(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	var in api.QuickLoginRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := s.o.Backend.LoginQuick(r.Context(), name, in.UIN); err != nil {
		return err
	}
	return ok(w)
}

func (s *Server) loginPassword(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	var in api.PasswordLoginRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	if !isMD5(in.PasswordMD5) {
		return &api.Error{Code: CodeBadRequest, Message: "password_md5 is not 32 hex digits"}
	}
	if err := s.o.Backend.LoginPassword(r.Context(), name, in); err != nil {
		return err
	}
	return ok(w)
}

func isMD5(h string) bool {
	return len(h) == 32 && strings.Trim(strings.ToLower(h), "0123456789abcdef") == ""
}

func (s *Server) loginCaptcha(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	var in api.CaptchaRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.Ticket == "" {
		return &api.Error{Code: CodeBadRequest, Message: "ticket is empty"}
	}
	if err := s.o.Backend.LoginCaptcha(r.Context(), name, in); err != nil {
		return err
	}
	return ok(w)
}

func (s *Server) loginRefresh(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	if err := s.o.Backend.LoginRefresh(r.Context(), name); err != nil {
		return err
	}
	return ok(w)
}

func (s *Server) call(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	var in api.CallRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.Action == "" {
		return &api.Error{Code: CodeBadRequest, Message: "action is empty"}
	}
	if p := strings.TrimSpace(string(in.Params)); p != "" && p != "null" && p[0] != '{' {
		return &api.Error{Code: CodeBadRequest, Message: "params is not a JSON object"}
	}
	out, err := s.o.Backend.Call(r.Context(), name, in.Action, in.Params)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) plugins(w http.ResponseWriter, r *http.Request) error {
	list, err := s.o.Backend.Plugins(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, append([]api.Plugin{}, list...))
	return nil
}

func (s *Server) enablePlugin(w http.ResponseWriter, r *http.Request) error {
	return s.setPlugin(w, r, true)
}

func (s *Server) disablePlugin(w http.ResponseWriter, r *http.Request) error {
	return s.setPlugin(w, r, false)
}

func (s *Server) setPlugin(w http.ResponseWriter, r *http.Request, enabled bool) error {
	if err := s.o.Backend.SetPlugin(r.Context(), r.PathValue("id"), enabled); err != nil {
		return err
	}
	return ok(w)
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) error {
	out, err := s.o.Backend.Reload(r.Context())
	if err != nil {
		return err
	}
	out.Applied = append([]string{}, out.Applied...)
	out.Restart = append([]string{}, out.Restart...)
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) stopDaemon(w http.ResponseWriter, r *http.Request) error {
	var in api.StopRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := ok(w); err != nil {
		return err
	}
	_ = http.NewResponseController(w).Flush()
	s.o.Backend.Stop(in.KeepNapCat)
	return nil
}

// watch streams a snapshot, then every change. Query: account, kinds (comma
// separated; without it state).
func (s *Server) watch(w http.ResponseWriter, r *http.Request) error {
	kinds := []string{"state"}
	if k := r.URL.Query().Get("kinds"); k != "" {
		kinds = strings.Split(k, ",")
		for _, k := range kinds {
			if !slices.Contains([]string{"state", "log", "event"}, k) {
				return &api.Error{Code: CodeBadRequest, Message: "no such kind: " + k}
			}
		}
	}
	sub := s.o.Hub.Subscribe(r.URL.Query().Get("account"), kinds...)
	defer sub.Close()
	taken := time.Now()
	st := s.o.Backend.Status()
	first := api.WatchItem{Kind: "snapshot", Time: time.Now(), Status: &st}
	return s.stream(w, r, sub, &first, func(it api.WatchItem) any {
		if it.State != nil && stale(it, st, taken) {
			return nil
		}
		return it
	})
}

// stale reports whether it is older than the snapshot st, which was taken
// later than taken: what was published between the subscription and the
// snapshot must not undo it.
func stale(it api.WatchItem, st api.Status, taken time.Time) bool {
	for _, a := range st.Accounts {
		if a.Name == it.Account {
			return it.Time.Before(taken) || it.State.Since.Before(a.Since)
		}
	}
	return false
}

// events streams the account's events as OneBot sent them, one a line.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	name, err := s.account(r)
	if err != nil {
		return err
	}
	sub := s.o.Hub.Subscribe(name, "event")
	defer sub.Close()
	return s.stream(w, r, sub, nil, func(it api.WatchItem) any {
		if it.Kind == "dropped" {
			return it
		}
		return it.Event
	})
}

// lineWriter writes JSON documents, one a line, to a reader who may be slow.
type lineWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// lines begins a stream of lines.
func (s *Server) lines(w http.ResponseWriter) *lineWriter {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	lw := &lineWriter{w, http.NewResponseController(w)}
	_ = lw.rc.Flush() // a write that follows tells if the reader has gone
	return lw
}

// send writes v, unless that is nil, and reports whether the reader still takes
// it.
func (l *lineWriter) send(v any) bool {
	if v == nil {
		return true
	}
	b, err := json.Marshal(v)
	return err == nil && l.write(b)
}

func (l *lineWriter) write(b []byte) bool {
	_ = l.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := l.w.Write(append(b, '\n')); err != nil {
		return false
	}
	return l.rc.Flush() == nil
}

// stream writes first and then what sub delivers until either side leaves. A
// reader that takes longer than writeTimeout for a line is cut off; one that
// is merely slow loses items and is told how many.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, sub *Subscription, first *api.WatchItem, line func(api.WatchItem) any) error {
	lw := s.lines(w)
	if first != nil && !lw.send(line(*first)) {
		return nil
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case it := <-sub.C():
			if !lw.send(line(*it)) {
				return nil
			}
			if n := sub.TakeDropped(); n > 0 && !lw.send(line(api.WatchItem{Kind: "dropped", Time: time.Now(), Dropped: n})) {
				return nil
			}
		case <-tick.C:
			if !lw.write(nil) {
				return nil
			}
		case <-r.Context().Done():
			return nil
		case <-s.ending.Done():
			return nil
		}
	}
}

// logs streams the logs under the home.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	lq := logfile.Query{Account: q.Get("account"), Level: q.Get("level"), Lines: 200, Follow: q.Get("follow") == "true"}
	if lq.Level != "" && !slices.Contains([]string{"debug", "info", "warn", "error"}, lq.Level) {
		return &api.Error{Code: CodeBadRequest, Message: "no such level: " + lq.Level}
	}
	if v := q.Get("lines"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return &api.Error{Code: CodeBadRequest, Message: "lines is not a number: " + v}
		}
		lq.Lines = n
	}
	if v := q.Get("since"); v != "" {
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return &api.Error{Code: CodeBadRequest, Message: "since is not a time of RFC 3339: " + v}
		}
		lq.Since = t
	}
	if s.o.LogDir == "" {
		return &api.Error{Code: CodeNotFound, Message: "no logs are kept"}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	lw := s.lines(w)
	_ = logfile.NewReader(s.o.LogDir).Read(ctx, lq, func(rec api.LogRecord) error {
		if !lw.send(rec) {
			return io.ErrClosedPipe
		}
		return nil
	}) // the reader has gone or the server ends; nobody is there to be told
	return nil
}
