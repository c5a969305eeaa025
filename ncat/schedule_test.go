package ncat

import (
	"testing"
	"time"
)

func TestParseSchedule(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	from := time.Date(2026, 3, 4, 9, 10, 11, 0, shanghai) // a Wednesday
	for _, c := range []struct{ spec, next string }{
		{"2h30m", "2026-03-04 11:40:11"},
		{"00:15:30", "2026-03-04 09:25:41"},
		{"every 90s", "2026-03-04 09:11:41"},
		{"@every 1m", "2026-03-04 09:11:11"},
		{"1d12h", "2026-03-05 21:10:11"},
		{"2d", "2026-03-06 09:10:11"},
		{"每天 8:00", "2026-03-05 08:00:00"},
		{"daily 21:30", "2026-03-04 21:30:00"},
		{"每天9:10:12", "2026-03-04 09:10:12"},
		{"at 2026-03-04 10:00", "2026-03-04 10:00:00"},
		{"at 2026-03-04T10:00:00Z", "2026-03-04 18:00:00"},
		{"at 2026-03-04 09:00", ""},
		{"0 8 * * *", "2026-03-05 08:00:00"},
		{"*/15 * * * *", "2026-03-04 09:15:00"},
		{"30 7 * * mon-fri", "2026-03-05 07:30:00"},
		{"0 0 1 jan *", "2027-01-01 00:00:00"},
		{"@hourly", "2026-03-04 10:00:00"},
		{"@weekly", "2026-03-08 00:00:00"},
	} {
		s, err := ParseSchedule(c.spec, shanghai)
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		got := ""
		if n := s.Next(from); !n.IsZero() {
			got = n.Format(time.DateTime)
		}
		if got != c.next {
			t.Errorf("%s: next is %q, want %q", c.spec, got, c.next)
		}
		again, err := ParseSchedule(s.String(), shanghai)
		if err != nil || !again.Next(from).Equal(s.Next(from)) {
			t.Errorf("%s: %q does not mean the same (%v)", c.spec, s, err)
		}
	}
}

func TestSchedulesOverClockChanges(t *testing.T) {
	zone := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	const layout = "2006-01-02 15:04:05 -0700"
	york, berlin, howe := zone("America/New_York"), zone("Europe/Berlin"), zone("Australia/Lord_Howe")
	for _, c := range []struct {
		loc  *time.Location
		spec string
		from string // in loc
		next []string
	}{
		// 2026-03-08: 02:00 EST becomes 03:00 EDT.
		{york, "daily 2:30", "2026-03-07 12:00:00 -0500", []string{"2026-03-08 03:00:00 -0400", "2026-03-09 02:30:00 -0400"}},
		{york, "30 2 * * *", "2026-03-07 12:00:00 -0500", []string{"2026-03-08 03:00:00 -0400", "2026-03-09 02:30:00 -0400"}},
		{york, "daily 3:00", "2026-03-07 12:00:00 -0500", []string{"2026-03-08 03:00:00 -0400", "2026-03-09 03:00:00 -0400"}},
		{york, "*/30 * * * *", "2026-03-08 01:15:00 -0500", []string{"2026-03-08 01:30:00 -0500", "2026-03-08 03:00:00 -0400", "2026-03-08 03:30:00 -0400"}},
		{york, "@hourly", "2026-03-08 00:30:00 -0500", []string{"2026-03-08 01:00:00 -0500", "2026-03-08 03:00:00 -0400"}},
		{york, "every 1h", "2026-03-08 01:30:00 -0500", []string{"2026-03-08 03:30:00 -0400"}},
		{york, "@daily", "2026-03-07 12:00:00 -0500", []string{"2026-03-08 00:00:00 -0500", "2026-03-09 00:00:00 -0400"}},
		// 2026-11-01: 02:00 EDT becomes 01:00 EST.
		{york, "daily 1:30", "2026-11-01 00:00:00 -0400", []string{"2026-11-01 01:30:00 -0400", "2026-11-02 01:30:00 -0500"}},
		{york, "30 1 * * *", "2026-11-01 00:00:00 -0400", []string{"2026-11-01 01:30:00 -0400", "2026-11-02 01:30:00 -0500"}},
		{york, "30 1,4 * * *", "2026-11-01 01:10:00 -0500", []string{"2026-11-01 04:30:00 -0500"}},
		{york, "0 * * * *", "2026-11-01 00:30:00 -0400", []string{"2026-11-01 01:00:00 -0400", "2026-11-01 01:00:00 -0500", "2026-11-01 02:00:00 -0500"}},
		{berlin, "0 2-3 * * sun", "2026-03-28 12:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-04-05 02:00:00 +0200", "2026-04-05 03:00:00 +0200"}},
		// By half an hour: 2026-10-04, 02:00 becomes 02:30.
		{howe, "daily 2:15", "2026-10-03 12:00:00 +1030", []string{"2026-10-04 02:30:00 +1100", "2026-10-05 02:15:00 +1100"}},
	} {
		s, err := ParseSchedule(c.spec, c.loc)
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.ParseInLocation(layout, c.from, c.loc)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.next {
			if from = s.Next(from); from.Format(layout) != want {
				t.Errorf("%s from %s: %s, want %s", c.spec, c.from, from.Format(layout), want)
			}
		}
	}
}

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
		{At(from), time.Second, 0},
	} {
		got := after(c.s, from, from.Add(c.late))
		if got.IsZero() != (c.want == 0) || !got.IsZero() && !got.Equal(from.Add(c.want)) {
			t.Errorf("%s, %v later: %v", c.s, c.late, got)
		}
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	for _, spec := range []string{"", "soon", "10ms", "-1h", "0s", "25:61:00x", "00:60:00", "* * * *", "61 * * * *", "0 0 30 feb *", "at noon", "每天 25:00", "daily", "TZ=UTC 0 0 * * *"} {
		if s, err := ParseSchedule(spec, nil); err == nil {
			t.Errorf("%q was read as %s", spec, s)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"2h30m", "00:15:30", "每天 8:00", "at 2026-03-04 10:00", "*/5 1-3 * jan mon", "1d1h"} {
		f.Add(s)
	}
	from := time.Date(2026, 3, 4, 9, 10, 11, 0, time.UTC)
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := ParseSchedule(spec, time.UTC)
		if err != nil {
			return
		}
		n := s.Next(from)
		if !n.IsZero() && !n.After(from) {
			t.Fatalf("%q: next %s is not after %s", spec, n, from)
		}
		again, err := ParseSchedule(s.String(), time.UTC)
		if err != nil || !again.Next(from).Equal(n) {
			t.Fatalf("%q became %q: %v", spec, s.String(), err)
		}
	})
}
