package gateway

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/onebot"
)

func (s *stage) links(n int) {
	s.t.Helper()
	await.True(s.t, 10*time.Second, fmt.Sprintf("%d links", n), func() bool { return s.app.Stats().Links == n })
}

// got waits until the app has said that it has all events.
func (s *stage) got() {
	s.t.Helper()
	await.True(s.t, 10*time.Second, "an acknowledgement", func() bool {
		s.acc.mu.Lock()
		defer s.acc.mu.Unlock()
		had, _ := s.acc.record.had(s.app.c.Name)
		return had == s.acc.record.last
	})
}

// reads keeps reading, as an app does, and tells of each event's text.
func (c *client) reads(f func(raw string)) {
	go func() {
		for {
			_, b, err := c.ws.Read(context.Background())
			if err != nil {
				return
			}
			if !strings.Contains(string(b), `"meta_event"`) {
				f(string(b))
			}
		}
	}()
}

func TestMissedEventsComeOnce(t *testing.T) {
	s := newStage(t, nil)
	var mu sync.Mutex
	var heard []string
	listen := func() *client {
		c := s.dial("/")
		c.reads(func(raw string) {
			mu.Lock()
			heard = append(heard, raw)
			mu.Unlock()
		})
		return c
	}
	c := listen()
	s.links(1)
	first := s.say("before")
	s.got()
	_ = c.ws.CloseNow()
	s.links(0)
	missed := []string{s.say("missed 1"), s.say("missed 2")}
	listen()
	s.links(1)
	live := s.say("live")
	s.got()
	want := []string{first, marked2(missed[0]), marked2(missed[1])}
	mu.Lock()
	defer mu.Unlock()
	if len(heard) != 4 || !slices.Equal(heard[:3], want) || heard[3] != live && heard[3] != marked2(live) {
		t.Errorf("heard %d: %.300s", len(heard), heard)
	}
}

func marked2(raw string) string { return strings.TrimSuffix(raw, "}") + `,"replayed":true}` }

func TestReplayIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		replay Replay
		want   int
	}{"number": {Replay{time.Minute, 3}, 3}, "off": {Replay{time.Minute, 0}, 0}, "age": {Replay{0, 100}, 0}} {
		s := newStage(t, func(cfg *Config) { cfg.Replay = c.replay })
		one := s.dial("/")
		s.links(1)
		_ = one.ws.CloseNow()
		s.links(0)
		for range 10 {
			s.say("x")
		}
		<-time.After(2 * time.Millisecond) // the age of what is young is not 0
		two := s.dial("/")
		two.read() // the lifecycle: from here on events are live
		end := s.say("end")
		n := 0
		for got := two.event(); got != end && got != marked2(end); got = two.event() {
			n++
		}
		if n != c.want {
			t.Errorf("%s: %d replayed, want %d", name, n, c.want)
		}
	}
}

// Where an earlier process ended, the next one goes on: with the events that it
// recorded, and not with those that its app had.
func TestRecordOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "main.events")
	r := newRecord()
	r.limit = 100
	if err := r.open(path); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		r.add(entry{at: time.Now(), typ: "message.group", raw: []byte(groupMessage(int64(i+1), 1, "x")), id: int64(i + 1)})
	}
	r.has("one", 11)
	// No close: the process is killed. What it had written is in the file.
	kept := newRecord()
	kept.limit = 100
	if err := kept.open(path); err != nil {
		t.Fatal(err)
	}
	if had, known := kept.had("one"); had != 11 || !known {
		t.Errorf("the app has %d, %v", had, known)
	}
	if _, known := kept.had("two"); known {
		t.Error("an app is known that was never here")
	}
	list := kept.from(11, 100)
	if len(list) != 10 || list[0].seq != 12 || list[0].id != 11 || !kept.holds(20) || kept.last != 21 {
		t.Errorf("%d entries, first %+v, last %d", len(list), list[0], kept.last)
	}
}

func TestRecordSurvivesAnyBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.events")
	s, _, err := openSpool(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6000 { // more than a half holds
		s.add(entry{seq: uint64(i + 2), at: time.Now(), typ: "t", raw: []byte(strings.Repeat("x", 900))})
	}
	s.add(entry{seq: 1 << 40, raw: make([]byte, spoolHalf)}) // no half has room for it
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s, list, err := openSpool(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.close()
	if n := len(list); n < 4000 || list[n-1].seq != 6001 || list[0].seq != uint64(6002-n) {
		t.Fatalf("%d entries, from %d to %d", n, list[0].seq, list[n-1].seq)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		b := slices.Clone(whole)
		for range 1 + rand.IntN(50) {
			b[rand.IntN(len(b))] = byte(rand.Uint32())
		}
		if err := os.WriteFile(path, b[:spoolSize-rand.IntN(2)], 0o600); err != nil {
			t.Fatal(err)
		}
		s, list, err := openSpool(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if i > 0 && list[i].seq != list[i-1].seq+1 {
				t.Fatalf("a gap behind %d", list[i-1].seq)
			}
		}
		_ = s.close()
	}
}

// The links are cut a hundred times while messages come: each is heard once, but
// for one that was on its way at that very moment, which comes again with a mark.
func TestCutLinksLoseNothing(t *testing.T) {
	s := newStage(t, nil)
	var mu sync.Mutex
	seen := map[string]int{}
	marks := map[string]bool{}
	last := ""
	note := func(raw string) {
		mu.Lock()
		defer mu.Unlock()
		id := raw[strings.Index(raw, `"message_id":`)+13:]
		id = id[:strings.IndexByte(id, ',')]
		seen[id]++
		marks[id] = marks[id] || strings.Contains(raw, `"replayed":true`)
		last = id
	}
	first := s.dial("/") // so that it is known
	first.read()
	_ = first.ws.CloseNow()
	s.links(0)
	const n = 1000
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			s.say(fmt.Sprint(i))
			<-pace.C
		}
	}()
	cut := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		c := s.dial("/")
		c.reads(note)
		<-time.After(time.Duration(rand.IntN(20)) * time.Millisecond)
		if running {
			_ = c.ws.CloseNow()
			cut++
		}
	}
	await.True(t, 20*time.Second, "the last message", func() bool { mu.Lock(); defer mu.Unlock(); return last == fmt.Sprint(n) })
	mu.Lock()
	defer mu.Unlock()
	twice := 0
	for i := 1; i <= n; i++ {
		switch k := fmt.Sprint(i); {
		case seen[k] == 0:
			t.Errorf("message %s is lost", k)
		case seen[k] > 1 && !marks[k]:
			t.Errorf("message %s came %d times without a mark", k, seen[k])
		case seen[k] > 1:
			twice++
		}
	}
	t.Logf("%d cuts, %d messages came again", cut, twice)
}

func TestSlowAppCostsOthersNothing(t *testing.T) {
	s := newStage(t, nil)
	s.dial("/") // reads nothing
	quick := s.dial("/")
	quick.read()
	s.links(2)
	big := strings.Repeat("y", 200<<10)
	for range 200 {
		if raw := s.say(big); quick.event() != raw {
			t.Fatal("the event changed")
		}
	}
	s.links(1)
	if st := s.app.Stats(); st.Cut != 1 || !strings.Contains(st.LastError, "slow") {
		t.Errorf("%+v", st)
	}
}

func TestGarbageAndFloodsAreBounded(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("/")
	c.read()
	for _, b := range []string{"", "x", "null", "5", `"str"`, "[]", "{", `{"action":`, "\x00\xff"} {
		if got := c.call(b); !strings.Contains(got, `"retcode":1400`) || !strings.Contains(got, `"echo":null`) {
			t.Errorf("%q: %s", b, got)
		}
	}
	for range maxGarbage {
		_ = c.ws.Write(t.Context(), websocket.MessageText, []byte("garbage"))
	}
	s.links(0)
	if st := s.app.Stats(); !strings.Contains(st.LastError, "garbage") {
		t.Errorf("%+v", st)
	}
	s.up.hold = make(chan struct{})
	f := s.dial("/")
	for i := range maxCalls + 50 {
		f.write(fmt.Sprintf(`{"action":"get_status","echo":%d}`, i))
	}
	for range 50 {
		if got := f.event(); !strings.Contains(got, `"retcode":1462`) {
			t.Fatal(got)
		}
	}
	close(s.up.hold)
	for range maxCalls {
		if got := f.event(); !strings.Contains(got, `"retcode":0`) {
			t.Fatal(got)
		}
	}
}

func TestThousandLinksAreBounded(t *testing.T) {
	s := newStage(t, nil)
	good := s.dial("/")
	good.read()
	conns := 0
	for range 1000 {
		c, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err != nil {
			continue
		}
		conns++
		t.Cleanup(func() { _ = c.Close() })
	}
	if raw := s.say("still here"); good.event() != raw {
		t.Error("the link suffers")
	}
	if conns < 900 {
		t.Errorf("%d connections", conns)
	}
}

func TestCallsKeepTheirOrder(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("/")
	for i := range 500 {
		c.write(fmt.Sprintf(`{"action":"send_group_msg","params":{"n":%d}}`, i))
	}
	await.True(t, 10*time.Second, "all calls", func() bool { return len(s.up.asked()) == 500 })
	for i, p := range s.up.params {
		if p != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("call %d is %s", i, p)
		}
	}
}

