package script

import (
	"context"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A call that a handler returned is a promise like others for what waits for it later:
// within the same event, while the call is on its way, or when it has ended.
func TestReturnedCall(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", `import { onPrivate, textIs } from "ncat";
let p: Promise<number>;
const said = async (what: string) => { const id = await p; console.log(what, id); };
onPrivate(textIs("within"), (m) => { Promise.resolve().then(() => said("within")); return p = m.reply("one"); });
onPrivate(textIs("slow"), (m) => p = m.reply("held"));
onPrivate(textIs("meanwhile"), (m) => { said("meanwhile"); console.log("waits"); });
onPrivate(textIs("first"), (m) => p = m.reply("two"));
onPrivate(textIs("after"), () => said("after"));
onPrivate(textIs("another"), (m) => { m.reply("three"); return p; });
onPrivate(textIs("bad"), (m) => m.reply("refused"));
`)
	})
	logged := func(text string) {
		t.Helper()
		st.until(text, func() bool { return strings.Contains(st.log.String(), text) })
	}
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("within")
	logged("within 1")
	st.say("slow")
	st.until("it is on its way", func() bool { return st.count("held") == 1 })
	st.say("meanwhile")
	logged("waits")
	close(st.held)
	logged("meanwhile 1")
	st.say("first")
	st.until("it is sent", func() bool { return st.count("two") == 1 })
	st.say("after")
	logged("after 1")
	st.say("another")
	st.until("it is sent", func() bool { return st.count("three") == 1 })
	st.say("bad")
	logged("handler failed")
	if n := strings.Count(st.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors are logged", n)
	}
}

// calls of the stage that do not end at once.
func (st *stage) odd(ctx context.Context, text string) error {
	switch text {
	case "held":
		select {
		case <-st.held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case "refused":
		return &onebot.Error{Action: "send_msg", RetCode: 1200, Message: "no"}
	}
	return nil
}
