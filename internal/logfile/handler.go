package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Handler returns the slog handler that writes records to w: JSON for format
// "json" and "auto", else text.
func Handler(w io.Writer, format string, level slog.Leveler) slog.Handler {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: Redact}
	if format == "text" {
		return slog.NewTextHandler(w, o)
	}
	return slog.NewJSONHandler(w, o)
}

// Lost makes the line that tells how many lines are missing, in the form of a
// [Handler] with that format.
func Lost(format string) func(int) []byte {
	return func(n int) []byte {
		var b strings.Builder
		slog.New(Handler(&b, format, slog.LevelDebug)).Warn("log lines were lost: the log could not be written", "lines", n)
		return []byte(b.String())
	}
}

// LostPlain makes that line for a log whose lines have no form.
func LostPlain(n int) []byte {
	return fmt.Appendf(nil, "[ncatd: %d lines were lost, the log could not be written]\n", n)
}

// Level returns the slog level of a config word; info for one it does not know.
func Level(word string) slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(word)) != nil {
		return slog.LevelInfo
	}
	return l
}

// secretKeys are attribute keys whose values never reach a log, whatever their
// type. Values of type config.Secret redact themselves.
var secretKeys = map[string]bool{
	"token": true, "access_token": true, "password": true, "password_md5": true, "secret": true,
	"credential": true, "authorization": true, "jwt": true, "ticket": true, "cookie": true, "cookies": true,
}

// Redact hides the value of an attribute whose key says that it is a secret, and
// gives errors and durations their text. It has the form of slog.HandlerOptions.
func Redact(_ []string, a slog.Attr) slog.Attr {
	if secretKeys[strings.ToLower(a.Key)] {
		return slog.String(a.Key, "***")
	}
	if a.Value.Kind() == slog.KindAny {
		switch v := a.Value.Any().(type) {
		case error:
			return slog.String(a.Key, v.Error())
		case fmt.Stringer:
			return slog.String(a.Key, v.String())
		}
	}
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// Console returns a handler that writes one short line for a person: time,
// level, message, attributes. With colour the level is painted.
func Console(w io.Writer, level slog.Leveler, colour bool) slog.Handler {
	return &console{w: w, level: level, colour: colour}
}

type console struct {
	w      io.Writer
	level  slog.Leveler
	colour bool
	prefix string // attributes of WithAttrs, as text
	group  string
}

// Enabled implements slog.Handler.
func (c *console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// Handle implements slog.Handler.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format("15:04:05 "))
	word := fmt.Sprintf("%-5s", strings.ToLower(r.Level.String()))
	if c.colour {
		switch {
		case r.Level >= slog.LevelError:
			word = "\x1b[31m" + word + "\x1b[0m"
		case r.Level >= slog.LevelWarn:
			word = "\x1b[33m" + word + "\x1b[0m"
		}
	}
	b.WriteString(word + " " + r.Message + c.prefix)
	r.Attrs(func(a slog.Attr) bool {
		c.attr(&b, c.group, a)
		return true
	})
	b.WriteByte('\n')
	_, err := io.WriteString(c.w, b.String())
	return err
}

func (c *console) attr(b *strings.Builder, group string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, sub := range a.Value.Group() {
			c.attr(b, group, sub)
		}
		return
	}
	a = Redact(nil, a)
	v := a.Value.String()
	if strings.ContainsAny(v, " \t\r\n\"=\x1b") || v == "" {
		v = fmt.Sprintf("%q", v)
	}
	b.WriteString(" " + group + a.Key + "=" + v)
}

// WithAttrs implements slog.Handler.
func (c *console) WithAttrs(as []slog.Attr) slog.Handler {
	n := *c
	var b strings.Builder
	for _, a := range as {
		c.attr(&b, c.group, a)
	}
	n.prefix += b.String()
	return &n
}

// WithGroup implements slog.Handler.
func (c *console) WithGroup(name string) slog.Handler {
	n := *c
	if name != "" {
		n.group += name + "."
	}
	return &n
}

// Fan returns a handler that gives every record to all of hs.
func Fan(hs ...slog.Handler) slog.Handler { return fan(hs) }

type fan []slog.Handler

// Enabled implements slog.Handler.
func (f fan) Enabled(ctx context.Context, l slog.Level) bool {
	for _, h := range f {
		if h.Enabled(ctx, l) {
			return true
		}
	}
	return false
}

// Handle implements slog.Handler.
func (f fan) Handle(ctx context.Context, r slog.Record) error {
	var errs []error
	for _, h := range f {
		if h.Enabled(ctx, r.Level) {
			errs = append(errs, h.Handle(ctx, r.Clone()))
		}
	}
	return errors.Join(errs...)
}

// WithAttrs implements slog.Handler.
func (f fan) WithAttrs(as []slog.Attr) slog.Handler {
	n := make(fan, len(f))
	for i, h := range f {
		n[i] = h.WithAttrs(as)
	}
	return n
}

// WithGroup implements slog.Handler.
func (f fan) WithGroup(name string) slog.Handler {
	n := make(fan, len(f))
	for i, h := range f {
		n[i] = h.WithGroup(name)
	}
	return n
}
