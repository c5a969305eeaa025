package logfile

import (
	"encoding/json"
	"slices"
	"strings"
)

// EventLine is a OneBot event as a person reads it in one line.
type EventLine struct {
	Time int64  // seconds since 1970
	Type string // such as message.group.normal
	Text string // who, where and what, such as "group=7(name) user=8(card): hello"
}

// Summarize reads what a line needs of an event. It takes what decodes: an
// event of an unknown shape has an emptier line. The texts are strangers' and
// may hold any character.
func Summarize(raw json.RawMessage) EventLine {
	var e struct {
		Time        int64           `json:"time"`
		PostType    string          `json:"post_type"`
		MessageType string          `json:"message_type"`
		NoticeType  string          `json:"notice_type"`
		RequestType string          `json:"request_type"`
		MetaType    string          `json:"meta_event_type"`
		SubType     string          `json:"sub_type"`
		GroupID     json.RawMessage `json:"group_id"`
		GroupName   string          `json:"group_name"`
		UserID      json.RawMessage `json:"user_id"`
		OperatorID  json.RawMessage `json:"operator_id"`
		TargetID    json.RawMessage `json:"target_id"`
		RawMessage  string          `json:"raw_message"`
		Comment     string          `json:"comment"`
		Sender      struct {
			Nickname string `json:"nickname"`
			Card     string `json:"card"`
		} `json:"sender"`
	}
	_ = json.Unmarshal(raw, &e) // see above
	kind := slices.DeleteFunc([]string{e.PostType, e.MessageType, e.NoticeType, e.RequestType, e.MetaType, e.SubType}, func(s string) bool { return s == "" })
	var b strings.Builder
	id := func(label string, v json.RawMessage, name string) {
		s := strings.Trim(string(v), `"`)
		if s == "" || s == "0" || s == "null" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(label + s)
		if name != "" {
			b.WriteString("(" + name + ")")
		}
	}
	id("group=", e.GroupID, e.GroupName)
	name := e.Sender.Card
	if name == "" {
		name = e.Sender.Nickname
	}
	id("user=", e.UserID, name)
	if e.PostType == "notice" {
		id("operator=", e.OperatorID, "")
		id("target=", e.TargetID, "")
	}
	text := e.RawMessage
	if text == "" {
		text = e.Comment
	}
	if text != "" {
		b.WriteString(": " + text)
	}
	return EventLine{Time: e.Time, Type: strings.Join(kind, "."), Text: b.String()}
}
