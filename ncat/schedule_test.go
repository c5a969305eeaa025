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
