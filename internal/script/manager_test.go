package script

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// stage is a bot with the scripts of a folder, on a caller that answers at once,
// in real time.
type stage struct {
	*bench
	bot *ncat.Bot
	m   *Manager
	s   botlink.Session[*ncat.Bot]

	mu   sync.Mutex
	sent []string
	when []time.Time
	id   int64

	held chan struct{} // closed when the answer "held" shall be sent
}

func newStage(t testing.TB, prepare func(b *bench)) *stage {
	st := &stage{bench: newBench(t), held: make(chan struct{})}
	if prepare != nil {
		prepare(st.bench)
	}
	st.bot = ncat.New(ncat.WithLogger(st.env.Log), ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff}))
	st.m = New(st.dir, st.bot, *st.env)
	ctx, cancel := context.WithCancel(t.Context())
	st.m.Load(ctx, nil)
	st.s = botlink.Of(st.bot).NewSession("main", st, botlink.Options{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = st.s.Run(ctx) })
	wg.Go(func() { _ = st.m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if t.Failed() {
			text := st.log.String()
			t.Log(text[max(0, len(text)-4000):])
		}
	})
	st.s.Feed(ncattest.Frame(ncattest.Connected()))
	st.until("the session runs", func() bool { return st.bot.Self() != 0 && len(st.bot.Accounts()) == 1 })
	return st
}

// Call implements [onebot.Caller].
func (st *stage) Call(ctx context.Context, action string, params, result any) error {
	if raw, ok := params.(onebot.Appender); ok && strings.HasPrefix(action, "send_") {
		text := string(raw.AppendJSON(nil))
		_, text, _ = strings.Cut(text, `"text":"`)
		text, _, _ = strings.Cut(text, `"`)
		st.mu.Lock()
		st.sent = append(st.sent, text)
		st.when = append(st.when, time.Now())
		st.mu.Unlock()
		if err := st.odd(ctx, text); err != nil {
			return err
		}
	}
	if r, ok := result.(*onebot.SendResult); ok {
		r.MessageID = 1
	}
	return nil
}

func (st *stage) say(text string) {
	st.mu.Lock()
	st.id++
	m := ncattest.PrivateMessage(onebot.UserID(1000+st.id%50), text)
	m.SelfID, m.MessageID = ncattest.Self, onebot.MessageID(st.id)
	st.mu.Unlock()
	st.s.Feed(ncattest.Frame(m))
}

func (st *stage) count(text string) int {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := 0
	for _, s := range st.sent {
		if s == text {
			n++
		}
	}
	return n
}

// until waits for a condition.
func (st *stage) until(what string, ok func() bool) {
	st.t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(limit) {
			text := st.log.String()
			st.t.Fatalf("%s: not so within 30 s\n%s", what, text[max(0, len(text)-3000):])
		}
		<-time.After(time.Millisecond) // between two looks
	}
}

func (st *stage) state(id string) string {
	for _, p := range st.bot.Plugins() {
		if p.ID == id {
			return p.State
		}
	}
	return "none"
}

func (st *stage) problem(id string) string {
	if err := st.m.Problems()[id]; err != nil {
		return err.Error()
	}
	return ""
}

const answers = `import { onPrivate, textIs } from "ncat";
onPrivate(textIs("hi"), (m) => m.reply("%s"));
`

func (st *stage) answers(want string) {
	st.t.Helper()
	before := st.count(want)
	st.until("the answer "+want, func() bool { st.say("hi"); return st.count(want) > before })
}

