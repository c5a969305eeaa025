// Command gateway measures package gateway beside a floor, in one run: a program
// that reads a frame once and writes it to N clients, with the same WebSocket
// library and nothing else. Both are processes of their own; the source of frames
// and the clients are this one. It prints ratios with PASS or FAIL, and ends with 1
// if a bound is broken.
//
//	make bench-gateway
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/gateway"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Bounds.
const (
	maxCPU   = 1.2 // times the floor's CPU for a frame
	maxAdded = 100 * time.Microsecond
	maxStall = 1.05 // times the others' p99 without a client that stops reading
)

const rate = 2000 // frames a second

func main() {
	rounds := flag.Int("rounds", 15, "rounds, of which the median counts")
	span := flag.Duration("for", time.Second, "how long one measurement takes")
	only := flag.Int("clients", 0, "measure with so many clients only; the stall is left out")
	profile := flag.String("profile", "", "a file for a profile of the gateway's CPU")
	flag.Parse()
	ctx := context.Background()
	var err error
	switch flag.Arg(0) {
	case "floor":
		err = floor(ctx, flag.Arg(1))
	case "gateway":
		err = profiled(*profile, func() error { return serve(ctx, flag.Arg(1)) })
	default:
		err = bench(ctx, *rounds, *span, *only, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-gateway:", err)
		os.Exit(1)
	}
}

// floor reads frames from source, and writes each to all clients.
func floor(ctx context.Context, source string) error {
	var mu sync.Mutex
	var clients []*websocket.Conn
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			mu.Lock()
			clients = append(clients, ws)
			mu.Unlock()
			_ = ws.Write(ctx, websocket.MessageText, []byte(`{"meta_event_type":"lifecycle"}`))
			for { // pongs and the end
				if _, _, err := ws.Read(ctx); err != nil {
					mu.Lock()
					clients = slices.DeleteFunc(clients, func(c *websocket.Conn) bool { return c == ws })
					mu.Unlock()
					return
				}
			}
		}))
	}()
	fmt.Println(ln.Addr())
	ws, _, err := websocket.Dial(ctx, source, nil)
	if err != nil {
		return err
	}
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return nil
		}
		mu.Lock()
		for _, c := range clients {
			_ = c.Write(ctx, websocket.MessageText, b)
		}
		mu.Unlock()
	}
}

// profiled writes a profile of what f does until the process is interrupted.
func profiled(file string, f func() error) error {
	if file == "" {
		return f()
	}
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		return err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		<-interrupted
		pprof.StopCPUProfile()
		os.Exit(0)
	}()
	return f()
}

