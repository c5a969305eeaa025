package ncat_test

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestHandlerThatLeaks leaves ten goroutines behind for each message: it is
// named, once, and another that starts as many which end is not.
func TestHandlerThatLeaks(t *testing.T) {
	var log strings.Builder
	var mu sync.Mutex
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		b := ncat.New(ncat.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(p)
		}), nil))))
		b.OnGroup(func(context.Context, *ncat.Bot, *onebot.GroupMessage) error {
			for range 10 {
				go func() { <-forever }()
			}
			return nil
		}, ncat.Named("leaky"))
		b.OnGroup(func(context.Context, *ncat.Bot, *onebot.GroupMessage) error {
			for range 10 {
				go func() {}()
			}
			return nil
		}, ncat.Named("tidy"))
		b.OnGroup(func(_ context.Context, b *ncat.Bot, _ *onebot.GroupMessage) error {
			b.Go(func(ctx context.Context) { <-ctx.Done() })
			return nil
		}, ncat.Named("goes"))
		s := b.NewSession("", &ncattest.Caller{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		for range 150 {
			s.Deliver(ncattest.GroupMessage(groupA, alice, "x"))
		}
		time.Sleep(time.Minute) // virtual
		close(forever)
		cancel()
		<-ended
	})
	mu.Lock()
	defer mu.Unlock()
	text := log.String()
	if n := strings.Count(text, "leaves goroutines behind"); n == 0 || n > 2 {
		t.Errorf("reported %d times:\n%s", n, text)
	}
	if !regexp.MustCompile(`handler=leaky goroutines=1[0-9]{3} began_with=\S*TestHandlerThatLeaks\S*`).MatchString(text) {
		t.Errorf("the leak is not named:\n%s", text)
	}
	if strings.Contains(text, "handler=tidy") || strings.Contains(text, "handler=goes") {
		t.Errorf("handlers that leak nothing are named:\n%s", text)
	}
}
