package typebox

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

func load(t testing.TB, text string) *Schema {
	t.Helper()
	v, err := jsval.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	types := jsval.Obj("Any", &jsval.Object{})
	s, err := Load(v, types)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestParse holds the rules that were tried with the library itself.
func TestParse(t *testing.T) {
	const (
		str     = `{type:"object",properties:{v:{type:"string"}},required:["v"]}`
		num     = `{type:"object",properties:{v:{type:"number"}},required:["v"]}`
		boolean = `{type:"object",properties:{v:{type:"boolean"}},required:["v"]}`
		numStr  = `{type:"object",properties:{v:{anyOf:[{type:"number"},{type:"string"}]}},required:["v"]}`
		boolStr = `{type:"object",properties:{v:{anyOf:[{type:"boolean"},{type:"string"}]}},required:["v"]}`
		strBool = `{type:"object",properties:{v:{anyOf:[{type:"string"},{type:"boolean"}]}},required:["v"]}`
		strNull = `{type:"object",properties:{v:{anyOf:[{type:"string",default:" "},{type:"null"}]}}}`
		optStr  = `{type:"object",properties:{v:{type:"string"}}}`
		withDef = `{type:"object",properties:{v:{type:"number",default:20}}}`
		list    = `{type:"object",properties:{v:{type:"array",items:{type:"string"}}},required:["v"]}`
		enum    = `{type:"object",properties:{v:{type:"string",enum:["all","one"]}}}`
		one     = `{type:"object",properties:{v:{type:"string",enum:["at"]}}}`
		nested  = `{type:"object",properties:{v:{type:"object",properties:{a:{type:"number"},d:{type:"string",default:"D"}},required:["a"]}}}`
		anyOf   = `{anyOf:[{type:"object",properties:{a:{type:"string"}},required:["a"]},{type:"object",properties:{b:{type:"string"}},required:["b"]}]}`
		both    = `{allOf:[{type:"object",properties:{a:{type:"string"}},required:["a"]},{type:"object",properties:{b:{type:"number"}}}]}`
	)
	for _, tt := range []struct{ schema, in, want string }{
		{str, `{v:"x"}`, `{"v":"x"}`},
		{str, `{v:123}`, `{"v":"123"}`},
		{str, `{v:1234567890123456789}`, `{"v":"1234567890123456800"}`}, // why long ids must be strings
		{str, `{v:true}`, `{"v":"true"}`},
		{str, `{v:null}`, `Expected string`},
		{str, `{v:[]}`, `Expected string`},
		{str, `{v:{}}`, `Expected string`},
		{str, `{}`, `Expected required property`},
		{str, `[]`, `Expected object`},
		{str, `"x"`, `Expected object`},
		{str, `{v:"x",w:1}`, `{"v":"x"}`},
		{num, `{v:"12"}`, `{"v":12}`},
		{num, `{v:"-1.5e2"}`, `{"v":-150}`},
		{num, `{v:true}`, `{"v":1}`},
		{num, `{v:"false"}`, `{"v":0}`},
		{num, `{v:""}`, `Expected number`},
		{num, `{v:"abc"}`, `Expected number`},
		{num, `{v:"12a"}`, `Expected number`},
		{num, `{v:NaN}`, `Expected number`},
		{num, `{v:"Infinity"}`, `Expected number`},
		{num, `{v:null}`, `Expected number`},
		{boolean, `{v:1}`, `{"v":true}`},
		{boolean, `{v:0}`, `{"v":false}`},
		{boolean, `{v:"1"}`, `{"v":true}`},
		{boolean, `{v:"0"}`, `{"v":false}`},
		{boolean, `{v:"TRUE"}`, `{"v":true}`},
		{boolean, `{v:2}`, `Expected boolean`},
		{boolean, `{v:"yes"}`, `Expected boolean`},
		{numStr, `{v:"abc"}`, `{"v":"abc"}`},
		{numStr, `{v:"12"}`, `{"v":"12"}`},
		{numStr, `{v:true}`, `{"v":1}`},
		{numStr, `{v:null}`, `Expected union value`},
		{boolStr, `{v:1}`, `{"v":true}`},
		{boolStr, `{v:0}`, `{"v":false}`},
		{boolStr, `{v:"1"}`, `{"v":"1"}`},
		{boolStr, `{v:"0"}`, `{"v":"0"}`},
		{strBool, `{v:0}`, `{"v":"0"}`},
		{strBool, `{v:1}`, `{"v":"1"}`},
		{strBool, `{v:false}`, `{"v":false}`},
		{strNull, `{v:null}`, `{"v":null}`},
		{strNull, `{}`, `{"v":" "}`},
		{optStr, `{}`, `{}`},
		{optStr, `{v:null}`, `Expected string`},
		{withDef, `{}`, `{"v":20}`},
		{withDef, `{v:"3"}`, `{"v":3}`},
		{list, `{v:"a"}`, `{"v":["a"]}`},
		{list, `{v:5}`, `{"v":["5"]}`},
		{list, `{v:[1,"b"]}`, `{"v":["1","b"]}`},
		{list, `{v:null}`, `Expected string`},
		{enum, `{v:"one"}`, `{"v":"one"}`},
		{enum, `{v:"One"}`, `Expected union value`},
		{enum, `{v:""}`, `Expected union value`},
		{one, `{v:"to"}`, `Expected 'at'`},
		{nested, `{v:{a:"1",x:2}}`, `{"v":{"a":1,"d":"D"}}`},
		{nested, `{v:{}}`, `Expected required property`},
		{nested, `{v:5}`, `Expected object`},
		{anyOf, `{b:5}`, `{"b":"5"}`},
		{anyOf, `{c:5}`, `Expected union value`},
		{both, `{a:1,b:"2",c:3}`, `{"a":"1","b":2}`},
		{both, `{b:2}`, `Expected required property`},
	} {
		in, err := jsval.Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if v, err := load(t, tt.schema).Parse(in); err != nil {
			got = err.Error()
		} else {
			got = jsval.Stringify(v)
		}
		if got != tt.want {
			t.Errorf("%s as %s\n got %s\nwant %s", tt.in, tt.schema, got, tt.want)
		}
	}
}

// value draws any JSON value.
func value(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.SampledFrom([]string{"", "0", "1", "-0", "true", "False", "12", " 7 ", "abc", "null", "1e3", "0x10"}), func(s string) any { return s }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(a []any) any { return a }),
		rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(a []any) any {
			o := &jsval.Object{}
			for i, v := range a {
				o.Set([]string{"a", "b", "zz"}[i], v)
			}
			return o
		}))
}

