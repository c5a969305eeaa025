package launch

import (
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/proc"
)

// TestConsole: lines are kept as they were understood when they came, secrets
// masked; after a pause a line is no part of the chat message before it.
func TestConsole(t *testing.T) {
	const chat = "11-22 03:20:38 [\x1b[32minfo\x1b[39m] 小猫 | 接收 <- 私聊 (2) a"
	var told []output.Line
	s := Spec{Spec: proc.Spec{Secrets: []string{"", "tok123456"}}, OnLine: func(l output.Line) { told = append(told, l) }}
	c := s.reader()
	now := time.Unix(1000, 0)
	c.now = func() time.Time { return now }
	for _, step := range []struct {
		raw   string
		after time.Duration
	}{
		{"11-22 03:20:38 [\x1b[32minfo\x1b[39m] [NapCat] [WebUi] WebUi User Panel Url: http://127.0.0.1:6099/webui?token=tok123456", 0},
		{"not mini app.", 0},
		{chat, 0},
		{"Error: ENOSPC: no space left on device", time.Millisecond},
		{"Error: ENOSPC: no space left on device", time.Minute},
	} {
		now = now.Add(step.after)
		if text, _ := c.Read([]byte(step.raw), false); text != "" {
			c.Tell(text)
		}
	}
	p := &Process{console: c}
	lines := p.Lines()
	if len(lines) != 4 || len(told) != 4 {
		t.Fatalf("%d lines kept, %d told: %+v", len(lines), len(told), lines)
	}
	for _, l := range append(lines, told...) {
		if strings.Contains(l.Text+l.Message, "tok123456") {
			t.Errorf("a secret is shown: %+v", l)
		}
	}
	if f := lines[0].Fact; f == nil || f.Kind != output.KindWebUIURL || f.Text != "tok123456" {
		t.Errorf("the fact itself is masked: %+v", f)
	}
	if lines[2].Fact != nil || !lines[2].Chat || lines[3].Fact == nil || lines[3].Chat {
		t.Errorf("said %+v, printed %+v", lines[2], lines[3])
	}
	for range 2 * recentLines {
		c.Read([]byte(strings.Repeat("x", 2<<10)), false)
	}
	if n := len(p.Lines()); n > recentBytes/(2<<10)+1 {
		t.Errorf("%d long lines are kept", n)
	}
}
