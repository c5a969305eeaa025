package ncat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// What comes before a session runs waits for it, once each and in order; what comes
// after it is dropped. The account is there before the first event. A frame that is
// no event is counted.
func TestBeforeAndAfterASession(t *testing.T) {
	for _, mode := range []ncat.BackfillMode{ncat.BackfillAuto, ncat.BackfillOff} {
		synctest.Test(t, func(t *testing.T) {
			b := ncat.New(ncat.WithLogger(nil), ncat.WithBackfill(ncat.Backfill{Mode: mode}))
			var got, heard []string
			b.OnGroup(func(_ context.Context, _ *ncat.Bot, m *onebot.GroupMessage) error {
				got = append(got, m.Text())
				return nil
			})
			s := botlink.Of(b).NewSession("", noCalls{}, botlink.Options{Delivered: func(e onebot.Event, live bool) {
				if !strings.HasPrefix(fmt.Sprintf("%T", e), "*onebot.") {
					t.Errorf("told of a %T", e)
				}
				if n := len(b.Accounts()); !live && n != 1 { // a handler's call through b would find none
					t.Errorf("%d accounts at %T", n, e)
				}
				if m, ok := e.(*onebot.GroupMessage); ok {
					heard = append(heard, fmt.Sprint(m.Text(), " ", live))
				}
			}})
			first := ncattest.GroupMessage(1, 1, "a")
			if mode == ncat.BackfillAuto { // a double is known only where messages are remembered
				double := *first
				s.Deliver(first)
				s.Deliver(&double)
			} else {
				s.Deliver(first)
			}
			s.Deliver(ncattest.GroupMessage(1, 1, "b"))
			for range 3 {
				s.Deliver(ncattest.Beat(true))
			}
			synctest.Wait()
			if len(got)+len(heard) != 0 {
				t.Errorf("handled before it runs: %v, told %v", got, heard)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			synctest.Wait()
			if err := s.Run(ctx); err == nil || !strings.Contains(err.Error(), "once") {
				t.Errorf("the second Run: %v", err)
			}
			s.Deliver(ncattest.GroupMessage(1, 1, "c"))
			if e := s.Feed([]byte(`{"post_type":`)); e != nil || s.Stats().Bad != 1 {
				t.Errorf("%v, %+v", e, s.Stats())
			}
			synctest.Wait()
			why := errors.New("enough")
			cancel(why)
			if err := <-ended; err != why {
				t.Errorf("Run returned %v", err)
			}
			if strings.Join(heard, ", ") != "a false, b false, c true" {
				t.Errorf("told %v", heard)
			}
			s.Deliver(ncattest.GroupMessage(1, 1, "d"))
			synctest.Wait()
			if strings.Join(got, "") != "abc" {
				t.Errorf("handled %v", got)
			}
			if st := s.Stats(); st.Dropped != 1 || st.Waiting != 0 || st.Handling != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// All chats together have room for sixteen times what one has, and one no more than
// its own; but one event of a chat always has.
func TestRoomOfAllChats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ncat.New(ncat.WithLogger(nil), ncat.WithQueue(2), ncat.WithWorkers(1), ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff}))
		leave, handled := make(chan struct{}), 0
		b.OnGroup(func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { <-leave; handled++; return nil })
		s := botlink.Of(b).NewSession("", noCalls{}, botlink.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		feed := func(group onebot.GroupID, n, waiting, dropped int) {
			t.Helper()
			for range n {
				s.Deliver(ncattest.GroupMessage(group, 1, "x"))
				synctest.Wait()
			}
			if st := s.Stats(); st.Waiting != waiting || st.Dropped != uint64(dropped) || st.Handling != 1 {
				t.Errorf("group %d: %+v, want %d waiting, %d dropped", group, st, waiting, dropped)
			}
		}
		feed(1, 5, 2, 2) // one is being handled
		for g := onebot.GroupID(2); g <= 16; g++ {
			feed(g, 2, int(2*g), 2)
		}
		feed(17, 1, 33, 2) // one of a chat of which none waits
		feed(17, 1, 33, 3)
		feed(2, 1, 33, 4)
		close(leave)
		synctest.Wait()
		time.Sleep(time.Second)
		if st := s.Stats(); handled != 34 || st.Waiting != 0 || st.Dropped != 4 {
			t.Errorf("%d handled, %+v", handled, st)
		}
		cancel()
		<-ended
	})
}
