package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/logfile"
)

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
	viewer := callerOf(r.Context()).role != api.RoleOwner
	first := api.WatchItem{Kind: "snapshot", Time: time.Now(), Status: &st}
	return s.stream(w, r, sub, &first, func(it api.WatchItem) any {
		if it.State != nil && stale(it, st, taken) {
			return nil
		}
		if viewer {
			return redactItem(it)
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
	name, err := s.account(r.PathValue("name"))
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

// appEvents streams the events that an app gets, one a line.
func (s *Server) appEvents(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("id")
	if !slices.ContainsFunc(s.o.Backend.Status().Apps, func(a api.App) bool { return a.Name == name }) {
		return Refuse(CodeNotFound, api.Because(api.CodeNoApp, name))
	}
	sub := s.o.Hub.Subscribe("", "app_event")
	defer sub.Close()
	return s.stream(w, r, sub, nil, func(it api.WatchItem) any {
		switch {
		case it.Kind == "dropped":
			return it
		case it.App != name:
			return nil
		}
		return it.Event
	})
}

// lineWriter writes JSON documents, one a line, to a reader that may be slow.
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
	viewer := callerOf(r.Context()).role != api.RoleOwner
	lw := s.lines(w)
	_ = logfile.NewReader(s.o.LogDir).Read(ctx, lq, func(rec api.LogRecord) error {
		if viewer && rec.Source == "napcat" {
			return nil // NapCat prints the code of a login, by which anybody logs in
		}
		if !lw.send(rec) {
			return io.ErrClosedPipe
		}
		return nil
	}) // the reader has gone or the server ends; there is no one to tell
	return nil
}