// serve is the gateway as the daemon has it: behind a bot's link and its journal.
func serve(ctx context.Context, source string) error {
	dir, err := os.MkdirTemp("", "bench-gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler)
	g := gateway.New(gateway.Options{Dir: dir, Logger: log})
	acc := g.Account("main")
	l := bot.New(bot.Options{
		Account: "main", Bot: ncat.New(ncat.WithLogger(log)), Logger: log,
		Facts: func(f bot.Fact) {
			if f.Kind == bot.Ready {
				acc.Linked(ctx, int64(f.SelfID))
			}
		},
		Delivered: func(e onebot.Event, live bool) {
			if e.Base().PostType == onebot.PostMeta {
				return
			}
			g.Feed(acc, &gateway.Event{Type: bot.KindOf(e), Event: e, Raw: e.Base().Raw()})
			if !live {
				acc.Flush()
			}
		},
		Idle: acc.Flush,
	})
	app, err := g.App(gateway.Config{
		Name: "bench", Accounts: []string{"main"}, Rights: gateway.NewRights([]string{"read"}), Listen: "127.0.0.1:0", WebSocket: true,
		Replay: gateway.Replay{Age: time.Minute, Events: 1000}, Heartbeat: time.Hour, Logger: log,
		Listening: func(addr string) { fmt.Println(addr) },
	})
	if err != nil {
		return err
	}
	go func() { _ = l.Run(ctx) }()
	go func() { _ = app.Run(ctx) }()
	return l.Connect(ctx, source, "")
}

// stage is one program under load.
type stage struct {
	source *websocket.Conn // frames go in here
	seq    int             // of the last message
	pid    int
	addr   string
	kill   func()
}

// start starts a program, connected to a source.
func start(ctx context.Context, role, profile string) (*stage, error) {
	came := make(chan *websocket.Conn, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_ = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"time":%d,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`, time.Now().Unix()))
		came <- ws
		for {
			_, b, err := ws.Read(ctx)
			if err != nil {
				return
			}
			if _, echo, ok := strings.Cut(string(b), `"echo":`); ok { // of what the journal asks
				_ = ws.Write(ctx, websocket.MessageText, []byte(`{"status":"ok","retcode":0,"data":{"messages":[]},"message":"","wording":"","echo":`+strings.TrimSuffix(echo, "}")+`}`))
			}
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	url := "ws://" + ln.Addr().String() + "/"
	s := &stage{kill: func() { _ = srv.Close() }}
	cmd := exec.CommandContext(ctx, os.Args[0], "-profile", profile, role, url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.kill = func() {
		if profile == "" || cmd.Process.Signal(os.Interrupt) != nil {
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
		_ = srv.Close()
	}
	var line string
	if _, err := fmt.Fscanln(out, &line); err != nil {
		s.kill()
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	s.addr = line
	s.source, s.pid = <-came, cmd.Process.Pid
	return s, nil
}

// spent returns how long the program has run on a CPU, to the nanosecond: what the
// tools show is counted in ticks of ten milliseconds.
func (s *stage) spent() (sum time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.pid))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// result is what one measurement found.
type result struct {
	cpu      float64 // microseconds for a frame
	p50, p99 time.Duration
}

// crowd is clients of a stage that read.
type crowd struct {
	s       *stage
	conns   []*websocket.Conn
	reading sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	took []time.Duration
	all  int           // as many are waited for
	full chan struct{} // closed when they are there
}

// join connects n clients.
func (s *stage) join(ctx context.Context, n int) (*crowd, error) {
	c := &crowd{s: s}
	for range n {
		ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/", nil)
		if err != nil {
			c.leave()
			return nil, err
		}
		c.conns = append(c.conns, ws)
		if _, _, err := ws.Read(ctx); err != nil { // the lifecycle
			c.leave()
			return nil, err
		}
		c.reading.Go(func() { c.read(ctx, ws) })
	}
	_, err := send(ctx, time.Second, c) // in which links begin
	return c, err
}

func (c *crowd) leave() {
	for _, ws := range c.conns {
		_ = ws.CloseNow()
	}
	c.reading.Wait()
}

// read reads what a client gets until its connection ends.
func (c *crowd) read(ctx context.Context, ws *websocket.Conn) {
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		c.came(b)
	}
}

// came takes a frame that a client got.
func (c *crowd) came(b []byte) {
	now := time.Since(epoch)
	_, rest, ok := strings.Cut(string(b), `"raw_message":"`)
	num, _, _ := strings.Cut(rest, `"`)
	at, err := strconv.ParseInt(num, 10, 64)
	if !ok || err != nil || strings.HasSuffix(string(b), `"replayed":true}`) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.took = append(c.took, now-time.Duration(at)); len(c.took) == c.all {
		close(c.full)
	}
}

// expect begins to wait for so many frames at each client.
func (c *crowd) expect(total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took, c.all, c.full = nil, total*len(c.conns), make(chan struct{})
}

// got waits for what is expected, and returns how long it took.
func (c *crowd) got() (p50, p99 time.Duration, err error) {
	select {
	case <-c.full:
	case <-time.After(patience):
		return 0, 0, errors.New("not all frames came")
	}
	slices.Sort(c.took)
	return c.took[len(c.took)/2], c.took[len(c.took)*99/100], nil
}

// patience is how long frames may be on their way.
const patience = 20 * time.Second

// send sends the same number of frames to several stages for a while, and measures
// how their clients get them.
func send(ctx context.Context, span time.Duration, crowds ...*crowd) ([]result, error) {
	total := int(span.Seconds() * rate)
	out := make([]result, len(crowds))
	for i, c := range crowds {
		c.expect(total)
		before, err := c.s.spent()
		if err != nil {
			return nil, err
		}
		out[i].cpu = -float64(before)
	}
	began := time.Now()
	for k := range total {
		time.Sleep(time.Until(began.Add(time.Duration(k) * time.Second / rate)))
		for i := range crowds {
			s := crowds[(i+k)%len(crowds)].s
			s.seq++
			if err := s.source.Write(ctx, websocket.MessageText, frame(s.seq)); err != nil {
				return nil, err
			}
		}
	}
	for i, c := range crowds {
		var err error
		if out[i].p50, out[i].p99, err = c.got(); err != nil {
			return nil, err
		}
		after, err := c.s.spent()
		if err != nil {
			return nil, err
		}
		out[i].cpu = (out[i].cpu + float64(after)) / 1e3 / float64(total)
	}
	return out, nil
}

// mute connects a client that does not read, and whose system takes little for it.
func (s *stage) mute(ctx context.Context) (*websocket.Conn, error) {
	narrow := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}}
	ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: narrow}})
	return ws, err
}

// epoch is what times are counted from.
var epoch = time.Now()

// frame returns a message, whose text is when it was made.
func frame(n int) []byte {
	return fmt.Appendf(nil, message, time.Now().Unix(), n, n, n, n, time.Since(epoch).Nanoseconds())
}

const message = `{"self_id":10001,"user_id":30001,"time":%d,"message_id":%d,"message_seq":%d,"real_id":%d,"real_seq":"%d","message_type":"group","sender":{"user_id":30001,"nickname":"Alice","card":"","role":"member"},"raw_message":"%d","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"hello, this is a message of the usual length"}}],"message_format":"array","post_type":"message","group_id":700000001,"group_name":"Group"}`

