package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// route is one entry of the table of handlers. The OpenAPI description is
// tested against the table.
type route struct {
	Method, Path string
	handle       func(s *Server, w http.ResponseWriter, r *http.Request) error
	stream       bool // lasts until one side leaves
}

// table lists every handler, sorted by path and method.
var table = []route{
	{"GET", "/healthz", (*Server).healthz, false},
	{"GET", "/metrics", (*Server).serveMetrics, false},
	{"GET", "/readyz", (*Server).readyz, false},
	{"POST", "/v0/accounts/{name}/call", (*Server).call, false},
	{"GET", "/v0/accounts/{name}/events", (*Server).events, true},
	{"POST", "/v0/accounts/{name}/login/captcha", (*Server).loginCaptcha, false},
	{"POST", "/v0/accounts/{name}/login/password", (*Server).loginPassword, false},
	{"GET", "/v0/accounts/{name}/login/quick", (*Server).quickAccounts, false},
	{"POST", "/v0/accounts/{name}/login/quick", (*Server).loginQuick, false},
	{"POST", "/v0/accounts/{name}/login/refresh", (*Server).loginRefresh, false},
	{"POST", "/v0/accounts/{name}/restart", (*Server).restart, false},
	{"POST", "/v0/accounts/{name}/want", (*Server).want, false},
	{"GET", "/v0/plugins", (*Server).plugins, false},
	{"POST", "/v0/plugins/{id}/disable", (*Server).disablePlugin, false},
	{"POST", "/v0/plugins/{id}/enable", (*Server).enablePlugin, false},
	{"POST", "/v0/reload", (*Server).reload, false},
	{"POST", "/v0/restart", (*Server).restart, false},
	{"GET", "/v0/status", (*Server).status, false},
	{"POST", "/v0/stop", (*Server).stopDaemon, false},
	{"GET", "/v0/watch", (*Server).watch, true},
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	paths := map[string][]string{}
	for _, rt := range table {
		paths[rt.Path] = append(paths[rt.Path], rt.Method)
		mux.HandleFunc(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) {
			if rt.stream {
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
// separated; without it state, qr and login).
func (s *Server) watch(w http.ResponseWriter, r *http.Request) error {
	kinds := []string{"state", "qr", "login"}
	if k := r.URL.Query().Get("kinds"); k != "" {
		kinds = strings.Split(k, ",")
		for _, k := range kinds {
			if !slices.Contains([]string{"state", "qr", "login", "log", "event"}, k) {
				return &api.Error{Code: CodeBadRequest, Message: "no such kind: " + k}
			}
		}
	}
	sub := s.o.Hub.Subscribe(r.URL.Query().Get("account"), kinds...)
	defer sub.Close()
	st := s.o.Backend.Status()
	first := api.WatchItem{Kind: "snapshot", Time: time.Now(), Status: &st}
	return s.stream(w, r, sub, &first, func(it api.WatchItem) any {
		if stale(it, st) {
			return nil
		}
		return it
	})
}

// stale reports whether it is older than the snapshot st: what was published
// between the subscription and the snapshot must not undo it.
func stale(it api.WatchItem, st api.Status) bool {
	for _, a := range st.Accounts {
		if a.Name != it.Account {
			continue
		}
		return it.State != nil && it.State.Since.Before(a.Since) || it.QR != nil && a.QR != nil && it.QR.Issued.Before(a.QR.Issued)
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

// stream writes first and then what sub delivers until either side leaves. A
// reader that takes longer than writeTimeout for a line is cut off; one that
// is merely slow loses items and is told how many.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, sub *Subscription, first *api.WatchItem, line func(api.WatchItem) any) error {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	write := func(b []byte) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := w.Write(append(b, '\n')); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	send := func(v any) bool {
		if v == nil {
			return true
		}
		b, err := json.Marshal(v)
		return err == nil && write(b)
	}
	if first != nil && !send(line(*first)) || first == nil && rc.Flush() != nil {
		return nil
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case it := <-sub.C():
			if !send(line(it)) {
				return nil
			}
			if n := sub.TakeDropped(); n > 0 && !send(line(api.WatchItem{Kind: "dropped", Time: time.Now(), Dropped: n})) {
				return nil
			}
		case <-tick.C:
			if !write(nil) {
				return nil
			}
		case <-r.Context().Done():
			return nil
		case <-s.stop:
			return nil
		}
	}
}
