package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"unicode"

	"github.com/ncatd/ncatd/internal/logfile"
)

// eventText bounds the summary of an event in the log, in characters.
const eventText = 160

// eventLog returns what logs the events of an account, as log.events says: in
// one readable line, texts shortened (summary), whole (full) or not at all (off,
// for which it is nil). Heartbeats and lifecycle are the protocol's own talk and
// go to level debug, what people do to info. An event below the log's level
// costs next to nothing.
func eventLog(ctx context.Context, log *slog.Logger, mode string) func(typ string, raw json.RawMessage) {
	if mode == "off" {
		return nil
	}
	return func(typ string, raw json.RawMessage) {
		level := slog.LevelInfo
		if strings.HasPrefix(typ, "meta") {
			level = slog.LevelDebug
		}
		if !log.Enabled(ctx, level) {
			return
		}
		if mode == "full" {
			log.LogAttrs(ctx, level, "event", slog.String("type", typ), slog.String("json", string(raw)))
			return
		}
		e := logfile.Summarize(raw)
		if e.Type == "" {
			e.Type = typ
		}
		var m struct {
			MessageID json.Number `json:"message_id"`
		}
		_ = json.Unmarshal(raw, &m) // what cannot be read is left out
		var attrs []slog.Attr
		if m.MessageID != "" {
			attrs = append(attrs, slog.String("message_id", m.MessageID.String()))
		}
		log.LogAttrs(ctx, level, "event "+oneLine(e.Type+" "+e.Text, eventText), attrs...)
	}
}

// oneLine is s without line breaks and other control characters, at most n
// characters of it.
func oneLine(s string, n int) string {
	r := []rune(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || unicode.IsControl(r) }), " "))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n]) + "…"
}
