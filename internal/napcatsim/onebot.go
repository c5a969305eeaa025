package napcatsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// errNoOnebot is what the WebUI says of actions before OneBot is up.
var errNoOnebot = errors.New("OneBot 未初始化，无法创建调试适配器")

// onebot is the OneBot side of a logged-in account.
type onebot struct {
	uin int64
	net *adapter.Network
}

// keepEvery is how often the world is saved if it changed. A worker that is
// killed takes no more than that with it.
const keepEvery = 200 * time.Millisecond

// openWorld returns the account's people, groups and histories as QQ's servers
// remember them: they outlive the worker, the ids NapCat gave to messages do not.
func (w *worker) openWorld(a Account) *world.World {
	path := filepath.Join(Dir(w.p.home()), fmt.Sprintf("world_%d.json", a.UIN))
	wd, err := world.LoadFile(path, world.Options{UIN: a.UIN, Nickname: a.Nick})
	if err != nil {
		w.log.warn("simulator: a new world is made: " + err.Error())
	}
	w.tasks.Go(func() {
		if err := wd.Keep(context.Background(), path, keepEvery); err != nil {
			w.log.error("simulator: " + err.Error())
		}
	})
	return wd
}

// startOnebot reads the account's configuration and opens its adapters.
func (w *worker) startOnebot(a Account, wd *world.World) (*onebot, error) {
	cfg, err := w.conf.onebot(a.UIN)
	if err != nil {
		return nil, err
	}
	if w.options().OneBotBusy && w.p.struck() {
		for _, k := range []adapter.Kind{adapter.HTTPServers, adapter.HTTPSseServers, adapter.WebSocketServers} {
			for _, e := range cfg.Entries(k) {
				if e.Enable {
					w.occupy(context.Background(), e.Host, int(e.Port))
				}
			}
		}
	}
	host, _ := newHost(action.Options{ // it lives as long as the worker
		World: wd, Log: w.log.log, Version: w.p.in.NapCatVersion,
		TempDir:     filepath.Join(w.p.dataRoot(), "NapCat", "temp"),
		Restart:     w.requestRestart,
		Exit:        func() { w.end(0) },
		PacketError: w.packetError(),
		Before:      w.calls.note,
	})
	ob := &onebot{uin: a.UIN, net: adapter.New(adapter.Options{World: wd, Host: host, Log: w.log.log, Began: time.Now()})}
	w.mu.Lock()
	frozen := w.wedged
	w.mu.Unlock()
	ob.freeze(frozen || w.gate.closed())
	ob.net.Start(cfg)
	return ob, nil
}

// packetError is why the packet layer does not work, "" if it does.
func (w *worker) packetError() string {
	if w.p.supportedQQ() && !w.options().NoPacket {
		return ""
	}
	return "packetBackend不可用，请检查启动日志里 packetBackend 的状态！错误堆栈信息：Error: 不支持当前QQ版本架构：" + w.p.in.QQVersion + "-x64\n" +
		"    at NativePacketClient.check (file:///app/napcat/napcat.mjs:21044:13)\n    at async PacketClientSession.init (file:///app/napcat/napcat.mjs:21310:5)"
}

// applyOnebot saves a configuration and takes it over. Before OneBot is up it
// does nothing, and says so to nobody.
func (w *worker) applyOnebot(cfg *adapter.Config) error {
	ob := w.net()
	if ob == nil {
		return nil
	}
	if err := writeFile(w.conf.path(accountFile("onebot11", ob.uin)), []byte(cfg.Pretty())); err != nil {
		return err
	}
	ob.net.Apply(cfg)
	return nil
}

// debugCall carries out an action for the WebUI; known is false if there is no
// such action.
func (w *worker) debugCall(ctx context.Context, name string, params json.RawMessage) (out any, known bool, err error) {
	ob := w.net()
	if ob == nil {
		return nil, false, errNoOnebot
	}
	p, err := jsval.Parse(string(params))
	if err != nil {
		return nil, false, err
	}
	out, known = ob.net.Call(ctx, name, p)
	return out, known, nil
}

// recordSent follows what the bot sends, for as long as the process lives.
func (w *worker) recordSent(wd *world.World) {
	w.tasks.Go(func() {
		last := 0
		for {
			if _, err := wd.WaitSent(context.Background(), last, nil); err != nil {
				return
			}
			for _, s := range wd.Sent(last) {
				last = s.N
				if err := w.sent.add(sentOf(s.Message)); err != nil {
					w.log.error("simulator: " + err.Error())
				}
			}
		}
	})
}

// sentOf is a message of the bot as the journal keeps it.
func sentOf(m world.Message) Sent {
	s := Sent{
		Time: time.Unix(m.Time, 0), MessageID: int64(m.ID), Text: cqcode.Format(m.Segments),
		Message: json.RawMessage(jsval.Stringify(cqcode.Array(m.Segments))),
	}
	if len(m.Nodes) > 0 {
		s.Text = "[CQ:forward,id=" + m.ResID + "]"
	}
	if m.Chat.Type == world.InGroup {
		s.Group = m.Chat.Peer
	} else {
		s.User = m.Chat.Peer
	}
	return s
}

// sayOf is what a request lets somebody say.
func sayOf(r SayRequest) (world.Say, error) {
	say := world.Say{User: r.User, Group: r.Group, Segments: cqcode.Parse(r.Text)}
	if len(r.Message) > 0 {
		v, err := jsval.Parse(string(r.Message))
		if err != nil {
			return world.Say{}, err
		}
		list, ok := v.([]any)
		if !ok {
			return world.Say{}, errors.New("message is not an array of segments")
		}
		say.Segments = cqcode.Segments(list)
	}
	if len(say.Segments) == 0 {
		return world.Say{}, errors.New("there is nothing to say")
	}
	return say, nil
}

// freeze stops all adapters, or lets them go on.
func (o *onebot) freeze(on bool) {
	f := o.net.Faults()
	f.Freeze = on
	o.net.SetFaults(f)
}

// dropClients ends every connection.
func (o *onebot) dropClients() int { return o.net.DropSockets() }

func (o *onebot) garbage(n int) int  { return o.net.Garbage(n) }
func (o *onebot) giant(size int) int { return o.net.Giant(size) }

// heard reports whether some OneBot client would get an event.
func (o *onebot) heard() bool {
	for _, s := range o.net.Status() {
		if s.Clients > 0 || s.Kind == adapter.HTTPClients && s.Enabled {
			return true
		}
	}
	return false
}

// disturb changes the disturbances of all connections; a hang stays as it is.
func (o *onebot) disturb(f adapter.Faults) {
	f.Freeze = o.net.Faults().Freeze
	o.net.SetFaults(f)
}
