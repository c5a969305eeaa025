package cli

import (
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	var out strings.Builder
	at := time.Unix(1000, 0)
	b := &bar{w: &out, label: "下载", start: at}
	shown := func(after time.Duration, done, total int64) string {
		out.Reset()
		b.show(at.Add(after), done, total)
		return out.String()
	}
	if got, want := shown(0, 0, 4<<20), "\r\x1b[K下载   0% |"+strings.Repeat(" ", 30)+"| (-/4MiB)"; got != want {
		t.Errorf("at first %q, want %q", got, want)
	}
	if got := shown(barEvery/2, 1, 4<<20); got != "" {
		t.Errorf("drawn too soon: %q", got)
	}
	if got, want := shown(2*time.Second, 1<<20, 4<<20), "\r\x1b[K下载  25% |"+strings.Repeat("█", 7)+strings.Repeat(" ", 23)+"| (1MiB/4MiB, 512KiB/s, 6s)"; got != want {
		t.Errorf("then %q, want %q", got, want)
	}
	if got := shown(9*time.Second, 5<<20, 4<<20); !strings.Contains(got, "100% |"+strings.Repeat("█", 30)+"|") {
		t.Errorf("more than was said: %q", got)
	}
	out.Reset()
	b.clear()
	if got := out.String(); got != "\r\x1b[K" {
		t.Errorf("cleared by %q", got)
	}
	if got := shown(9*time.Second, 0, 0); !strings.Contains(got, "  0% |") {
		t.Errorf("of nothing: %q", got)
	}
}
