package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/robfig/cron/v3"
)

// maxSpec bounds a schedule; the longest sensible cron expression has some
// hundred letters.
const maxSpec = 500

// Error says why a text is no schedule, or none in this place.
type Error struct {
	Spec string
	Why  string // a clause in English
	Zone string // the time zone that does not exist, if it is that
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf(`schedule %q: %s; expected a distance ("2h30m", "00:15:30", "2小时"), "daily 8:00", "每天 8:00", "at 2026-01-02 15:04" or five cron fields`, e.Spec, e.Why)
}

// Parse understands
//
//   - a distance: "90s", "2h30m", "1d12h" (d is 24 hours), "2小时", "半小时", or
//     "00:15:30" (hours, minutes, seconds); also "every 2h30m", "@every 2h30m",
//     "每小时", "每2小时", "每隔30分钟";
//   - a time of every day: "8:00", "daily 8:00", "每天 8:00", "每天 8:00:30",
//     "每天早上8点";
//   - days of the week or month: "每周一 8:00", "周日 8:00", "周一至周五 8:00",
//     "工作日 8:00", "sunday 8:00", "weekdays 8:00", "每月1日 8:00";
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
// An error is an [*Error].
func Parse(spec string, loc *time.Location) (Schedule, error) {
	if loc == nil {
		loc = time.Local
	}
	if len(spec) > maxSpec {
		return nil, &Error{Spec: spec[:20] + "…", Why: "it is too long"}
	}
	s, zone, loc, err := cutZone(strings.TrimSpace(plain.Replace(spec)), loc)
	var x Schedule
	if err == nil {
		x, err = parse(s, zone, loc)
	}
	if err != nil {
		e := &Error{Spec: spec, Why: err.Error()}
		var z zoneError
		if errors.As(err, &z) {
			e.Zone = string(z)
		}
		return nil, e
	}
	return x, nil
}

// plain turns what a Chinese keyboard types into what it stands for.
var plain = func() *strings.Replacer {
	pairs := []string{"\u3000", " ", "\u00a0", " "}
	for r := rune(0xff01); r <= 0xff5e; r++ { // full-width forms of ! to ~
		pairs = append(pairs, string(r), string(r-0xfee0))
	}
	return strings.NewReplacer(pairs...)
}()

// cutZone takes a time zone off the beginning of s.
func cutZone(s string, loc *time.Location) (rest, zone string, _ *time.Location, err error) {
	v, ok := cutAny(s, "CRON_TZ=", "TZ=")
	if !ok {
		return s, "", loc, nil
	}
	zone, rest, _ = strings.Cut(v, " ")
	loc, err = Zone(zone)
	switch {
	case err != nil:
		return "", "", nil, err
	case strings.TrimSpace(rest) == "":
		return "", "", nil, errors.New("a time zone alone says not when")
	}
	return strings.TrimSpace(rest), zone, loc, nil
}

// Zone returns the time zone of a name such as "Asia/Shanghai", or an error that
// says that there is none.
func Zone(name string) (*time.Location, error) {
	if name != "" && name != "Local" {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, zoneError(name)
}

type zoneError string

// Error implements error.
func (z zoneError) Error() string {
	return fmt.Sprintf(`there is no time zone %q; names look like "Asia/Shanghai"`, string(z))
}

func parse(s, zone string, loc *time.Location) (Schedule, error) {
	if cron, ok, err := daysCron(s); err != nil {
		return nil, err
	} else if ok {
		s = cron
	}
	if rest, ok := cutAny(s, "@every", "every ", "每隔", "每"); ok {
		if d, err := ParseDistance(one(strings.TrimSpace(rest))); err == nil {
			return checkEvery(d)
		} else if strings.HasPrefix(s, "@") || strings.HasPrefix(s, "e") {
			return nil, err
		}
	}
	if rest, ok := cutAny(s, "daily ", "每天", "每日"); ok {
		h, m, sec, err := parseClock(rest)
		if err != nil {
			return nil, err
		}
		return daily{h, m, sec, loc, zone}, nil
	}
	if rest, ok := strings.CutPrefix(s, "at "); ok {
		return parseAt(strings.TrimSpace(rest), loc)
	}
	if d, err := ParseDistance(s); err == nil {
		return checkEvery(d)
	}
	if h, m, sec, err := parseClock(s); err == nil {
		return daily{h, m, sec, loc, zone}, nil
	}
	if at, err := parseAt(s, loc); err == nil {
		return at, nil
	}
	f := strings.Fields(s)
	if len(f) == 5 {
		f[4] = sundays(f[4])
	}
	c, err := parseCron(strings.Join(f, " "))
	if err != nil {
		return nil, err
	}
	return cronSchedule{spec: strings.Join(f, " "), c: c, loc: loc, zone: zone}, nil
}

func parseAt(s string, loc *time.Location) (Schedule, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return At(t), nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return At(t), nil
		}
	}
	return nil, errors.New(`a moment is written as "at 2026-01-02 15:04"`)
}

