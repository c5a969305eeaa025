package ncat_test

import (
	"context"
	"testing"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// slowPlugin takes its time to set up.
type slowPlugin struct{ setup func(h *ncat.Host) }

func (slowPlugin) ID() string      { return "slow" }
func (slowPlugin) Version() string { return "1" }
func (p slowPlugin) Setup(_ context.Context, h *ncat.Host) error {
	p.setup(h)
	return nil
}

// An event that comes while plugins are being set up waits for them, also if
// nobody has registered a handler for its kind yet.
func TestEventsBeforePluginsAreSetUp(t *testing.T) {
	b := ncat.New()
	fed, handled := make(chan struct{}), make(chan string, 1)
	b.AddPlugin(slowPlugin{func(h *ncat.Host) {
		<-fed
		h.OnGroup(func(_ context.Context, _ *ncat.Bot, m *onebot.GroupMessage) error {
			handled <- m.Text()
			return nil
		})
	}})
	s := botlink.Of(b).NewSession("", &talker{}, botlink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.Feed(groupFrame(1, 7))
	close(fed)
	if got := next(t, handled); got != "ping 7" {
		t.Errorf("handled %q", got)
	}
	cancel()
	next(t, ended)
}
