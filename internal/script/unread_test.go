package script

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// views are what scripts may do with a message. Each is done once with one that
// was parsed before and once with one that nobody has looked into.
const views = `
const strict = (f) => { try { return f(); } catch (e) { return e.name + ": " + e.message; } };
const keys = (o) => Reflect.ownKeys(o).map(String);
const define = Object.defineProperty;
const polluted = (o, name, d, f) => {
  const before = Object.getOwnPropertyDescriptor(o, name);
  define(o, name, { configurable: true, ...d });
  try { return strict(f); } finally { if (before) define(o, name, before); else delete o[name]; }
};
const views = [
  (m) => JSON.stringify(m),
  (m) => JSON.stringify({ in: [m] }, null, 1),
  (m) => Object.keys(m),
  (m) => keys(m),
  (m) => Object.entries(m),
  (m) => { const all = []; for (const k in m) all.push(k); return all; },
  (m) => ["user_id" in m, "group_id" in m, "reply" in m, "nothing" in m, Object.hasOwn(m, "user_id"), Object.hasOwn(m, "reply"), m.propertyIsEnumerable("message")],
  (m) => { const c = { ...m }; return [keys(c), JSON.stringify(c), c.reply === undefined]; },
  (m) => JSON.stringify(Object.assign({}, m)),
  (m) => { const { user_id, ...rest } = m; return [user_id, keys(rest)]; },
  (m) => JSON.parse(JSON.stringify(m)),
  (m) => typeof structuredClone === "function" ? structuredClone(m) : "none",
  (m) => [delete m.user_id, delete m.nothing, m.user_id, keys(m)],
  (m) => { m.user_id = 5; m.extra = { a: 1 }; m[Symbol.for("x")] = 1; return [JSON.stringify(m), keys(m)]; },
  (m) => { m.reply = 7; return [m.reply, keys(m), delete m.reply, typeof m.reply]; },
  (m) => { m.message.push({ type: "text", data: { text: "more" } }); m.sender.card = "x"; return [m.text, m.sender.card, m.sender === m.sender, JSON.stringify(m)]; },
  (m) => [m.text, m.isGroup, m.fromSelf, m.replyTo, m.first("text"), m.all("face"), m.mentions(), m.mentions(1), m.chat, m.bot.self],
  (m) => ["self_id", "user_id", "time", "message_id", "message_type", "raw_message", "sender", "message", "sub_type", "nothing", "then", "toJSON"].map((k) => m[k]),
  (m) => [Object.getOwnPropertyDescriptor(m, "user_id"), Object.getOwnPropertyDescriptor(m, "reply"), Object.getOwnPropertyDescriptors(m)],
  (m) => [m.constructor.name, m instanceof Object, m instanceof m.constructor, Object.getPrototypeOf(m) === m.constructor.prototype, m.__proto__ === m.constructor.prototype],
  (m) => { const p = Object.getPrototypeOf(m); return [Object.getOwnPropertyNames(p), Object.prototype.toString.call(m), String(m), Array.isArray(m), typeof m]; },
  (m) => [Object.setPrototypeOf(m, null) === m, keys(m), m.reply, Object.getPrototypeOf(m)],
  (m) => [Object.isFrozen(m), Object.isExtensible(m), Object.freeze(m) === m, Object.isFrozen(m), strict(() => { m.user_id = 1; }), strict(() => { m.more = 1; }), strict(() => delete m.user_id), m.user_id],
  (m) => [Object.seal(m) === m, Object.isSealed(m), strict(() => delete m.time), strict(() => { m.time = 1; }), m.time],
  (m) => [Object.preventExtensions(m) === m, Object.isExtensible(m), strict(() => { m.more = 1; }), keys(m)],
  (m) => { Object.defineProperty(m, "user_id", { get() { return this === m; } }); Object.defineProperty(m, "fixed", { value: 1 }); return [m.user_id, m.fixed, strict(() => { m.fixed = 2; }), keys(m), Object.getOwnPropertyDescriptor(m, "fixed")]; },
  (m) => [m.reply === m.reply, typeof m.reply, m.reply.name, m.reply.length, m["reply"] === Object.getPrototypeOf(m).reply],
  (m) => { const c = Object.create(m); c.own = 1; c.user_id = 3; return [c.time, c.text, c.own, c.user_id, m.user_id, "time" in c, keys(c), typeof c.reply]; },
  (m) => { const s = new WeakSet([m]), o = new Map([[m, 1]]); return [s.has(m), o.get(m), [m].includes(m), Object.is(m, m)]; },
  (m) => { const other = {}; return [Reflect.get(m, "user_id", other), Reflect.get(m, "text", { message: [] }), Reflect.set(m, "time", 4, other), other, m.time, Reflect.has(m, "time"), Reflect.deleteProperty(m, "time"), keys(m)]; },
  (m) => polluted(Object.prototype, "get", { value: () => "polluted" }, () => JSON.stringify(m)),
  (m) => polluted(Object.prototype, "set", { value: () => "polluted" }, () => { m.user_id = 9; return [m.user_id, keys(m)]; }),
  (m) => polluted(Object.prototype, "ownKeys", { value: () => [] }, () => keys(m)),
  (m) => polluted(Object.prototype, "user_id", { get: () => "polluted", set() { throw new Error("set"); } }, () => [m.user_id, JSON.stringify(m)]),
  (m) => polluted(Object.prototype, "value", { value: "polluted" }, () => JSON.stringify(m)),
  (m) => polluted(Object.prototype, "extra", { value: "polluted", writable: true }, () => [m.extra, "extra" in m, Object.hasOwn(m, "extra")]),
  (m) => polluted(Array.prototype, Symbol.iterator, { value: null }, () => JSON.stringify(m)),
  (m) => polluted(JSON, "parse", { value: () => ({ polluted: 1 }) }, () => JSON.stringify(m)),
  (m) => polluted(Reflect, "ownKeys", { value: () => [] }, () => JSON.stringify(m)),
  (m) => polluted(Object, "defineProperty", { value: () => {} }, () => JSON.stringify(m)),
  (m) => polluted(globalThis, "Proxy", { value: undefined }, () => JSON.stringify(m)),
  (m) => polluted(Object.getPrototypeOf(m), "reply", { get() { return this === m; } }, () => m.reply),
  (m) => polluted(Object.getPrototypeOf(m), "reply", { value: () => "other" }, () => [m.reply(), keys(m)]),
  (m) => { m.reply("said"); return [m.user_id, m.reply("again") instanceof Promise]; },
  (m) => { m.reply("a", { type: "face", data: { id: "1" } }); m.quote("q"); m.mention("w"); m.ask("?"); m.recall(); },
  (m) => { const { reply } = m; return [strict(() => reply("x")), strict(() => reply.call(null, "x")), strict(() => reply.call({}, "x"))]; },
  (m) => { console.log(m, [m]); },
  (m) => m,
  (m) => { throw m; },
  (m) => m.reply("returned"),
  async (m) => { await 0; return m.user_id; },
  (m) => { kept = m; },
];
let kept;
const show = (v) => v instanceof Promise ? "promise" : JSON.stringify(v, (_, x) => x === undefined ? "undefined" : typeof x === "bigint" ? x + "n" : typeof x === "function" ? "function" : x);
const { on } = globalThis[Symbol.for("ncat")];
const seen = (f) => (m) => {
  kept = undefined;
  const v = f(m);
  console.log("view", show(v));
  return v;
};
for (let i = 0; i <= EVENTS; i++) for (const f of views) on("message", seen(f)); // the first get their messages parsed
on("notice", () => { if (kept) { kept.reply("late"); kept.quote("q"); console.log(show(kept), kept.text); } });
on("message", (m) => m.reply("unseen"));
`

