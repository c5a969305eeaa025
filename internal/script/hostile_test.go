package script

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// hostile is a plugin that does harm when somebody writes "go", and what names
// it: a piece of the log or of the answer.
type hostile struct {
	name, body, named string
	ends              bool // its machine is ended and made anew
}

var corpus = []hostile{
	{"endless loop", `for (;;);`, "took more than", true},
	{"endless loop in a callback", `[1, 2].sort(() => { for (;;); });`, "took more than", true},
	{"endless promise chain", `(function f(): any { return Promise.resolve().then(f); })();`, "took more than", true},
	{"endless async loop", `for (;;) await 0;`, "took more than", true},
	{"endless generator", `function* g() { for (;;) yield 1; } for (const x of g());`, "took more than", true},
	{"memory bomb", `const a: any[] = []; for (;;) a.push({ x: a.length });`, "took more than", true},
	{"array buffers", `const a: any[] = []; for (;;) a.push(new ArrayBuffer(1e7));`, "memory", true},
	{"string bomb", `const a: any[] = []; for (;;) a.push("x".repeat(1e6) + a.length);`, "took more than", true},
	{"string doubled", `let s = "x"; for (;;) s += s;`, "too long", false},
	{"regular expression bomb", `/^(a+)+$/.test("a".repeat(40) + "b");`, "took more than", true},
	{"deep recursion", `const f = (): any => f() + 1; f();`, "stack overflow", false},
	{"deep toString", `const o: any = {}; o.toString = () => "" + o; "" + o;`, "stack overflow", false},
	{"deep JSON", `JSON.parse("[".repeat(1e6));`, "stack overflow", false},
	{"prototype pollution", `(Object.prototype as any).then = 1; (Array.prototype as any).map = null; (JSON as any).parse = null; throw new Error("polluted");`, "polluted", false},
	{"pollution of methods", `for (const P of [Map, Array, Function, Promise] as any[]) for (const n of Object.getOwnPropertyNames(P.prototype)) try { P.prototype[n] = () => ({ ok() {}, fail() {} }); } catch {}
  await m.reply("first"); await m.reply("in vain");`, "in vain", false},
	{"pollution of calls", `Object.assign(Object.prototype, { awaited: true, over: true, settles: 1, packet: 1 }); fetch("http://127.0.0.1/");`, "DeniedError", false},
	{"constructor.constructor", `const f = (({}) as any).constructor.constructor("return [typeof process, typeof require, typeof std, typeof os, typeof __host, typeof __call].join()")(); await m.reply("has " + f);`, "has undefined,undefined,undefined,undefined,undefined,undefined", false},
	{"throwing getters", `const e: any = {}; for (const k of ["name", "message", "stack", "then"]) Object.defineProperty(e, k, { get() { throw e; } }); throw e;`, "cannot be read", false},
	{"a million timers", `for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1e6);`, "timers are set", false},
	{"a million calls", `await Promise.all(Array.from({ length: 1e6 }, () => m.bot.api.getStatus()));`, "calls are on their way", false},
	{"a million unawaited calls", `for (let i = 0; i < 1e5; i++) m.reply("x"); `, "calls are on their way", false},
	{"unawaited calls of megabytes", `const s = "x".repeat(2e6); for (let i = 0; i < 30; i++) m.reply(s);`, "calls of more than 24 MiB are on their way", false},
	{"a million lines", `for (let i = 0; i < 1e6; i++) console.log("line");`, "writes too much", false},
	{"lines without end", `for (;;) console.log("line");`, "took more than", true},
	{"an array without end", `Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);`, "too long", false},
	{"a sparse array", `new Array(2 ** 32 - 1).forEach(() => {});`, "too long", false},
	{"a quadratic search", `"a".repeat(4e6).indexOf("a".repeat(1e6) + "b");`, "too long", false},
	{"a list of what has only a length", `Array.from({ length: 2 ** 32 - 2 });`, "too long", false},
	{"long loops of typed arrays", `const a = new Uint8Array(3e6); for (;;) a.fill(1);`, "took more than", true},
	{"long searches", `const s = "x".repeat(1e6); for (;;) s.indexOf("y");`, "took more than", true},
	{"long texts", `for (;;) "x".repeat(1e6);`, "took more than", true},
	{"long JSON", `const a = new Array(1e4).fill(1); for (;;) JSON.stringify(a);`, "took more than", true},
	{"long numbers", `const s = "1".repeat(1e6); if (Number.parseInt === parseInt) for (;;) Number.parseFloat(s);`, "took more than", true},
	{"big integers", `let x = 3n; for (;;) x = x * x;`, "", false},
	{"fetch of this machine", `await fetch("http://127.0.0.1:PORT/");`, "DeniedError", false},
	{"fetch by another name", `await fetch("http://localhost:PORT/");`, "DeniedError", false},
	{"fetch of the control socket", `await fetch("unix:///run/ncatd.sock");`, "takes http and https", false},
	{"a file of the machine", `await m.reply({ type: "image", data: { file: "/etc/passwd" } } as any);`, "DeniedError", false},
	{"a file by URL", `await m.bot.api.uploadGroupFile({ group_id: 1, file: "file:///etc/passwd", name: "x" } as any);`, "DeniedError", false},
	{"a file by a path that climbs", `const { image } = await import("ncat"); await m.reply(image("../../../../etc/passwd"));`, "DeniedError", false},
	{"an import by a variable", `const n = "./oth" + "er"; await import(n);`, "no module", false},
	{"registering late", `const { onMessage } = await import("ncat"); onMessage(() => {});`, "top level", false},
	{"an endless transaction", `const { store } = await import("ncat"); await store.transaction(() => { for (;;); });`, "transaction", true},
	{"an interval that loops", `setInterval(() => { for (;;); }, 1);`, "a timer: took more than", true},
}

