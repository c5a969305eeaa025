package onebot

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// What no NapCat of today sends, but another host, another version or a proxy
// in between might, decodes as far as it makes sense and is kept whole.
func TestOddEvents(t *testing.T) {
	const group = `"post_type":"message","message_type":"group"`
	msg := func(e Event) *GroupMessage { return e.(*GroupMessage) }
	for name, tc := range map[string]struct {
		frame string
		ok    func(e Event) bool
	}{
		"self_id as text": {`{"self_id":"10001",` + group + `}`, func(e Event) bool { return msg(e).SelfID == 10001 }},
		"ids as text": {`{"user_id":"20002","group_id":"30003","message_id":"-5",` + group + `}`, func(e Event) bool {
			return msg(e).UserID == 20002 && msg(e).GroupID == 30003 && msg(e).MessageID == -5
		}},
		"negative id":     {`{"message_id":-2147483648,` + group + `}`, func(e Event) bool { return msg(e).MessageID == math.MinInt32 }},
		"id beyond 2^53":  {`{"message_id":9007199254740993,"user_id":9007199254740995,` + group + `}`, func(e Event) bool { return msg(e).MessageID == 1<<53+1 && msg(e).UserID == 1<<53+3 }},
		"largest id":      {`{"message_id":9223372036854775807,` + group + `}`, func(e Event) bool { return msg(e).MessageID == math.MaxInt64 }},
		"smallest id":     {`{"message_id":"-9223372036854775808",` + group + `}`, func(e Event) bool { return msg(e).MessageID == math.MinInt64 }},
		"id beyond 64 b":  {`{"message_id":92233720368547758070,"user_id":1,` + group + `}`, func(e Event) bool { return msg(e).MessageID == 0 && msg(e).UserID == 1 }},
		"id as a float":   {`{"message_id":12.0,"group_id":3e4,` + group + `}`, func(e Event) bool { return msg(e).MessageID == 12 && msg(e).GroupID == 30000 }},
		"id null":         {`{"message_id":null,"group_id":"",` + group + `}`, func(e Event) bool { return msg(e).MessageID == 0 && msg(e).GroupID == 0 }},
		"id of no number": {`{"message_id":{"a":1},"group_id":[1],"user_id":true,"time":"soon",` + group + `}`, func(e Event) bool { return msg(e).MessageID == 0 && msg(e).Time == 0 }},
		"message as text": {`{"message":"a&#91;[CQ:at,qq=5]&amp;","message_format":"string",` + group + `}`, func(e Event) bool {
			return msg(e).Text() == "a[&" && msg(e).Message.Mentions(5)
		}},
		"message is one segment": {`{"message":{"type":"text","data":{"text":"a"}},` + group + `}`, func(e Event) bool { return msg(e).Text() == "a" }},
		"message null":           {`{"message":null,"sender":null,"raw_message":null,` + group + `}`, func(e Event) bool { return len(msg(e).Message) == 0 && msg(e).RawMessage == "" }},
		"no message at all":      {`{` + group + `}`, func(e Event) bool { return len(msg(e).Message) == 0 }},
		"message is a number": {`{"message":5,"sender":[1],` + group + `}`, func(e Event) bool {
			return msg(e).Text() == "" && strings.Contains(string(msg(e).Raw()), `"message":5`)
		}},
		"segments of all sorts": {`{"message":[null,5,"x",[],{},{"type":5,"data":{}},{"type":"text"},{"type":"text","data":{"text":7}},{"type":"at","data":null},{"type":"text","data":{"text":"z"}}],` + group + `}`, func(e Event) bool {
			return len(msg(e).Message) == 10 && strings.HasSuffix(msg(e).Text(), "z")
		}},
		"keys in any order":       {`{"message_type":"group","post_type":"message","group_id":1,"self_id":2}`, func(e Event) bool { return msg(e).GroupID == 1 && msg(e).SelfID == 2 }},
		"keys twice":              {`{"group_id":1,"group_id":2,` + group + `}`, func(e Event) bool { return msg(e).GroupID == 2 }},
		"keys with escapes":       {`{"post\u005ftype":"message","message_type":"g\u0072oup","group\u005fid":4}`, func(e Event) bool { return msg(e).GroupID == 4 }},
		"spaces":                  {" \t\r\n{ \"group_id\" : 4 , " + group + " } \n", func(e Event) bool { return msg(e).GroupID == 4 }},
		"byte order mark":         {"\ufeff{\"group_id\":4," + group + "}", func(e Event) bool { return msg(e).GroupID == 4 && msg(e).Raw()[0] == '{' }},
		"lone surrogate":          {`{"raw_message":"\ud83d!","message":"\udc00",` + group + `}`, func(e Event) bool { return msg(e).RawMessage == "\ufffd!" }},
		"own message":             {`{"post_type":"message_sent","message_type":"group","user_id":5,"self_id":5}`, func(e Event) bool { return msg(e).FromSelf() }},
		"own message, other kind": {`{"post_type":"message","message_type":"group","user_id":5,"self_id":"5"}`, func(e Event) bool { return msg(e).FromSelf() }},
		"heartbeat without status": {`{"post_type":"meta_event","meta_event_type":"heartbeat","interval":5000}`, func(e Event) bool {
			return !e.(*Heartbeat).Status.Online && e.(*Heartbeat).Interval == 5000
		}},
		"heartbeat, status null":    {`{"post_type":"meta_event","meta_event_type":"heartbeat","status":null,"interval":"5000"}`, func(e Event) bool { return !e.(*Heartbeat).Status.Online && e.(*Heartbeat).Interval == 5000 }},
		"heartbeat, status is text": {`{"post_type":"meta_event","meta_event_type":"heartbeat","status":"fine"}`, func(e Event) bool { return !e.(*Heartbeat).Status.Online }},
		"heartbeat, loose bools":    {`{"post_type":"meta_event","meta_event_type":"heartbeat","status":{"online":"true","good":1}}`, func(e Event) bool { return e.(*Heartbeat).Status.Online && e.(*Heartbeat).Status.Good }},
		"flag as a number":          {`{"post_type":"request","request_type":"group","sub_type":"invite","flag":1795317637}`, func(e Event) bool { return e.(*GroupRequest).Flag == "1795317637" && e.(*GroupRequest).Invite() }},
		"unknown sub_type":          {`{"post_type":"notice","notice_type":"group_ban","sub_type":"freeze","duration":"60"}`, func(e Event) bool { return e.(*GroupBan).SubType == "freeze" && e.(*GroupBan).Duration == 60 }},
		"unknown notice":            {`{"post_type":"notice","notice_type":"x","y":{"z":[1,2.5,9007199254740993]}}`, func(e Event) bool { _, ok := e.(*UnknownEvent); return ok }},
		"notify without sub_type":   {`{"post_type":"notice","notice_type":"notify"}`, func(e Event) bool { _, ok := e.(*UnknownEvent); return ok }},
		"message of unknown type":   {`{"post_type":"message","message_type":"guild","self_id":"7"}`, func(e Event) bool { _, ok := e.(*UnknownEvent); return ok && e.Base().SelfID == 7 }},
		"post_type of no text":      {`{"post_type":7,"self_id":1}`, func(e Event) bool { _, ok := e.(*UnknownEvent); return ok }},
		"echo beside post_type":     {`{"post_type":"message","message_type":"group","echo":"1","retcode":0,"group_id":9}`, func(e Event) bool { return msg(e).GroupID == 9 }},
		"unknown field":             {`{"novel":{"deep":[{"x":1e400}]},"big":123456789012345678901234567890,` + group + `}`, func(e Event) bool { return strings.Contains(string(e.Base().Raw()), "1e400") }},
		"nested a thousand deep":    {`{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `,"group_id":3,` + group + `}`, func(e Event) bool { return msg(e).GroupID == 3 }},
	} {
		e, err := Decode([]byte(tc.frame))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !tc.ok(e) {
			t.Errorf("%s: %s became %+v", name, tc.frame, e)
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if plain := strings.TrimPrefix(tc.frame, "\ufeff"); !sameJSON(t, out, []byte(plain)) {
			t.Errorf("%s: %s came back as %s", name, plain, out)
		}
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	for _, frame := range []string{
		`null`, `true`, `5`, `"post_type"`, `[]`, `[{"post_type":"message"}]`, `{}`, `{"post_type":null}`, `{"post_type":""}`, `{"echo":"1"}`,
		`{"status":"ok","retcode":0,"data":{"post_type":"message"}}`, "\ufeff{}",
	} {
		if e, err := Decode([]byte(frame)); !errors.Is(err, ErrNotEvent) {
			t.Errorf("%s: got %v, %v", frame, e, err)
		}
	}
	for _, frame := range []string{
		``, ` `, `{`, `{"post_type":"message"`, `{"post_type":"message"}{}`, `{"time":NaN,"post_type":"message"}`, `{"time":Infinity,"post_type":"message"}`,
		`{"time":+1,"post_type":"message"}`, `{'post_type':'message'}`, `{post_type:"message"}`, `{"post_type":"message",}`, `{"post_type":"message"}//`,
		"{\"post_type\":\"a\nb\"}", "\x00", "\ufeff", "\ufeff\ufeff{}", `{"post_type":"message","x":"\x"}`, `{"x":` + strings.Repeat("[", 20_000),
	} {
		if e, err := Decode([]byte(frame)); err == nil || errors.Is(err, ErrNotEvent) {
			t.Errorf("%.60s: got %v, %v, want a syntax error", frame, e, err)
		}
	}
}
