package main

import (
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
	"sync"
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
)

// firstGroup is the first of the groups that messages come from.
const firstGroup = 700000001

// load is what is sent to a bot: messages as fast as window allows, or rate of
// them a second.
type load struct {
	messages, window, rate, groups int
}

// result is what was measured of one turn: microseconds and MiB.
type result struct {
	cpu, p50, p99 float64
	rss           float64
	lost          int
}

// endpoint plays the OneBot host for one bot.
type endpoint struct {
	ready   chan *websocket.Conn
	doubled atomic.Int64

	mu    sync.Mutex // guards the fields below
	first int        // number of sent[0]
	sent  []time.Time
	took  []time.Duration // 0: no reply yet
	open  int             // messages without a reply
	slots chan struct{}   // nil in the open loop
	done  chan struct{}   // closed when open is 0
}

// begin makes room for the next messages of a turn and returns the number of the
// first.
func (e *endpoint) begin(l load) (first int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.first += len(e.sent)
	e.sent, e.took, e.open = make([]time.Time, l.messages), make([]time.Duration, l.messages), l.messages
	e.slots, e.done = nil, make(chan struct{})
	if l.window > 0 {
		e.slots = make(chan struct{}, l.window)
	}
	return e.first
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
		e.count(b, time.Now())
		var q struct{ Echo json.RawMessage }
		if json.Unmarshal(b, &q) != nil || q.Echo == nil {
			continue
		}
		_ = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":{"message_id":424242},"message":"","wording":"","echo":%s,"stream":"normal-action"}`, q.Echo))
	}
}

// count notes a reply.
func (e *endpoint) count(b []byte, now time.Time) {
	text, ok := between(b, `pong `, '"')
	if !ok {
		return
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n -= e.first
	if n < 0 || n >= len(e.took) || e.took[n] != 0 {
		e.doubled.Add(1)
		return
	}
	e.took[n] = max(now.Sub(e.sent[n]), 1)
	if e.open--; e.open == 0 {
		close(e.done)
	}
	if e.slots != nil {
		<-e.slots
	}
}

func (e *endpoint) send(ctx context.Context, ws *websocket.Conn, n, groups int) error {
	group := firstGroup + n%groups
	b := fmt.Appendf(nil, `{"self_id":10001,"user_id":30001,"time":%d,"message_id":%d,"message_seq":%[2]d,"real_id":%[2]d,"real_seq":"%d","message_type":"group","sender":{"user_id":30001,"nickname":"Alice","card":"","role":"member","title":""},"raw_message":"ping %[3]d","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"ping %[3]d"}}],"message_format":"array","post_type":"message","group_id":%d,"group_name":"Group %[4]d"}`,
		time.Now().Unix(), 1_000_000+n, n, group)
	e.mu.Lock()
	e.sent[n-e.first] = time.Now()
	e.mu.Unlock()
	return ws.Write(ctx, websocket.MessageText, b)
}

// stage is one bot under test, connected.
type stage struct {
	*endpoint
	ws   *websocket.Conn
	proc *process.Process
}

// onStage starts a bot, calls f and ends the bot.
func onStage(ctx context.Context, args []string, f func(context.Context, *stage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := &endpoint{ready: make(chan *websocket.Conn, 1)}
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
	cmd.Env = append(os.Environ(), "WS_TOKEN=")
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Wait() }()
	defer cancel()
	var ws *websocket.Conn
	select {
	case ws = <-e.ready:
	case <-time.After(connectTimeout):
		cancel()
		_ = cmd.Wait()
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

// measure runs one load.
func (s *stage) measure(ctx context.Context, l load) (result, error) {
	before, err := cpuTime(s.proc)
	if err != nil {
		return result{}, err
	}
	took, err := s.run(ctx, l)
	if err != nil {
		return result{}, err
	}
	after, err := cpuTime(s.proc)
	if err != nil {
		return result{}, err
	}
	mem, err := s.proc.MemoryInfo()
	if err != nil {
		return result{}, err
	}
	if len(took) == 0 {
		return result{}, errors.New("no reply at all")
	}
	return result{
		cpu: float64((after - before).Nanoseconds()) / 1e3 / float64(len(took)),
		p50: quantile(took, .5), p99: quantile(took, .99),
		rss:  float64(mem.RSS) / (1 << 20),
		lost: l.messages - len(took),
	}, nil
}

// run sends the messages of one load and returns, sorted, how long those took
// that were answered.
func (s *stage) run(ctx context.Context, l load) ([]time.Duration, error) {
	first, start := s.begin(l), time.Now()
	for i := range l.messages {
		if s.slots == nil {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))))
		} else if err := s.slot(ctx); err != nil {
			return nil, err
		}
		if err := s.send(ctx, s.ws, first+i, l.groups); err != nil {
			return nil, err
		}
	}
	select {
	case <-s.done:
	case <-time.After(replyTimeout): // what is missing is lost
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	took := slices.DeleteFunc(slices.Clone(s.took), func(d time.Duration) bool { return d == 0 })
	slices.Sort(took)
	return took, nil
}

// slot waits until one more message may be outstanding.
func (s *stage) slot(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	t := time.NewTimer(replyTimeout)
	defer t.Stop()
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return fmt.Errorf("no reply in %v", replyTimeout)
	}
}

// quantile returns, in microseconds, what the fraction q of the sorted took is
// within.
func quantile(took []time.Duration, q float64) float64 {
	return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1e3
}
