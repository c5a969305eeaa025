package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Errors and panics are counted, those of hooks too, and a hook that panics keeps the
// others from nothing.
func TestErrorsAndPanicsAreCounted(t *testing.T) {
	b := ncat.New(ncat.WithLogger(nil))
	b.OnMessage(func(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
		switch m.Msg().Text() {
		case "error":
			return errors.New("no luck")
		case "panic", "hook":
			panic(m.Msg().Text())
		case "stop":
			return ncat.ErrStop
		}
		return nil
	})
	var told []string
	for i := range 2 {
		b.OnError(func(_ context.Context, _ *ncat.Bot, e onebot.Event, _ error) {
			text := e.(onebot.MessageEvent).Msg().Text()
			told = append(told, fmt.Sprint(text, i))
			if text == "hook" {
				panic("again")
			}
		})
	}
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for _, c := range []struct {
			text           string
			errors, panics uint64
			told           int
		}{{"fine", 0, 0, 0}, {"stop", 0, 0, 0}, {"error", 1, 0, 2}, {"panic", 1, 1, 4}, {"hook", 1, 4, 6}, {"error", 2, 4, 8}} {
			h.Friend(1).Says(c.text)
			if s := botlink.Of(h.Bot()).Session().Stats(); s.Errors != c.errors || s.Panics != c.panics || len(told) != c.told {
				t.Errorf("%s: %d errors, %d panics, told %q", c.text, s.Errors, s.Panics, told)
			}
		}
		if errs := h.Errors(); len(errs) != 4 {
			t.Errorf("errors %v", errs)
		}
	})
}

// A slow handler is counted once, however long it takes, and the next one of its chat
// again.
func TestSlowHandlersAreCountedOnce(t *testing.T) {
	for warn, slow := range map[time.Duration]uint64{time.Minute: 2, 2 * time.Hour: 0, -1: 0} {
		b := ncat.New(ncat.WithLogger(nil), ncat.WithSlowWarning(warn))
		b.OnMessage(func(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
			d, err := time.ParseDuration(m.Msg().Text())
			time.Sleep(d)
			return err
		})
		ncattest.Run(t, b, func(h *ncattest.Harness) {
			for _, text := range []string{"1h", "1s", "59s", "1h", "0s"} {
				h.Friend(1).Says(text)
				h.Pass(90 * time.Minute)
			}
			if s := botlink.Of(h.Bot()).Session().Stats(); s.Slow != slow || s.Overdue != 0 {
				t.Errorf("warned after %v: %+v", warn, s)
			}
		})
	}
}

// A path is told to an endpoint that shares the disk, and read for any other.
func TestWhoIsToldAPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(path, noise(70<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, shared := range []bool{false, true} {
		h := newHost(t)
		var mu sync.Mutex
		var calls []string
		h.answer = func(action string, params json.RawMessage) string {
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(string(params), path) {
				action += " with the path"
			}
			calls = append(calls, action)
			return `{"message_id":7,"messages":[],"file_path":"/there","status":"file_complete"}`
		}
		b := ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff}))
		var opts []ncat.DialOption
		if shared {
			opts = append(opts, ncat.SharedDisk())
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Dial(ctx, h.url, "", opts...) }()
		next(t, h.links)
		eventually(t, "the account", func() bool { return b.Self() != 0 })
		_, _ = b.SendGroup(t.Context(), 1, ncat.Image(ncat.Path(path))) // the upload is answered with nonsense
		cancel()
		next(t, ended)
		if told := slices.Contains(calls, "send_group_msg with the path"); told != shared || slices.Contains(calls, "upload_file_stream") == shared {
			t.Errorf("shared disk %v: %v", shared, calls)
		}
	}
}

// Sends by name have the pace of the chat that their params name.
func TestPaceOfSendsByName(t *testing.T) {
	b := ncat.New(ncat.WithChatSendRate(1, 10*time.Second))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1)
		h.Friend(2)
		h.Group(100).From(1)
		h.Group(101).From(1)
		for _, action := range []string{"send_private_msg", "send_group_msg", "send_msg"} { // whatever they answer
			h.On(action, ncattest.Result(map[string]any{"message_id": 7}))
		}
		var mu sync.Mutex
		var done []string
		for i, c := range []struct{ action, params string }{
			{"send_private_msg", `{"user_id":1,"message":"x"}`}, {"send_private_msg", `{"user_id":"2","message":"x"}`},
			{"send_group_msg", `{"group_id":100,"message":"x"}`}, {"send_msg", `{"group_id":"101","user_id":1,"message":"x"}`},
			{"send_private_msg", `{"user_id":"1","message":"x"}`}, {"send_msg", `{"user_id":2,"message":"x"}`},
			{"send_group_msg", `{"group_id":"100","message":"x"}`}, {"send_group_msg", `{"group_id":101,"message":"x"}`},
			{"get_status", `{}`},
		} {
			go func() {
				err := h.Bot().Call(h.Context(), c.action, json.RawMessage(c.params), nil)
				mu.Lock()
				defer mu.Unlock()
				if done = append(done, fmt.Sprint(i)); err != nil {
					t.Errorf("%s %s: %v", c.action, c.params, err)
				}
			}()
			synctest.Wait()
		}
		mu.Lock()
		if got := strings.Join(done, " "); got != "0 1 2 3 8" {
			t.Errorf("at once: %s", got)
		}
		mu.Unlock()
		h.Pass(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(done) != 9 {
			t.Errorf("after ten seconds: %v", done)
		}
	})
}
