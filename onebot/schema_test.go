package onebot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/ncatd/ncatd/onebot"
)

// recorder is a Caller that keeps what was called and answers with data.
type recorder struct {
	action  string
	params  []byte
	data    json.RawMessage
	packets []json.RawMessage
}

func (r *recorder) Call(_ context.Context, action string, params, result any) error {
	r.action = action
	if params == nil {
		r.params = []byte("{}")
	} else {
		b, err := marshal(params)
		if err != nil {
			return err
		}
		r.params = params.(onebot.Appender).AppendJSON(nil)
		if !bytes.Equal(r.params, b) {
			return fmt.Errorf("AppendJSON says %s, json.Marshal %s", r.params, b)
		}
	}
	if result == nil || len(r.data) == 0 {
		return nil
	}
	return json.Unmarshal(r.data, result)
}

func (r *recorder) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	for _, p := range r.packets {
		if err := packet(p); err != nil {
			return err
		}
	}
	return r.Call(ctx, action, params, result)
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

type overrideFile struct {
	Areas map[string]map[string]struct {
		Params map[string]string
		Result string
		Stream bool
	}
	Segments []struct{ Type string }
}

// loadFacts returns actions.json, changed where overrides.yaml says, with a
// reason, that it is wrong.
func loadFacts(t *testing.T) (doc map[string]any, over overrideFile) {
	t.Helper()
	b, err := os.ReadFile("schema/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	doc = v.(map[string]any)
	y, err := os.ReadFile("schema/overrides.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(y, &over); err != nil {
		t.Fatal(err)
	}
	types := doc["types"].(map[string]any)
	for _, s := range over.Segments {
		data := types[s.Type].(map[string]any)["properties"].(map[string]any)["data"].(map[string]any)
		delete(data, "required")
		props := data["properties"].(map[string]any)
		if s.Type != "OB11MessageCustomMusic" {
			delete(props, "content")
		} else {
			delete(props, "id")
		}
	}
	actions := doc["actions"].(map[string]any)
	for _, area := range over.Areas {
		for name, o := range area {
			params := actions[name].(map[string]any)["params"].(map[string]any)
			props, _ := params["properties"].(map[string]any)
			required, _ := params["required"].([]any)
			params["required"] = slices.DeleteFunc(required, func(p any) bool {
				_, hasDefault := props[p.(string)].(map[string]any)["default"]
				return hasDefault || strings.Contains(o.Params[p.(string)], "optional") || o.Params[p.(string)] == "drop"
			})
		}
	}
	return doc, over
}

func TestEveryActionHasAMethod(t *testing.T) {
	doc, over := loadFacts(t)
	actions := doc["actions"].(map[string]any)
	if len(actions) != 175 {
		t.Fatalf("%d actions", len(actions))
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///actions.json", doc); err != nil {
		t.Fatal(err)
	}
	if got := onebot.Actions(); !slices.Equal(got, slices.Sorted(maps.Keys(actions))) {
		t.Errorf("Actions has %d names", len(got))
	}
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	seen := map[string]bool{}
	rec := &recorder{}
	client := reflect.ValueOf(onebot.NewClient(rec))
	for i := range client.NumMethod() {
		name := client.Type().Method(i).Name
		method := client.Method(i)
		if !isAction(method.Type()) {
			continue
		}
		rec.action = ""
		var pointer string
		var sch *jsonschema.Schema
		for round := range 40 {
			args := []reflect.Value{reflect.ValueOf(context.Background())}
			for j := 1; j < method.Type().NumIn(); j++ {
				in := reflect.New(method.Type().In(j)).Elem()
				if in.Kind() == reflect.Struct {
					var enums map[string][]string
					if round > 0 { // the first round only learns the action's name
						enums = enumsOf(actions[rec.action].(map[string]any)["params"])
					}
					fill(rnd, in, enums)
				}
				args = append(args, in)
			}
			out := method.Call(args)
			var refused *onebot.Error
			if err, _ := out[len(out)-1].Interface().(error); err != nil && !errors.As(err, &refused) {
				t.Errorf("%s: %v", name, err)
				break
			}
			if round == 0 {
				if seen[rec.action] {
					t.Errorf("%s: a second method for %s", name, rec.action)
				}
				if actions[rec.action] == nil {
					t.Errorf("%s calls %q, which is no action", name, rec.action)
					break
				}
				seen[rec.action] = true
				pointer = "mem:///actions.json#/actions/" + rec.action + "/params"
				var err error
				if sch, err = c.Compile(pointer); err != nil {
					t.Fatal(err)
				}
				continue
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(rec.params))
			if err != nil {
				t.Fatalf("%s: %s: %v", name, rec.params, err)
			}
			if err := sch.Validate(v); err != nil {
				t.Errorf("%s: %s\n%v", name, rec.params, err)
				break
			}
			checkParamsDecode(t, name, args, rec.params)
		}
		checkResult(t, rnd, rec, method, name, actions, over)
	}
	if len(seen) != 175 {
		for a := range actions {
			if !seen[a] {
				t.Errorf("%s has no method", a)
			}
		}
	}
}

// isAction tells the generated methods from those written by hand: ctx, at most
// one struct of params, and for streams a function.
func isAction(m reflect.Type) bool {
	if m.NumIn() == 0 || m.In(0) != reflect.TypeFor[context.Context]() {
		return false
	}
	for i := 1; i < m.NumIn(); i++ {
		k := m.In(i)
		if i == 1 && k.Kind() == reflect.Struct && strings.HasSuffix(k.Name(), "Params") {
			continue
		}
		if k == reflect.TypeFor[func(*onebot.StreamPacket) error]() {
			continue
		}
		return false
	}
	return true
}

// checkParamsDecode holds that what was sent decodes to what was meant.
func checkParamsDecode(t *testing.T, name string, args []reflect.Value, sent []byte) {
	t.Helper()
	for _, a := range args[1:] {
		if a.Kind() != reflect.Struct {
			continue
		}
		back := reflect.New(a.Type())
		if err := json.Unmarshal(sent, back.Interface()); err != nil {
			t.Errorf("%s: %s: %v", name, sent, err)
			return
		}
		again, err := marshal(back.Interface())
		if err != nil || !bytes.Equal(again, sent) {
			t.Errorf("%s: %s\nbecomes %s (%v)", name, sent, again, err)
		}
	}
}

// checkResult answers with random data of the schema's form and of the result
// type's form, both with keys nobody knows, and wants them back whole.
func checkResult(t *testing.T, rnd *rand.Rand, rec *recorder, method reflect.Value, name string, actions map[string]any, over overrideFile) {
	t.Helper()
	if method.Type().NumOut() < 2 {
		return
	}
	typ := method.Type().Out(0)
	action := actions[rec.action].(map[string]any)
	changed, stream := false, false
	for _, area := range over.Areas {
		if o, ok := area[rec.action]; ok {
			changed, stream = o.Result != "", o.Stream
		}
	}
	for range 30 {
		var data []byte
		if res, ok := action["result"].(map[string]any); ok && !changed && !stream && typ.Kind() != reflect.String {
			b, err := json.Marshal(randomOf(rnd, res, types()))
			if err != nil {
				t.Fatal(err)
			}
			data = b
		} else {
			v := reflect.New(typ).Elem()
			fill(rnd, v, nil)
			calm(v)
			b, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > 2 && b[0] == '{' {
				b = append([]byte(`{"novel":{"a":[1,"二"]},`), b[1:]...)
			}
			data = b
		}
		rec.data = data
		out := method.Call(zeroArgs(method.Type()))
		if err, _ := out[1].Interface().(error); err != nil {
			t.Errorf("%s: %s: %v", name, data, err)
			break
		}
		back, err := json.Marshal(out[0].Interface())
		if err != nil {
			t.Fatal(err)
		}
		if string(data) == "null" && (string(back) == "null" || string(back) == `""`) {
			continue
		}
		if !equalJSON(t, back, data) {
			t.Errorf("%s: %s\nbecomes %s", name, data, back)
			break
		}
	}
	rec.data = nil
}

// zeroArgs returns arguments that no method refuses.
func zeroArgs(m reflect.Type) []reflect.Value {
	args := []reflect.Value{reflect.ValueOf(context.Background())}
	for i := 1; i < m.NumIn(); i++ {
		in := reflect.New(m.In(i)).Elem()
		if in.Kind() == reflect.Struct {
			fill(rand.New(rand.NewPCG(1, 1)), in, nil)
		}
		args = append(args, in)
	}
	return args
}

func equalJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	va, err := jsonschema.UnmarshalJSON(bytes.NewReader(a))
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	vb, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return reflect.DeepEqual(va, vb)
}
