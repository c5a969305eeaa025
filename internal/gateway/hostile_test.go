package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// another returns a stage with a second app on the same gateway and account.
func (s *stage) another(name string) *stage {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listening, done := make(chan string, 1), make(chan struct{})
	app, err := s.g.App(Config{
		Name: name, Accounts: []string{"main"}, Token: "secret-secret-secret", Rights: NewRights([]string{"read"}),
		Replay: Replay{Age: time.Minute, Events: 1000}, Heartbeat: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Listen: "127.0.0.1:0", WebSocket: true, HTTP: true, Listening: func(a string) { listening <- a },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = app.Run(ctx); close(done) }()
	s.t.Cleanup(func() { cancel(); <-done })
	return &stage{t: s.t, g: s.g, acc: s.acc, app: app, up: s.up, addr: <-listening}
}

// inParallel runs f n times, eight at a time.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// One app tries ten thousand tokens, opens a thousand links, reads nothing of what
// it gets, and speaks garbage. It is bounded, its status says why, and another app
// of the same account gets its events as fast as before.
func TestAHostileAppCostsOthersNothing(t *testing.T) {
	for name, c := range map[string]struct {
		attack func(bad *stage)
		says   string
		cut    bool
	}{
		"tokens": {func(bad *stage) {
			once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			inParallel(10_000, func(i int) {
				resp, err := once.Get(fmt.Sprintf("http://%s/get_status?access_token=guess-%d", bad.addr, i))
				if err != nil { // no connection is left for it
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
					t.Errorf("HTTP %d for a wrong token", resp.StatusCode)
				}
			})
		}, "wrong token from 127.0.0.1", false},
		"links": {func(bad *stage) {
			inParallel(1000, func(int) {
				if c, err := bad.try("/", http.Header{"Authorization": {"Bearer secret-secret-secret"}}); err == nil {
					_, _, _ = c.ws.Read(t.Context())
				}
			})
			if n := bad.app.Stats().Links; n > maxLinks {
				t.Errorf("%d links", n)
			}
		}, "more than 64 links", false},
		"never reads": {func(bad *stage) {
			bad.dial("/")
			big := strings.Repeat("z", 256<<10)
			for bad.app.Stats().Cut == 0 {
				bad.say(big)
			}
		}, "reads too slowly", true},
		"garbage": {func(bad *stage) {
			for range 20 {
				c := bad.dial("/")
				for range maxGarbage + 1 {
					if c.ws.Write(t.Context(), websocket.MessageText, []byte(`{"action":`)) != nil {
						break
					}
				}
			}
			bad.links(0)
		}, "speaks garbage", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			bad := s.another("bad")
			good := s.dial("/event")
			good.read()
			took := make(chan time.Duration, 1<<16)
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
					}
					began := time.Now()
					mark := fmt.Sprintf("mark %d ", i)
					bad.feed("message.group", groupMessage(int64(1_000_000+i), 1, mark))
					for !strings.Contains(good.event(), mark) {
					}
					took <- time.Since(began)
				}
			}()
			c.attack(bad)
			close(stop)
			<-ended
			close(took)
			var all []time.Duration
			for d := range took {
				all = append(all, d)
			}
			slices.Sort(all)
			if len(all) == 0 {
				t.Fatal("no event came meanwhile")
			}
			if p := all[len(all)/2]; p > 100*time.Millisecond { // a starved machine adds much
				t.Errorf("an event took %v for the other app", p)
			}
			st := bad.app.Stats()
			if !strings.Contains(st.LastError, c.says) || c.cut != (st.Cut > 0) {
				t.Errorf("its status says %+v", st)
			}
			t.Logf("%d events for the other app meanwhile, half of them within %v", len(all), all[len(all)/2])
		})
	}
}