const hostileSource = `import { onPrivate, textIs } from "ncat";
onPrivate(textIs("go"), async (m) => {
  BODY
});
onPrivate(textIs("alive?"), (m) => m.reply("alive"));
`

// TestHostile lets each of the corpus loose beside a plugin that answers: it is
// bounded and named, and the other goes on.
func TestHostile(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }() // until it is closed
	defer srv.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	list := corpus
	if testing.Short() {
		list = list[:0]
		for _, h := range corpus {
			if !h.ends {
				list = append(list, h)
			}
		}
	}
	for _, h := range list {
		t.Run(h.name, func(t *testing.T) {
			st := newStage(t, func(b *bench) {
				b.env.Limits.CPU = slack * 300 * time.Millisecond
				b.env.Limits.Memory = 32 << 20
				body := strings.ReplaceAll(h.body, "PORT", port)
				b.write("bad/main.ts", strings.Replace(hostileSource, "BODY", body, 1))
				b.write("bad/other.ts", "export {};")
				b.write("bad/plugin.yaml", "permissions: {fetch: [\"127.0.0.1:"+port+"\", \"localhost:"+port+"\"]}\n")
				b.write("good.ts", fmt.Sprintf(answers, "good"))
			})
			st.answers("good")
			st.say("go")
			if slack > 1 && h.name == "string bomb" {
				h.named = "plugin was ended" // its time may be over, and more, before its memory is full
			}
			if h.named != "" {
				st.until("it is named "+h.named, func() bool {
					st.mu.Lock()
					said := slices.ContainsFunc(st.sent, func(s string) bool { return strings.Contains(s, h.named) })
					st.mu.Unlock()
					return said || strings.Contains(st.log.String(), h.named)
				})
			}
			st.answers("good")
			if h.ends {
				st.until("it was made anew, or switched off", func() bool {
					return strings.Contains(st.log.String(), "plugin was made anew") || st.state("bad") == ncat.PluginFailed
				})
			}
			if slack == 1 && st.state("bad") == ncat.PluginRunning && h.name != "an interval that loops" {
				before := st.count("alive")
				st.until("it answers again", func() bool { st.say("alive?"); return st.count("alive") > before })
			}
			if asked {
				t.Error("this machine was asked")
			}
			if n := strings.Count(st.log.String(), "msg=line"); n > 10*logBurst {
				t.Errorf("%d lines were written", n)
			}
		})
	}
	rss, _, _ := resources()
	t.Logf("RSS %d MiB", rss>>10)
	if rss > 150<<10 && slack == 1 { // the race detector has its own memory
		t.Errorf("RSS is %d MiB", rss>>10)
	}
}

