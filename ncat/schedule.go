package ncat

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when something is due. It is immutable and safe for concurrent
// use.
type Schedule interface {
	// Next returns the first time after t that is due, the zero time if there is
	// none. It answers in t's time zone.
	Next(t time.Time) time.Time
	// String returns a text from which [ParseSchedule] makes the same schedule.
	String() string
}

// minEvery is the shortest distance of an [Every] schedule: what must happen
// more often is a loop, not a schedule.
const minEvery = time.Second

// ParseSchedule understands
//
//   - a distance: "90s", "2h30m", "1d12h" (d is 24 hours), or "00:15:30"
//     (hours, minutes, seconds); also "every 2h30m" and "@every 2h30m";
//   - a time of every day: "daily 8:00", "每天 8:00", "每天 8:00:30";
//   - one moment: "at 2026-01-02 15:04" (or 15:04:05, or RFC 3339);
//   - cron: five fields (minute hour day month weekday, with names, lists,
//     ranges and steps) and "@hourly", "@daily", "@weekly", "@monthly",
//     "@yearly".
//
// Times of day, moments without a zone, and cron fields are read in loc; nil is
// time.Local. How the clocks are changed in loc is taken into account: what is
// due at a certain hour is so once a day, also on days that have it twice or not
// at all.
func ParseSchedule(spec string, loc *time.Location) (Schedule, error) {
	if loc == nil {
		loc = time.Local
	}
	s := strings.TrimSpace(spec)
	for _, p := range []string{"@every ", "every ", "每隔", "每"} {
		rest, ok := strings.CutPrefix(s, p)
		if d, err := parseEvery(strings.TrimSpace(rest)); ok && err == nil {
			return checkEvery(spec, d)
		}
	}
	if rest, ok := cutAny(s, "daily ", "每天", "每日"); ok {
		h, m, sec, err := parseClock(strings.TrimSpace(rest))
		if err != nil {
			return nil, scheduleError(spec, err.Error())
		}
		return daily{h, m, sec, loc}, nil
	}
	if rest, ok := strings.CutPrefix(s, "at "); ok {
		rest = strings.TrimSpace(rest)
		if t, err := time.Parse(time.RFC3339, rest); err == nil {
			return At(t), nil
		}
		for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
			if t, err := time.ParseInLocation(layout, rest, loc); err == nil {
				return At(t), nil
			}
		}
		return nil, scheduleError(spec, `a moment is written as "at 2026-01-02 15:04"`)
	}
	if d, err := parseEvery(s); err == nil {
		return checkEvery(spec, d)
	}
	if strings.HasPrefix(s, "TZ=") || strings.HasPrefix(s, "CRON_TZ=") {
		return nil, scheduleError(spec, "the time zone is given beside the schedule, not in it")
	}
	c, err := cronParser.Parse(s)
	if err != nil {
		return nil, scheduleError(spec, err.Error())
	}
	if c.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, scheduleError(spec, "no such day ever comes")
	}
	return cronSchedule{spec: strings.Join(strings.Fields(s), " "), c: c, loc: loc}, nil
}

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func scheduleError(spec, why string) error {
	return fmt.Errorf(`schedule %q: %s; expected a distance ("2h30m", "00:15:30"), "daily 8:00", "at 2026-01-02 15:04" or five cron fields`, spec, why)
}

// Every returns the schedule whose times lie d apart, at least one second.
func Every(d time.Duration) Schedule { return every(max(d, minEvery).Truncate(time.Second)) }

// Daily returns the schedule that is due each day at hour:minute in loc; nil is
// time.Local. Where the clocks go forward over that time the day's run is at
// the moment they do, where they go back over it the day has one run all the
// same.
func Daily(hour, minute int, loc *time.Location) Schedule {
	if loc == nil {
		loc = time.Local
	}
	return daily{hour, minute, 0, loc}
}

// At returns the schedule that is due once, at t.
func At(t time.Time) Schedule { return at(t.Truncate(time.Second)) }

