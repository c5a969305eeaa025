package tmux

import (
	"fmt"
	"strings"
	"time"
)

// Film is a recorded session: what stood on a pane's screen, and for how long.
type Film struct {
	pane   *Pane
	frames []frame
}

// frame is a screen and when it came.
type frame struct {
	at    time.Time
	cells string
}

// Record starts a film of a pane.
func (p *Pane) Record() *Film { return &Film{pane: p} }

// look takes the screen if it has changed.
func (f *Film) look() {
	cells := strings.TrimRight(f.pane.Cells(false), "\n ")
	if n := len(f.frames); n == 0 || f.frames[n-1].cells != cells {
		f.frames = append(f.frames, frame{time.Now(), cells})
	}
}

// Run types a command, a word at a time, and records until ok says yes of the
// screen's text.
func (f *Film) Run(command string, limit time.Duration, ok func(screen string) bool) {
	f.pane.t.Helper()
	for _, word := range strings.SplitAfter(command, " ") {
		f.pane.Send(word)
		f.pane.Until("shows what is typed", 5*time.Second, func(s string) bool {
			return strings.Contains(s, strings.TrimSpace(word))
		})
		f.look()
	}
	f.pane.Key("Enter")
	f.pane.Until("shows what "+command+" leads to", limit, func(s string) bool {
		f.look()
		return ok(s)
	})
	f.look()
}

// As names a path otherwise, so that a document does not show a machine's own.
func (f *Film) As(path, name string) *Film {
	for i := range f.frames {
		f.frames[i].cells = strings.ReplaceAll(f.frames[i].cells, path, name)
	}
	return f
}

// A frame is shown as long as it stood there, but at least and at most these
// times: nobody waits for a machine that is busy.
const (
	shortest = 150 * time.Millisecond
	longest  = 2500 * time.Millisecond
	lastOne  = 5 * time.Second
)

// SVG draws the film for a document, over and over; a viewer without animation,
// or a reader who wants none, sees the end. Each line is drawn once.
func (f *Film) SVG(cols, rows int, theme Theme) string {
	w, h := (cols+2)*svgW, (rows+2)*svgH
	var defs, body, keys strings.Builder
	known := map[string]int{}
	shown := make([]time.Duration, len(f.frames))
	var total time.Duration
	for i, fr := range f.frames {
		shown[i] = lastOne
		if i+1 < len(f.frames) {
			shown[i] = min(max(f.frames[i+1].at.Sub(fr.at), shortest), longest)
		}
		total += shown[i]
	}
	var at time.Duration
	for i, fr := range f.frames {
		fmt.Fprintf(&keys, "%.3f%%{transform:translateY(-%dpx)}", 100*at.Seconds()/total.Seconds(), i*h)
		at += shown[i]
		p := pen{theme: theme}
		p.reset()
		for row, l := range strings.Split(fr.cells, "\n") {
			var areas, texts strings.Builder
			p.row(l, 0, &areas, &texts)
			drawn := areas.String() + texts.String()
			if drawn == "" {
				continue
			}
			id, ok := known[drawn]
			if !ok {
				id = len(known)
				known[drawn] = id
				fmt.Fprintf(&defs, "<g id=\"l%d\">%s</g>\n", id, strings.TrimSuffix(drawn, "\n"))
			}
			fmt.Fprintf(&body, "<use href=\"#l%d\" y=\"%d\"/>\n", id, i*h+(row+1)*svgH)
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="14" shape-rendering="crispEdges">
<style>.film{transform:translateY(-%dpx);animation:film %.1fs step-end infinite}@keyframes film{%s}@media(prefers-reduced-motion:reduce){.film{animation:none}}</style>
<defs>
%s</defs>
<rect width="100%%" height="100%%" rx="6" fill="%s"/>
<g class="film">
%s</g>
</svg>
`, w, h, (len(f.frames)-1)*h, total.Seconds(), keys.String(), defs.String(), hex(theme.Bg), body.String())
}
