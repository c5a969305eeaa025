package onebot_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// This file makes random values: of Go types for params, of JSON schemas and of
// Go types for results.

var words = []string{"", "x", "测试", `q"uo\te`, "[CQ:at,qq=1]", "a,b&c]", "line\nbreak", "0", "7400000000000000001", "👍", "</script>"}

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

// enumsOf returns the words that a schema's string properties allow, at any
// depth, by name.
func enumsOf(schema any) map[string][]string {
	out := map[string][]string{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			props, _ := v["properties"].(map[string]any)
			for name, p := range props {
				p, _ := p.(map[string]any)
				for _, e := range asList(p["enum"]) {
					out[name] = append(out[name], e.(string))
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(schema)
	return out
}

func asList(v any) []any { l, _ := v.([]any); return l }

// segments are segments as somebody would send them, all valid by the schema.
func segments(r *rand.Rand, deep int) onebot.Message {
	var m onebot.Message
	for range r.IntN(4) {
		switch n := r.IntN(16); {
		case n == 0 && deep < 2:
			m = append(m, onebot.Node(10001, word(r), segments(r, deep+1)...))
		case n == 1:
			m = append(m, onebot.NodeOf(onebot.MessageID(r.Int32())))
		case n == 2:
			m = append(m, onebot.At(onebot.UserID(r.Int32())), onebot.AtAll())
		case n == 3:
			m = append(m, onebot.Reply(onebot.MessageID(r.Int32())))
		case n == 4:
			m = append(m, onebot.Face(r.IntN(300)), onebot.MFace(r.Int64N(9999), word(r), word(r)))
		case n == 5:
			m = append(m, &onebot.ImageSegment{File: word(r)}, &onebot.ImageSegment{File: onebot.Base64([]byte(word(r)))}, &onebot.RecordSegment{File: word(r)})
		case n == 6:
			m = append(m, &onebot.VideoSegment{File: word(r)}, &onebot.FileSegment{File: word(r), Name: word(r)})
		case n == 7:
			m = append(m, onebot.Dice(), onebot.RPS())
		case n == 8:
			m = append(m, onebot.Music("163", "5"), onebot.CustomMusic(word(r), word(r), word(r), word(r)))
		case n == 9:
			m = append(m, onebot.Contact(5), onebot.ContactGroup(6), onebot.JSON(word(r)))
		case n == 10:
			m = append(m, onebot.Forward(word(r)), onebot.Markdown(word(r)))
		case n == 11:
			m = append(m, &onebot.LocationSegment{Lat: "1", Lon: "2", Title: word(r)})
		default:
			m = append(m, onebot.Text(word(r)))
		}
	}
	return m
}

// fill sets v to something random, every optional part in half of the cases.
func fill(r *rand.Rand, v reflect.Value, enums map[string][]string) {
	switch v.Type() {
	case reflect.TypeFor[onebot.Message]():
		v.Set(reflect.ValueOf(segments(r, 0)))
		return
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{"any":[1,"二",null,{"deep":true}]}`))
		return
	case reflect.TypeFor[time.Duration]():
		v.SetInt(int64(time.Duration(r.IntN(100000)) * time.Second))
		return
	case reflect.TypeFor[onebot.Received]():
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			fv := v.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case len(enums[name]) > 0:
				s := enums[name][r.IntN(len(enums[name]))]
				if fv.Kind() == reflect.Pointer {
					fv.Set(reflect.ValueOf(&s))
				} else {
					fv.SetString(s)
				}
			case fv.Type() == reflect.TypeFor[*bool]() && name == "approve":
				fv.Set(reflect.ValueOf(new(true))) // one action takes nothing else
			case name == "is_dismiss": // the action does not take true
				fv.Set(reflect.ValueOf(new(false)))
			case name == "url" && fv.Kind() == reflect.Pointer: // a path is refused
				fv.Set(reflect.ValueOf(new("https://files.example/" + word(r))))
			case fv.Kind() == reflect.Pointer && r.IntN(2) == 0 && !mustBeGiven[name]:
			default:
				fill(r, fv, enums)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), enums)
	case reflect.Slice:
		n := r.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i), enums)
		}
	case reflect.String:
		v.SetString(word(r))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		n := r.Int64N(1 << 31)
		if v.Type() == reflect.TypeFor[onebot.MessageID]() && r.IntN(3) == 0 {
			n = 7400000000000000000 + r.Int64N(1e12)
		}
		v.SetInt(n)
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(100)))
	}
}

// mustBeGiven names the parameters whose absence a method refuses.
var mustBeGiven = map[string]bool{"enable": true, "duration": true, "approve": true, "visible": true}

// calm clears what would make an answer a refusal, so that the call succeeds.
func calm(v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	for _, name := range []string{"Result", "ErrCode", "RetCode", "ResultCode"} {
		f := v.FieldByName(name)
		if !f.IsValid() {
			continue
		}
		if f.Kind() == reflect.Struct {
			calm(f)
			continue
		}
		f.SetZero()
	}
	if f := v.FieldByName("Valid"); f.IsValid() {
		f.SetZero()
	}
	for _, needed := range []string{"FilesetID", "AlbumList"} {
		f := v.FieldByName(needed)
		if f.IsValid() && f.IsZero() || f.IsValid() && f.Kind() == reflect.Slice {
			if f.Kind() == reflect.String {
				f.SetString("set")
			} else {
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			}
		}
	}
}

var types = sync.OnceValue(func() map[string]any {
	b, err := os.ReadFile("schema/actions.json")
	if err != nil {
		panic(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		panic(err)
	}
	return doc["types"].(map[string]any)
})

// randomOf returns a random value of a JSON schema, objects with a key more than
// it lists.
func randomOf(r *rand.Rand, s map[string]any, types map[string]any) any {
	if ref, ok := s["$ref"].(string); ok {
		return randomOf(r, types[ref[len("#/types/"):]].(map[string]any), types)
	}
	if forms := asList(s["anyOf"]); len(forms) > 0 {
		return randomOf(r, forms[r.IntN(len(forms))].(map[string]any), types)
	}
	switch s["type"] {
	case "string":
		if e := asList(s["enum"]); len(e) > 0 {
			return e[r.IntN(len(e))]
		}
		return word(r)
	case "number":
		return r.Int64N(1 << 40)
	case "boolean":
		return r.IntN(2) == 0
	case "array":
		items, _ := s["items"].(map[string]any)
		l := []any{}
		for range r.IntN(3) {
			l = append(l, randomOf(r, items, types))
		}
		return l
	case "object":
		o := map[string]any{"novel": []any{1, word(r)}}
		props, _ := s["properties"].(map[string]any)
		for name, p := range props {
			if name == "result" { // QQ's verdict: anything else is a refusal
				o[name] = 0
				continue
			}
			if inList(s["required"], name) || r.IntN(2) == 0 {
				o[name] = randomOf(r, p.(map[string]any), types)
			}
		}
		return o
	case "null":
		return nil
	}
	return map[string]any{"untyped": word(r)}
}

func inList(l any, s string) bool {
	for _, e := range asList(l) {
		if e == s {
			return true
		}
	}
	return false
}
