package script

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

// bench is a plugin's folder and what its environment was told.
type bench struct {
	t   testing.TB
	dir string
	env *Environment
	log *logBuffer

	mu       sync.Mutex
	reported map[string]error
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, dir: t.TempDir(), log: &logBuffer{}, reported: map[string]error{}}
	b.env = &Environment{
		Log:     slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Limits:  Limits{}.withDefaults(),
		Grants:  func(string) Grants { return Grants{} },
		Section: func(string) map[string]any { return nil },
		Report: func(id string, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.reported[id] = err
		},
	}
	return b
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// plugin returns the plugin that lies at name.
func (b *bench) plugin(name string) *Plugin {
	b.t.Helper()
	l, ok := locate(filepath.Join(b.dir, name))
	if !ok {
		b.t.Fatalf("%s is no plugin", name)
	}
	return newPlugin(b.env, l)
}

// run plays with one plugin of one file.
func run(t *testing.T, source string, f func(h *ncattest.Harness, b *bench, p *Plugin), opts ...ncat.Option) {
	t.Helper()
	b := newBench(t)
	b.write("hello.ts", source)
	p := b.plugin("hello.ts")
	_ = p.Prepare() // a mistake comes up again at the setup
	bot := ncat.New(append([]ncat.Option{ncat.WithLogger(b.env.Log)}, opts...)...)
	bot.AddPlugin(p)
	ncattest.Run(t, bot, func(h *ncattest.Harness) { f(h, b, p) })
	if t.Failed() {
		t.Log(b.log.String())
	}
}

// TestAPI goes once through what scripts are given.
func TestAPI(t *testing.T) {
	run(t, `import { onGroup, onMessage, on, onMatch, command, arg, schedule, store, permissions, textIs, keyword, inGroup, byAdmin, image, at, bot, api, errors, stop, NoAnswerError, RefusedError, config, plugin } from "ncat";

command("roll", { sides: arg.int({ default: 6 }), note: arg.rest({ optional: true }) }, (m, { sides, note }) => m.reply("1.." + sides, note ? " " + note : ""), { help: "rolls", alias: ["r"] });
command("wait", { d: arg.duration(), at: arg.time({ optional: true }), who: arg.user({ flag: "w", default: "5" }) }, (m, a) => m.reply(JSON.stringify([a.d, a.at instanceof Date, a.who])));
command("order", { z: arg.int(), "a\"b": arg.text(), n: arg.float({ optional: true }) }, (m, a) => m.reply(JSON.stringify(a)));
command("name", async (m) => {
  try {
    const a = await m.ask("name?", { within: "30s" });
    await m.mention("hello ", a.text);
  } catch (e) {
    if (!(e instanceof NoAnswerError)) throw e;
    await m.quote("too late");
  }
});
command("kick", async (m) => {
  try { await api.setGroupKick({ group_id: m.group_id, user_id: 77 }); } catch (e) {
    await m.reply(e.name, " ", e instanceof RefusedError, " ", e.retcode);
  }
}, { need: "bot.admin" });
command("count", async (m) => {
  const n = await store.update("n", (v = 0) => v + 1);
  await store.transaction((tx) => { tx.put("a", [n]); tx.put("b", 1, { ttl: "1h" }); });
  let failed = "";
  try { await store.transaction((tx) => { tx.put("a", 0); throw new TypeError("no"); }); } catch (e) { failed = e.name; }
  await m.reply(JSON.stringify([n, await store.get("a"), await store.get("zz") === undefined, await store.scan(), failed]));
});
onMatch(/^add (\d+) (\d+)$/, (m, [, a, b]) => m.reply(Number(a) + Number(b)));
onGroup(textIs("pic"), (m) => m.reply(at(m.user_id), image("https://example.com/a.png")));
on("message.group", keyword("spam"), () => stop, { priority: 200 });
onMessage(keyword("spam"), (m) => m.reply("not stopped"));
onMessage(textIs("add 3 4", "alone"), (m) => m.reply("handled by nobody else"), { fallback: true, priority: 500 });
on("notice.group_increase", (e) => e.bot.sendGroup(e.group_id, "welcome ", e.user_id));
schedule("tick", "every 1h", (b) => b.accounts[0].sendPrivate(9, "tick"));
onGroup(textIs("late"), (m) => { setTimeout(() => m.reply("late"), 5000); });
onGroup(textIs("web"), async (m) => {
  const u = new URL("/a?b=c d#e", "https://example.com:8443/x");
  const raw = new TextEncoder().encode("é😀");
  await m.reply(u.searchParams.get("b"), " ", u.host, " ", raw.length, " ", new TextDecoder().decode(raw), " ", crypto.randomUUID().length, " ", btoa("hi"), " ", atob("aGk="));
});
onGroup(textIs("fetch"), async (m) => { try { await fetch("http://127.0.0.1/"); } catch (e) { await m.reply(e.name); } });
onGroup(textIs("perm"), async (m) => {
  await permissions.grant("editor", { user: 3 });
  await m.reply(permissions.has("editor", { user: 3 }), " ", permissions.rules().length, " ", bot.isAdmin(9), " ", plugin.id);
});
`, func(h *ncattest.Harness, b *bench, p *Plugin) {
		g := h.Group(100)
		alice := g.From(1)
		for _, c := range []struct{ say, want string }{
			{"/roll", "1..6"}, {"/r 20 for luck", "1..20 for luck"}, {"/wait 90s 23:00", "[90000,true,5]"}, {"/wait 1s -w 12", "[1000,false,12]"}, {"/order -5 <x>", `{"z":-5,"a\"b":"<x>"}`},
			{"add 2 40", "42"}, {"add 3 4", "7"}, {"alone", "handled by nobody else"}, {"web", "c d example.com:8443 6 é😀 36 aGk= hi"}, {"fetch", "DeniedError"}, {"perm", "true 1 true hello"},
			{"/count", `[1,[1],true,[{"key":"a","value":[1]},{"key":"b","value":1},{"key":"n","value":1}],"TypeError"]`},
		} {
			alice.Says(c.say)
			h.Want(c.want)
		}
		alice.Says("/name")
		h.Want("name?")
		alice.Says("Bob")
		h.WantLike("hello Bob")
		alice.Says("/name")
		h.Want("name?")
		h.Pass(31 * time.Second)
		h.WantLike("too late")
		h.On("set_group_kick", ncattest.Refuse(1200, "no right"))
		g.From(9).Says("/kick")
		h.Want("RefusedError true 1200")
		alice.Says("pic")
		h.WantLike("example.com/a.png")
		alice.Says("spam")
		h.WantNothing()
		h.Friend(1).Says("spam")
		h.Want("not stopped")
		h.Event(ncattest.Joined(100, 8))
		h.Want("welcome 8")
		alice.Says("late")
		h.WantNothing()
		h.Pass(5 * time.Second)
		h.Want("late")
		h.Pass(time.Hour)
		h.Want("tick")
	}, ncat.WithAdmins(9))
}

