package ncat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// lines is a log that counts its lines.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) with(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

// What is dropped is said at once, and then every ten seconds at most.
func TestDroppedEventsAreSaidNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		b := ncat.New(ncat.WithQueue(1), ncat.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		leave := make(chan struct{})
		b.OnGroup(func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { <-leave; return nil })
		s := botlink.Of(b).NewSession("", noCalls{}, botlink.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		n := 0
		feed := func(said int) {
			t.Helper()
			for range 5 {
				s.Feed(groupFrame(1, n))
				n++
				synctest.Wait()
			}
			if got := log.with("event dropped"); got != said {
				t.Errorf("after %d events: said %d times, want %d", n, got, said)
			}
		}
		feed(1)
		time.Sleep(10 * time.Second)
		feed(1)
		time.Sleep(time.Nanosecond)
		feed(2)
		time.Sleep(time.Hour)
		feed(3)
		if log.with("dropped=1\n") != 1 || s.Stats().Dropped != uint64(n-2) {
			t.Errorf("%+v, said %q", s.Stats(), log.all)
		}
		close(leave)
		cancel()
		<-ended
	})
}

// A runtime is told how much is missing at least of what the limits leave out, and
// of each message that was fetched.
func TestGapIsTold(t *testing.T) {
	var r heard
	b := ncat.New(ncat.WithBackfill(ncat.Backfill{Messages: 5}))
	b.OnMessage(r.handle)
	p := newPast()
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p.attach(h)
		var mu sync.Mutex // guards what follows: several chats are looked at at once
		var gaps []string
		fetched := 0
		s := botlink.Of(b).NewSession("other", h.Caller, botlink.Options{
			Gap: func(group onebot.GroupID, user onebot.UserID, missing int) {
				mu.Lock()
				defer mu.Unlock()
				gaps = append(gaps, fmt.Sprint(group, " ", user, " ", missing))
			},
			Backfilled: func(onebot.Event) { mu.Lock(); defer mu.Unlock(); fetched++ },
		})
		ctx, cancel := context.WithCancel(h.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		up := func() {
			s.Deliver(&onebot.Lifecycle{EventBase: ncattest.Base(onebot.PostMeta), MetaEventType: "lifecycle", SubType: "connect"})
			h.Pass(time.Minute)
		}
		up()
		for _, c := range []ncat.Chat{ncat.Group(groupA), ncat.Private(alice)} {
			s.Deliver(p.write(c, alice, "live"))
			for i := range 4 {
				p.write(c, alice, fmt.Sprint("missed ", i))
			}
		}
		up()
		mu.Lock()
		if len(gaps) != 0 || fetched != 8 {
			t.Errorf("%v, %d fetched", gaps, fetched)
		}
		mu.Unlock()
		for i := range 8 {
			p.write(ncat.Group(groupA), alice, fmt.Sprint("too many ", i))
			p.write(ncat.Private(alice), alice, fmt.Sprint("too many ", i))
		}
		up()
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(gaps)
		if got := strings.Join(gaps, ", "); got != fmt.Sprintf("0 %d 3, %d 0 3", alice, groupA) || fetched != 18 {
			t.Errorf("told of %s, %d fetched", got, fetched)
		}
		if st := s.Stats(); st.Events != 3+2+18 || st.Backfilled != 18 { // links, live, fetched
			t.Errorf("%+v", st)
		}
		cancel()
		<-ended
	})
}

// What a process did not get done is told to the next one, which does it once
// more; after the second time it is left out.
func TestUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory()
		forever := make(chan struct{})
		var ends []func()
		handled := 0
		process := func() (told []ncat.Unfinished, s botlink.Session[*ncat.Bot]) {
			var log lines
			b := ncat.New(store, ncat.WithDrain(0), ncat.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
				ncat.WithUnfinished(func(u ncat.Unfinished) { told = append(told, u) }))
			b.OnMessage(func(context.Context, *ncat.Bot, onebot.MessageEvent) error { handled++; <-forever; return nil })
			s = botlink.Of(b).NewSession("", noCalls{}, botlink.Options{})
			ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			ends = append(ends, func() { cancel(); <-ended })
			synctest.Wait()
			if len(told) != log.with("message") {
				t.Errorf("told %v, said %q", told, log.all)
			}
			return told, s
		}
		message := ncattest.GroupMessage(groupA, alice, "x")
		want := ncat.Unfinished{Account: ncattest.Self, Chat: ncat.Group(groupA), MessageID: message.MessageID}
		for i, c := range []struct {
			told    []ncat.Unfinished
			givenUp bool
		}{{nil, false}, {[]ncat.Unfinished{want}, false}, {[]ncat.Unfinished{want}, true}, {nil, false}} {
			told, s := process()
			if len(c.told) > 0 {
				c.told[0].GivenUp = c.givenUp
			}
			if !slices.Equal(told, c.told) {
				t.Errorf("process %d was told %+v, want %+v", i, told, c.told)
			}
			s.Deliver(message)
			synctest.Wait()
			if i >= 2 { // those before it were killed
				ends[i]()
			}
		}
		if handled != 2 {
			t.Errorf("it was handled %d times", handled)
		}
		close(forever)
		for _, end := range ends[:2] {
			end()
		}
	})
}

// Uploads have names of their own, of which only a plain and short extension is
// the file's.
func TestNamesOfUploads(t *testing.T) {
	var got string
	c := &talker{answer: func(action string, params json.RawMessage) (string, error) {
		if action != "upload_file_stream" {
			return `{"message_id":1}`, nil
		}
		var q struct{ Filename string }
		if err := json.Unmarshal(params, &q); err != nil {
			return "", err
		}
		if q.Filename != "" {
			got = q.Filename
		}
		return "", &onebot.Error{RetCode: 1200}
	}}
	bot := botlink.Of(ncat.New()).NewSession("", c, botlink.Options{}).Bot()
	names := map[string]bool{}
	for name, ext := range map[string]string{
		"a.jpg": ".jpg", "b.azAZ09": ".azAZ09", "c.7654321": ".7654321", "d.87654321": "", "e": "", "f.tar.gz": ".gz", "图.png": ".png",
		"g.图": "", "h.a-b": "", "i.a/": "", "j.a:": "", "k.a@": "", "l.a[": "", "m.a`": "", "n.a{": "", "o.": ".",
	} {
		path := filepath.Join(t.TempDir(), strings.Trim(name, "/"))
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, noise(65<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		got = ""
		_, _ = bot.Place(t.Context(), ncat.Path(path))
		if filepath.Ext(got) != ext && !(ext == "." && strings.HasSuffix(got, ".")) || strings.Contains(got, strings.TrimSuffix(name, ext)+".") || names[got] || len(got) < 20 {
			t.Errorf("%s is uploaded as %q", name, got)
		}
		names[got] = true
	}
}

// A bot without help has neither the command nor hints.
func TestWithoutHelp(t *testing.T) {
	for _, without := range []bool{false, true} {
		opts := []ncat.Option{ncat.WithLanguage("en")}
		if without {
			opts = append(opts, ncat.WithoutHelp())
		}
		b := ncat.New(opts...)
		b.OnCommand("ping", ncat.Say("pong"))
		ncattest.Run(t, b, func(h *ncattest.Harness) {
			for _, text := range []string{"/help", "/pnig"} {
				h.Friend(1).Says(text)
			}
			if n := len(h.Sent()); n != map[bool]int{false: 2, true: 0}[without] {
				t.Errorf("without help %v: %d answers", without, n)
			}
		})
	}
}
