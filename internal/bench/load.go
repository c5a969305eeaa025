package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/shirou/gopsutil/v3/process"
)

// Time limits of one measurement.
const (
	connectTimeout = 20 * time.Second
	replyTimeout   = 20 * time.Second // without any reply at all
	settle         = 500 * time.Millisecond
	warmUp         = 2000 // messages of the closed loop that do not count
)

// load is what is sent to a bot: messages as fast as window allows, or rate of
// them a second.
type load struct {
	messages, window, rate, groups int
}

// result is what was measured: microseconds and MiB.
type result struct {
	cpu, p50, p99 float64
	rss           float64
	lost, doubled int
}

// endpoint plays the OneBot host for one bot.
type endpoint struct {
	ready   chan *websocket.Conn
	sent    []atomic.Int64 // by number, Unix nanoseconds
	took    []atomic.Int64 // by number, nanoseconds; 0: no reply yet
	replies atomic.Int64
	doubled atomic.Int64
	slots   chan struct{} // nil in the open loop
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(64 << 20)
	ctx := context.WithoutCancel(r.Context())
	if ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"time":%d,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`, time.Now().Unix())) != nil {
		return
	}
	select {
	case e.ready <- ws:
	default:
	}
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		e.count(b)
		var q struct{ Echo json.RawMessage }
		if json.Unmarshal(b, &q) != nil || q.Echo == nil {
			continue
		}
		_ = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":{"message_id":424242},"message":"","wording":"","echo":%s,"stream":"normal-action"}`, q.Echo))
	}
}

// count notes a reply.
func (e *endpoint) count(b []byte) {
	text, ok := between(b, `pong `, '"')
	if !ok {
		return
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n >= len(e.took) {
		return
	}
	if !e.took[n].CompareAndSwap(0, max(time.Now().UnixNano()-e.sent[n].Load(), 1)) {
		e.doubled.Add(1)
		return
	}
	e.replies.Add(1)
	if e.slots != nil {
		<-e.slots
	}
}

func (e *endpoint) send(ctx context.Context, ws *websocket.Conn, n, groups int) error {
	group := 700000001 + n%groups
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"self_id":10001,"user_id":30001,"time":%d,"message_id":%d,"message_seq":%[2]d,"real_id":%[2]d,"real_seq":"%d","message_type":"group","sender":{"user_id":30001,"nickname":"Alice","card":"","role":"member","title":""},"raw_message":"ping %[3]d","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"ping %[3]d"}}],"message_format":"array","post_type":"message","group_id":%d,"group_name":"Group %[4]d"}`,
		time.Now().Unix(), 1_000_000+n, n, group)
	e.sent[n].Store(time.Now().UnixNano())
	return ws.Write(ctx, websocket.MessageText, b.Bytes())
}

// stage is one bot under test, connected.
type stage struct {
	*endpoint
	ws   *websocket.Conn
	proc *process.Process
}

// onStage starts a bot, with room for total messages, calls f and ends the bot.
func onStage(ctx context.Context, args []string, total, window int, f func(context.Context, *stage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := &endpoint{ready: make(chan *websocket.Conn, 1), sent: make([]atomic.Int64, total), took: make([]atomic.Int64, total)}
	if window > 0 {
		e.slots = make(chan struct{}, window)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: e}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	defer func() {
		_ = srv.Close()
		_ = <-served
	}()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, args[0], append(slices.Clone(args[1:]), "ws://"+ln.Addr().String()+"/")...)
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "WS_TOKEN=", blockEnv+"="+block.String())
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Wait() }()
	defer cancel()
	var ws *websocket.Conn
	select {
	case ws = <-e.ready:
	case <-time.After(connectTimeout):
		return fmt.Errorf("no connection in %v; stderr: %s", connectTimeout, stderr.String())
	}
	defer ws.CloseNow()
	time.Sleep(settle)
	proc, err := process.NewProcess(int32(cmd.Process.Pid))
	if err != nil {
		return err
	}
	return f(ctx, &stage{e, ws, proc})
}

// measure runs one bot under one load.
func measure(ctx context.Context, args []string, l load) (r result, err error) {
	first := 0
	if l.window > 0 {
		first = warmUp
	}
	err = onStage(ctx, args, first+l.messages, l.window, func(ctx context.Context, s *stage) error {
		r, err = s.measure(ctx, first, l)
		return err
	})
	return r, err
}

func (e *stage) measure(ctx context.Context, first int, l load) (result, error) {
	ws, proc, total := e.ws, e.proc, first+l.messages
	if first > 0 {
		if err := e.closedLoop(ctx, ws, 0, first, l.groups); err != nil {
			return result{}, err
		}
	}
	before, err := proc.Times()
	if err != nil {
		return result{}, err
	}
	if l.window > 0 {
		err = e.closedLoop(ctx, ws, first, total, l.groups)
	} else {
		err = e.openLoop(ctx, ws, 0, total, l)
	}
	if err != nil {
		return result{}, err
	}
	after, err := proc.Times()
	if err != nil {
		return result{}, err
	}
	mem, err := proc.MemoryInfo()
	if err != nil {
		return result{}, err
	}
	var lat []int64
	for i := range e.took[first:] {
		if d := e.took[first+i].Load(); d > 0 {
			lat = append(lat, d)
		}
	}
	if len(lat) == 0 {
		return result{}, errors.New("no reply at all")
	}
	slices.Sort(lat)
	quantile := func(q float64) float64 { return float64(lat[int(q*float64(len(lat)-1))]) / 1e3 }
	return result{
		cpu: (after.User + after.System - before.User - before.System) * 1e6 / float64(len(lat)),
		p50: quantile(.5), p99: quantile(.99),
		rss:  float64(mem.RSS) / (1 << 20),
		lost: l.messages - len(lat), doubled: int(e.doubled.Load()),
	}, nil
}

// closedLoop sends the messages from..to-1, as many at once as there are slots,
// and waits for all replies.
func (e *endpoint) closedLoop(ctx context.Context, ws *websocket.Conn, from, to, groups int) error {
	for n := from; n < to; n++ {
		select {
		case e.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(replyTimeout):
			return fmt.Errorf("no reply in %v, %d of %d so far", replyTimeout, e.replies.Load(), n)
		}
		if err := e.send(ctx, ws, n, groups); err != nil {
			return err
		}
	}
	return e.wait(ctx, int64(to))
}

// openLoop sends the messages from..to-1, l.rate a second, whatever becomes of
// them.
func (e *endpoint) openLoop(ctx context.Context, ws *websocket.Conn, from, to int, l load) error {
	start := time.Now()
	for n := from; n < to; n++ {
		time.Sleep(time.Until(start.Add(time.Duration(n-from) * time.Second / time.Duration(l.rate))))
		if err := e.send(ctx, ws, n, l.groups); err != nil {
			return err
		}
	}
	return e.wait(ctx, int64(to))
}

// wait waits for the replies that are still out. What does not come is found
// as lost later.
func (e *endpoint) wait(ctx context.Context, want int64) error {
	for d := time.Now().Add(replyTimeout); e.replies.Load() < want && time.Now().Before(d); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
