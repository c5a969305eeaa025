package systemd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// ErrNoJournal says that stderr does not lead to the journal.
var ErrNoJournal = errors.New("not under the journal")

// Journal is a slog handler that writes records to the journal with their
// fields: NCATD_ACCOUNT, NCATD_REASON … It is safe for concurrent use.
type Journal struct {
	level  slog.Leveler
	edit   func(groups []string, a slog.Attr) slog.Attr
	vars   map[string]string
	prefix string
}

// OpenJournal returns the handler if this process's stderr is the journal, else
// [ErrNoJournal]. edit, like slog's ReplaceAttr, sees every attribute first.
func OpenJournal(level slog.Leveler, edit func([]string, slog.Attr) slog.Attr) (*Journal, error) {
	on, err := journal.StderrIsJournalStream()
	if err != nil || !on || !journal.Enabled() {
		return nil, ErrNoJournal
	}
	return &Journal{level: level, edit: edit}, nil
}

// Close gives nothing back: the journal's socket belongs to the process.
func (j *Journal) Close() error { return nil }

// Enabled implements slog.Handler.
func (j *Journal) Enabled(_ context.Context, l slog.Level) bool { return l >= j.level.Level() }

// Handle implements slog.Handler.
func (j *Journal) Handle(_ context.Context, r slog.Record) error {
	vars := map[string]string{"SYSLOG_IDENTIFIER": "ncatd"}
	for k, v := range j.vars {
		vars[k] = v
	}
	r.Attrs(func(a slog.Attr) bool {
		j.flatten(j.prefix, a, vars)
		return true
	})
	err := journal.Send(r.Message+tail(vars), priority(r.Level), vars)
	var ne *net.OpError
	if errors.As(err, &ne) || errors.Is(err, os.ErrNotExist) {
		return nil // the journal is being restarted; the file has the record
	}
	return err
}

// tail repeats the fields in the text, since `systemctl status` shows only that.
func tail(vars map[string]string) string {
	var b strings.Builder
	for _, k := range []string{"NCATD_ACCOUNT", "NCATD_STATE", "NCATD_REASON", "NCATD_DETAIL", "NCATD_ERR", "NCATD_ERROR"} {
		if v := vars[k]; v != "" {
			b.WriteString(" " + strings.ToLower(strings.TrimPrefix(k, "NCATD_")) + "=" + v)
		}
	}
	return b.String()
}

func (j *Journal) flatten(prefix string, a slog.Attr, vars map[string]string) {
	v := a.Value.Resolve()
	key := prefix + a.Key
	if v.Kind() == slog.KindGroup {
		for _, sub := range v.Group() {
			j.flatten(key+"_", sub, vars)
		}
		return
	}
	vars[fieldName(key)] = j.edit(nil, slog.Attr{Key: a.Key, Value: v}).Value.String()
}

// fieldName makes a journal field of a key: upper case, digits and _ only.
func fieldName(key string) string {
	return "NCATD_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}

func priority(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}

// WithAttrs implements slog.Handler.
func (j *Journal) WithAttrs(as []slog.Attr) slog.Handler {
	n := *j
	n.vars = make(map[string]string, len(j.vars)+len(as))
	for k, v := range j.vars {
		n.vars[k] = v
	}
	for _, a := range as {
		j.flatten(j.prefix, a, n.vars)
	}
	return &n
}

// WithGroup implements slog.Handler.
func (j *Journal) WithGroup(name string) slog.Handler {
	n := *j
	if name != "" {
		n.prefix += name + "_"
	}
	return &n
}