type every time.Duration

func (e every) Next(t time.Time) time.Time { return t.Add(time.Duration(e)) }

func (e every) String() string { return "every " + time.Duration(e).String() }

type daily struct {
	hour, minute, second int
	loc                  *time.Location
}

func (d daily) Next(t time.Time) time.Time {
	l := t.In(d.loc)
	for day := 0; ; day++ {
		n := moment(time.Date(l.Year(), l.Month(), l.Day()+day, d.hour, d.minute, d.second, 0, time.UTC), d.loc)
		if n.After(t) {
			return n.In(t.Location())
		}
	}
}

// moment returns when the clocks in loc show what wall shows: the first time if
// they show it twice, and when they are set forward if they leave it out.
func moment(wall time.Time, loc *time.Location) time.Time {
	n := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, loc)
	begin, end := n.ZoneBounds()
	if n.Hour() != wall.Hour() || n.Minute() != wall.Minute() {
		if n.Hour()*60+n.Minute() < wall.Hour()*60+wall.Minute() { // read by the clocks after the change
			return end
		}
		return begin
	}
	if begin.IsZero() {
		return n
	}
	_, before := begin.Add(-time.Second).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(begin) {
		return first.In(loc)
	}
	return n
}

func (d daily) String() string {
	return fmt.Sprintf("daily %d:%02d:%02d", d.hour, d.minute, d.second)
}

type at time.Time

func (a at) Next(t time.Time) time.Time {
	if when := time.Time(a); when.After(t) {
		return when.In(t.Location())
	}
	return time.Time{}
}

func (a at) String() string { return "at " + time.Time(a).Format(time.RFC3339) }

type cronSchedule struct {
	spec string
	c    cron.Schedule
	loc  *time.Location
}

// Next implements [Schedule]. At a change of the clocks a schedule of certain
// hours goes by what they show, so that it neither leaves a day out nor has it
// twice; one of every hour, or every few, goes on with the time that passes.
func (c cronSchedule) Next(t time.Time) time.Time {
	l := t.In(c.loc)
	if c.everyHour() {
		n := c.c.Next(l)
		if n.IsZero() {
			return n
		}
		return n.In(t.Location())
	}
	wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
	for {
		if wall = c.c.Next(wall); wall.IsZero() {
			return wall
		}
		if n := moment(wall, c.loc); n.After(t) {
			return n.In(t.Location())
		}
	}
}

func (c cronSchedule) everyHour() bool {
	f := strings.Fields(c.spec)
	return c.spec == "@hourly" || len(f) > 1 && strings.HasPrefix(f[1], "*")
}

func (c cronSchedule) String() string { return c.spec }

func checkEvery(spec string, d time.Duration) (Schedule, error) {
	if d < minEvery {
		return nil, scheduleError(spec, "the shortest distance is one second")
	}
	return Every(d), nil
}

// parseEvery reads "2h30m", "1d12h" and "00:15:30".
func parseEvery(s string) (time.Duration, error) {
	if strings.Count(s, ":") == 2 {
		f := strings.Split(s, ":")
		h, err1 := strconv.ParseUint(f[0], 10, 16)
		m, err2 := strconv.ParseUint(f[1], 10, 8)
		sec, err3 := strconv.ParseUint(f[2], 10, 8)
		if err1 != nil || err2 != nil || err3 != nil || m > 59 || sec > 59 {
			return 0, fmt.Errorf("%q is not hours:minutes:seconds", s)
		}
		return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second, nil
	}
	var days time.Duration
	if n, rest, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number of days", n)
		}
		days = time.Duration(v) * 24 * time.Hour
		if rest == "" {
			return days, nil
		}
		s = rest
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, err
	}
	return days + d, nil
}

// parseClock reads "8:00" and "08:00:30".
func parseClock(s string) (h, m, sec int, err error) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Hour(), t.Minute(), t.Second(), nil
		}
	}
	return 0, 0, 0, fmt.Errorf("%q is not a time of day such as 8:00", s)
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
