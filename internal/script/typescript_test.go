package script

import (
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
)

// TestTypeScript runs what TypeScript has beyond types, and odd handlers.
func TestTypeScript(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a/main.ts", "\ufeff"+strings.ReplaceAll(`import { onPrivate, textIs, command, arg, type MessageEvent } from "ncat";
import type { Chat } from "ncat";
import * as other from "./other";
import { word } from "./deep/more.mjs";
import data from "./data.json";
import Markup from "./markup";
enum Colour { Red = "red", Blue = "blue" }
const enum Size { Small = 1, Large }
namespace Names { export const first = "ann"; export namespace Inner { export const second = "bob"; } }
const opts = { n: 1 } satisfies Record<string, number>;
abstract class Base<T> { constructor(protected readonly v: T) {} abstract say(): string; }
function twice(f: (this: Words, m: MessageEvent) => Promise<unknown>, _: ClassMethodDecoratorContext) {
  return async function (this: Words, m: MessageEvent) { await f.call(this, m); await f.call(this, m); };
}
class Words extends Base<string> {
  static #made = 0;
  accessor label = "l";
  constructor() { super("base"); Words.#made++; }
  say() { return this.v + Words.#made + this.label; }
  @twice async answer(m: MessageEvent) { await m.reply(this.say()); }
}
const words = new Words();
function over(x: string): string; function over(x: number): string; function over(x: any) { return String(x!); }
onPrivate(textIs("all"), async (m) => {
  const chat: Chat = { user: m.user_id };
  await m.reply([Colour.Red, Size.Large, Names.first, Names.Inner.second, opts.n, over(5), other.name, word, data.n, typeof chat.user, Markup()].join(" "));
});
onPrivate(textIs("decorated"), (m) => words.answer(m));
onPrivate(textIs("generator"), async function* (m) { yield m.reply("never"); });
onPrivate(textIs("class"), class { constructor(m: any) { m.reply("made"); } } as any);
onPrivate(textIs("bound"), words.answer.bind(words));
async function* count(n: number) { for (let i = 0; i < n; i++) { await null; yield i; } }
onPrivate(textIs("count"), async (m) => { let s = ""; for await (const i of count(3)) s += i; await m.reply("s" + s); });
onPrivate(textIs("destructured"), async ({ text, user_id: _, ...m }) => { console.log(text, m.raw_message); });
onPrivate(textIs("using"), async (m) => {
  { await using r = { [Symbol.asyncDispose]: async () => { await m.reply("disposed"); } }; void r; }
});
`, "\n", "\r\n"))
		b.write("a/other.ts", `export const name = import.meta.url === undefined ? "other" : "other"; import "./main";`)
		b.write("a/deep/more.mts", `export { word } from "./words.js";`)
		b.write("a/deep/words.ts", `export const word = "word";`)
		b.write("a/data.json", `{"n": 7}`)
		b.write("a/markup.tsx", `const h = (tag: string, _: unknown, ...in_: string[]) => "<" + tag + ">" + in_.join(""); const React = { createElement: h }; export default () => <b>hi</b>;`)
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning || st.problem("a") != "" })
	if p := st.problem("a"); p != "" {
		t.Fatal(p)
	}
	for say, want := range map[string]string{"all": "red 2 ann bob 1 5 other word 7 number <b>hi", "decorated": "base1l", "count": "s012", "using": "disposed"} {
		st.say(say)
		st.until(say, func() bool { return st.count(strings.ReplaceAll(want, "<", "\\u003c")) > 0 || st.count(want) > 0 })
	}
	for say, want := range map[string]string{"generator": "is a generator", "class": "class constructor", "destructured": "destructured destructured"} {
		before := len(st.log.String())
		st.say(say)
		st.until(say+": "+want, func() bool { return strings.Contains(st.log.String()[before:], want) })
	}
}

// A file of JavaScript in which no plugin begins is named.
func TestOtherExtensions(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("one.tsx", "export {};")
		b.write("two.cjs", "")
		b.write("three/main.jsx", "export {};")
	})
	for id, want := range map[string]string{"one": "one.tsx: a plugin is no .tsx file (call it one.ts)", "two": "two.cjs: a plugin is no .cjs file (call it two.ts)", "three": "main.ts: the file does not exist"} {
		st.until(id+": "+want, func() bool { return strings.Contains(st.problem(id), want) })
	}
}