// Lines that are too many are named at once, and counted when there are lines again.
func TestTooManyLines(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", `import { onPrivate, textIs } from "ncat";
onPrivate(textIs("go"), () => { for (let i = 0; i < 500; i++) console.log("line " + i); });
onPrivate(textIs("more"), () => { console.log("more"); });
`)
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("go")
	st.until("it is named", func() bool { return strings.Contains(st.log.String(), "script writes too much") })
	st.until("there are lines again", func() bool { st.say("more"); return strings.Contains(st.log.String(), "msg=more") })
	var written, left int
	for _, l := range strings.Split(st.log.String(), "\n") {
		if strings.Contains(l, `msg="line `) {
			written++
		}
		if _, n, ok := strings.Cut(l, "lines of the script were left out"); ok {
			_, n, _ = strings.Cut(n, " lines=")
			k, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(l)
			}
			left += k
		}
	}
	// Some of those that were left out said "more".
	if written != logBurst || left < 500-logBurst {
		t.Errorf("%d lines were written, %d left out", written, left)
	}
}

// A plugin that fails all the time is switched off, with the reason.
func TestFailingIsSwitchedOff(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.env.Limits.CPU = slack * 20 * time.Millisecond
		b.write("bad.ts", strings.Replace(hostileSource, "BODY", "for (;;);", 1))
	})
	st.until("it runs", func() bool { return st.state("bad") == ncat.PluginRunning })
	st.until("it is switched off", func() bool { st.say("go"); return st.state("bad") == ncat.PluginFailed })
	for _, p := range st.bot.Plugins() {
		if !strings.Contains(p.Error, "switched off, because it fails all the time") || !strings.Contains(p.Error, fmt.Sprintf("took more than %v", slack*20*time.Millisecond)) {
			t.Errorf("error %q", p.Error)
		}
	}
	if err := st.bot.SetPlugin(t.Context(), "bad", true); err != nil {
		t.Fatal(err)
	}
	st.until("it answers again", func() bool { st.say("alive?"); return st.count("alive") > 0 })
}

// An unload that never ends is ended.
func TestUnloadThatNeverEnds(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.env.Limits.Unload = 300 * time.Millisecond
		b.write("a.ts", fmt.Sprintf(answers, "old")+"export const onUnload = () => new Promise(() => {});")
	})
	st.answers("old")
	st.write("a.ts", fmt.Sprintf(answers, "new"))
	st.answers("new")
	st.until("it is named", func() bool { return strings.Contains(st.log.String(), "onUnload: did not end within") })
}

// A plugin whose top level fills its memory is told so at once, although the promise
// of its module has no room to end; the time to get ready is not waited for.
func TestMemoryOfTopLevel(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.env.Limits.Memory, b.env.Limits.CPU, b.env.Limits.Setup = 16<<20, slack*5*time.Second, time.Hour
		b.write("a.ts", "const a: any[] = []; for (;;) a.push({ x: a.length });")
		b.write("c.ts", "const a: any[] = []; for (;;) a.push('x'.repeat(1e6) + a.length);")
		b.write("b.ts", "const a: any[] = []; for (let i = 0; i < 1e4; i++) a.push({ x: i }); await new Promise((ok) => setTimeout(ok, 1));")
	})
	for _, id := range []string{"a", "c"} {
		if got, want := st.problem(id), "the plugin's top level: took more than 16 MiB of memory and was ended (scripts.limits.memory)"; got != want {
			t.Errorf("problem of %s %q, want %q", id, got, want)
		}
	}
	if got := st.problem("b"); got != "" {
		t.Errorf("one that waits: %q", got)
	}
}

