package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
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
		c.read() // the lifecycle: from here on events are live
		c.reads(func(raw string) {
			mu.Lock()
			heard = append(heard, raw)
			mu.Unlock()
		})
		return c
	}
	c := listen()
	first := s.say("before")
	s.got()
	await.True(t, 10*time.Second, "what was said before", func() bool { // its ping, which was answered, came first
		mu.Lock()
		defer mu.Unlock()
		return len(heard) == 1
	})
	_ = c.ws.CloseNow()
	s.links(0)
	missed := []string{s.say("missed 1"), s.say("missed 2")}
	listen()
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

// An app with replay that comes beside one without goes on in the same numbers: those
// of an earlier process do not come back under what is being sent.
func TestReplayThatComesLater(t *testing.T) {
	dir := t.TempDir()
	disk := newRecord()
	if err := disk.open(spoolPath(dir, "main")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		disk.add(entry{at: time.Now(), typ: "message.group", raw: []byte(groupMessage(int64(100+i), 1, "earlier"))})
	}
	if err := disk.close(); err != nil {
		t.Fatal(err)
	}
	s := stageIn(t, dir, func(c *Config) { c.Replay.Events = 0 })
	c := s.dial("/")
	c.read()
	for i := range 5 {
		s.say(fmt.Sprint("before ", i))
		c.read()
	}
	other := s.app.c
	other.Name, other.Replay.Events, other.Listen = "two", 1000, ""
	two, err := s.g.App(other)
	if err != nil {
		t.Fatal(err)
	}
	two.Open()
	defer func() { // Run, whose context has ended, gives back what Open took
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = two.Run(ctx)
	}()
	for i := range 5 {
		s.say(fmt.Sprint("after ", i))
	}
	s.acc.mu.Lock()
	defer s.acc.mu.Unlock()
	list := s.acc.record.entries
	if len(list) != 3+5+5 || list[12].seq != s.acc.record.last || !strings.Contains(string(list[12].raw), "after 4") {
		t.Fatalf("%d events are kept", len(list))
	}
	for i, e := range list[1:] {
		if e.seq != list[i].seq+1 {
			t.Errorf("%d follows %d", e.seq, list[i].seq)
		}
	}
}

// While an app makes room for another form of itself, what happens is kept for it.
func TestHeldAccountsKeepEvents(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("/")
	c.read()
	s.say("had")
	c.read()
	s.got()
	_ = c.ws.CloseNow()
	s.links(0)
	s.acc.unuse() // as when the only app ends
	s.say("lost")
	release := s.g.Hold()
	kept := s.say("kept")
	s.acc.hold() // and begins anew
	release()
	c = s.dial("/")
	c.read()
	if got := c.read(); got != string(marked([]byte(kept), "replayed")) {
		t.Error(got)
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

// cutting is an app that leaves without a word after some events, and comes back at
// once.
type cutting struct {
	seen   map[string]bool
	order  []string
	last   string
	cuts   int
	behind int // of its links, how many got what was missed
	twice  int // messages that came again, with the mark
}

// live is one link of it, that ends after so many events.
func (k *cutting) live(c *client, events int) {
	defer func() { _ = c.ws.CloseNow(); k.cuts++ }()
	replayed := false
	for range events {
		raw := c.event()
		id := raw[strings.Index(raw, `"message_id":`)+13:]
		id = id[:strings.IndexByte(id, ',')]
		again := strings.Contains(raw, `"replayed":true`)
		if replayed = replayed || again; again && k.seen[id] {
			k.twice++
		} else {
			k.order = append(k.order, id) // also what came twice without a mark
		}
		k.seen[id] = true
		if k.last = id; id == fmt.Sprint(cutMessages) {
			break
		}
	}
	if replayed {
		k.behind++
	}
}

const cutMessages = 2000

// An app's links are cut hundreds of times while messages come, with some of them
// read and others on their way: it gets each once, in order.
func TestCutLinksLoseAndDoubleNothing(t *testing.T) {
	s := newStage(t, nil)
	first := s.dial("/") // so that it is known
	first.read()
	_ = first.ws.CloseNow()
	s.links(0)
	go func() {
		pace := time.NewTicker(2 * time.Millisecond)
		defer pace.Stop()
		for i := range cutMessages {
			s.say(fmt.Sprint(i))
			if i%20 != 0 { // now and then there are two at a time
				<-pace.C
			}
		}
	}()
	k := cutting{seen: map[string]bool{}}
	for k.last != fmt.Sprint(cutMessages) {
		k.live(s.dial("/"), rand.IntN(15))
	}
	for i := range cutMessages {
		if i >= len(k.order) || k.order[i] != fmt.Sprint(i+1) {
			t.Fatalf("message %d is lost, or not in its place", i+1)
		}
	}
	// A system that is starved may keep the app's answers until its end forgets them.
	if k.twice > k.cuts/50 {
		t.Errorf("%d messages came twice in %d cuts", k.twice, k.cuts)
	}
	t.Logf("%d cuts, %d links got what was missed, %d messages came twice", k.cuts, k.behind, k.twice)
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
	for _, b := range []string{"", "x", "null", "{", `{"action":`, "\x00\xff"} {
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
		c.write(fmt.Sprintf(`{"action":"send_group_msg","params":{"message":%d}}`, i))
	}
	await.True(t, 10*time.Second, "all calls", func() bool { return len(s.up.asked()) == 500 })
	for i, p := range s.up.params {
		if p != fmt.Sprintf(`{"message":%d}`, i) {
			t.Fatalf("call %d is %s", i, p)
		}
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
