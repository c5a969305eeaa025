package rpc

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		frame string
		want  kind
	}{
		{`{"time":1795317621,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`, eventFrame},
		{`{"status":"ok","post_type":"x"}`, eventFrame},
		{`{"message":"{\"post_type\":1}","echo":"5"}`, answer},
		{`{"data":{"post_type":"message","echo":3},"retcode":0}`, answer},
		{`{"data":[{"a":"]}\\\""}],"echo":1}`, answer},
		{` { "retcode" : 0 , "echo" : null } `, answer},
		{`{"status":"ok"}`, garbage},
		{`{"echo":1`, garbage},
		{`{"echo":1}}`, garbage},
		{`{"echo"}`, garbage},
		{`{"echo":}`, garbage},
		{`{"echo":"x}`, garbage},
		{`{"time":1`, garbage},
	} {
		if got, _ := classify([]byte(tc.frame)); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.frame, got, tc.want)
		}
	}
}

func TestEchoID(t *testing.T) {
	for s, want := range map[string]uint64{`"12"`: 12, `12`: 12, `12.00`: 12, `["12"]`: 12, `[ 12 ]`: 12, `0`: 0, `-1`: 0, `"x"`: 0, ``: 0, `null`: 0, `1.5`: 0, `"99999999999999999999"`: 0, `{"a":1}`: 0, `""`: 0} {
		if got := echoID([]byte(s)); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
}

// FuzzClassify holds the scanner against encoding/json: what is valid JSON is
// sorted by its top-level keys, nothing panics, and an answer's parts are the
// values of those keys.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{
		`{"status":"ok","retcode":0,"data":{"a":[1,"]"]},"message":"","wording":"","echo":"1","stream":"normal-action"}`,
		`{"status":"failed","retcode":1403,"data":null,"message":"token验证失败","wording":"x","echo":null,"stream":"normal-action"}`,
		`{"time":1,"self_id":2,"post_type":"notice"}`, `{"post_type":"a","echo":1}`, `{"echo":{"a":1}}`, `[]`, `{"a\"b":"\\"}`, `{`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		k, r := classify(frame)
		echoID(r.echo)
		r.isPacket()
		unquote(r.message)
		if !json.Valid(frame) {
			return
		}
		var top map[string]json.RawMessage
		if json.Unmarshal(frame, &top) != nil || top == nil {
			if k != garbage {
				t.Fatalf("%q is no object but kind %d", frame, k)
			}
			return
		}
		if strings.Contains(string(frame), `\`) {
			return // keys written with escapes are left alone on purpose
		}
		_, post := top["post_type"]
		_, code := top["retcode"]
		echo, isEcho := top["echo"]
		want := garbage
		switch {
		case post:
			want = eventFrame
		case code || isEcho:
			want = answer
		}
		if fast, _ := classify(append([]byte(" "), frame...)); fast != want {
			t.Fatalf("%q is kind %d, want %d", frame, fast, want)
		}
		if k == answer && isEcho && string(r.echo) != string(echo) {
			t.Fatalf("%q: echo %q, want %q", frame, r.echo, echo)
		}
	})
}