// direct returns the p50 of a client that is connected to the source itself.
func direct(ctx context.Context, span time.Duration) (time.Duration, error) {
	came := make(chan *websocket.Conn, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := websocket.Accept(w, r, nil); err == nil {
			came <- ws
			<-ctx.Done()
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	ws, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String()+"/", nil)
	if err != nil {
		return 0, err
	}
	defer ws.CloseNow()
	c := &crowd{s: &stage{source: <-came}, conns: []*websocket.Conn{ws}}
	c.reading.Go(func() { c.read(ctx, ws) })
	defer c.leave()
	r, err := send(ctx, span, c)
	if err != nil {
		return 0, err
	}
	return r[0].p50, nil
}

// settled is how long the journal looks at what came, after a link came up.
const settled = 7 * time.Second

func bench(ctx context.Context, rounds int, span time.Duration, only int, profile string) error {
	f, err := start(ctx, "floor", "")
	if err != nil {
		return err
	}
	defer f.kill()
	g, err := start(ctx, "gateway", profile)
	if err != nil {
		return err
	}
	defer g.kill()
	time.Sleep(settled)
	failed := false
	say := func(ok bool, format string, args ...any) {
		word := "PASS"
		if !ok {
			word, failed = "FAIL", true
		}
		fmt.Printf("%s  %s\n", word, fmt.Sprintf(format, args...))
	}
	for _, n := range []int{1, 4, 16} {
		if only != 0 && n != only {
			continue
		}
		r, err := compare(ctx, f, g, n, rounds, span)
		if err != nil {
			return err
		}
		say(r.ratio <= maxCPU, "%2d clients: %.1f us of CPU a frame, the floor %.1f, ratio %.2f (at most %.1f)", n, r.ours, r.floor, r.ratio, maxCPU)
		if n == 1 {
			say(r.added <= maxAdded, "%2d clients: p50 at %d/s %v over a direct link's (at most %v); the floor's is %v over it", n, rate, r.added, maxAdded, r.floorAdded)
		}
	}
	if only == 0 {
		g2, err := start(ctx, "gateway", "")
		if err != nil {
			return err
		}
		defer g2.kill()
		time.Sleep(settled)
		s, err := stall(ctx, g, g2, rounds, span)
		if err != nil {
			return err
		}
		say(s <= maxStall, "one client that stops reading: p99 of four others %.2f times that without it (at most %.2f)", s, maxStall)
	}
	if failed {
		return errors.New("a bound is broken")
	}
	return nil
}

// compared is what the gateway and the floor take.
type compared struct {
	ratio, ours, floor float64 // CPU for a frame: medians
	added, floorAdded  time.Duration
}

// compare measures both by turns, so that both have the same machine.
func compare(ctx context.Context, f, g *stage, n, rounds int, span time.Duration) (compared, error) {
	cf, err := f.join(ctx, n)
	if err != nil {
		return compared{}, err
	}
	defer cf.leave()
	cg, err := g.join(ctx, n)
	if err != nil {
		return compared{}, err
	}
	defer cg.leave()
	var ratios, floors, ours, added, floorAdded []float64
	for range rounds {
		rf, err := send(ctx, span, cf)
		if err != nil {
			return compared{}, err
		}
		rg, err := send(ctx, span, cg)
		if err != nil {
			return compared{}, err
		}
		f, g := rf[0], rg[0]
		ratios, floors, ours = append(ratios, g.cpu/f.cpu), append(floors, f.cpu), append(ours, g.cpu)
		d, err := direct(ctx, span)
		if err != nil {
			return compared{}, err
		}
		added, floorAdded = append(added, float64(g.p50-d)), append(floorAdded, float64(f.p50-d))
	}
	return compared{median(ratios), median(ours), median(floors), time.Duration(median(added)), time.Duration(median(floorAdded))}, nil
}

// stall returns how many times the p99 of four clients becomes what it is without
// one more that does not read. Two gateways get the same frames at the same time, so
// that both have the same machine, and have that client by turns: of all rounds the
// median.
func stall(ctx context.Context, a, b *stage, rounds int, span time.Duration) (float64, error) {
	var crowds []*crowd
	for _, s := range []*stage{a, b} {
		c, err := s.join(ctx, 4)
		if err != nil {
			return 0, err
		}
		defer c.leave()
		crowds = append(crowds, c)
	}
	var ratios []float64
	for range rounds {
		slices.Reverse(crowds)
		ws, err := crowds[0].s.mute(ctx)
		if err != nil {
			return 0, err
		}
		_, err = send(ctx, 2*time.Second, crowds...) // what the system takes for it is full then
		if err != nil {
			return 0, err
		}
		r, err := send(ctx, span, crowds...)
		_ = ws.CloseNow()
		if err != nil {
			return 0, err
		}
		ratios = append(ratios, float64(r[0].p99)/float64(r[1].p99))
	}
	return median(ratios), nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