func TestSeed(t *testing.T) {
	run(t, `import { onPrivate, textIs } from "ncat";

onPrivate(textIs("测试"), async (m) => {
  m.reply("NcatBot 测试成功喵~");
  await m.reply("NcatBot 测试成功喵~");
});
`, func(h *ncattest.Harness, b *bench, p *Plugin) {
		h.Friend(1).Says("测试")
		h.Want("NcatBot 测试成功喵~", "NcatBot 测试成功喵~")
		h.Friend(1).Says("else")
		h.Group(5).From(1).Says("测试")
		h.WantNothing()
	})
}

// A forward may hold pictures, and forwards that do.
func TestForwardWithMedia(t *testing.T) {
	run(t, `import { onGroup, textIs, nodeOf, image } from "ncat";
const picture = image(new Uint8Array([1, 2, 3]));
onGroup(textIs("go"), (m) => m.bot.sendForward(m.chat!, nodeOf(1, "ann", "look: ", picture), nodeOf(2, "bob", nodeOf(3, "carl", picture, " inside"))));
`, func(h *ncattest.Harness, _ *bench, _ *Plugin) {
		h.Group(5).From(1).Says("go")
		for _, err := range h.Errors() {
			t.Error(err)
		}
		for _, c := range h.Calls() {
			var p struct{ Messages, Message json.RawMessage }
			if c.Action != "send_group_forward_msg" {
				continue
			}
			if err := c.Decode(&p); err != nil {
				t.Fatal(err)
			}
			text := string(p.Messages) + string(p.Message)
			if n := strings.Count(text, `"type":"image","data":{"file":"base64://AQID"`); n != 2 || strings.Contains(text, `"media"`) {
				t.Errorf("%d pictures in %s", n, text)
			}
			return
		}
		t.Errorf("no forward: %v", h.Calls())
	})
}
