package jsval

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{a:1,'b':"x",}`, `{"a":1,"b":"x"}`},
		{`{"b":1,"a":2,"b":3}`, `{"b":3,"a":2}`},
		{`{z:1,"10":2,"9":3,"01":4,"-1":5}`, `{"9":3,"10":2,"z":1,"01":4,"-1":5}`},
		{`[1,+2,-3,.5,5.,0x1F,1e3,-0,]`, `[1,2,-3,0.5,5,31,1000,0]`},
		{`[NaN,Infinity,-Infinity]`, `[null,null,null]`},
		{`// c` + "\n" + `/* d */ {a /*e*/ : /**/ null} //`, `{"a":null}`},
		{`'it\'s \x41\u4e2d\
n'`, `"it's A中n"`},
		{`"\ud83d\ude00"`, `"😀"`},
		{`"\ud83d"`, `"` + "\uFFFD" + `"`},
		{`"a\/\q\0"`, `"a/q\u0000"`},
		{"\uFEFF\u00a0 5", `5`},
		{`{$_é1:1,中:2}`, `{"$_é1":1,"中":2}`},
		{`{\u0061b:1}`, `{"ab":1}`},
		{`1234567890123456789`, `1234567890123456800`},
		{`"<&>` + "\u2028" + `"`, `"<&>` + "\u2028" + `"`},
		{`1e21`, `1e+21`}, {`1e-7`, `1e-7`}, {`123456789012345680000`, `123456789012345680000`},
	} {
		v, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := Stringify(v); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
	for _, bad := range []string{``, ` `, `{`, `}`, `{a}`, `{a:}`, `{,}`, `[,]`, `[1 2]`, `"x`, "\"a\nb\"", `01`, `.`, `1.e`, `0x`, `+`, `nul`, `{a:1}x`, `/`, `/*`, `"\1"`, `"\xg0"`, `{1a:1}`, strings.Repeat("[", 6000)} {
		if v, err := Parse(bad); err == nil {
			t.Errorf("%q was read as %s", bad, Stringify(v))
		}
	}
}

// plain turns a parsed value into what encoding/json makes.
func plain(v any) any {
	switch v := v.(type) {
	case *Object:
		m := make(map[string]any)
		for _, e := range v.Members {
			m[e.Key] = plain(e.Value)
		}
		return m
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}

// FuzzParse compares with encoding/json on what both read, and holds that what
// was written is read again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"c":"\u00e9"}`, `{a:'x',/*c*/b:+.5e-3,}`, `"\ud83d\ude00"`, `[]`, `-0`, `{"1":2,"a":1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if json.Valid([]byte(s)) && !strings.Contains(s, `\u`) {
			var want any
			if uerr := json.Unmarshal([]byte(s), &want); uerr == nil { // fails on numbers out of range
				if err != nil {
					t.Fatalf("%q is JSON, but: %v", s, err)
				}
				if got := plain(v); !reflect.DeepEqual(got, want) {
					t.Fatalf("%q: got %#v, want %#v", s, got, want)
				}
			}
		}
		if err != nil {
			return
		}
		out := Stringify(v)
		if !json.Valid([]byte(out)) {
			t.Fatalf("%q was written as %q", s, out)
		}
		again, err := Parse(out)
		if err != nil || Stringify(again) != out {
			t.Fatalf("%q was written as %q and read as %q, %v", s, out, Stringify(again), err)
		}
	})
}

func TestFormatNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		if got := StringNumber(FormatNumber(f)); got != f && !(math.IsNaN(f) && math.IsNaN(got)) {
			t.Fatalf("%g is written as %s and read as %g", f, FormatNumber(f), got)
		}
	})
	for f, want := range map[float64]string{0: "0", -1.5: "-1.5", 1e20: "100000000000000000000", 1e21: "1e+21", 1.5e-7: "1.5e-7", 1e-6: "0.000001", 1e100: "1e+100"} {
		if got := FormatNumber(f); got != want {
			t.Errorf("%g: %s, want %s", f, got, want)
		}
	}
}

func TestNumbersOfStrings(t *testing.T) {
	for s, want := range map[string]float64{"": 0, " 12 ": 12, "0x1f": 31, "0b11": 3, "1e2": 100, "-5": -5, ".5": 0.5, "Infinity": math.Inf(1)} {
		if got := StringNumber(s); got != want {
			t.Errorf("Number(%q) = %g, want %g", s, got, want)
		}
	}
	for _, s := range []string{"abc", "12a", "1 2", "--1", "e5", "0x"} {
		if got := StringNumber(s); !math.IsNaN(got) {
			t.Errorf("Number(%q) = %g, want NaN", s, got)
		}
	}
	if f, ok := ParseFloat(" 12.5kg"); f != 12.5 || !ok {
		t.Errorf("parseFloat gives %g, %v", f, ok)
	}
}

func TestObject(t *testing.T) {
	o := Obj("b", 1, "a", Undefined, "c", nil)
	if got := Stringify(o); got != `{"b":1,"c":null}` {
		t.Errorf("got %s", got)
	}
	o.Set("b", "x").Set("d", []any{Undefined, int64(5)})
	o.Delete("c")
	if got := Stringify(o); got != `{"b":"x","d":[null,5]}` {
		t.Errorf("got %s", got)
	}
	c := Clone(o).(*Object)
	c.Get("d").([]any)[1] = 6
	if got := Stringify(o.With("e", true)); got != `{"b":"x","d":[null,5],"e":true}` {
		t.Errorf("got %s", got)
	}
	if got := Indent(Obj("a", []any{1}, "b", &Object{}, "c", []any{})); got != "{\n  \"a\": [\n    1\n  ],\n  \"b\": {},\n  \"c\": []\n}" {
		t.Errorf("got %s", got)
	}
}