func TestHTTPAndStreams(t *testing.T) {
	s := newStage(t, nil)
	get := func(method, path, body string) string {
		req, _ := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer secret-secret-secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	s.up.reply = func(_ string, p []byte) (string, int) { return string(p), 0 }
	if got := get("GET", "/get_msg?message_id=5", ""); !strings.Contains(got, `"data":{"message_id":"5"}`) {
		t.Error(got)
	}
	if got := get("POST", "/get_msg?x=1", `{"message_id": 5, "x":2}`); !strings.Contains(got, `"x":"1"`) || !strings.Contains(got, `"message_id":5`) {
		t.Error(got)
	}
	if got := get("POST", "/get_msg", `{"big": 12345678901234567890}`); !strings.Contains(got, `12345678901234567890`) {
		t.Error(got)
	}
	if got := get("POST", "/get_msg", `{`); !strings.Contains(got, "Invalid JSON") {
		t.Error(got)
	}
	if got := get("POST", "/set_group_kick", `{}`); !strings.Contains(got, `"retcode":1460`) {
		t.Error(got)
	}
	if got := get("GET", "/test_download_stream", ""); strings.Count(got, "\r\n\r\n") != 4 || strings.Count(got, `"stream-action"`) != 4 {
		t.Error(got)
	}
	c := s.dial("/api")
	c.write(`{"action":"test_download_stream","echo":{"a":1}}`)
	for range 4 {
		if got := c.read(); !strings.Contains(got, `"echo":{"a":1},"stream":"stream-action"`) {
			t.Error(got)
		}
	}
}

func TestReverse(t *testing.T) {
	type conn struct {
		h  http.Header
		ws *websocket.Conn
	}
	came := make(chan conn, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		came <- conn{r.Header, ws}
		<-t.Context().Done()
	}))
	t.Cleanup(srv.CloseClientConnections)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Reverse = Reverse{URL: "ws" + srv.URL[4:] + "/ws", Interval: time.Second}
	})
	one := <-came
	if one.h.Get("X-Self-ID") != "10001" || one.h.Get("X-Client-Role") != "Universal" || one.h.Get("Authorization") != "Bearer secret-secret-secret" || one.h.Get("User-Agent") != "OneBot/11" {
		t.Errorf("%v", one.h)
	}
	c := &client{t, one.ws}
	one.ws.SetReadLimit(1 << 24)
	if b := c.read(); !strings.Contains(b, "lifecycle") {
		t.Error(b)
	}
	if raw := s.say(strings.Repeat("z", 70000)); c.event() != raw {
		t.Error("the event changed")
	}
	if got := c.call(`{"action":"get_status","echo":[1]}`); !strings.Contains(got, `"echo":[1]`) {
		t.Error(got)
	}
	c.reads(func(string) {})
	s.got()
	_ = one.ws.CloseNow()
	s.links(0)
	missed := s.say("missed")
	two := <-came
	c = &client{t, two.ws}
	if got := c.event(); got != marked2(missed) {
		t.Error(got)
	}
}

func TestWebhook(t *testing.T) {
	type post struct{ body, sum, self string }
	posts := make(chan post, 64)
	var fail sync.Map
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if _, down := fail.Load("down"); down {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		posts <- post{string(b), r.Header.Get("X-Signature"), r.Header.Get("X-Self-ID")}
		switch {
		case strings.Contains(string(b), "answer me"):
			_, _ = io.WriteString(w, `{"reply":"yes"}`)
		case strings.Contains(string(b), "approve me"):
			_, _ = io.WriteString(w, `{"approve":true}`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(srv.Close)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Webhook = Webhook{URL: srv.URL, Timeout: time.Second}
	})
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	raw := s.say("answer me")
	p := <-posts
	if p.body != raw || p.self != "10001" || !strings.HasPrefix(p.sum, "sha1=") || len(p.sum) != 45 {
		t.Errorf("%+v", p)
	}
	await.True(t, 5*time.Second, "the quick operation", func() bool { return len(s.up.asked()) == 1 })
	if got := s.up.asked()[0] + s.up.params[0]; got != `.handle_quick_operation{"context":`+raw+`,"operation":{"reply":"yes"}}` {
		t.Error(got)
	}
	fail.Store("down", true)
	down := []string{s.say("one"), s.say("two approve me")}
	fail.Delete("down")
	for _, want := range down {
		if p := <-posts; p.body != want {
			t.Errorf("%.80s, want %.80s", p.body, want)
		}
	}
	s.say("last")
	<-posts
	if calls := s.up.asked(); len(calls) != 1 { // it has no right to answer requests
		t.Errorf("%v", calls)
	}
}

func TestSlowWebhookGetsEverything(t *testing.T) {
	gate, heard := make(chan struct{}), make(chan string, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-gate
		b, _ := io.ReadAll(r.Body)
		heard <- string(b)
	}))
	t.Cleanup(srv.Close)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Replay.Events = 10
		c.Webhook = Webhook{URL: srv.URL, Timeout: time.Minute}
	})
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	var want []string
	for i := range 500 {
		want = append(want, s.say(fmt.Sprint(i)))
	}
	close(gate)
	for _, w := range want {
		if got := <-heard; got != w {
			t.Fatalf("%.80s, want %.80s", got, w)
		}
	}
	await.True(t, 5*time.Second, "the record at its limit", func() bool {
		s.say("more")
		<-heard
		s.acc.mu.Lock()
		defer s.acc.mu.Unlock()
		return len(s.acc.record.entries) < 300
	})
}

