package ncattest_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

// epoch is when virtual time begins.
var epoch = time.Date(2000, 1, 1, 14, 7, 43, 0, time.UTC)

// ran keeps when a schedule ran, counted from the start of the test.
type ran struct {
	mu sync.Mutex // guards the field below
	at []time.Duration
}

func (r *ran) run() func(context.Context, *ncat.Bot) error {
	return func(context.Context, *ncat.Bot) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.at = append(r.at, time.Since(epoch))
		return nil
	}
}

func schedule(t *testing.T, b *ncat.Bot, name, spec string, f func(context.Context, *ncat.Bot) error, opts ...ncat.ScheduleOption) *ncat.Scheduled {
	t.Helper()
	s, err := b.Schedule(name, spec, f, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A run that takes longer than the distance delays nothing and overlaps with
// nothing: times that go by meanwhile are left out, the rest stay in step.
func TestSchedulesDoNotOverlap(t *testing.T) {
	b := ncat.New()
	var r ran
	running := 0
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		schedule(t, b, "slow", "10s", func(ctx context.Context, _ *ncat.Bot) error {
			if running++; running > 1 {
				t.Error("two runs at a time")
			}
			defer func() { running-- }()
			r.at = append(r.at, time.Since(epoch))
			if len(r.at) == 2 {
				<-time.After(25 * time.Second)
			}
			return nil
		})
		h.Pass(71 * time.Second)
		want := []time.Duration{10, 20, 50, 60, 70}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(r.at, want) {
			t.Errorf("it ran at %v, want %v", r.at, want)
		}
	})
}

func TestScheduleJitterZoneAndStop(t *testing.T) {
	b := ncat.New()
	ncattest.Run(t, b, func(h *ncattest.Harness) { // virtual time begins at 14:07:43 UTC
		var jittered, zoned, once ran
		schedule(t, b, "jittered", "every 1h", jittered.run(), ncat.Jitter(10*time.Minute))
		schedule(t, b, "zoned", "daily 23:30", zoned.run(), ncat.InZone(time.FixedZone("CST", 8*3600)))
		stopped := schedule(t, b, "once", "30m", once.run())
		if _, err := b.Schedule("once", "1h", once.run()); err == nil {
			t.Error("a name was given twice")
		}
		if _, err := b.Schedule("bad", "sometimes", once.run()); err == nil {
			t.Error("sometimes is a schedule")
		}
		h.Pass(45 * time.Minute)
		if err := stopped.Stop(h.Context()); err != nil {
			t.Error(err)
		}
		h.Pass(9*time.Hour + 20*time.Minute)
		if len(once.at) != 1 {
			t.Errorf("the stopped one ran at %v", once.at)
		}
		if !slices.Equal(zoned.at, []time.Duration{82*time.Minute + 17*time.Second}) {
			t.Errorf("23:30 in Shanghai was at %v", zoned.at)
		}
		if len(jittered.at) != 10 && len(jittered.at) != 9 {
			t.Errorf("the jittered one ran at %v", jittered.at)
		}
		off := false
		for i, at := range jittered.at {
			late := at - time.Duration(i+1)*time.Hour
			if late < 0 || late > 10*time.Minute {
				t.Errorf("run %d was %v late", i, late)
			}
			off = off || late > 0
		}
		if !off {
			t.Error("no run was delayed")
		}
	})
}

// A plugin's schedules end with it and go on in step when it runs again; "at"
// runs once and never again; what was missed meanwhile is made up for if that is
// wanted. Plugins do not share the names of schedules.
func TestSchedulesOfPlugins(t *testing.T) {
	var once, missed, forgotten, hourly, other ran
	p := &plugin{id: "p", setup: func(_ context.Context, h *ncat.Host) error {
		schedule(t, h.Bot, "once", "at 2000-01-01 14:18", once.run(), ncat.InZone(time.UTC), ncat.CatchUp())
		schedule(t, h.Bot, "missed", "at 2000-01-01 14:38", missed.run(), ncat.InZone(time.UTC), ncat.CatchUp())
		schedule(t, h.Bot, "forgotten", "at 2000-01-01 14:38", forgotten.run(), ncat.InZone(time.UTC))
		schedule(t, h.Bot, "hourly", "every 1h", hourly.run())
		return nil
	}}
	q := &plugin{id: "q", setup: func(_ context.Context, h *ncat.Host) error {
		schedule(t, h.Bot, "hourly", "every 1h", other.run())
		return nil
	}}
	b := ncat.New()
	b.AddPlugin(p, q)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for _, step := range []struct {
			on   bool
			pass time.Duration
		}{{true, 20 * time.Minute}, {false, 20 * time.Minute}, {true, 40 * time.Minute}, {false, 125 * time.Minute}, {true, 60 * time.Minute}} {
			if err := b.SetPlugin(h.Context(), "p", step.on); err != nil {
				t.Fatal(err)
			}
			h.Pass(step.pass)
		}
		for name, x := range map[string]struct {
			r    *ran
			want []int // minutes
		}{
			"once": {&once, []int{10}}, "missed": {&missed, []int{40}}, "forgotten": {&forgotten, nil},
			"hourly": {&hourly, []int{60, 240}}, "other": {&other, []int{60, 120, 180, 240}},
		} {
			var got []int
			for _, at := range x.r.at {
				got = append(got, int(at/time.Minute))
			}
			if !slices.Equal(got, x.want) {
				t.Errorf("%s ran after %v minutes, want %v", name, got, x.want)
			}
		}
	})
}
