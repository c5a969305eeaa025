package daemon

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestEventLog(t *testing.T) {
	frame := json.RawMessage(`{"post_type":"message","message_type":"group","sub_type":"normal","group_id":100,"user_id":1,"message_id":7,"raw_message":"private words"}`)
	for _, c := range []struct {
		mode  string
		level slog.Level
		want  string
	}{
		{"summary", slog.LevelDebug, "type=message.group sub_type=normal group_id=100 user_id=1 message_id=7"},
		{"full", slog.LevelDebug, "private words"},
		{"summary", slog.LevelInfo, ""},
		{"full", slog.LevelInfo, ""},
		{"off", slog.LevelDebug, ""},
	} {
		var out bytes.Buffer
		f := eventLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: c.level})), c.mode)
		if f != nil {
			f("message.group", frame)
		}
		got := out.String()
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s at %v: %q", c.mode, c.level, got)
		}
		if c.mode == "summary" && strings.Contains(got, "words") {
			t.Errorf("a summary has the text: %q", got)
		}
	}
	var out bytes.Buffer
	eventLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), "summary")("unknown", json.RawMessage(`{"group_id":{}}`))
	if !strings.Contains(out.String(), "type=unknown") {
		t.Errorf("an odd event is not logged: %q", out.String())
	}
}
