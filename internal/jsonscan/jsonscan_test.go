package jsonscan

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzScan holds the scanner to encoding/json: the same texts are valid, and the
// same members and elements stand in them.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		``, `{}`, ` { "a" : 1 , "b":[ 1,2 ] } `, `{"a":1,}`, `{"a":1,"a":2}`, `{"a"}`, `{"a":}`, `{1:2}`, `{"a":1}x`, `[]`, `[1,]`, `[,]`, `"\ud83d\ude00"`,
		`{"k\u0065y":"\ud800"}`, `-0.5e+7`, `01`, `1.`, `tru`, `null`, `"` + "\x01" + `"`, `"\x"`, strings.Repeat("[", 20000), "{\"a\":" + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		valid := json.Valid([]byte(s))
		if Valid(s) != valid || Valid([]byte(s)) != valid {
			t.Fatalf("valid: %t, want %t", Valid(s), valid)
		}
		ms, ok := Members(s, nil)
		var object map[string]json.RawMessage
		isObject := json.Unmarshal([]byte(s), &object) == nil && object != nil
		if ok != isObject {
			t.Fatalf("an object: %t, want %t", ok, isObject)
		}
		n := 0
		if Fields([]byte(s), func(key, val []byte) {
			if n < len(ms) && (string(val) != ms[n].Val || Unquote(`"`+string(key)+`"`) != ms[n].Key) {
				t.Fatalf("field %s: %s, want %+v", key, val, ms[n])
			}
			n++
		}) != ok || ok && n != len(ms) {
			t.Fatalf("%d fields, %d members", n, len(ms))
		}
		last := map[string]string{}
		for _, m := range ms {
			last[m.Key] = m.Val
		}
		if ok && len(last) != len(object) {
			t.Fatalf("%d keys, want %d", len(last), len(object))
		}
		for k, v := range object {
			if ok && last[k] != string(v) {
				t.Fatalf("%q is %s, want %s", k, last[k], v)
			}
		}
		var list []json.RawMessage
		if json.Unmarshal([]byte(s), &list) == nil && list != nil {
			i := 0
			Elements(s, func(val string) bool {
				if i >= len(list) || val != string(list[i]) {
					t.Fatalf("element %d is %s", i, val)
				}
				i++
				return true
			})
			if i != len(list) {
				t.Fatalf("%d elements, want %d", i, len(list))
			}
		}
		var text string
		if strings.HasPrefix(s, `"`) && json.Unmarshal([]byte(s), &text) == nil && Unquote(strings.TrimRight(s, " \t\r\n")) != text {
			t.Fatalf("says %q, want %q", Unquote(s), text)
		}
		if n := Prefix(s); valid && strings.TrimLeft(s, " \t\r\n") == s && n < 0 {
			t.Fatal("a valid text has no prefix")
		}
	})
}
