package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func TestPanicsErrorsAndGoexit(t *testing.T) {
	h := newHost(t)
	var log strings.Builder
	var logMu sync.Mutex
	b := ncat.New(ncat.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		logMu.Lock()
		defer logMu.Unlock()
		return log.Write(p)
	}), nil))))
	boom := errors.New("boom")
	var hooked sync.Map
	b.OnError(func(ctx context.Context, b *ncat.Bot, e onebot.Event, err error) {
		hooked.Store(e.(onebot.MessageEvent).Msg().Text(), err)
		panic("a hook may fail as well")
	})
	ok := make(chan string, 10)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		switch m.Text() {
		case "ping 0":
			panic(boom)
		case "ping 1":
			return boom
		case "ping 2":
			b.Reply(ctx, m, "x")
			runtime.Goexit()
		}
		ok <- m.Text()
		return nil
	}, ncat.Named("fragile"))
	dial(t, b, h.url)
	ws := next(t, h.links)
	for i := range 5 {
		say(t, ws, groupFrame(1, i))
	}
	for _, want := range []string{"ping 3", "ping 4"} {
		if got := next(t, ok); got != want {
			t.Errorf("got %s", got)
		}
	}
	err, _ := hooked.Load("ping 0")
	var p *ncat.PanicError
	if e, _ := err.(error); !errors.As(e, &p) || !errors.Is(e, boom) || p.Handler != "fragile" || !strings.Contains(string(p.Stack), "queue_test.go") {
		t.Errorf("panic came as %v", err)
	}
	if err, _ := hooked.Load("ping 1"); err != boom {
		t.Errorf("error came as %v", err)
	}
	logMu.Lock()
	defer logMu.Unlock()
	if !strings.Contains(log.String(), "handler=fragile") {
		t.Errorf("log names no handler:\n%s", log.String())
	}
}

func TestFullQueueIsCounted(t *testing.T) {
	b := ncat.New(ncat.WithQueue(3))
	enter, leave := make(chan string, 100), make(chan struct{})
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		enter <- m.Text()
		<-leave
		return nil
	})
	s := botlink.Of(b).NewSession("", noCalls{}, botlink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	s.Feed(groupFrame(1, 0))
	next(t, enter)
	for i := range 10 {
		s.Feed(groupFrame(1, i+1))
	}
	if st := s.Stats(); st.Dropped != 7 || st.Waiting != 3 || st.Handling != 1 {
		t.Errorf("stats %+v", st)
	}
	close(leave)
	for i := range 3 {
		if got := next(t, enter); got != fmt.Sprintf("ping %d", i+1) {
			t.Errorf("got %s", got)
		}
	}
	cancel()
	next(t, ended)
}

func TestSlowAndStuckHandlersAreNamed(t *testing.T) {
	b := ncat.New(ncat.WithSlowWarning(20*time.Millisecond), ncat.WithDrain(20*time.Millisecond))
	never := make(chan struct{})
	defer close(never)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error { <-never; return nil }, ncat.Named("stuck"))
	b.OnPrivate(func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error { return nil })
	s := botlink.Of(b).NewSession("", noCalls{}, botlink.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.Feed(groupFrame(1, 0))
	eventually(t, "the report", func() bool { return s.Stats().Slow == 1 })
	why := errors.New("enough")
	cancel(why)
	if err := next(t, ended); !errors.Is(err, why) || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("Run returned %v", err)
	}
}

func TestHandlersFinishBeforeTheLinkEnds(t *testing.T) {
	h := newHost(t)
	b := ncat.New()
	ending, end := context.WithCancel(t.Context())
	defer end()
	started := make(chan struct{})
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		close(started)
		<-ending.Done()
		err := b.Reply(ctx, m, "last words")
		result <- err
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- b.Dial(ending, h.url, "") }()
	ws := next(t, h.links)
	say(t, ws, groupFrame(1, 0))
	next(t, started)
	end()
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial returned %v", err)
	}
	if err := next(t, result); err != nil {
		t.Errorf("reply while ending: %v", err)
	}
}

// A handler that waits for an answer which never comes ends when the bot does.
func TestEndingInterruptsCalls(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return "" }
	b := ncat.New(ncat.WithDrain(20 * time.Millisecond))
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		err := b.Reply(ctx, m, "x")
		result <- err
		return err
	})
	stop := dial(t, b, h.url)
	ws := next(t, h.links)
	say(t, ws, groupFrame(1, 0))
	eventually(t, "the call", func() bool { return h.calls.Load() == 1 })
	stop()
	if err := next(t, result); !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A handler's own deadline ends its call.
func TestHandlersDeadline(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return "" }
	b := ncat.New()
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		err := b.Reply(ctx, m, "x")
		result <- err
		return nil
	})
	dial(t, b, h.url)
	ws := next(t, h.links)
	say(t, ws, groupFrame(1, 0))
	if err := next(t, result); !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