func checkEvery(d time.Duration) (Schedule, error) {
	if d < MinEvery {
		return nil, errors.New("the shortest distance is one second")
	}
	return Every(d), nil
}

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// parseCron is the cron library behind a guard: some texts make it panic, some
// it reads as what never comes.
func parseCron(s string) (c cron.Schedule, err error) {
	defer func() {
		if v := recover(); v != nil {
			c, err = nil, fmt.Errorf("not a cron expression (%v)", v)
		}
	}()
	if strings.Contains(s, "TZ=") {
		return nil, errors.New("a time zone stands once, at the beginning")
	}
	if c, err = cronParser.Parse(s); err != nil {
		return nil, err
	}
	if c.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("no such day ever comes")
	}
	return c, nil
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// sundays rewrites a field of weekdays in which Sunday is 7, or ends a range,
// so that it is 0.
func sundays(field string) string {
	parts := strings.Split(field, ",")
	for i, p := range parts {
		r, stepText, stepped := strings.Cut(p, "/")
		lo, hi, ranged := strings.Cut(r, "-")
		from, to := weekday(lo), weekday(lo)
		if ranged {
			to = weekday(hi)
		}
		step := 1
		if stepped {
			step, _ = strconv.Atoi(stepText) // 0, as for a bad one: left to the parser
			step = min(step, 8)              // more is as good as this
		}
		seven := from == 7 || to == 7
		if from == 7 && ranged {
			from = 0
		}
		if ranged && to == 0 && from > 0 {
			to, seven = 7, true
		}
		if !seven || from < 0 || step < 1 {
			continue
		}
		var days []string
		for d := from; d <= to; d += step {
			if s := strconv.Itoa(d % 7); !slices.Contains(days, s) {
				days = append(days, s)
			}
		}
		parts[i] = strings.Join(days, ",")
	}
	return strings.Join(parts, ",")
}

