package ncat

import (
	"testing"
	"time"
)

// What was missed is left out or made up for in step with what was due before.
func TestSchedulesKeepStep(t *testing.T) {
	from := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	hourly, err := ParseSchedule("@hourly", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    Schedule
		late time.Duration // how long after from it is now
		want time.Duration // after from
	}{
		{Every(time.Hour), 0, time.Hour},
		{Every(time.Hour), 59 * time.Minute, time.Hour},
		{Every(time.Hour), time.Hour, 2 * time.Hour},
		{Every(time.Hour), 150 * time.Minute, 3 * time.Hour},
		{Every(time.Hour), -48 * time.Hour, -47 * time.Hour}, // the clock was wrong by two days
		{hourly, 150 * time.Minute, 3 * time.Hour},
		{hourly, -time.Second, time.Hour}, // it was set back a little: not again
		{hourly, -48 * time.Hour, -47 * time.Hour},
		{Once(from), time.Second, 0},
	} {
		got := after(c.s, from, from.Add(c.late))
		if got.IsZero() != (c.want == 0) || !got.IsZero() && !got.Equal(from.Add(c.want)) {
			t.Errorf("%s, %v later: %v", c.s, c.late, got)
		}
	}
}
