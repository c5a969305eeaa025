package alert

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// flapCount openings of one condition within flapWindow are flapping; from
	// then on only that is told of its account, until it was calm for flapCalm.
	flapCount  = 5
	flapWindow = 30 * time.Minute
	flapCalm   = 10 * time.Minute
	// maxOpen bounds what is remembered; a daemon has some tens of accounts.
	maxOpen = 10_000
)

// State is what the core remembers between steps. The zero State remembers
// nothing.
type State struct {
	Open     map[string]*Open       `json:"open,omitempty"`
	Openings map[string][]time.Time `json:"openings,omitempty"` // by condition, the last flapCount
	Silenced map[string]time.Time   `json:"silenced,omitempty"` // account ("" is all) to the end of its silence
}

// Open is a condition that is there or was there a moment ago.
type Open struct {
	Condition Condition     `json:"condition"`
	Gone      time.Time     `json:"gone,omitzero"` // since when it is not seen any more
	Told      time.Time     `json:"told,omitzero"` // when it was told last
	Pause     time.Duration `json:"pause_ns,omitempty"`
}

// notAfter takes what lies after now for now: the clock was put back since it was
// written, and nothing is to wait for the time that it showed. The ends of silences stay.
func (st *State) notAfter(now time.Time) {
	for _, o := range st.Open {
		for _, t := range []*time.Time{&o.Condition.Since, &o.Gone, &o.Told} {
			if t.After(now) {
				*t = now
			}
		}
	}
	for _, times := range st.Openings {
		for i := range times {
			times[i] = earlier(times[i], now)
		}
	}
}

// Step is the whole decision: what is to be told now that seen is what is wrong,
// and when to look again at the latest (zero: when something changes). It
// changes nothing that st refers to and has no clock of its own.
func Step(rules []Rule, st State, seen []Condition, now time.Time) (State, []Message, time.Time) {
	s := step{rules: rules, now: now, rest: map[string]bool{}, st: State{
		Open:     make(map[string]*Open, len(st.Open)),
		Openings: maps.Clone(st.Openings),
		Silenced: maps.Clone(st.Silenced),
	}}
	for k, o := range st.Open {
		c := *o
		s.st.Open[k] = &c
	}
	if s.st.Openings == nil {
		s.st.Openings = map[string][]time.Time{}
	}
	maps.DeleteFunc(s.st.Silenced, func(_ string, end time.Time) bool { return !end.After(now) })
	s.enter(seen)
	keys := slices.Sorted(maps.Keys(s.st.Open))
	for _, flapping := range []bool{true, false} { // what covers the others first
		for _, k := range keys {
			if o := s.st.Open[k]; o != nil && (o.Condition.Kind == KindFlapping) == flapping {
				s.look(k, o)
			}
		}
	}
	return s.st, s.out, s.next
}

type step struct {
	rules []Rule
	now   time.Time
	st    State
	out   []Message
	next  time.Time
	rest  map[string]bool // accounts that nobody wants to run
}

// enter brings the open conditions to what is seen.
func (s *step) enter(seen []Condition) {
	present := map[string]bool{}
	for _, c := range seen {
		if c.Kind == kindRest {
			s.rest[c.Account] = true
			continue
		}
		k := c.key()
		present[k] = true
		o := s.st.Open[k]
		switch {
		case o == nil && len(s.st.Open) >= maxOpen:
			continue
		case o == nil:
			o = &Open{}
			s.st.Open[k] = o
			c.Since = earlier(c.Since, s.now)
			s.opening(k)
		default:
			c.Since = o.Condition.Since
			if !o.Gone.IsZero() {
				s.opening(k)
			}
		}
		o.Condition, o.Gone = c, time.Time{}
	}
	for k, times := range s.st.Openings {
		s.flapping(k, times, present)
	}
	for k, o := range s.st.Open {
		switch {
		case present[k]:
		case unsettled(o.Condition, present):
			o.Gone = time.Time{}
		case o.Gone.IsZero():
			o.Gone = s.now
		}
	}
}

// unsettled says whether a condition of an account may be about to come back: one
// that is on its way to being online is not mended before it is.
func unsettled(c Condition, present map[string]bool) bool {
	switch c.Kind {
	case KindLogin, KindKicked, KindFailed:
		return present[Condition{Kind: KindOffline, Account: c.Account}.key()]
	}
	return false
}

func (s *step) opening(key string) {
	times := append(slices.Clone(s.st.Openings[key]), s.now)
	s.st.Openings[key] = times[max(0, len(times)-flapCount):]
}

// flapping opens the condition of flapping for the account of a condition that
// comes and goes, and keeps it until that was calm.
func (s *step) flapping(key string, times []time.Time, present map[string]bool) {
	parts := strings.Split(key, "\x00")
	c := Condition{Kind: KindFlapping, Account: parts[1], Subject: strings.TrimSuffix(parts[0]+" "+parts[2], " "), Since: times[0], Code: "flapping"}
	last := times[len(times)-1]
	o := s.st.Open[c.key()]
	switch often := len(times) == flapCount && last.Sub(times[0]) < flapWindow; {
	case !often && !s.now.Before(last.Add(flapWindow)):
		delete(s.st.Openings, key)
		return
	case !often:
		return
	case !s.now.Before(last.Add(flapCalm)):
		delete(s.st.Openings, key)
		return
	case o == nil:
		o = &Open{Condition: c}
		s.st.Open[c.key()] = o
	}
	o.Gone = time.Time{}
	present[c.key()] = true
	s.wake(last.Add(flapCalm))
}