// weekday is the number of a weekday, 0 to 7, or -1.
func weekday(s string) int {
	if i := slices.Index(weekdays, strings.ToLower(s)); i >= 0 {
		return i
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= 7 {
		return n
	}
	return -1
}

var (
	monthly  = regexp.MustCompile(`^(?:每个?月)(\d{1,2})[日号](.*)$`)
	english  = regexp.MustCompile(`(?i)^(?:every |on )?(?:(weekdays?)|(weekends?)|(sun|mon|tue|wed|thu|fri|sat)(?:days?|sdays?|nesdays?|rsdays?|urdays?)?) +(?:at +)?(\d.*)$`)
	dayRunes = map[rune]int{'日': 0, '天': 0, '一': 1, '二': 2, '三': 3, '四': 4, '五': 5, '六': 6}
)

// daysCron writes "每周一 8:00", "周一至周五 8:00", "工作日 8:00", "sunday 8:00" and
// "每月1日 8:00" as cron. ok is false for other texts.
func daysCron(s string) (spec string, ok bool, err error) {
	day, week, clock := "*", "*", ""
	days, rest := cutDays(s)
	switch m, e := monthly.FindStringSubmatch(s), english.FindStringSubmatch(s); {
	case len(days) > 0:
		week, clock = days, rest
	case m != nil:
		day, clock = m[1], m[2]
	case e != nil:
		week, clock = strings.ToLower(e[3]), e[4]
		if e[1] != "" {
			week = "1-5"
		} else if e[2] != "" {
			week = "0,6"
		}
	default:
		return "", false, nil
	}
	h, min, sec, err := parseClock(clock)
	if err == nil && sec != 0 {
		err = errors.New("such a schedule has no seconds")
	}
	return fmt.Sprintf("%d %d %s * %s", min, h, day, week), true, err
}

// cutDays takes Chinese days of the week off the beginning of s, such as 每周一三五,
// 周一至周五 and 工作日, and returns them as cron has them; "" if there are none.
func cutDays(s string) (days, rest string) {
	rest, _ = cutAny(s, "每个", "每")
	if after, ok := cutAny(rest, "工作日"); ok {
		return "1-5", after
	}
	if after, ok := cutAny(rest, "周末"); ok {
		return "0,6", after
	}
	week := []string{"周", "星期", "礼拜"}
	rest, ok := cutAny(rest, week...)
	if !ok {
		return "", s
	}
	var on [7]bool
	last, ranged := -1, false
	for {
		rest, _ = cutAny(rest, week...)
		r, n := utf8.DecodeRuneInString(rest)
		if d, ok := dayRunes[r]; ok {
			for i := last; ranged && i != d; i = (i + 1) % 7 {
				on[i] = true
			}
			on[d], last, ranged = true, d, false
			rest = rest[n:]
			continue
		}
		after := strings.TrimLeft(rest, " ")
		if t, ok := cutAny(after, "到", "至", "-", "~"); ok && last >= 0 {
			rest, ranged = strings.TrimLeft(t, " "), true
		} else if t, ok := cutAny(after, "、", ",", "和", "及", "与"); ok && last >= 0 {
			rest = strings.TrimLeft(t, " ")
		} else {
			break
		}
	}
	if last < 0 || ranged {
		return "", s
	}
	var list []string
	for d, yes := range on {
		if yes {
			list = append(list, strconv.Itoa(d))
		}
	}
	return strings.Join(list, ","), rest
}

var (
	tens   = regexp.MustCompile(`[一二三四五六七八九]?十[一二三四五六七八九]?`)
	digits = strings.NewReplacer("一", "1", "二", "2", "两", "2", "三", "3", "四", "4", "五", "5", "六", "6", "七", "7", "八", "8", "九", "9")
	// units writes the units of a distance as letters.
	units = strings.NewReplacer("半个小时", "30m", "半小时", "30m", "半天", "12h", "半分钟", "30s",
		"个小时", "h", "小时", "h", "分钟", "m", "秒钟", "s", "毫秒", "ms", "时", "h", "分", "m", "秒", "s", "天", "d")
)

// numerals writes Chinese numbers up to 99 in digits.
func numerals(s string) string {
	return digits.Replace(tens.ReplaceAllStringFunc(s, func(n string) string {
		ten, one, _ := strings.Cut(n, "十")
		if ten == "" {
			ten = "一"
		}
		if one == "" {
			one = "0"
		}
		return ten + one
	}))
}

// one puts a number before a unit without one: "每小时" is every one hour. A day
// wants a time instead.
func one(s string) string {
	switch s {
	case "小时", "hour":
		return "1h"
	case "分钟", "分", "minute":
		return "1m"
	case "秒", "秒钟", "second":
		return "1s"
	}
	return s
}

// ParseDistance reads "2h30m", "1d12h", "2小时", "2 小时 30 分" and "00:15:30".
func ParseDistance(s string) (time.Duration, error) {
	bad := fmt.Errorf(`%q is not a distance such as 2h30m`, s)
	text := ""
	for _, w := range strings.Fields(s) {
		if text != "" && isDigit(text[len(text)-1]) && isDigit(w[0]) {
			return 0, bad
		}
		text += w
	}
	text = units.Replace(numerals(text))
	if strings.Count(text, ":") == 2 {
		f := strings.Split(text, ":")
		h, err1 := strconv.ParseUint(f[0], 10, 16)
		m, err2 := strconv.ParseUint(f[1], 10, 8)
		sec, err3 := strconv.ParseUint(f[2], 10, 8)
		if err1 != nil || err2 != nil || err3 != nil || m > 59 || sec > 59 {
			return 0, fmt.Errorf("%q is not hours:minutes:seconds", s)
		}
		return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second, nil
	}
	var days time.Duration
	if n, rest, ok := strings.Cut(text, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, bad
		}
		days = time.Duration(v) * 24 * time.Hour
		if rest == "" {
			return days, nil
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, bad
	}
	return days + d, nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

var clockWords = strings.NewReplacer("点半", ":30", "点钟", ":00", "点", ":", "时", ":", "分", "")

// parseClock reads "8:00", "08:00:30", "8点", "早上八点半", "下午3点20分".
func parseClock(text string) (h, m, sec int, err error) {
	text = strings.TrimSpace(text)
	bad := fmt.Errorf("%q is not a time of day such as 8:00", text)
	part := ""
	for _, p := range []string{"早上", "早晨", "清晨", "上午", "中午", "下午", "傍晚", "晚上", "凌晨"} {
		if strings.HasPrefix(text, p) {
			part = p
		}
	}
	s := clockWords.Replace(numerals(strings.TrimSpace(text[len(part):])))
	if strings.HasSuffix(s, ":") {
		s += "00"
	}
	for _, layout := range []string{"15:04", "15:4", "15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		h = t.Hour()
		switch part {
		case "凌晨":
			h %= 12
		case "中午":
			if h < 11 {
				h += 12
			}
		case "下午", "傍晚", "晚上":
			if part == "晚上" && h == 12 {
				return 0, 0, 0, bad // midnight, of which day?
			}
			if h < 12 {
				h += 12
			}
		}
		return h, t.Minute(), t.Second(), nil
	}
	return 0, 0, 0, bad
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
