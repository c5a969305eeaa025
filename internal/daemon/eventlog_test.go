package daemon

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestEventLog(t *testing.T) {
	const (
		message = `{"post_type":"message","message_type":"group","sub_type":"normal","group_id":100,"group_name":"G","user_id":1,"message_id":7,"sender":{"card":"Ann"},"raw_message":"good\n\u001b[31m morning"}`
		beat    = `{"post_type":"meta_event","meta_event_type":"heartbeat"}`
	)
	for _, c := range []struct {
		mode  string
		level slog.Level
		typ   string
		frame string
		want  string
	}{
		{"summary", slog.LevelInfo, "message.group", message, `msg="event message.group.normal group=100(G) user=1(Ann): good [31m morning" message_id=7`},
		{"full", slog.LevelInfo, "message.group", message, `raw_message`},
		{"summary", slog.LevelWarn, "message.group", message, ""},
		{"full", slog.LevelWarn, "message.group", message, ""},
		{"off", slog.LevelDebug, "message.group", message, ""},
		{"summary", slog.LevelInfo, "meta_event.heartbeat", beat, ""},
		{"full", slog.LevelInfo, "meta_event.heartbeat", beat, ""},
		{"summary", slog.LevelDebug, "meta_event.heartbeat", beat, "event meta_event.heartbeat"},
		{"summary", slog.LevelInfo, "unknown", `{"group_id":{}}`, "event unknown"},
		{"summary", slog.LevelInfo, "message.group", strings.Replace(message, "good", strings.Repeat("长", 5000), 1), "长…"},
	} {
		var out bytes.Buffer
		if f := eventLog(t.Context(), slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: c.level})), c.mode); f != nil {
			f(c.typ, json.RawMessage(c.frame))
		}
		got := out.String()
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s at %v: %q, want %q", c.mode, c.level, got, c.want)
		}
		if c.mode == "summary" && len(got) > 4*eventText {
			t.Errorf("a summary has %d bytes", len(got))
		}
	}
}
