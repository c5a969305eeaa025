package script

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// TestThrown throws what is no Error where a script can: each is named by its
// value and the place of its handler, and none takes the machine down.
func TestThrown(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"null", `throw null;`, "threw null, which is no Error and knows no place; its handler is\n    at a.ts:LINE:1"},
		{"null later", `await m.reply("x"); throw null;`, "threw null, which is no Error and knows no place; its handler is\n    at a.ts:LINE:1"},
		{"undefined", `throw undefined;`, "threw undefined, which"},
		{"number", `throw 42;`, "threw 42, which"},
		{"text", `throw "boom";`, `threw "boom", which`},
		{"big integer", `throw 10n;`, "threw 10, which"},
		{"symbol", `throw Symbol("s");`, "threw Symbol(s), which"},
		{"function", `throw function f() {};`, "threw [function f], which"},
		{"object", `throw { code: 7, why: "no" };`, `threw {code: 7, why: "no"}, which`},
		{"list", `throw [1, "two"];`, `threw [1, "two"], which`},
		{"circle", `const o: any = { n: 1 }; o.o = o; throw o;`, "threw {n: 1, o: {n: 1, o: "},
		{"getter", `throw { get x() { throw 1; } };`, "threw [an object that cannot be read], which"},
		{"proxy", `throw new Proxy({}, { getPrototypeOf() { throw new Error("no"); }, get() { throw new Error("no"); }, ownKeys() { throw new Error("no"); } });`, "an error that cannot be read"},
		{"rejected", `await Promise.reject(null);`, "threw null, which"},
		{"long", `throw "x".repeat(1e5);`, "xxx…, which"},
		{"error", `throw new TypeError("real");`, "TypeError: real\n    at a.ts:LINE:"},
		{"error of its own", `class E extends Error { name = "Mine"; } throw new E("real");`, "Mine: real\n    at a.ts:LINE:"},
		{"error without a stack", `const e = new Error("bare"); delete e.stack; throw e;`, "Error: bare"},
	}
	var source strings.Builder
	source.WriteString("import { onPrivate, textIs, schedule, store } from \"ncat\";\n")
	for _, c := range cases {
		fmt.Fprintf(&source, "onPrivate(textIs(%q), async (m) => { %s }, { name: %q });\n", c.name, c.body, c.name)
	}
	n := len(cases) + 2
	fmt.Fprintf(&source, `onPrivate(textIs("timer"), () => { setTimeout(() => { throw "late"; }, 1); });
onPrivate(textIs("transaction"), async (m) => { try { await store.transaction(() => { throw null; }); } catch (e) { await m.reply("caught " + e); } });
`)
	st := newStage(t, func(b *bench) {
		b.env.Limits.CPU = slack * time.Second
		b.write("a.ts", source.String())
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	logged := func(want string) func() bool {
		return func() bool { return strings.Contains(st.log.String(), strings.Trim(fmt.Sprintf("%q", want), `"`)) }
	}
	for i, c := range cases {
		before := st.log.String()
		st.say(c.name)
		want := strings.ReplaceAll(c.want, "LINE", fmt.Sprint(i+2))
		st.until(fmt.Sprintf("%s is named %q", c.name, want), func() bool {
			return strings.Contains(st.log.String()[len(before):], strings.Trim(fmt.Sprintf("%q", want), `"`))
		})
	}
	st.say("timer")
	st.until("the timer's throw is named", logged(fmt.Sprintf("threw \"late\", which is no Error and knows no place; its handler is\n    at a.ts:%d:1", n)))
	st.say("transaction")
	st.until("null comes through a transaction", func() bool { return st.count("caught null") == 1 })
	if strings.Contains(st.log.String(), "was ended") || strings.Contains(st.log.String(), "made anew") {
		t.Errorf("the machine was ended:\n%s", st.log.String())
	}
}

// TestThrownOutside throws what is no Error where no handler is.
func TestThrownOutside(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"top level":        {`throw null;`, "the plugin's top level: threw null"},
		"top level, later": {`await 0; throw { a: 1 };`, "the plugin's top level: threw {a: 1}"},
		"onLoad":           {`export function onLoad() { throw null; }`, "onLoad: threw null"},
		"onLoad, an error": {`export function onLoad() { throw new Error("no"); }`, "onLoad: Error: no\n    at a.ts:1:"},
		"no function":      {`export const onUnload = 5;`, "onUnload is exported but is no function"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, func(b *bench) { b.write("a.ts", c.source) })
			st.until("it failed", func() bool { return st.state("a") == ncat.PluginFailed })
			if got := st.problem("a"); !strings.Contains(got, c.want) {
				t.Errorf("problem %q, want %q", got, c.want)
			}
		})
	}
}
