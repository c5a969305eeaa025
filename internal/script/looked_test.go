package script

import (
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
)

// TestCallsLookedAt looks at what calls return, before they end and long after.
func TestCallsLookedAt(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", `import { onPrivate, textIs } from "ncat";
const later = () => new Promise((f) => { setTimeout(f, 20); });
const why = async (p: Promise<unknown>) => { try { return await p; } catch (e: any) { return e.name; } };
onPrivate(textIs("go"), async (m) => {
  const good = m.reply("good"), bad = m.reply("refused");
  await later();
  const said: unknown[] = [good instanceof Promise, `+"`${good}`"+`, await good === await good, typeof await good];
  said.push(await why(bad), await why(bad), await bad.catch((e) => e.name), await good.finally(() => {}) === await good);
  said.push((await Promise.all([m.reply("one"), m.reply("two"), good])).map((v) => typeof v).join("+"));
  said.push(typeof await Promise.race([m.reply("three"), later()]), typeof await Promise.resolve(m.reply("four")));
  said.push(await Promise.prototype.then.call(m.reply("five"), () => "then"), await (async () => m.reply("six"))() > 0);
  said.push((await Promise.allSettled([m.reply("refused"), m.bot.api.getStatus()])).map((r) => r.status).join("+"));
  const { ok } = { ok: m.bot.api.getStatus() };
  said.push(typeof (await ok).online, await new Promise((f, no) => { m.reply("refused").then(f, (e) => f(e.name)); }));
  for await (const v of [m.reply("seven"), good]) said.push(typeof v);
  await m.reply(said.join(" "));
});
`)
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("go")
	const want = "true [object Promise] true number RefusedError RefusedError RefusedError true number+number+number number number then true rejected+fulfilled boolean RefusedError number number"
	var last string
	st.until("all was looked at", func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		if len(st.sent) > 0 {
			last = st.sent[len(st.sent)-1]
		}
		return strings.HasPrefix(last, "true")
	})
	if last != want {
		t.Errorf("it says\n%s, not\n%s", last, want)
	}
	if n := strings.Count(st.log.String(), "a call that nobody awaits failed"); n != 1 { // the first
		t.Errorf("%d failures are logged\n%s", n, st.log)
	}
}
