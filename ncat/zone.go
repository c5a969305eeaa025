package ncat

import "time"

// WithTimeZone sets the time zone of the bot: that of schedules without [InZone], of
// [During] without a zone, and of the times in commands' arguments. Without it, and
// with nil, it is time.Local. ncatd sets it from its config; it counts from the next
// start of the bot.
func WithTimeZone(loc *time.Location) Option {
	return func(c *core) {
		c.outside.zone.Store(loc)
		o := c.registry.self
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, s := range o.schedules { // registered before the zone was known
			if when, err := ParseSchedule(s.spec, c.bot.Location()); err == nil && s.inherits && !o.opened {
				s.when = when
			}
		}
	}
}

// Location returns the time zone of the bot; see [WithTimeZone]. What the time is
// where the bot's people are is time.Now().In(b.Location()).
func (b *Bot) Location() *time.Location {
	if loc := b.core.outside.zone.Load(); loc != nil {
		return loc
	}
	return time.Local
}
