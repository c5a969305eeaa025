package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
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
		{"21:30", "2026-03-04 21:30:00"},
		{"２１：３０", "2026-03-04 21:30:00"},
		{"晚上九点半", "2026-03-04 21:30:00"},
		{"2026-03-04 22:15", "2026-03-04 22:15:00"},
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
		{"0 8 * * 7", "2026-03-08 08:00:00"},
		{"0 8 * * 5-7", "2026-03-06 08:00:00"},
		{"0 8 * * sat-sun", "2026-03-07 08:00:00"},
		{"0 8 * * mon-sun", "2026-03-05 08:00:00"},
		{"0 8 * * 7-1", "2026-03-08 08:00:00"},
		{"0 8 * * 1-7/3", "2026-03-05 08:00:00"},
		{"0 8 * * 1-7/9223372036854775807", "2026-03-09 08:00:00"},
		{"每小时", "2026-03-04 10:10:11"},
		{"2小时", "2026-03-04 11:10:11"},
		{"每2小时", "2026-03-04 11:10:11"},
		{"每两个小时", "2026-03-04 11:10:11"},
		{"每 2 小时 30 分", "2026-03-04 11:40:11"},
		{"每隔十五分钟", "2026-03-04 09:25:11"},
		{"二十分钟", "2026-03-04 09:30:11"},
		{"十二小时", "2026-03-04 21:10:11"},
		{"半小时", "2026-03-04 09:40:11"},
		{"1天12小时", "2026-03-05 21:10:11"},
		{"every hour", "2026-03-04 10:10:11"},
		{"每天早上8点", "2026-03-05 08:00:00"},
		{"每天下午三点半", "2026-03-04 15:30:00"},
		{"每天 晚上9点05分", "2026-03-04 21:05:00"},
		{"每天中午12点", "2026-03-04 12:00:00"},
		{"每天凌晨12点", "2026-03-05 00:00:00"},
		{"每天 8：00", "2026-03-05 08:00:00"},
		{"０ ８　＊ ＊ ＊", "2026-03-05 08:00:00"},
		{"每周日 8:00", "2026-03-08 08:00:00"},
		{"每周一、五 8点", "2026-03-06 08:00:00"},
		{"每月1日 8:00", "2026-04-01 08:00:00"},
		{"周日 4:00", "2026-03-08 04:00:00"},
		{"星期天 04:30", "2026-03-08 04:30:00"},
		{"礼拜六晚上8点", "2026-03-07 20:00:00"},
		{"工作日 9:00", "2026-03-05 09:00:00"},
		{"每个工作日 9点", "2026-03-05 09:00:00"},
		{"周末 9:00", "2026-03-07 09:00:00"},
		{"周五到周日 9:00", "2026-03-06 09:00:00"},
		{"周日至周二 9:00", "2026-03-08 09:00:00"},
		{"周一 到 周二 9:00", "2026-03-09 09:00:00"},
		{"周一，周五 9:00", "2026-03-06 09:00:00"},
		{"每周六 9:00", "2026-03-07 09:00:00"},
		{"sunday 5:00", "2026-03-08 05:00:00"},
		{"every Monday at 5:00", "2026-03-09 05:00:00"},
		{"weekdays 9:00", "2026-03-05 09:00:00"},
		{"CRON_TZ=UTC 0 8 * * *", "2026-03-04 16:00:00"},
		{"TZ=America/New_York daily 8:00", "2026-03-04 21:00:00"},
	} {
		s, err := Parse(c.spec, shanghai)
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
		again, err := Parse(s.String(), shanghai)
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
		s, err := Parse(c.spec, c.loc)
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

func TestParseRefuses(t *testing.T) {
	for _, spec := range []string{"", "soon", "10ms", "-1h", "0s", "25:61:00x", "00:60:00", "* * * *", "61 * * * *", "0 0 30 feb *", "at noon", "每天 25:00", "daily", "每天", "每周", "每周八 8:00", "周一", "周一到 8:00", "周 8:00", "工作日", "sunday", "someday 5:00", "sun 25:00", "每月32日 8:00", "每天晚上12点", "@every 0s", "@every 1ms", "@every\t0s", "0.5s", "every 0.9s", "1 2h",
		"CRON_TZ=Asia/Shanghai", "TZ=Asia/Shanghai ", "CRON_TZ=", "CRON_TZ= 0 8 * * *", "TZ=Asia/Shanghia 0 8 * * *", "TZ=../etc/passwd 0 8 * * *", "TZ=UTC TZ=UTC", "0 8 * * 8", "0 8 * * 7-8", "0 8 * * 1-7/0", strings.Repeat("0,", 300) + "0 0 * * *"} {
		if s, err := Parse(spec, nil); err == nil {
			t.Errorf("%q was read as %s", spec, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"2h30m", "00:15:30", "每天 8:00", "at 2026-03-04 10:00", "*/5 1-3 * jan mon", "1d1h", "CRON_TZ=Asia/Shanghai", "CRON_TZ=UTC 0 8 * * 7", "@every 0s", "每2小时", "每周一 8点"} {
		f.Add(s)
	}
	from := time.Date(2026, 3, 4, 9, 10, 11, 0, time.UTC)
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := Parse(spec, time.UTC)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %v", spec, err)
			}
			return
		}
		n := s.Next(from)
		if !n.IsZero() && !n.After(from) {
			t.Fatalf("%q: next %s is not after %s", spec, n, from)
		}
		if next := s.Next(n); !n.IsZero() && !next.IsZero() && next.Sub(n) < MinEvery {
			t.Fatalf("%q: a loop, %s and then %s", spec, n, next)
		}
		again, err := Parse(s.String(), time.UTC)
		if err != nil || !again.Next(from).Equal(n) {
			t.Fatalf("%q became %q: %v", spec, s.String(), err)
		}
	})
}
