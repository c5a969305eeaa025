package script

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// A neighbour's p99 may be a fifth more, by the medians of the rounds. Each round says
// messages every two milliseconds, without and with one outbreak of the other plugin.
const neighbourPercent = 120

// rounds are those of one kind of outbreak.
type rounds struct{ n, messages int }

// What only computes has each round to itself: it computes half of it, or all. The
// engines take their memory from one allocator with one lock, under which it gives
// memory back to the system. While a plugin fills its 64 MiB and they are given back,
// a message in ten has to wait up to 1 ms longer; that is some 0.4 s of a round of
// five. A plugin that breaks out more often than every twenty seconds is switched off
// after the fifth time, so that is four times as often as it can go on.
var (
	computes  = rounds{11, 300}
	allocates = rounds{5, 2500}
)

var allocating = []string{"memory bomb", "array buffers", "string bomb"}

// TestHostileNeighbours measures how long a plugin takes for its answers, in turns
// with and without another that does harm meanwhile.
func TestHostileNeighbours(t *testing.T) {
	if os.Getenv("NCATD_SCRIPT_SAVES") == "" {
		t.Skip("takes minutes; make script-saves")
	}
	var allBeside, allAlone []time.Duration // of what computes
	for _, h := range corpus {
		if !h.ends {
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			st := newStage(t, func(b *bench) {
				b.write("bad.ts", strings.Replace(hostileSource, "BODY", h.body, 1))
				b.write("good.ts", `import { onPrivate } from "ncat"; onPrivate((m) => { if (m.text.startsWith("m")) return m.reply(m.text); });`)
			})
			r := computes
			if slices.Contains(allocating, h.name) {
				r = allocates
			}
			st.turn(r.messages)
			var beside, alone []time.Duration
			for range r.n {
				alone = append(alone, st.turn(r.messages))
				st.from(1, "go")
				beside = append(beside, st.turn(r.messages))
				st.recovers()
			}
			percent := 100 * middle(beside) / middle(alone)
			t.Logf("p99 beside it %v, without it %v: %d %%", middle(beside), middle(alone), percent)
			if r == computes {
				allBeside, allAlone = append(allBeside, beside...), append(allAlone, alone...)
			} else if percent > neighbourPercent {
				t.Errorf("%d %% is more than %d %%", percent, neighbourPercent)
			}
		})
	}
	if len(allAlone) == 0 {
		return // -run picked others
	}
	percent := 100 * middle(allBeside) / middle(allAlone)
	t.Logf("p99 beside those that compute %v, without them %v: %d %%", middle(allBeside), middle(allAlone), percent)
	if percent > neighbourPercent {
		t.Errorf("%d %% is more than %d %%", percent, neighbourPercent)
	}
}

// middle returns the median.
func middle(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// from lets a user say something.
func (st *stage) from(user onebot.UserID, text string) {
	st.mu.Lock()
	st.id++
	m := ncattest.PrivateMessage(user, text)
	m.SelfID, m.MessageID = ncattest.Self, onebot.MessageID(st.id)
	st.mu.Unlock()
	st.s.Feed(ncattest.Frame(m))
}

// turn says one message after the other and returns p99 of the time to their answers.
func (st *stage) turn(messages int) time.Duration {
	st.mu.Lock()
	st.sent, st.when = nil, nil
	st.mu.Unlock()
	said := make([]time.Time, messages)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := range said {
		<-tick.C
		said[i] = time.Now()
		st.from(onebot.UserID(1000+i), fmt.Sprintf("m%d", i))
	}
	var took []time.Duration
	st.until("all are answered", func() bool {
		took = took[:0]
		st.mu.Lock()
		defer st.mu.Unlock()
		for i, s := range st.sent {
			if n, err := strconv.Atoi(strings.TrimPrefix(s, "m")); err == nil {
				took = append(took, st.when[i].Sub(said[n]))
			}
		}
		return len(took) == len(said)
	})
	slices.Sort(took)
	return took[len(took)*99/100]
}

// recovers waits until the plugin that did harm was ended, and switches it on again
// if it is off.
func (st *stage) recovers() {
	before := st.count("alive")
	st.until("it was ended and answers again", func() bool {
		if st.state("bad") != ncat.PluginRunning {
			_ = st.bot.SetPlugin(st.t.Context(), "bad", true) // tried again
		}
		st.from(2, "alive?")
		return st.count("alive") > before
	})
}