// odd are messages as nobody sends them.
var odd = []string{
	`{"__proto__":{"polluted":1},"post_type":"message","message_type":"private","user_id":1,"self_id":2,"message_id":3,"message":[],"2":"b","1":"a"}`,
	`{"post_type":"message","message_type":"group","text":"a field","constructor":"x","then":1,"toJSON":null,"bot":null,"group_id":4,"user_id":1,"self_id":1,"message":[{"type":"reply","data":{"id":"5"}}],"user_id":9}`,
	`{"post_type":"message_sent","message_type":"private","message":[{"type":"text","data":{"text":"\ud83d"}}],"user_id":12345678901234567890,"sender":null}`,
}

// ownFrames are those of the prelude in stacks, which are not shown.
var ownFrames = regexp.MustCompile(`\\n    at [^()]* \((<eval>[:\d]*|native)\)`)

// realm is a prelude's engine by itself, with what it asked of Go.
type realm struct {
	t     *testing.T
	eng   *quickEngine
	ids   []int // of the handlers
	asked []string
}

func newRealm(t *testing.T, source string) *realm {
	r := &realm{t: t}
	eng, err := newEngine(DefaultMemory, prelude, func(args []any) (any, error) {
		switch a := arguments(args); a.text(0) {
		case "register":
			var s struct{ ID int }
			if err := json.Unmarshal([]byte(a.text(2)), &s); err != nil {
				return nil, err
			}
			r.ids = append(r.ids, s.ID)
		default:
			r.asked = append(r.asked, ownFrames.ReplaceAllString(fmt.Sprintf("%v", args), ""))
		}
		return nil, nil
	}, func(_, op, params any) any {
		if op == nil {
			op = "say"
		}
		r.asked = append(r.asked, fmt.Sprintf("%v", []any{op, params}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = eng.Close() })
	r.eng = eng
	if _, _, err := eng.Enter(time.Minute, "setup", `{"plugin":{},"config":{},"actions":[]}`); err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Load("views.js", source, time.Minute); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.asked, []string{"[loaded ]"}) {
		t.Fatalf("the module did not load: %s", r.asked)
	}
	return r
}

// enter lets a handler have an event and returns what it asked of Go.
func (r *realm) enter(handler int, turn int, text string, lazy bool) []string {
	r.t.Helper()
	r.asked = nil
	out, _, err := r.eng.Enter(time.Minute, "event", r.ids[handler], turn, text, lazy, "")
	return append(r.asked, fmt.Sprint(out, err))
}

// A message that nobody has looked into behaves as one that was parsed before.
func TestUnreadMessages(t *testing.T) {
	messages := slices.Clone(odd)
	for _, name := range []string{"events.jsonl", "temp-session.jsonl"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "onebot", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var l struct{ Event json.RawMessage }
			if json.Unmarshal([]byte(line), &l) == nil && l.Event != nil {
				line = string(l.Event)
			}
			if strings.Contains(line, `"post_type":"message`) && !strings.Contains(line, `"reply":`) {
				messages = append(messages, line)
			}
		}
	}
	if len(messages) < 15 {
		t.Fatalf("%d messages are too few", len(messages))
	}
	r := newRealm(t, strings.Replace(views, "EVENTS", fmt.Sprint(len(messages)), 1))
	n := (len(r.ids) - 2) / (len(messages) + 1) // of views
	notice := len(r.ids) - 2
	const first, later = 1, 2 // turns
	both := func(handler int, text string, lazy bool) []string {
		return append(r.enter(handler, first, text, lazy), r.enter(notice, later, `{"post_type":"notice"}`, false)...)
	}
	for i, text := range messages {
		for v := range n {
			want, got := both(v, text, false), both((i+1)*n+v, text, true)
			if !slices.Equal(got, want) {
				t.Errorf("view %d of %s:\n got %q\nwant %q", v, text, got, want)
			}
			if v == 0 && !strings.Contains(strings.Join(want, " "), `view`) {
				t.Errorf("view %d shows nothing: %q", v, want)
			}
		}
	}
}

// A handler that only answers does not have its messages parsed, and one that looks
// into them has the next one parsed before.
func TestUnreadStaysUnread(t *testing.T) {
	r := newRealm(t, `const { on } = globalThis[Symbol.for("ncat")];
on("message", (m) => m.reply("hello"));
on("message", (m) => m.reply(m.text));
let looks = true;
on("message", (m) => { if (looks) m.text; looks = false; return m.reply("hello"); });`)
	const broken = "no JSON"
	for range 2 {
		if got := r.enter(0, 1, broken, true); !slices.Equal(got, []string{"[say hello]", "-1 <nil>"}) {
			t.Errorf("asked %q", got)
		}
	}
	if got := r.enter(1, 1, broken, true); !strings.Contains(got[0], "SyntaxError") {
		t.Errorf("looked into: %q", got)
	}
	const text = `{"post_type":"message","message":[{"type":"text","data":{"text":"a"}}]}`
	if got := r.enter(1, 1, text, true); got[0] != "[say a]" {
		t.Errorf("asked %q", got)
	}
	r.enter(2, 1, text, true)
	if got := r.enter(2, 1, broken, true); !strings.Contains(got[0], "SyntaxError") {
		t.Errorf("not parsed before: %q", got)
	}
}