// Plugins appear, change, break, are mended and go while the bot runs; the folder
// itself may come late.
func TestFolder(t *testing.T) {
	st := newStage(t, func(b *bench) {
		if err := os.Remove(b.dir); err != nil {
			t.Fatal(err)
		}
	})
	st.write("hello.ts", fmt.Sprintf(answers, "one"))
	st.answers("one")
	st.write("hello.ts", fmt.Sprintf(answers, "two"))
	st.answers("two")

	// A save by rename, with an editor's swap file beside it.
	st.write(".hello.ts.swp", "x")
	st.write("4913", "")
	st.write("hello.ts~", "x")
	st.write(".tmp-1", fmt.Sprintf(answers, "three"))
	if err := os.Rename(filepath.Join(st.dir, ".tmp-1"), filepath.Join(st.dir, "hello.ts")); err != nil {
		t.Fatal(err)
	}
	st.answers("three")

	// Broken: the old one goes on, and the place is told.
	st.write("hello.ts", "import { onPrivate } from \"ncat\";\nonPrivate((m) => {\n  m.reply(\"x\"\n});\n")
	st.until("the problem shows", func() bool { return strings.Contains(st.problem("hello"), "hello.ts:4:1:") })
	st.answers("three")
	if st.state("hello") != ncat.PluginRunning {
		t.Errorf("state %s", st.state("hello"))
	}
	st.write("hello.ts", "import { onPrivate } from \"ncat\";\nconst x: any = undefined;\nx.y.z;\n")
	st.until("the place of what is thrown shows", func() bool { return strings.Contains(st.problem("hello"), "hello.ts:3:") })
	st.write("hello.ts", fmt.Sprintf(answers, "four"))
	st.answers("four")
	if p := st.problem("hello"); p != "" {
		t.Errorf("problem %s", p)
	}

	// A second one that fails at first, in a folder, with an import.
	st.write("more/main.ts", `import { word } from "./word"; import { onPrivate, textIs } from "ncat"; onPrivate(textIs("hi"), (m) => m.reply(word));`)
	st.until("it fails", func() bool { return st.state("more") == ncat.PluginFailed })
	st.answers("four")
	st.write("more/word.ts", `export const word = "word";`)
	st.answers("word")
	st.write("more/word.ts", `export const word = "world";`)
	st.answers("world")

	if err := os.Remove(filepath.Join(st.dir, "hello.ts")); err != nil {
		t.Fatal(err)
	}
	st.until("it is gone", func() bool { return st.state("hello") == "none" })
	st.answers("world")
}

// What is being handled while a new version takes over is answered by the old one,
// also if it waits for timers; onUnload may wait for some as well.
func TestReloadLetsHandlersSleep(t *testing.T) {
	source := `import { onPrivate, textIs } from "ncat";
const sleep = (ms: number) => new Promise((ok) => setTimeout(ok, ms));
onPrivate(textIs("slow"), async (m) => { await m.reply("begun VERSION"); await sleep(60); await sleep(60); await m.reply("slow VERSION"); });
onPrivate(textIs("later"), (m) => { setTimeout(() => console.log("later VERSION"), 500); });
onPrivate(textIs("hi"), (m) => m.reply("VERSION"));
export async function onUnload() { await sleep(10); console.log("unloaded VERSION"); }
`
	version := func(v string) string { return strings.ReplaceAll(source, "VERSION", v) }
	st := newStage(t, func(b *bench) { b.write("a.ts", version("one")) })
	st.answers("one")
	st.say("later")
	st.say("slow")
	st.until("the handler has begun", func() bool { return st.count("begun one") == 1 })
	st.write("a.ts", version("two"))
	st.answers("two")
	st.until("the handler ends", func() bool { return st.count("slow one") == 1 })
	st.until("it is unloaded", func() bool { return strings.Contains(st.log.String(), "unloaded one") })
	if text := st.log.String(); strings.Contains(text, "later one") || strings.Contains(text, "level=ERROR") {
		t.Error("a timer outlived its version, or something failed")
	}
}

