package script

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// TestOddArguments gives functions of the API what they do not take: each says so,
// with the place, or takes it.
func TestOddArguments(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"reply of a circle", `const o: any = {}; o.o = o; await m.reply(o);`, `ArgumentError: {o: {o: {o: …}}} is no content of a message`},
		{"reply of a big integer", `await m.reply(1n as any); await m.reply("sent");`, ""},
		{"reply of an object with one", `await m.reply({ type: "text", data: { text: 1n } } as any);`, ""},
		{"reply of a symbol", `await m.reply(Symbol("s") as any);`, `ArgumentError: Symbol(s) is no content of a message`},
		{"reply of a function", `await m.reply((() => 1) as any);`, `ArgumentError: [function] is no content of a message`},
		{"reply of an object", `await m.reply({ a: 1 } as any);`, `ArgumentError: {a: 1} is no content of a message`},
		{"reply of an Error", `await m.reply(new Error("x") as any);`, `ArgumentError: Error: x is no content of a message`},
		{"reply of a Map", `await m.reply(new Map([[1, 2]]) as any);`, `ArgumentError: Map [[1, 2]] is no content of a message`},
		{"reply of a promise", `await m.reply(Promise.resolve("x") as any);`, `ArgumentError: a promise is no content of a message; await it first`},
		{"reply of nothing", `await m.reply();`, `empty message: not sent`},
		{"reply of a getter that throws", `await m.reply({ get type() { throw new Error("got"); } } as any);`, `Error: got`},
		{"reply of a toJSON that throws", `await m.reply({ type: "text", toJSON() { throw new Error("json"); } } as any);`, `Error: json`},
		{"reply of a Proxy", `await m.reply(new Proxy({}, { get() { throw new Error("trap"); } }) as any);`, `Error: trap`},
		{"reply of a huge list", `await m.reply(Array.from({ length: 2e3 }, () => "x") as any);`, ""},
		{"reply of a list in itself", `const a: any[] = []; a.push(a); await m.reply(a as any);`, `InternalError: stack overflow`},
		{"reply of bytes", `await m.reply(new Uint8Array([1]) as any);`, `ArgumentError: a list of bytes is no content of a message; image(), voice(), video() and file() send bytes`},
		{"reply of an invalid date", `await m.reply(new Date(NaN));`, `RangeError: Date value is NaN`},
		{"reply of a class", `class A { x = 1 } await m.reply(new A() as any);`, `ArgumentError: {x: 1} is no content of a message`},
		{"send to nobody", `await m.bot.send(undefined as any, "x");`, `ArgumentError: send takes a chat such as { group: 1 } or { user: 1 }, not undefined`},
		{"send to a text", `await m.bot.send("me" as any, "x");`, `ArgumentError: send takes a chat such as { group: 1 } or { user: 1 }, not "me"`},
		{"send to a big integer", `await m.bot.sendPrivate(1000n as any, "x");`, ""},
		{"send to NaN", `await m.bot.sendGroup(NaN, "x");`, `not {group: NaN}`},
		{"send to a fraction", `await m.bot.sendGroup(1.5, "x");`, `not {group: 1.5}`},
		{"recall of a text", `await m.bot.recall("x" as any);`, ""},
		{"recall of nothing", `await m.bot.recall(undefined as any);`, `ArgumentError: recall takes the id of a message, not undefined`},
		{"ban for a symbol", `await m.bot.ban(1, 2, Symbol("s") as any);`, `not Symbol(s)`},
		{"ban for a text", `await m.bot.ban(1, 2, "soon");`, `ArgumentError: ban: "soon" is not a distance such as 2h30m`},
		{"image of an object", `const { image } = await import("ncat"); await m.reply(image({} as any));`, `ArgumentError: what is sent is a URL, a file of the plugin or bytes`},
		{"image of nothing", `const { image } = await import("ncat"); await m.reply(image(undefined as any));`, `ArgumentError: what is sent is a URL, a file of the plugin or bytes`},
		{"api with a text", `await m.bot.api.sendGroupMsg("x" as any);`, `ArgumentError: params are no JSON object`},
		{"api with wrong types", `await m.bot.api.sendGroupMsg({ group_id: "many", message: 1 } as any);`, ""},
		{"api with a big integer", `await m.bot.api.sendGroupMsg({ group_id: 5n, message: "x" } as any);`, ""},
		{"api with a circle", `const o: any = {}; o.o = o; await m.bot.api.sendGroupMsg(o);`, `ArgumentError: api: an object that holds itself cannot be sent or kept`},
		{"api with null", `await m.bot.api.getGroupInfo(null as any);`, ""},
		{"api without such an action", `await (m.bot.api as any).sendGrupMsg({});`, `TypeError: not a function`},
		{"call of a number", `await m.bot.api.call(5 as any, {});`, `ArgumentError: call: name must be of type string, not number`},
		{"ask of a circle", `const o: any = {}; o.o = o; await m.ask(o);`, `is no content of a message`},
		{"ask with a text for options", `await m.ask("x", "y" as any);`, `ArgumentError: the options are an object`},
		{"ask within nonsense", `await m.ask("x", { within: "soon" });`, `ArgumentError: "soon" is not a distance such as 2h30m`},
		{"ask with an unknown option", `await m.ask("x", { whithin: "1s" } as any);`, `ArgumentError: unknown field "whithin"`},
		{"ask where a function", `await m.ask("x", { where: (() => true) as any });`, `ArgumentError: a filter is made by textIs`},
		{"choose of nothing", `await m.choose("x", undefined as any);`, `ArgumentError: choose takes a list of texts, not undefined`},
		{"choose of numbers", `await m.choose("x", [1, 2] as any);`, `ArgumentError: choose takes a list of texts, not [1, 2]`},
		{"wait for a function", `await m.waitFor((() => true) as any);`, `ArgumentError: a filter is made by textIs`},
		{"store of a function", `await store.put("k", () => 1);`, `ArgumentError: the store keeps what JSON can hold`},
		{"store of a circle", `const o: any = {}; o.o = o; await store.put("k", o);`, `ArgumentError: store.put: an object that holds itself cannot be sent or kept`},
		{"store of a big integer", `await store.put("k", 1n);`, `ArgumentError: store.put: a BigInt cannot be kept`},
		{"store by an object", `await store.put({} as any, 1);`, `ArgumentError: a key of the store is a text, not {}`},
		{"store by nothing", `await store.get(undefined as any);`, `ArgumentError: a key of the store is a text, not undefined`},
		{"store for a while", `await store.put("k", 1, { ttl: "soon" });`, `ArgumentError: store: "soon" is not a distance such as 2h30m`},
		{"transaction of no function", `await store.transaction(5 as any);`, `ArgumentError: a transaction takes a function, not 5`},
		{"transaction that waits", `await store.transaction(async (tx) => { tx.put("a", 1); });`, `ArgumentError: a transaction must not wait: its function returns no promise`},
		{"update with a big integer", `await store.update("k", () => 1n);`, `ArgumentError: store.put: a BigInt cannot be kept`},
		{"transaction kept", `let kept: any; await store.transaction((tx) => { kept = tx; }); kept.get("a");`, `ArgumentError: the transaction is over`},
		{"permission of an object", `permissions.has({} as any);`, `ArgumentError: a role, command or plugin is a text, not {}`},
		{"permission with a text", `permissions.has("x", "y" as any);`, `ArgumentError: permissions: value must be of type object, not string`},
		{"grant of nothing", `await permissions.grant(undefined as any);`, `ArgumentError: a role, command or plugin is a text, not undefined`},
		{"admin of a text", `m.reply("is " + m.bot.isAdmin("x" as any));`, ""},
		{"timer of a text", `setTimeout("alert(1)" as any, 1);`, `TypeError: a timer needs a function`},
		{"URL of nothing", `new URL("nowhere");`, `TypeError: "nowhere" is no URL`},
		{"URL without a host", `new URL("http://:80/");`, `TypeError: "http://:80/" is no URL`},
		{"URL with a port that is none", `new URL("http://a:99999/");`, `TypeError: "http://a:99999/" is no URL`},
		{"stray percent", `m.reply(new URL("a%zz%41?%#%", "http://a/").href === "http://a/a%zz%41?%#%" ? "fits" : "no");`, ""},
		{"no Intl", `new Intl.NumberFormat();`, `ReferenceError: 'Intl' is not defined (scripts have no Intl: write dates and numbers with`},
		{"media for an action", `await m.bot.api.sendPrivateMsg({ user_id: 1, message: { type: "image", media: { url: "https://a/" } } as any });`, `ArgumentError: sendPrivateMsg: what image(), voice(), video() and file() return is sent by reply`},
		{"fetch of an object", `await fetch({} as any);`, `ArgumentError: fetch takes http and https URLs`},
		{"fetch with a symbol", `await fetch("http://example.com", { headers: { a: Symbol("s") as any } });`, `TypeError: cannot convert symbol to string`},
		{"random of a text", `crypto.getRandomValues("x" as any);`, `ArgumentError: getRandomValues takes a typed array, not "x"`},
		{"download of a text", `await m.bot.download("x" as any);`, `nothing to download`},
		{"forward of nothing", `await m.bot.sendForward({ user: 1 }, "x" as any);`, `ArgumentError: a forward takes nodes only`},
		{"react with an object", `await m.react({} as any);`, `ArgumentError: react takes the number of an emoji, or the emoji, not {}`},
		{"approve of a message", `await (m as any).approve();`, `TypeError: not a function`},
		{"writing to the module", `const n: any = await import("ncat"); n.default.on = 1;`, `TypeError: 'on' is read-only`},
	}
	const most = 30 // to a plugin, which is switched off when it fails all the time
	st := newStage(t, func(b *bench) {
		b.env.Limits.CPU = slack * time.Second
		b.write("early.ts", `import { onPrivate, textIs } from "ncat"; onPrivate(textIs("early"), (m) => m.reply("early"));`)
		for i := 0; i < len(cases); i += most {
			var source strings.Builder
			source.WriteString("import { onPrivate, textIs, store, permissions } from \"ncat\";\n")
			for _, c := range cases[i:min(i+most, len(cases))] {
				fmt.Fprintf(&source, "onPrivate(textIs(%q), async (m) => { %s await m.reply(\"did %s\"); });\n", c.name, c.body, c.name)
			}
			b.write(fmt.Sprintf("a%d.ts", i), source.String())
		}
	})
	for i, c := range cases {
		before := len(st.log.String())
		st.say(c.name)
		if c.want == "" {
			st.until(c.name+" is taken", func() bool { return st.count("did "+c.name) == 1 })
			continue
		}
		place := fmt.Sprintf(`a%d.ts:%d:`, i/most*most, i%most+2)
		st.until(fmt.Sprintf("%s is named %q", c.name, c.want), func() bool {
			got := st.log.String()[before:]
			return strings.Contains(got, strings.Trim(fmt.Sprintf("%q", c.want), `"`)) && strings.Contains(got, place)
		})
	}
	if strings.Contains(st.log.String(), "Go struct") || strings.Contains(st.log.String(), "plugin.js") {
		t.Error("a name of Go or of the bundle is told")
	}
}

// What a plugin registers is bounded.
func TestTooManyHandlers(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.env.Limits.CPU = slack * time.Second
		b.write("a.ts", `import { schedule } from "ncat"; for (let i = 0; i < 300; i++) schedule("s" + i, "every 1s", () => {});`)
		b.write("b.ts", `import { onMessage } from "ncat"; for (let i = 0; i < 5000; i++) onMessage(() => {});`)
	})
	for id, want := range map[string]string{"a": "a plugin has at most 256 schedules", "b": "a plugin has at most 4096 handlers and commands"} {
		st.until(id+" is left out", func() bool { return st.state(id) == ncat.PluginFailed })
		if got := st.problem(id); !strings.Contains(got, want) || !strings.Contains(got, id+".ts:1:") {
			t.Errorf("%s: %s", id, got)
		}
	}
}
