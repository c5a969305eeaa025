// Package schedule is the one reader of schedules: what a bot's author writes in
// code, what a user writes in the config, and what a person says in a chat. Its
// central function is [Parse], which returns a [Schedule] or an error that says
// what is right, and never panics. It waits for nothing and starts nothing.
package schedule

import (
	"fmt"
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
	// String returns a text from which [Parse] makes the same schedule.
	String() string
}

// MinEvery is the shortest distance of an [Every] schedule: what must happen
// more often is a loop, not a schedule.
const MinEvery = time.Second

// Every returns the schedule whose times lie d apart, at least one second.
func Every(d time.Duration) Schedule { return every(max(d, MinEvery).Truncate(time.Second)) }

// Daily returns the schedule that is due each day at hour:minute in loc; nil is
// time.Local. Where the clocks go forward over that time the day's run is at
// the moment they do, where they go back over it the day has one run all the
// same.
func Daily(hour, minute int, loc *time.Location) Schedule {
	if loc == nil {
		loc = time.Local
	}
	return daily{hour: hour, minute: minute, loc: loc}
}

// At returns the schedule that is due once, at t.
func At(t time.Time) Schedule { return at(t.Truncate(time.Second)) }

// Distance returns how far the times of an [Every] schedule lie apart; ok is
// false for others.
func Distance(s Schedule) (d time.Duration, ok bool) {
	e, ok := s.(every)
	return time.Duration(e), ok
}

type every time.Duration

func (e every) Next(t time.Time) time.Time { return t.Add(time.Duration(e)) }

func (e every) String() string { return "every " + time.Duration(e).String() }

type daily struct {
	hour, minute, second int
	loc                  *time.Location
	zone                 string // as written in the schedule itself
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

func (d daily) String() string {
	return withZone(d.zone, fmt.Sprintf("daily %d:%02d:%02d", d.hour, d.minute, d.second))
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
	zone string // as written in the schedule itself
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

func (c cronSchedule) String() string { return withZone(c.zone, c.spec) }

func withZone(zone, spec string) string {
	if zone == "" {
		return spec
	}
	return "CRON_TZ=" + zone + " " + spec
}
