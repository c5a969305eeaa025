package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
)

// eventLog returns what logs the events of an account at level debug, as
// log.events says: with what tells them apart but no texts (summary), whole
// (full) or not at all (off, for which it is nil). Below that level an event
// costs nothing.
func eventLog(log *slog.Logger, mode string) func(typ string, raw json.RawMessage) {
	if mode == "off" {
		return nil
	}
	return func(typ string, raw json.RawMessage) {
		ctx := context.Background()
		if !log.Enabled(ctx, slog.LevelDebug) {
			return
		}
		if mode == "full" {
			log.LogAttrs(ctx, slog.LevelDebug, "event", slog.String("type", typ), slog.String("json", string(raw)))
			return
		}
		var e struct {
			GroupID   json.Number `json:"group_id"`
			UserID    json.Number `json:"user_id"`
			MessageID json.Number `json:"message_id"`
			SubType   string      `json:"sub_type"`
		}
		_ = json.Unmarshal(raw, &e) // what cannot be read is left out
		attrs := []slog.Attr{slog.String("type", typ)}
		for _, f := range []struct{ key, value string }{
			{"sub_type", e.SubType}, {"group_id", e.GroupID.String()}, {"user_id", e.UserID.String()}, {"message_id", e.MessageID.String()},
		} {
			if f.value != "" {
				attrs = append(attrs, slog.String(f.key, f.value))
			}
		}
		log.LogAttrs(ctx, slog.LevelDebug, "event", attrs...)
	}
}
