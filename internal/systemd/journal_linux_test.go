package systemd

import (
	"log/slog"
	"maps"
	"testing"
)

// TestJournalFields holds what the fields are called and that the editor of
// attributes sees each of them, those in groups too.
func TestJournalFields(t *testing.T) {
	hide := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "token" {
			return slog.String(a.Key, "***")
		}
		return a
	}
	j := (&Journal{level: slog.LevelInfo, edit: hide}).WithAttrs([]slog.Attr{slog.String("account", "main")}).WithGroup("in").(*Journal)
	vars := maps.Clone(j.vars)
	for _, a := range []slog.Attr{slog.Int("n", 1), slog.String("token", "hunter2"), slog.Group("deep-er", slog.String("token", "hunter2"))} {
		j.flatten(j.prefix, a, vars)
	}
	want := map[string]string{"NCATD_ACCOUNT": "main", "NCATD_IN_N": "1", "NCATD_IN_TOKEN": "***", "NCATD_IN_DEEP_ER_TOKEN": "***"}
	if !maps.Equal(vars, want) {
		t.Errorf("got %v, want %v", vars, want)
	}
}