func TestSSE(t *testing.T) {
	s := newStage(t, nil)
	open := func(last string) (*http.Response, func() string) {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.addr+"/_events?access_token=secret-secret-secret", nil)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		var buf []byte
		return resp, func() string {
			for {
				if i := strings.Index(string(buf), "\n\n"); i >= 0 {
					e := string(buf[:i])
					buf = buf[i+2:]
					return e
				}
				b := make([]byte, 4096)
				n, err := resp.Body.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				buf = append(buf, b[:n]...)
			}
		}
	}
	resp, next := open("")
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	raw := s.say("a")
	id, data, _ := strings.Cut(next(), "\ndata: ")
	if data != raw {
		t.Error(data)
	}
	_ = resp.Body.Close()
	b := s.say("b")
	_, next = open(strings.TrimPrefix(id, "id: "))
	if e := next(); !strings.Contains(e, marked2(b)) {
		t.Error(e)
	}
}

func TestFilesArePlaced(t *testing.T) {
	dir, private := t.TempDir(), t.TempDir()
	for _, f := range []string{filepath.Join(dir, "a b.png"), filepath.Join(private, "secrets.json")} {
		if err := os.WriteFile(f, []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(private, "secrets.json"), filepath.Join(dir, "link.png")); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, func(c *Config) { c.Files, c.Private = []string{dir}, []string{private} })
	s.up.reply = func(action string, p []byte) (string, int) {
		if strings.Contains(string(p), "is_complete") {
			return `{"type":"response","status":"file_complete","file_path":"/napcat/temp/x.png","file_size":5}`, 0
		}
		return `{"type":"stream","status":"chunk_received","received_chunks":0,"total_chunks":1}`, 0
	}
	c := s.dial("/api")
	send := func(message string) (answer, params string) {
		answer = c.call(`{"action":"send_group_msg","params":{"group_id":12345678901234567,"message":` + message + `},"echo":1}`)
		s.up.mu.Lock()
		defer s.up.mu.Unlock()
		return answer, s.up.params[len(s.up.params)-1]
	}
	_, p := send(`[{"type":"image","data":{"file":"file://` + strings.ReplaceAll(dir, "/", "/") + `/a%20b.png"}}]`)
	if !strings.Contains(p, `"file":"/napcat/temp/x.png"`) || !strings.Contains(p, `"name":"a%20b.png"`) || !strings.Contains(p, "12345678901234567") {
		t.Error(p)
	}
	if _, p := send(`"hi [CQ:image,file=` + dir + `/a b.png,summary=x]"`); !strings.Contains(p, `hi [CQ:image,file=/napcat/temp/x.png,summary=x]`) {
		t.Error(p)
	}
	if _, p := send(`[{"type":"image","data":{"file":"file:///elsewhere/c.png"}}]`); !strings.Contains(p, `file:///elsewhere/c.png`) {
		t.Error(p)
	}
	if _, p := send(`"plain /text with file: in it"`); !strings.Contains(p, `plain /text with file: in it`) {
		t.Error(p)
	}
	before := len(s.up.asked())
	for _, bad := range []string{private + "/secrets.json", dir + "/link.png", dir + "/../" + filepath.Base(private) + "/secrets.json"} {
		if a, _ := send(`[{"type":"image","data":{"file":"file://` + bad + `"}}]`); !strings.Contains(a, `"retcode":1460`) {
			t.Errorf("%s: %s", bad, a)
		}
	}
	if len(s.up.asked()) != before {
		t.Error("NapCat was asked for a private file")
	}
}

func TestBackfilledMessagesComeOnce(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("/")
	c.read()
	raw := s.say("live")
	if c.event() != raw {
		t.Error("not live")
	}
	again := func(raw string) {
		e, err := onebot.Decode([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		e.(onebot.MessageEvent).Msg().Backfilled = true
		s.g.Feed(s.acc, &Event{Type: "message.group", Event: e, Raw: []byte(raw)})
		s.acc.Flush()
	}
	again(raw)
	missed := groupMessage(99, 1, "missed")
	again(missed)
	if got := c.event(); got != strings.TrimSuffix(missed, "}")+`,"backfilled":true}` {
		t.Error(got)
	}
}
