package ncat_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A failure that repeats itself is said once, and once more after a link.
func TestFailuresAreSaidOnce(t *testing.T) {
	h := newHost(t)
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := asked.Add(1); n == 3 || n == 4 {
			h.ServeHTTP(w, r)
			return
		}
		http.Error(w, "x", http.StatusBadGateway)
	}))
	defer srv.Close()
	var log lines
	b := ncat.New(ncat.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	handled := make(chan struct{}, 2)
	b.OnGroup(func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { handled <- struct{}{}; return nil })
	stop := dial(t, b, srv.URL)
	for i := range 2 {
		ws := next(t, h.links)
		eventually(t, "the first event", func() bool { return log.with("msg=connected") == i+1 })
		say(t, ws, groupFrame(1, i)) // which is not said
		next(t, handled)
		ws.CloseNow()
	}
	eventually(t, "the attempt after the loss", func() bool { return log.with("502") == 2 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for text, want := range map[string]int{"msg=connected": 2, `msg="not connected"`: 4, "502": 2} {
		if n := log.with(text); n != want {
			t.Errorf("%s is said %d times, want %d: %q", text, n, want, log.all)
		}
	}
}

// Dialling an HTTP server by TLS takes the configuration that it is given, for calls
// as for events.
func TestDialHTTPByTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_events" {
			io.WriteString(w, `{"status":"ok","retcode":0,"data":{"message_id":424242},"echo":"x"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", groupFrame(1, 0))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	defer srv.CloseClientConnections()
	trusted := x509.NewCertPool()
	trusted.AddCert(srv.Certificate())
	b, result := ponger()
	var online atomic.Int64
	b.OnOnline(func(context.Context, *ncat.Bot) error { online.Add(1); return nil })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.DialHTTP(ctx, srv.URL, "", ncat.TLSConfig(&tls.Config{RootCAs: trusted})) }()
	if err := next(t, result); err != nil {
		t.Error(err)
	}
	eventually(t, "the account to be online", func() bool { return online.Load() == 1 })
	cancel()
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var log lines
	strange := ncat.New()
	botlink.Apply(strange, ncat.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	ctx, cancel = context.WithCancel(t.Context())
	go func() { ended <- strange.DialHTTP(ctx, srv.URL, "") }()
	eventually(t, "a refusal of the certificate", func() bool { return log.with("certificate") == 1 })
	if _, err := strange.SendGroup(t.Context(), 1, "x"); !errors.Is(err, onebot.ErrUnknownOutcome) && !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("got %v", err)
	}
	cancel()
	next(t, ended)
}
