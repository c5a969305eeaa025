package ncat

import (
	"time"

	"github.com/ncatd/ncatd/internal/schedule"
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

// ParseSchedule understands
//
//   - a distance: "90s", "2h30m", "1d12h" (d is 24 hours), "2小时", "半小时", or
//     "00:15:30" (hours, minutes, seconds); also "every 2h30m", "@every 2h30m",
//     "每小时", "每2小时", "每隔30分钟";
//   - a time of every day: "8:00", "daily 8:00", "每天 8:00", "每天 8:00:30",
//     "每天早上8点";
//   - days of the week or month: "周日 8:00", "周一至周五 8:00", "weekdays 8:00",
//     "每月1日 8:00";
//   - one moment: "2026-01-02 15:04" (or 15:04:05, or RFC 3339), also after "at";
//   - cron: five fields (minute hour day month weekday, with names, lists,
//     ranges and steps; Sunday is 0 or 7) and "@hourly", "@daily", "@weekly",
//     "@monthly", "@yearly".
//
// Full-width letters and punctuation are read like the plain ones. Times of day,
// moments without a zone, and cron fields are read in loc (nil: time.Local), or
// in the zone that the text begins with ("CRON_TZ=Asia/Shanghai 0 8 * * *").
// How the clocks are changed there is taken into account: what is due at a
// certain hour is so once a day, also on days that have it twice or not at all.
func ParseSchedule(spec string, loc *time.Location) (Schedule, error) {
	return schedule.Parse(spec, loc)
}

// Every returns the schedule whose times lie d apart, at least one second.
func Every(d time.Duration) Schedule { return schedule.Every(d) }

// Daily returns the schedule that is due each day at hour:minute in loc; nil is
// time.Local. Where the clocks go forward over that time the day's run is at
// the moment they do, where they go back over it the day has one run all the
// same.
func Daily(hour, minute int, loc *time.Location) Schedule { return schedule.Daily(hour, minute, loc) }

// Once returns the schedule that is due once, at t.
func Once(t time.Time) Schedule { return schedule.At(t) }
