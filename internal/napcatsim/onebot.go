package napcatsim

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// errNoOnebot is what the WebUI says of actions before OneBot is up.
var errNoOnebot = errors.New("OneBot 未初始化，无法创建调试适配器")

// onebot is the OneBot side of a logged-in account.
type onebot struct {
	uin int64
	cfg *adapter.Config
}

func (w *worker) startOnebot(a Account, wd *world.World) (*onebot, error) {
	cfg, err := w.conf.onebot(a.UIN)
	if err != nil {
		return nil, err
	}
	return &onebot{uin: a.UIN, cfg: cfg}, nil
}

// applyOnebot saves a configuration and takes it over. Before OneBot is up it
// does nothing, and says so to nobody.
func (w *worker) applyOnebot(cfg *adapter.Config) error {
	ob := w.net()
	if ob == nil {
		return nil
	}
	return writeFile(w.conf.path(accountFile("onebot11", ob.uin)), []byte(cfg.Pretty()))
}

func (w *worker) debugCall(_ context.Context, _ string, _ json.RawMessage) (out any, known bool, err error) {
	return nil, false, errNoOnebot
}

func (w *worker) recordSent(*world.World) {}

func (o *onebot) freeze(bool)  {}
func (o *onebot) dropClients() {}
func (o *onebot) garbage(int)  {}
func (o *onebot) giant(int)    {}

func sayOf(r SayRequest) (world.Say, error) {
	return world.Say{User: r.User, Group: r.Group, Text: r.Text}, nil
}
