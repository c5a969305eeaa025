package daemon

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// TestCrashIsKept panics in another process, beside all handlers, and reads in the
// next what it was and which message was being handled.
func TestCrashIsKept(t *testing.T) {
	name := func(onebot.UserID) string { return "main" }
	if dir := os.Getenv("NCATD_TEST_CRASH"); dir != "" {
		if _, err := newCrashes(home.Dir(dir), name); err != nil {
			t.Fatal(err)
		}
		end := make(chan struct{})
		go func() { panic("poison") }()
		<-end
	}
	h := home.Dir(t.TempDir())
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashIsKept$")
	cmd.Env = append(os.Environ(), "NCATD_TEST_CRASH="+string(h))
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("it did not panic: %s", out)
	}
	c, err := newCrashes(h, name)
	if err != nil {
		t.Fatal(err)
	}
	if l := c.snapshot(); l == nil || l.Panic != "panic: poison" || !strings.Contains(l.Stack, "TestCrashIsKept") {
		t.Fatalf("kept: %+v", l)
	}
	for _, m := range []ncat.Unfinished{{Chat: ncat.Group(7), MessageID: 41, GivenUp: true}, {Chat: ncat.Private(8), MessageID: 42}} {
		if err := c.lost(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if c, err = newCrashes(h, name); err != nil { // after an orderly end
		t.Fatal(err)
	}
	defer c.close()
	if l := c.snapshot(); c.fresh || l == nil || l.Chat != "group 7" || l.MessageID != "41" || l.Account != "main" {
		t.Errorf("kept: %+v", l)
	}
}
