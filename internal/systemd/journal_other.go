//go:build !linux

package systemd

import (
	"context"
	"errors"
	"log/slog"
)

// ErrNoJournal says that stderr does not lead to the journal.
var ErrNoJournal = errors.New("not under the journal")

// Journal is a slog handler that this system has no use for.
type Journal struct{}

// OpenJournal returns [ErrNoJournal]: there is no journal here.
func OpenJournal(slog.Leveler, func([]string, slog.Attr) slog.Attr) (*Journal, error) {
	return nil, ErrNoJournal
}

// Close does nothing.
func (*Journal) Close() error { return nil }

// Enabled implements slog.Handler.
func (*Journal) Enabled(context.Context, slog.Level) bool { return false }

// Handle implements slog.Handler.
func (*Journal) Handle(context.Context, slog.Record) error { return nil }

// WithAttrs implements slog.Handler.
func (j *Journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements slog.Handler.
func (j *Journal) WithGroup(string) slog.Handler { return j }
