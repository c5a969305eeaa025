package script

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
)

// TestUnawaited lets promises fail for which nobody waits: each is in the log once,
// with its place. Those for which somebody waits, however late within what is due,
// are not.
func TestUnawaited(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"async function", `const f = async () => { throw new TypeError("a1"); }; f();`, "TypeError: a1\n    at a.ts:LINE:"},
		{"async function, later", `const f = async () => { await null; await m.bot.api.getStatus(); throw new TypeError("a2"); }; f();`, "TypeError: a2\n    at a.ts:LINE:"},
		{"async declaration", `late();`, "Error: late\n    at a.ts:3:"},
		{"async method", `new C().fail();`, "Error: method\n    at a.ts:4:"},
		{"no Error", `const f = async () => { throw "a3"; }; f();`, "threw \"a3\", which is no Error and knows no place; its handler is\n    at a.ts:LINE:1"},
		{"null", `const f = async () => { throw null; }; f();`, "threw null, which"},
		{"reject", `Promise.reject(new Error("a4"));`, "Error: a4\n    at a.ts:LINE:"},
		{"new Promise", `new Promise((_, no) => { setTimeout(() => no(new Error("a5")), 1); });`, "Error: a5\n    at a.ts:LINE:"},
		{"throwing executor", `new Promise(() => { throw new Error("a6"); });`, "Error: a6\n    at a.ts:LINE:"},
		{"then", `Promise.resolve(1).then(() => { throw new Error("a7"); });`, "Error: a7\n    at a.ts:LINE:"},
		{"finally", `Promise.resolve(1).finally(() => { throw new Error("a8"); });`, "Error: a8\n    at a.ts:LINE:"},
		{"all", `Promise.all([1, Promise.reject(new Error("a9"))]);`, "Error: a9\n    at a.ts:LINE:"},
		{"returned promise", `const f = async () => { return Promise.reject(new Error("a10")); }; f();`, "Error: a10\n    at a.ts:LINE:"},
		{"within two", `const f = async () => { throw new Error("a11"); }; async function g() { await f(); } g();`, "Error: a11\n    at a.ts:LINE:82 in f\n    at a.ts:LINE:126 in g\n    at a.ts:LINE:133"},
		{"fetch", `fetch("http://127.0.0.1/");`, "DeniedError"},
		{"transaction", `store.transaction(() => { throw new Error("a12"); });`, "Error: a12\n    at a.ts:LINE:"},
		{"ask", `m.ask("what?", { within: "10ms" });`, "NoAnswerError"},
		{"async generator", `async function* g() { throw new Error("a14"); } g().next();`, "Error: a14\n    at a.ts:LINE:"},
		{"async generator, later", `async function* g() { yield 1; await m.bot.api.getStatus(); throw new Error("a15"); } const i = g(); await i.next(); i.next();`, "Error: a15\n    at a.ts:LINE:"},
		{"async generator, one call within", `async function* g() { yield await late(); } g().next();`, "Error: late\n    at a.ts:3:"},
		{"async generator, method", `const o = { async *g() { throw new Error("a16"); } }; o.g().next();`, "Error: a16\n    at a.ts:LINE:"},
		{"async generator, delegating", `async function* g() { throw new Error("a17"); } async function* h() { yield* g(); } h().next();`, "Error: a17\n    at a.ts:LINE:"},
		{"async generator, throw", `async function* g() { yield 1; } g().throw(new Error("a18"));`, "Error: a18\n    at a.ts:LINE:"},
		{"caught of an async generator", `async function* g() { yield 1; throw new Error("c9"); } try { for await (const x of g()) x; } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught of next", `async function* g() { throw new Error("c10"); } try { await g().next(); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught of one that delegates", `async function* g() { throw new Error("c11"); } async function* h() { yield* g(); } try { for await (const x of h()) x; } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"in a timer", `setTimeout(async () => { throw new Error("a13"); }, 1);`, "Error: a13\n    at a.ts:LINE:"},
		{"caught", `const f = async () => { throw new Error("c1"); }; try { await f(); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught later", `const f = async () => { throw new Error("c2"); }; const p = f(); await null; await null; p.catch((e) => m.reply("caught " + e.message));`, ""},
		{"caught by then", `Promise.reject(new Error("c3")).then(() => {}, (e) => m.reply("caught " + e.message));`, ""},
		{"caught of all", `try { await Promise.all([late(), Promise.reject(new Error("c4"))]); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught of a race", `try { await Promise.race([Promise.reject(new Error("c5"))]); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught of one returned", `const f = async () => Promise.reject(new Error("c6")); const g = async () => f(); try { await g(); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught of a list", `try { for await (const x of [Promise.reject(new Error("c7"))]) m.reply(x); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"caught of a class", `class P extends Promise<number> {} try { await new P((_, no) => no(new Error("c8"))); } catch (e) { m.reply("caught " + e.message); }`, ""},
		{"settled", `const [r] = await Promise.allSettled([late()]); m.reply("caught " + r.status);`, ""},
	}
	var source strings.Builder
	source.WriteString(`import { onPrivate, textIs, store } from "ncat";
const early = await Promise.resolve("early"); try { await late(); } catch (e) { console.log("caught at the top level"); }
async function late() { throw new Error("late"); }
class C { async fail() { throw new Error("method"); } }
onPrivate(textIs("early"), (m) => m.reply(early));
`)
	const head = 6
	for _, c := range cases {
		fmt.Fprintf(&source, "onPrivate(textIs(%q), async (m) => { %s }, { name: %q });\n", c.name, c.body, c.name)
	}
	st := newStage(t, func(b *bench) { b.write("a.ts", source.String()) })
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("early")
	st.until("what was awaited at the top level is there", func() bool { return st.count("early") == 1 })
	for i, c := range cases {
		before := len(st.log.String())
		st.say(c.name)
		if c.want == "" {
			n := 0
			st.until(c.name+" is caught", func() bool {
				st.mu.Lock()
				defer st.mu.Unlock()
				for _, s := range st.sent {
					if strings.HasPrefix(s, "caught ") {
						n++
					}
				}
				st.sent = nil
				return n > 0
			})
			st.answersEarly()
			if got := st.log.String()[before:]; strings.Contains(got, "level=ERROR") {
				t.Errorf("%s: logged %s", c.name, got)
			}
			continue
		}
		want := strings.ReplaceAll(c.want, "LINE", fmt.Sprint(head+i))
		st.until(fmt.Sprintf("%s is named %q", c.name, want), func() bool {
			return strings.Contains(st.log.String()[before:], strings.Trim(fmt.Sprintf("%q", want), `"`))
		})
		st.answersEarly()
		got := st.log.String()[before:]
		if n := strings.Count(got, "level=ERROR"); n != 1 || !strings.Contains(got, "a promise that nobody awaits failed") && c.name != "in a timer" {
			t.Errorf("%s: logged %d times: %s", c.name, n, got)
		}
		if strings.Contains(got, "plugin.js") {
			t.Errorf("%s: a place of the bundle: %s", c.name, got)
		}
	}
	if !strings.Contains(st.log.String(), "caught at the top level") {
		t.Error("nothing was caught at the top level")
	}
}

// answersEarly waits for one more answer, before which all that was due has run.
func (st *stage) answersEarly() {
	st.t.Helper()
	before := st.count("early")
	st.say("early")
	st.until("one more answer", func() bool { return st.count("early") > before })
}
