package onebot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// resultFixture is what an action really answers, which its schema often gets
// wrong. Without Data the answer has no such key.
type resultFixture struct {
	Action, Note string
	Data         json.RawMessage
	Code         int      // of QQ's refusal in an answer that says ok
	Raw          []string // keys that only Raw has
	Open         bool     // nothing of it is typed
}

func resultFixtures(t *testing.T) []resultFixture {
	b, err := os.ReadFile("testdata/results.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out []resultFixture
	for l := range bytes.Lines(b) {
		var f resultFixture
		if err := json.Unmarshal(l, &f); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		out = append(out, f)
	}
	return out
}

// methodsOf returns the generated methods of c by the name of their action.
func methodsOf(c *onebot.Client) map[string]reflect.Value {
	rec := &recorder{}
	probe, client := reflect.ValueOf(onebot.NewClient(rec)), reflect.ValueOf(c)
	out := map[string]reflect.Value{}
	for i := range probe.NumMethod() {
		if m := probe.Method(i); isAction(m.Type()) {
			m.Call(zeroArgs(m.Type())) // to learn the name
			out[rec.action] = client.Method(i)
		}
	}
	return out
}

// Every action's answer, in each form that NapCat gives it, must decode, come
// back whole, and come back from the typed fields alone but for the keys that
// are left to Raw on purpose.
func TestEveryAnswer(t *testing.T) {
	rec := &recorder{}
	methods := methodsOf(onebot.NewClient(rec))
	seen := map[string]bool{}
	for _, f := range resultFixtures(t) {
		m, ok := methods[f.Action]
		if !ok {
			t.Errorf("%s is no action", f.Action)
			continue
		}
		seen[f.Action] = true
		name := strings.TrimSpace(f.Action + " " + f.Note)
		rec.data = f.Data
		out := m.Call(zeroArgs(m.Type()))
		err, _ := out[len(out)-1].Interface().(error)
		if f.Code != 0 {
			var refused *onebot.Error
			if !errors.As(err, &refused) || refused.Verdict != f.Code || refused.Action != f.Action {
				t.Errorf("%s: got %v, want QQ's code %d", name, err, f.Code)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		none := len(f.Data) == 0 || string(f.Data) == "null"
		if len(out) == 1 {
			if !none {
				t.Errorf("%s: the method keeps %s to itself", name, f.Data)
			}
			continue
		}
		if none {
			continue // whatever it is, it is no error
		}
		back, err := marshal(out[0].Interface())
		if err != nil || !equalJSON(t, back, f.Data) {
			t.Errorf("%s: %s comes back as %s (%v)", name, f.Data, back, err)
		}
		if f.Open {
			continue
		}
		forgetRaw(out[0])
		typed, err := marshal(out[0].Interface())
		if err != nil {
			t.Fatal(err)
		}
		for _, gap := range gaps(anyOf(t, f.Data), anyOf(t, typed), "data") {
			if !slices.Contains(f.Raw, gap[strings.LastIndexByte(gap, '.')+1:]) {
				t.Errorf("%s: no field for %s", name, gap)
			}
		}
	}
	for action := range methods {
		if !seen[action] {
			t.Errorf("%s has no answer in testdata", action)
		}
	}
}

// A list that is missing or null is an empty one, not a failure, wherever a
// list is the answer or a part of it.
func TestAnswersWithoutTheirLists(t *testing.T) {
	rec := &recorder{}
	methods := methodsOf(onebot.NewClient(rec))
	for _, f := range resultFixtures(t) {
		m := methods[f.Action]
		var v any
		if f.Code != 0 || len(f.Data) == 0 || m.Type().NumOut() == 1 || json.Unmarshal(f.Data, &v) != nil {
			continue
		}
		for _, instead := range []any{nil, map[string]any{}, ""} {
			data, err := json.Marshal(withoutLists(v, instead))
			if err != nil {
				t.Fatal(err)
			}
			rec.data = data
			out := m.Call(zeroArgs(m.Type()))
			if err, _ := out[1].Interface().(error); err != nil && !onebot.IsRefused(err) {
				t.Errorf("%s: %s: %v", f.Action, data, err)
			}
		}
	}
}

func withoutLists(v, instead any) any {
	switch v := v.(type) {
	case []any:
		return instead
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = withoutLists(e, instead)
		}
		return out
	}
	return v
}

// forgetRaw leaves v nothing but its typed fields.
func forgetRaw(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			forgetRaw(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				forgetRaw(v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			switch {
			case f.Type() == reflect.TypeFor[onebot.Received]() && f.CanSet():
				f.SetZero()
			case v.Type().Field(i).IsExported():
				forgetRaw(f)
			}
		}
	}
}

// gaps names what want says and got does not. A number in a string is the
// number, and what says nothing may be left out.
func gaps(want, got any, at string) []string {
	var out []string
	switch w := want.(type) {
	case map[string]any:
		if l, ok := got.([]any); ok && len(l) == 1 {
			got = l[0] // what may come bare or in a list
		}
		g, _ := got.(map[string]any)
		for k, v := range w {
			if e, ok := g[k]; ok {
				out = append(out, gaps(v, e, at+"."+k)...)
			} else if !saysNothing(v) {
				out = append(out, at+"."+k)
			}
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			return []string{at}
		}
		for i := range w {
			out = append(out, gaps(w[i], g[i], fmt.Sprintf("%s[%d]", at, i))...)
		}
	default:
		if fmt.Sprint(want) != fmt.Sprint(got) && (!saysNothing(want) || !saysNothing(got)) {
			out = append(out, at)
		}
	}
	slices.Sort(out)
	return out
}

func saysNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return v == "" || v == "0" || v == false
}

func anyOf(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

// NapCat refuses null for every typed parameter, even an optional one, takes
// flags only as real JSON booleans everywhere, and takes ids of 19 digits only
// in strings. So whatever a caller leaves out is left out on the wire.
func TestParamsAsNapCatTakesThem(t *testing.T) {
	rec := &recorder{}
	quoted := map[string]bool{"rawArkData": true} // counts only as the word
	for action, m := range methodsOf(onebot.NewClient(rec)) {
		if m.Type().NumIn() < 2 || m.Type().In(1).Kind() != reflect.Struct {
			continue
		}
		args := func(p reflect.Value) []reflect.Value {
			a := []reflect.Value{reflect.ValueOf(context.Background()), p}
			for i := 2; i < m.Type().NumIn(); i++ {
				a = append(a, reflect.Zero(m.Type().In(i)))
			}
			return a
		}
		rec.action, rec.params, rec.data = "", nil, nil
		p := reflect.New(m.Type().In(1)).Elem()
		m.Call(args(p))
		if rec.action != "" && bytes.Contains(rec.params, []byte("null")) {
			t.Errorf("%s with nothing given sends %s", action, rec.params)
		}
		setFlagsAndIDs(p)
		rec.params = nil
		m.Call(args(p))
		if rec.params == nil {
			t.Errorf("%s was not called", action)
			continue
		}
		sent, _ := anyOf(t, rec.params).(map[string]any)
		for k, v := range sent {
			n, isNumber := v.(json.Number)
			switch {
			case isNumber && len(n) == 19:
				t.Errorf("%s sends %s as the number %s", action, k, n)
			case v == "true" && !quoted[k]:
				t.Errorf("%s sends %s as text", action, k)
			}
		}
	}
}

func setFlagsAndIDs(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch f.Type() {
		case reflect.TypeFor[*bool]():
			f.Set(reflect.ValueOf(new(name != "is_dismiss"))) // which is refused
		case reflect.TypeFor[onebot.MessageID]():
			f.SetInt(7400000000000000001)
		default:
			if f.Kind() == reflect.Pointer && mustBeGiven[name] {
				f.Set(reflect.New(f.Type().Elem()))
			}
		}
	}
}
