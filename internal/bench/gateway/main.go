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
	"path/filepath"
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
	rounds := flag.Int("rounds", 5, "rounds, of which the median counts")
	span := flag.Duration("for", 3*time.Second, "how long one measurement takes")
	flag.Parse()
	ctx := context.Background()
	var err error
	switch flag.Arg(0) {
	case "floor":
		err = floor(ctx, flag.Arg(1))
	case "gateway":
		err = serve(ctx, flag.Arg(1))
	default:
		err = bench(ctx, *rounds, *span)
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
func start(ctx context.Context, role string) (*stage, error) {
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
	cmd := exec.CommandContext(ctx, os.Args[0], role, url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.kill = func() {
		_ = cmd.Process.Kill()
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

// measure sends frames for a while and has n clients read them; stalled more do
// not read.
func (s *stage) measure(ctx context.Context, n, stalled int, span time.Duration) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, span+20*time.Second)
	defer cancel()
	total, first := int(span.Seconds()*rate), s.seq+1
	sent := make([]int64, total)
	took := make([][]time.Duration, n)
	var wg sync.WaitGroup
	for range stalled {
		ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/", nil)
		if err != nil {
			return result{}, err
		}
		defer ws.CloseNow()
	}
	began := time.Now()
	for i := range n {
		ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/", nil)
		if err != nil {
			return result{}, err
		}
		defer ws.CloseNow()
		if _, _, err := ws.Read(ctx); err != nil { // the lifecycle
			return result{}, err
		}
		wg.Go(func() {
			for len(took[i]) < total {
				_, b, err := ws.Read(ctx)
				if err != nil {
					return
				}
				_, rest, ok := strings.Cut(string(b), `"raw_message":"n`)
				if !ok {
					continue
				}
				num, _, _ := strings.Cut(rest, `"`)
				if k, err := strconv.Atoi(num); err == nil && k >= first { // else it is replayed
					k -= first
					took[i] = append(took[i], time.Since(began)-time.Duration(sent[k]))
				}
			}
		})
	}
	before, err := s.spent()
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	for k := range total {
		time.Sleep(time.Until(start.Add(time.Duration(k) * time.Second / rate)))
		sent[k] = int64(time.Since(began))
		if err := s.source.Write(ctx, websocket.MessageText, s.next()); err != nil {
			return result{}, err
		}
	}
	wg.Wait()
	after, err := s.spent()
	if err != nil {
		return result{}, err
	}
	all := slices.Concat(took...)
	if len(all) != n*total {
		return result{}, fmt.Errorf("%d of %d frames came", len(all), n*total)
	}
	slices.Sort(all)
	return result{
		cpu: float64((after - before).Nanoseconds()) / 1e3 / float64(total),
		p50: all[len(all)/2], p99: all[len(all)*99/100],
	}, nil
}

// next returns the next message.
func (s *stage) next() []byte {
	s.seq++
	return frame(s.seq)
}

func frame(n int) []byte { return fmt.Appendf(nil, message, time.Now().Unix(), n, n, n, n, n) }

const message = `{"self_id":10001,"user_id":30001,"time":%d,"message_id":%d,"message_seq":%d,"real_id":%d,"real_seq":"%d","message_type":"group","sender":{"user_id":30001,"nickname":"Alice","card":"","role":"member"},"raw_message":"n%d","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"hello, this is a message of the usual length"}}],"message_format":"array","post_type":"message","group_id":700000001,"group_name":"Group"}`

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
	source, total := <-came, int(span.Seconds()*rate)
	sent, took := make([]int64, total), make([]time.Duration, 0, total)
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		for len(took) < total {
			if _, _, err := ws.Read(ctx); err != nil {
				return
			}
			took = append(took, time.Since(began)-time.Duration(sent[len(took)]))
		}
	})
	for k := range total {
		time.Sleep(time.Until(began.Add(time.Duration(k) * time.Second / rate)))
		sent[k] = int64(time.Since(began))
		if err := source.Write(ctx, websocket.MessageText, frame(k)); err != nil {
			return 0, err
		}
	}
	wg.Wait()
	slices.Sort(took)
	return took[len(took)/2], nil
}

// settled is how long the journal looks at what came, after a link came up.
const settled = 7 * time.Second

func bench(ctx context.Context, rounds int, span time.Duration) error {
	f, err := start(ctx, "floor")
	if err != nil {
		return err
	}
	defer f.kill()
	g, err := start(ctx, "gateway")
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
		var ratios, floors, ours, added []float64
		for range rounds { // by turns, so that both have the same machine
			rf, err := f.measure(ctx, n, 0, span)
			if err != nil {
				return err
			}
			rg, err := g.measure(ctx, n, 0, span)
			if err != nil {
				return err
			}
			ratios, floors, ours = append(ratios, rg.cpu/rf.cpu), append(floors, rf.cpu), append(ours, rg.cpu)
			if n == 1 {
				d, err := direct(ctx, span)
				if err != nil {
					return err
				}
				added = append(added, float64(rg.p50-d))
			}
		}
		r := median(ratios)
		say(r <= maxCPU, "%2d clients: %.1f us of CPU a frame, the floor %.1f, ratio %.2f (at most %.1f)", n, median(ours), median(floors), r, maxCPU)
		if n == 1 {
			d := time.Duration(median(added))
			say(d <= maxAdded, "%2d clients: p50 at %d/s %v over a direct link's (at most %v)", n, rate, d, maxAdded)
		}
	}
	var stall []float64
	for range rounds {
		without, err := g.measure(ctx, 4, 0, span)
		if err != nil {
			return err
		}
		with, err := g.measure(ctx, 4, 1, span)
		if err != nil {
			return err
		}
		stall = append(stall, float64(with.p99)/float64(without.p99))
	}
	s := median(stall)
	say(s <= maxStall, "one client that stops reading: p99 of four others %.2f times that without it (at most %.2f)", s, maxStall)
	if failed {
		return errors.New("a bound is broken")
	}
	return nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
