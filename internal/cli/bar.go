package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond // a terminal over a slow line
)

// bar is one line of a terminal that shows how far something is.
type bar struct {
	w            io.Writer
	label        string
	start, drawn time.Time
}

// show draws the line, unless it was drawn just before.
func (b *bar) show(now time.Time, done, total int64) {
	if now.Sub(b.drawn) < barEvery {
		return
	}
	b.drawn = now
	total = max(total, done, 1)
	full := int(done * barWidth / total)
	line := fmt.Sprintf("%s %3d%% |%s%s| (%s/%s", b.label, done*100/total,
		strings.Repeat("█", full), strings.Repeat(" ", barWidth-full), bytesText(uint64(done)), bytesText(uint64(total)))
	if took := now.Sub(b.start); took >= time.Second && done > 0 {
		left := time.Duration(float64(took) * float64(total-done) / float64(done))
		line += fmt.Sprintf(", %s/s, %s", bytesText(uint64(float64(done)/took.Seconds())), left.Round(time.Second))
	}
	_, _ = fmt.Fprintf(b.w, "\r\x1b[K%s)", line) // a terminal that is gone needs no bar
}

// clear takes the line away.
func (b *bar) clear() {
	_, _ = fmt.Fprint(b.w, "\r\x1b[K")
	b.drawn = time.Time{}
}