// look decides what of one condition is told now.
func (s *step) look(key string, o *Open) {
	rule, ok := s.rule(o.Condition)
	if !ok {
		if !o.Gone.IsZero() {
			delete(s.st.Open, key)
		}
		return
	}
	if !o.Gone.IsZero() {
		s.gone(key, o, rule)
		return
	}
	due, phase := o.Condition.Since.Add(rule.HoldOff), Firing
	if !o.Told.IsZero() {
		if rule.Repeat <= 0 || o.Condition.Kind == KindNewer {
			return
		}
		due, phase = o.Told.Add(o.Pause), Repeated
	}
	due = s.heard(o.Condition, rule, due)
	if due.After(s.now) {
		s.wake(due)
		return
	}
	if s.covered(o.Condition) {
		return
	}
	o.Told = s.now
	o.Pause = min(max(2*o.Pause, rule.Repeat), max(rule.RepeatMax, rule.Repeat))
	s.tell(rule, Item{Phase: phase, Condition: o.Condition, Lasted: s.now.Sub(o.Condition.Since)})
	if rule.Repeat > 0 && o.Condition.Kind != KindNewer {
		s.wake(s.now.Add(o.Pause))
	}
}

// gone forgets a condition that was gone for long enough, and tells that it is
// mended if it was told that it was not.
func (s *step) gone(key string, o *Open, rule Rule) {
	if o.Told.IsZero() || o.Condition.Kind == KindNewer {
		delete(s.st.Open, key)
		return
	}
	due := s.heard(o.Condition, rule, o.Gone.Add(rule.Settle))
	if due.After(s.now) {
		s.wake(due)
		return
	}
	if s.covered(o.Condition) {
		return // told when the flapping ends, if it is still gone
	}
	delete(s.st.Open, key)
	if s.rest[o.Condition.Account] {
		return // it did not come online: somebody stopped it
	}
	s.tell(rule, Item{Phase: Resolved, Condition: o.Condition, Lasted: o.Gone.Sub(o.Condition.Since)})
}

// covered says whether something that was told of the account through the same
// channels says it all: that it flaps, or why it is offline.
func (s *step) covered(c Condition) bool {
	if c.Kind == KindOffline {
		for _, k := range []Kind{KindLogin, KindFailed} {
			if o := s.st.Open[Condition{Kind: k, Account: c.Account}.key()]; o != nil && !o.Told.IsZero() && s.reaches(o.Condition, c) {
				return true
			}
		}
	}
	for k, o := range s.st.Open {
		f := o.Condition
		if f.Kind != KindFlapping || f.Account != c.Account || k == c.key() || c.Kind == KindFlapping && o.Told.IsZero() {
			continue
		}
		if akin(f.origin(), c.origin()) && s.reaches(f, c) {
			return true
		}
	}
	return false
}

// reaches says whether every channel that is told of c is told of f.
func (s *step) reaches(f, c Condition) bool {
	by, _ := s.rule(f)
	to, _ := s.rule(c)
	return !slices.ContainsFunc(to.Channels, func(name string) bool { return !slices.Contains(by.Channels, name) })
}

// origin is what flaps: the kind, and behind a space the subject.
func (c Condition) origin() string {
	if c.Kind == KindFlapping {
		return c.Subject
	}
	return strings.TrimSuffix(string(c.Kind)+" "+c.Subject, " ")
}

// akin says whether two origins are the same trouble: those of being online come
// and go together.
func akin(a, b string) bool {
	link := []string{string(KindLogin), string(KindKicked), string(KindFailed), string(KindOffline)}
	return a == b || slices.Contains(link, a) && slices.Contains(link, b)
}

// heard moves due behind silence and quiet hours.
func (s *step) heard(c Condition, rule Rule, due time.Time) time.Time {
	if due.Before(s.now) {
		due = s.now
	}
	for _, account := range []string{c.Account, ""} {
		if end := s.st.Silenced[account]; end.After(due) {
			due = end
		}
	}
	return rule.Quiet.End(due)
}

func (s *step) rule(c Condition) (Rule, bool) {
	for _, r := range s.rules {
		if r.fits(c) {
			return r, len(r.Channels) > 0
		}
	}
	if c.Kind == KindFlapping { // told through the channels of what flaps
		kind, _, _ := strings.Cut(c.Subject, " ")
		return s.rule(Condition{Kind: Kind(kind), Account: c.Account})
	}
	return Rule{}, false
}

// tell adds an item to the message that each channel of the rule gets now.
func (s *step) tell(rule Rule, it Item) {
	for _, name := range rule.Channels {
		if it.Kind == KindChannel && it.Subject == name {
			continue // it cannot tell that it is broken
		}
		i := slices.IndexFunc(s.out, func(m Message) bool { return m.Channel == name })
		if i < 0 {
			s.out = append(s.out, Message{Channel: name, Time: s.now})
			i = len(s.out) - 1
		}
		s.out[i].Items = append(s.out[i].Items, it)
	}
}

func (s *step) wake(at time.Time) {
	if s.next.IsZero() || at.Before(s.next) {
		s.next = at
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