// TestBadPlugins reads plugins that cannot run: each is named with its place.
func TestBadPlugins(t *testing.T) {
	for _, c := range []struct {
		name string
		file string
		text string
		want string
	}{
		{"syntax", "a/main.ts", "import { on } from \"ncat\";\non(", "main.ts:2:4: Unexpected end of file"},
		{"missing import", "a/main.ts", `import { x } from "./nothing"; x();`, `main.ts:1:19: Could not resolve "./nothing"`},
		{"missing package", "a/main.ts", `import x from "lodash"; x();`, "node_modules"},
		{"import of what is not there", "a/main.ts", "import { onGrup } from \"ncat\";\nonGrup();", `No matching export`},
		{"path traversal", "a/main.ts", `import x from "../../secret.txt"; console.log(x);`, "outside of the plugin's folder"},
		{"absolute path", "a/main.ts", `import x from "/etc/hostname"; console.log(x);`, "outside of the plugin's folder"},
		{"unknown key", "a/plugin.yaml", "id: a\nversin: 1\n", "plugin.yaml:2:1: unknown key \"versin\" (the keys are id, "},
		{"not utf-8", "a/main.ts", "// \xff\xfe\n", "main.ts: the file is not UTF-8"},
		{"too large", "a/main.ts", "//" + strings.Repeat("x", 10<<20), "at most 4 MiB"},
		{"wrong type", "a/main.ts", "import { on } from \"ncat\";\non(\"message.grup\" as any, () => {});", "main.ts:2:1"},
		{"wrong argument", "a/main.ts", "import { command, arg } from \"ncat\";\ncommand(\"x\", { n: arg.int({ default: \"many\" as any }) }, () => {});", "main.ts:2:1"},
		{"no handler", "a/main.ts", "import { onGroup } from \"ncat\";\nonGroup(undefined as any);", "the handler is no function"},
		{"bad filter", "a/main.ts", "import { onGroup, during } from \"ncat\";\nonGroup(during(\"25:00\", \"1\"), () => {});", "25:00"},
		{"bad pattern", "a/main.ts", "import { onMatch } from \"ncat\";\nonMatch(/(?=x)/, () => {});", "cannot run in Go"},
		{"never ready", "a/main.ts", "await new Promise(() => {});", "not ready after"},
		{"bad schedule", "a/main.ts", "import { schedule } from \"ncat\";\nschedule(\"s\", \"whenever\", () => {});", "schedule s"},
		{"command twice", "a/main.ts", "import { command } from \"ncat\";\ncommand(\"x\", () => {}); command(\"X\", () => {});", "ArgumentError: command X: the name or an alias is taken by command x\n    at main.ts:2:25"},
		{"unknown option", "a/main.ts", "import { command } from \"ncat\";\ncommand(\"x\", () => {}, { hlep: \"x\" } as any);", `unknown field \"hlep\"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, func(b *bench) {
				b.env.Limits.Setup = slack * 200 * time.Millisecond
				b.write("good.ts", fmt.Sprintf(answers, "good"))
				b.write(c.file, c.text)
				if c.file != "a/main.ts" {
					b.write("a/main.ts", "export {};")
				}
				if err := os.WriteFile(filepath.Join(filepath.Dir(b.dir), "secret.txt"), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			})
			st.answers("good")
			got := st.problem("a")
			if !strings.Contains(strings.ReplaceAll(got, `"`, `\"`), c.want) && !strings.Contains(got, c.want) {
				t.Errorf("problem %q, want %q", got, c.want)
			}
			if st.state("a") != ncat.PluginFailed {
				t.Errorf("state %s", st.state("a"))
			}
			st.write(c.file, strings.Repeat("\n", 1)+map[bool]string{true: "id: a\n", false: fmt.Sprintf(answers, "mended")}[c.file == "a/plugin.yaml"])
			st.until("it runs when it is mended", func() bool { return st.state("a") == ncat.PluginRunning })
		})
	}
}

// An id that is taken is named, and the plugin that has it runs on; a cycle of
// imports works as it does elsewhere.
func TestTakenAndCycle(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", fmt.Sprintf(answers, "first"))
		b.write("b/plugin.yaml", "id: a\n")
		b.write("b/main.ts", fmt.Sprintf(answers, "second"))
		b.write("c/main.ts", `import { b } from "./b"; export const a = 1; import { onPrivate, textIs } from "ncat"; onPrivate(textIs("sum"), (m) => m.reply("s" + (a + b())));`)
		b.write("c/b.ts", `import { a } from "./main"; export const b = () => a + 1;`)
	})
	st.answers("first")
	if p := st.problem("b"); !strings.Contains(p, "the id a is taken") {
		t.Errorf("problem %q", p)
	}
	st.say("sum")
	st.until("the cycle works", func() bool { return st.count("s3") == 1 })
}