// schema draws any schema over the keys that value uses.
func schema(depth int) *rapid.Generator[*Schema] {
	u := jsval.Undefined
	leaf := rapid.SampledFrom([]*Schema{
		{Kind: Any, Default: u}, {Kind: String, Default: u}, {Kind: Number, Default: u}, {Kind: Boolean, Default: u},
		{Kind: Null, Default: u}, {Kind: Literal, Const: "1", Default: u}, {Kind: String, Default: "d"}, {Kind: Number, Default: 3.0},
	})
	if depth == 0 {
		return leaf
	}
	sub := schema(depth - 1)
	return rapid.OneOf(leaf,
		rapid.Map(sub, func(s *Schema) *Schema { return &Schema{Kind: Array, Items: s, Default: u} }),
		rapid.Map(rapid.SliceOfN(sub, 1, 3), func(of []*Schema) *Schema { return &Schema{Kind: Union, Of: of, Default: u} }),
		rapid.Custom(func(t *rapid.T) *Schema {
			s := &Schema{Kind: Object, Default: u}
			for _, k := range []string{"a", "b"} {
				s.Props = append(s.Props, Prop{Name: k, Schema: sub.Draw(t, k), Required: rapid.Bool().Draw(t, "required "+k)})
			}
			return s
		}))
}

func TestParseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, v := schema(2).Draw(t, "schema"), value(3).Draw(t, "value")
		before := jsval.Stringify(v)
		got, err := s.Parse(v)
		if after := jsval.Stringify(v); after != before {
			t.Fatalf("the value was changed to %s", after)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "Expected ") {
				t.Fatalf("error %v", err)
			}
			return
		}
		if e := s.check(got); e != "" {
			t.Fatalf("the result does not fit: %s", e)
		}
		// What fits already stays what it is, from the second time on: a value
		// that is put into a list at the end was cleaned before it was in one.
		for range 2 {
			before := got
			if got, err = s.Parse(before); err != nil {
				t.Fatalf("the result is refused: %v", err)
			}
			if again, err := s.Parse(got); err != nil || !same(again, got) {
				t.Fatalf("%s became %s (%v)", jsval.Stringify(got), jsval.Stringify(again), err)
			}
		}
	})
}

func same(a, b any) bool {
	if x, ok := a.(float64); ok && math.IsNaN(x) {
		y, ok := b.(float64)
		return ok && math.IsNaN(y)
	}
	return jsval.Stringify(a) == jsval.Stringify(b)
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, bad := range []string{`{type:"integer"}`, `{"$ref":"#/types/Nope"}`, `{type:"object",properties:{a:{type:"date"}}}`} {
		v, err := jsval.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(v, &jsval.Object{}); err == nil {
			t.Errorf("%s was loaded", bad)
		}
	}
}
