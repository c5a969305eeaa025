package napcatsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// EndpointOptions configures a bare OneBot endpoint: NapCat's OneBot side over
// a little QQ, without QQ's processes, login, files or WebUI.
type EndpointOptions struct {
	// Host, Port and Token are those of one forward WebSocket server. Port 0
	// takes a free one.
	Host  string
	Port  int
	Token string
	// Config, a document like onebot11.json, is used in place of them if it is
	// not empty: it may have adapters of every kind.
	Config  string
	UIN     int64  // 0: the simulator's usual account
	Nick    string // "": the usual name
	Version string // NapCat's version; "": the usual one
	Log     *slog.Logger
}

// EndpointCommand is one line that an endpoint reads. Exactly one field is set.
type EndpointCommand struct {
	Say    *SayRequest     `json:"say,omitempty"`    // Wait, Quiet and Unheard have no meaning here
	Act    *ActRequest     `json:"act,omitempty"`    // somebody does something else
	Faults *adapter.Faults `json:"faults,omitempty"` // replaces the disturbances; {} ends them
	Drop   *DropRequest    `json:"drop,omitempty"`   // close, dead, no-ack, heal, garbage, giant, violate
	Mute   *MuteRequest    `json:"mute,omitempty"`   // somebody may not speak in a group
	Refuse *RefuseRequest  `json:"refuse,omitempty"` // QQ refuses what the bot sends
	Online *bool           `json:"online,omitempty"` // QQ's status 20 and back
	Config json.RawMessage `json:"config,omitempty"` // a changed configuration, taken over while running
}

// EndpointLine is one line that an endpoint writes. Exactly one field is set.
type EndpointLine struct {
	Listening []adapter.Status `json:"listening,omitempty"` // first of all, and after every Config
	Sent      *Sent            `json:"sent,omitempty"`      // the bot sent something
	Done      *EndpointDone    `json:"done,omitempty"`      // a command was carried out
	Error     string           `json:"error,omitempty"`     // a command was not
}

// EndpointDone is what came of a command.
type EndpointDone struct {
	MessageID int64 `json:"message_id,omitempty"` // of what was said
}

// RunEndpoint serves a bare OneBot endpoint until ctx ends. It reads commands
// from in and writes lines to out, each one JSON document; the end of in does
// not end it. The error says that the endpoint could not begin: the
// configuration is wrong, or a server's port is taken.
func RunEndpoint(ctx context.Context, o EndpointOptions, in io.Reader, out io.Writer) error {
	var cfg *adapter.Config
	if o.Config != "" {
		var err error
		if cfg, err = adapter.ParseConfig(o.Config); err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
	} else {
		cfg = adapter.SingleServer(o.Host, o.Port, o.Token)
	}
	log := func(level, message string) {}
	if o.Log != nil {
		log = func(level, message string) {
			var l slog.Level
			if l.UnmarshalText([]byte(level)) != nil {
				l = slog.LevelInfo
			}
			o.Log.Log(ctx, l, "onebot", "line", message)
		}
	}
	wd := world.New(world.Options{UIN: o.UIN, Nickname: o.Nick})
	host, stop := newHost(action.Options{World: wd, Log: log, Version: o.Version})
	defer stop()
	e := &bareOneBot{wd: wd, net: adapter.New(adapter.Options{World: wd, Host: host, Log: log, Ephemeral: true}), out: json.NewEncoder(out)}
	e.out.SetEscapeHTML(false)
	defer func() { _ = e.net.Close() }() // it cannot fail
	e.net.Start(cfg)
	for _, s := range e.net.Status() {
		// Reverse connections and webhooks come about in their own time.
		if s.Error != "" && s.Kind != adapter.WebSocketClients && s.Kind != adapter.HTTPClients {
			return fmt.Errorf("%s %q on %s: %s", s.Kind, s.Name, s.Addr, s.Error)
		}
	}
	e.write(EndpointLine{Listening: e.net.Status()})

	var tasks sync.WaitGroup
	defer tasks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tasks.Go(func() { e.report(ctx) })
	lines := make(chan string)
	// A read cannot be interrupted; the goroutine ends with its input, at the
	// latest with the process.
	go func() {
		sc := bufio.NewScanner(in)
		sc.Buffer(nil, 64<<20)
		for sc.Scan() {
			select {
			case lines <- sc.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case l := <-lines:
			if strings.TrimSpace(l) != "" {
				e.command(l)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// bareOneBot is a running endpoint.
type bareOneBot struct {
	wd  *world.World
	net *adapter.Network

	mu  sync.Mutex
	out *json.Encoder
}

func (e *bareOneBot) write(l EndpointLine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.out.Encode(l) // stdout is not read any more: the endpoint goes on serving its clients
}

// report writes what the bot sends.
func (e *bareOneBot) report(ctx context.Context) {
	for last := 0; ; {
		if _, err := e.wd.WaitSent(ctx, last, nil); err != nil {
			return
		}
		for _, s := range e.wd.Sent(last) {
			last = s.N
			sent := sentOf(s.Message)
			sent.Seq = s.N
			e.write(EndpointLine{Sent: &sent})
		}
	}
}

func (e *bareOneBot) command(line string) {
	var c EndpointCommand
	dec := json.NewDecoder(strings.NewReader(line))
	dec.DisallowUnknownFields()
	done := EndpointDone{}
	err := dec.Decode(&c)
	if err == nil {
		done, err = e.do(c)
	}
	if err != nil {
		e.write(EndpointLine{Error: err.Error()})
		return
	}
	e.write(EndpointLine{Done: &done})
}

func (e *bareOneBot) do(c EndpointCommand) (EndpointDone, error) {
	switch {
	case c.Say != nil:
		say, err := sayOf(*c.Say)
		if err == nil {
			say.Segments, err = e.net.Host().Receive(say.User, say.Segments)
		}
		if err != nil {
			return EndpointDone{}, err
		}
		m, err := e.wd.Say(say)
		return EndpointDone{MessageID: int64(m.ID)}, err
	case c.Act != nil:
		return EndpointDone{}, e.wd.Act(*c.Act)
	case c.Faults != nil:
		e.net.SetFaults(*c.Faults)
	case c.Drop != nil:
		return EndpointDone{}, e.drop(*c.Drop)
	case c.Mute != nil:
		return EndpointDone{}, mute(e.wd, *c.Mute)
	case c.Refuse != nil:
		return EndpointDone{}, refuse(e.wd, *c.Refuse)
	case c.Online != nil:
		e.wd.SetOnline(*c.Online)
	case c.Config != nil:
		cfg, err := adapter.ParseConfig(string(c.Config))
		if err != nil {
			return EndpointDone{}, err
		}
		e.net.Apply(cfg)
		e.write(EndpointLine{Listening: e.net.Status()})
	default:
		return EndpointDone{}, errors.New("the command is empty")
	}
	return EndpointDone{}, nil
}

func (e *bareOneBot) drop(r DropRequest) error {
	switch r.Mode {
	case "close":
		e.net.DropSockets()
	case "away":
		e.net.SetFaults(adapter.Faults{Away: true})
	case "dead":
		e.wd.SetDeadLink(world.LinkDead)
	case "no-ack":
		e.wd.SetDeadLink(world.LinkNoAck)
	case "heal":
		e.wd.SetDeadLink(world.LinkUp)
		e.net.SetFaults(adapter.Faults{})
	case "garbage":
		e.net.Garbage(max(1, r.Count))
	case "giant":
		e.net.Giant(r.Size)
	case "violate":
		e.net.Violate()
	default:
		return errors.New("unknown mode " + r.Mode)
	}
	return nil
}
