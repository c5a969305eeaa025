package ncat

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
)

// Goroutines that a handler starts with a plain go statement are its author's
// affair: they cannot be ended or waited for from outside. But a handler that
// leaks one per event must not bring the process down unnamed. So handlers run
// under a profiler label, which what they start inherits, and when the process
// holds many goroutines the labels are counted.

const (
	// handlerLabel is the label's key. A goroutine profile of the process shows
	// it, too.
	handlerLabel = "ncat.handler"
	// strayFrom is how many goroutines the process has when it is first looked
	// whose they are. The next look comes at twice as many.
	strayFrom = 1000
	// strayMin is how many a handler must have left to be named.
	strayMin = 100
)

// unlabelled is what goroutines run under that do no handler's work.
var unlabelled = context.Background()

func labelled(handler string) context.Context {
	return pprof.WithLabels(unlabelled, pprof.Labels(handlerLabel, handler))
}

// label sets r's label of the calling goroutine.
func (r *registration) label() {
	if r.labels != nil {
		pprof.SetGoroutineLabels(r.labels)
	}
}

// stray is what a handler left behind.
type stray struct {
	handler string
	n       int
	where   map[string]int // by the function that the goroutine began with
}

// strays counts the goroutines of the process by handler in the text form of
// its goroutine profile.
func strays(profile []byte) map[string]*stray {
	all := map[string]*stray{}
	for block := range bytes.SplitSeq(profile, []byte("\n\n")) {
		n, handler, first := 0, "", ""
		for line := range bytes.Lines(block) {
			text := strings.TrimSpace(string(line))
			switch {
			case strings.HasPrefix(text, "# labels: "):
				var labels map[string]string
				if json.Unmarshal([]byte(strings.TrimPrefix(text, "# labels: ")), &labels) == nil {
					handler = labels[handlerLabel]
				}
			case strings.HasPrefix(text, "#"):
				// "#	0x49f3c5	main.leak.func1+0x25	/src/main.go:12"
				if f := strings.Fields(text); len(f) >= 3 {
					first, _, _ = strings.Cut(f[2], "+")
				}
			default:
				if count, _, ok := strings.Cut(text, " @"); ok {
					n, _ = strconv.Atoi(count)
				}
			}
		}
		if handler == "" || n == 0 {
			continue
		}
		s := all[handler]
		if s == nil {
			s = &stray{handler: handler, where: map[string]int{}}
			all[handler] = s
		}
		s.n += n
		s.where[first] += n
	}
	return all
}

// most returns the function that most of the goroutines began with.
func (s *stray) most() string {
	var name string
	for f, n := range s.where {
		if m := s.where[name]; n > m || n == m && f < name {
			name = f
		}
	}
	return name
}

// watchStrays names the handlers that leave many goroutines behind.
func (c *core) watchStrays() {
	n := int64(runtime.NumGoroutine())
	next := max(c.strayNext.Load(), strayFrom)
	switch {
	case n < next/4 && next > strayFrom: // they ended: begin anew
		c.strayNext.CompareAndSwap(next, strayFrom)
		return
	case n < next:
		return
	}
	if was := c.strayNext.Load(); max(was, strayFrom) != next || !c.strayNext.CompareAndSwap(was, 2*n) {
		return // another session looks
	}
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return
	}
	found := strays(b.Bytes())
	c.mu.Lock()
	sessions := slices.Clone(c.sessions)
	c.mu.Unlock()
	for _, s := range sessions { // handlers at work are no strays
		s.mu.Lock()
		for r := range s.atWorkLocked() {
			if x := found[r.name]; x != nil {
				x.n--
			}
		}
		s.mu.Unlock()
	}
	for _, x := range found {
		if x.n >= strayMin {
			c.log.Warn("handler leaves goroutines behind", "handler", x.handler, "goroutines", x.n, "began_with", x.most(), "of", n)
		}
	}
}