// What a script writes of errors has places of its source, and of dates what they
// say.
func TestLogged(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", `import { onPrivate, textIs, type MessageEvent } from "ncat";
interface Nothing { a: number }

onPrivate(textIs("hi"), async (m) => {
  try { await (null as unknown as MessageEvent).recall(); } catch (e) { console.error("caught", e); }
  console.log(new Date(0), /x/g, [new Date(NaN)]);
  await m.reply("logged");
});
`)
	})
	st.answers("logged")
	st.until("what it wrote", func() bool { return strings.Contains(st.log.String(), "1970-01-01T00:00:00.000Z /x/g [Invalid Date]") })
	if text := st.log.String(); !strings.Contains(text, "at a.ts:5:") || strings.Contains(text, "<eval>") {
		t.Errorf("no place of the source:\n%s", text)
	}
}

// State goes over, nothing else of the old version survives.
func TestReloadLeavesNothing(t *testing.T) {
	source := `import { onPrivate, textIs, command, schedule } from "ncat";
let n = 0;
export const onReload = () => ({ n });
export function onLoad(old?: { n: number }) { if (old) n = old.n; }
export async function onUnload() { console.log("unloaded VERSION"); }
setInterval(() => { console.log("tick VERSION"); }, 50); // a hundred lines a second are logged
onPrivate(textIs("count"), (m) => m.reply("n" + ++n));
onPrivate(textIs("ask"), async (m) => { await m.ask("what? VERSION"); });
command("only VERSION", (m) => m.reply("VERSION"));
schedule("s", "every 1h", () => {});
`
	st := newStage(t, func(b *bench) { b.write("a.ts", strings.ReplaceAll(source, "VERSION", "old")) })
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("count")
	st.until("it counts", func() bool { return st.count("n1") == 1 })
	st.say("ask")
	st.until("it asks", func() bool { return st.count("what? old") == 1 })
	st.write("a.ts", strings.ReplaceAll(source, "VERSION", "new"))
	st.until("the old one is unloaded", func() bool { return strings.Contains(st.log.String(), "unloaded old") })
	st.say("count")
	st.until("the count goes on", func() bool { return st.count("n2") == 1 })
	st.say("/only new")
	st.until("the new command", func() bool { return st.count("new") == 1 })
	ticks := strings.Count(st.log.String(), "tick old")
	st.until("the new one ticks", func() bool { return strings.Count(st.log.String(), "tick new") > 5 })
	if now := strings.Count(st.log.String(), "tick old"); now != ticks {
		t.Errorf("the old timer ticks on: %d, %d", ticks, now)
	}
	st.say("/only old")
	st.say("count")
	st.until("still counts", func() bool { return st.count("n3") == 1 })
	if st.count("old") != 0 {
		t.Error("the old command is there")
	}
}

// savesWanted is what a save may take until the first answer by the new code.
const savesWanted = 60 * time.Millisecond

// TestSaves saves a plugin again and again while messages flow: each is answered
// once, and soon by the new code.
func TestSaves(t *testing.T) {
	saves := 40
	if os.Getenv("NCATD_SCRIPT_SAVES") != "" {
		saves = 200
	}
	st := newStage(t, func(b *bench) { b.write("a.ts", fmt.Sprintf(answers, "v0")) })
	st.answers("v0")
	st.until("all of these are answered", func() bool { return st.count("v0") == int(st.id) })
	st.mu.Lock()
	st.sent, st.when = nil, nil
	st.mu.Unlock()
	stop := make(chan struct{})
	said := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				st.say("hi")
				said++
			}
		}
	})
	var took []time.Duration
	for i := 1; i <= saves; i++ {
		word := fmt.Sprintf("v%d", i)
		start := time.Now()
		st.write("a.ts", fmt.Sprintf(answers, word))
		st.until(word, func() bool { return st.count(word) > 0 })
		st.mu.Lock()
		took = append(took, st.when[slices.Index(st.sent, word)].Sub(start))
		st.mu.Unlock()
	}
	close(stop)
	wg.Wait()
	st.until("every message is answered", func() bool { st.mu.Lock(); defer st.mu.Unlock(); return len(st.sent) >= said })
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.sent) != said {
		t.Errorf("%d messages, %d answers", said, len(st.sent))
	}
	slices.Sort(took)
	p99 := took[min(len(took)-1, len(took)*99/100)]
	t.Logf("%d saves, %d messages: p50 %v, p99 %v", saves, said, took[len(took)/2], p99)
	if os.Getenv("NCATD_SCRIPT_SAVES") != "" && p99 > savesWanted {
		t.Errorf("p99 %v is more than %v", p99, savesWanted)
	}
}

// TestManyReloads loads a plugin again and again: nothing of the old ones stays.
func TestManyReloads(t *testing.T) {
	n := 100
	if os.Getenv("NCATD_SCRIPT_RELOADS") != "" {
		n = 1000
	}
	st := newStage(t, func(b *bench) { b.write("a.ts", fmt.Sprintf(answers, "x")) })
	st.answers("x")
	reload := func(times int) {
		for range times {
			if err := st.m.Reload(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range st.m.plugins {
			p.draining.Wait()
		}
		least := runtime.NumGoroutine()
		limit := time.Now().Add(time.Second)
		for time.Now().Before(limit) { // those of the bundler end by a timer of theirs
			least = min(least, runtime.NumGoroutine())
			<-time.After(50 * time.Millisecond) // between two looks
			if runtime.NumGoroutine() > least {
				limit = limit.Add(time.Millisecond)
			}
		}
		runtime.GC()
	}
	reload(n / 4)
	rss, goroutines, fds := resources()
	reload(n)
	rss2, goroutines2, fds2 := resources()
	t.Logf("%d reloads: RSS %d -> %d KiB, goroutines %d -> %d, fds %d -> %d", n, rss, rss2, goroutines, goroutines2, fds, fds2)
	if goroutines2 > goroutines+3 || fds2 > fds+2 {
		t.Errorf("goroutines %d -> %d, fds %d -> %d", goroutines, goroutines2, fds, fds2)
	}
	if rss > 0 && rss2 > rss+16<<10 {
		t.Errorf("RSS grew from %d to %d KiB", rss, rss2)
	}
	st.answers("x")
}

// resources returns the resident KiB, goroutines and open files; 0 where they
// cannot be told.
func resources() (rss, goroutines, fds int) {
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, pages int
		_, _ = fmt.Sscan(string(b), &size, &pages) // the kernel's own format
		rss = pages * os.Getpagesize() / 1024
	}
	entries, _ := os.ReadDir("/proc/self/fd") // none elsewhere
	return rss, runtime.NumGoroutine(), len(entries)
}

// A save that changes nothing is no reload, in the log neither.
func TestSameContentIsNoReload(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", fmt.Sprintf(answers, "old"))
	})
	st.answers("old")
	st.m.Load(t.Context(), []string{filepath.Join(st.dir, "a.ts")})
	if got := st.log.String(); strings.Contains(got, "plugin was reloaded") {
		t.Errorf("logged %s", got)
	}
	st.write("a.ts", fmt.Sprintf(answers, "new"))
	st.until("a change is logged", func() bool { return strings.Contains(st.log.String(), "plugin was reloaded") })
}

// A plugin is taken out while a handler of it makes one call after the other, and
// goes on to after its event was given up.
func TestRemovedWhileItCalls(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", `import { api, onPrivate, textIs } from "ncat";
export const onUnload = () => new Promise((end) => setTimeout(end, 100));
onPrivate(textIs("loop"), async (m) => {
  await m.reply("loops");
  for (;;) { try { await api.getStatus(); } catch { await null; } }
});`)
		b.write("b.ts", fmt.Sprintf(answers, "b"))
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("loop")
	st.until("it loops", func() bool { return st.count("loops") == 1 })
	if err := os.Remove(filepath.Join(st.dir, "a.ts")); err != nil {
		t.Fatal(err)
	}
	st.until("it is gone", func() bool { return st.state("a") == "none" })
	st.answers("b")
}

// What onReload returns is bounded; a new version starts without what is more.
func TestReloadWithTooMuchState(t *testing.T) {
	const source = `import { onPrivate, textIs } from "ncat";
let size = 0;
export const onReload = () => "x".repeat(LENGTH);
export function onLoad(old?: string) { size = old?.length ?? 0; }
onPrivate(textIs("hi"), (m) => m.reply("NAME " + size));
`
	version := func(name, length string) string {
		return strings.NewReplacer("NAME", name, "LENGTH", length).Replace(source)
	}
	st := newStage(t, func(b *bench) {
		b.env.Limits.CPU = slack * time.Second
		b.env.Limits.Unload *= slack
		b.write("a.ts", version("one", "1000"))
	})
	st.answers("one 0")
	st.write("a.ts", version("two", "5e6"))
	st.answers("two 1000")
	st.write("a.ts", version("three", "0"))
	st.answers("three 0")
	if !strings.Contains(st.log.String(), "at most 4 MiB go over") {
		t.Error("that state was lost is not told")
	}
}

// A file that is gone for a moment, as with some who save or upload, ends nothing: the
// plugin answers meanwhile, and its state goes over.
func TestFileThatIsGoneForAMoment(t *testing.T) {
	const source = `import { onPrivate, textIs } from "ncat";
let state = "fresh";
export const onReload = () => "kept";
export function onLoad(old = "fresh") { state = old; }
onPrivate(textIs("hi"), (m) => m.reply("NAME " + state));
`
	st := newStage(t, func(b *bench) {
		b.env.Limits.Absence = time.Hour
		b.write("a.ts", strings.Replace(source, "NAME", "old", 1))
	})
	st.answers("old fresh")
	if err := os.Remove(filepath.Join(st.dir, "a.ts")); err != nil {
		t.Fatal(err)
	}
	st.until("that is seen", func() bool {
		st.m.loading.Lock()
		defer st.m.loading.Unlock()
		return len(st.m.gone) == 1
	})
	st.answers("old fresh")
	st.write("a.ts", strings.Replace(source, "NAME", "new", 1))
	st.answers("new kept")
	if strings.Contains(st.log.String(), "plugin stopped") {
		t.Error("it was stopped")
	}
}

// A plugin whose folder is renamed, or that becomes a folder, goes on with its state and
// reads its files where they are.
func TestRenamedFolder(t *testing.T) {
	const source = `import { image, onPrivate, textIs } from "ncat";
let n = 0;
export const onReload = () => n + 1;
export function onLoad(old = 0) { n = old; }
onPrivate(textIs("hi"), (m) => m.reply("move " + n));
onPrivate(textIs("cat"), async (m) => { await m.reply("cat", image("cat.png")); });
`
	st := newStage(t, func(b *bench) {
		b.env.Limits.Absence = time.Hour
		b.write("x.ts", source)
	})
	st.answers("move 0")
	put := func(dir string) {
		t.Helper()
		st.write("."+dir+"/plugin.yaml", "id: x\n")
		st.write("."+dir+"/main.ts", source)
		st.write("."+dir+"/cat.png", "\x89PNG")
		if err := os.Rename(filepath.Join(st.dir, "."+dir), filepath.Join(st.dir, dir)); err != nil {
			t.Fatal(err)
		}
	}
	put("other") // with an id that is taken
	st.until("that is told", func() bool { return strings.Contains(st.problem("other"), "taken") })
	if err := os.Remove(filepath.Join(st.dir, "x.ts")); err != nil {
		t.Fatal(err)
	}
	st.answers("move 1")
	if err := os.Rename(filepath.Join(st.dir, "other"), filepath.Join(st.dir, "third")); err != nil {
		t.Fatal(err)
	}
	st.answers("move 2")
	if got := st.problem("other"); got != "" {
		t.Errorf("still told: %s", got)
	}
	if info, _ := st.m.Info("x"); filepath.Base(info.Path) != "third" || info.Loads != 3 {
		t.Errorf("%+v", info)
	}
	st.say("cat")
	st.until("the picture is sent", func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		return slices.Contains(st.sent, "cat")
	})
	if strings.Contains(st.log.String(), "plugin stopped") {
		t.Error("it was stopped")
	}
}
