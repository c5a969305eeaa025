package trial

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const bot = `import { onMessage, textIs, command, schedule, store } from "ncat";
onMessage(textIs("hi"), (m) => m.reply("hello"));
command("name", async (m) => { const a = await m.ask("name?", { within: "1m" }); await m.reply("hello " + a.text); });
command("out", (m) => m.bot.kick(m.group_id!, m.user_id));
command("count", async (m) => m.reply(await store.update<number>("n", (n = 0) => n + 1)));
command("throw", () => { throw new TypeError("thrown"); });
schedule("morning", "0 8 * * *", (b) => b.accounts[0].sendPrivate(9, "good morning"));
`

// Tests see what the bot does, time passes at once, and what is wrong is said
// with its place.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.ts"), bot)
	write(t, filepath.Join(dir, "main.test.ts"), `import { test, friend, group, want, wantLike, wantNothing, wantCall, pass, passUntil, restart, on, event, equal, sent, errors } from "ncat/test";
test("answers", () => { friend(1).says("hi"); want("hello"); friend(1).says("else"); wantNothing(); });
test("asks", () => { group(5).from(2).says("/name"); want("name?"); group(5).from(3).says("Bob"); wantNothing(); group(5).from(2).says("Ann"); want("hello Ann"); });
test("gives up", () => { friend(2).says("/name"); want("name?"); pass("2m"); friend(2).says("Ann"); wantNothing(); equal(errors().length, 1); });
test("calls", () => { group(5).from(2).says("/out"); wantCall("set_group_kick", { group_id: 5, user_id: 2 }); });
test("refused", () => { on("set_group_kick", { retcode: 1200, message: "no" }); group(5).from(2).says("/out"); wantCall("set_group_kick"); equal(errors().length, 1); });
test("remembers", () => { friend(1).says("/count"); want("1"); restart(); friend(1).says("/count"); want("2"); });
test("starts anew", () => { friend(1).says("/count"); want("1"); });
test("mornings", () => { passUntil("08:00"); want("good morning"); });
test("async", async () => { await null; friend(1).says("hi"); equal(sent(), ["hello"]); });
test("fails: wrong answer", () => {
  friend(1).says("hi");
  want("good bye");
});
test("fails: like", () => { friend(1).says("hi"); wantLike("hello", "you"); });
test("fails: something", () => { friend(1).says("hi"); wantNothing(); });
test("fails: no call", () => { wantCall("set_group_ban"); });
test("fails: not equal", () => equal({ a: [1] }, { a: [2] }));
test("fails: waits", () => new Promise(() => {}));
test("fails: throws", () => { friend(1).says("/throw"); });
`)
	results, err := Run(t.Context(), dir, "", error.Error, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 16 {
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		if want := !strings.HasPrefix(r.Name, "fails:"); r.OK != want {
			t.Errorf("%s: ok %v: %q, log %q", r.Name, r.OK, r.Failed, r.Log)
		}
	}
	if wrong := results[9]; len(wrong.Failed) != 1 || !strings.Contains(wrong.Failed[0], `the bot sent ["hello"], want ["good bye"]`) || !strings.Contains(wrong.Failed[0], "main.test.ts:13:3") {
		t.Errorf("%q", wrong.Failed)
	}
	if wrong := results[15]; !strings.Contains(strings.Join(wrong.Failed, ""), "thrown") {
		t.Errorf("%q", wrong.Failed)
	}
	if _, err := Run(t.Context(), dir, "asks who", error.Error, nil); !errors.Is(err, ErrNoMatch) {
		t.Errorf("a test that is not there: %v", err)
	}
	if some, err := Run(t.Context(), dir, "asks", error.Error, nil); err != nil || len(some) != 1 {
		t.Errorf("%d results, %v", len(some), err)
	}
}

func TestBroken(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.ts"), bot)
	if _, err := Run(t.Context(), filepath.Join(dir, "a.ts"), "", error.Error, nil); err == nil {
		t.Error("no error without tests")
	}
	write(t, filepath.Join(dir, "a.test.ts"), `import { test } from "ncat/test"; test("x", () => {`)
	if _, err := Run(t.Context(), filepath.Join(dir, "a.ts"), "", error.Error, nil); err == nil || !strings.Contains(err.Error(), "a.test.ts:1:") {
		t.Errorf("error %v", err)
	}
	write(t, filepath.Join(dir, "a.test.ts"), `import { test } from "ncat/test"; test("x", () => {});`)
	write(t, filepath.Join(dir, "a.ts"), `nothing.at.all;`)
	results, err := Run(t.Context(), filepath.Join(dir, "a.ts"), "", error.Error, nil)
	if err != nil || len(results) != 1 || results[0].OK || !strings.Contains(results[0].Failed[0], "'nothing' is not defined") {
		t.Errorf("%+v, %v", results, err)
	}
}

// A handler that loops does not keep a run from its end, and what is over its time is
// a test that failed.
func TestAHandlerThatLoopsIsEnded(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.ts"), `import { onMessage } from "ncat"; onMessage(() => { for (;;); });`)
	write(t, filepath.Join(dir, "a.test.ts"), `import { test, friend, pass } from "ncat/test";
test("loops", () => { friend(1).says("hi"); });
test("back", () => { pass("-1h"); });`)
	began := time.Now()
	if results, err := Run(t.Context(), filepath.Join(dir, "a.ts"), "back", error.Error, nil); err != nil || len(results) != 1 || results[0].OK {
		t.Errorf("time went back: %+v, %v", results, err)
	}
	// The loop must have begun before the end, however slow this machine is.
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond+4*time.Since(began))
	defer cancel()
	results, err := Run(ctx, filepath.Join(dir, "a.ts"), "loops", error.Error, nil)
	if !errors.Is(err, context.DeadlineExceeded) || len(results) != 1 || results[0].OK {
		t.Errorf("%+v, %v", results, err)
	}
}

// A file of tests that loops before its first test does not keep a run from its end.
func TestAFileOfTestsThatLoopsIsEnded(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.ts"), bot)
	write(t, filepath.Join(dir, "a.test.ts"), `import { test } from "ncat/test"; test("x", () => {}); for (;;);`)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if results, err := Run(ctx, filepath.Join(dir, "a.ts"), "", error.Error, nil); !errors.Is(err, context.DeadlineExceeded) || len(results) != 0 {
		t.Errorf("%+v, %v", results, err)
	}
}
