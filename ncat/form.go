package ncat

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/ncatd/ncatd/onebot"
)

// AskStruct asks the sender of m for one field of T after the other and returns T
// filled in:
//
//	type order struct {
//		Drink string `ask:"What shall it be?" enum:"tea|coffee"`
//		Cups  int    `ask:"How many cups?" default:"1"`
//		Note  string `ask:"Anything else?" default:""`
//	}
//	o, err := ncat.AskStruct[order](ctx, b, m)
//
// The types of fields and the tags enum and help are those of [Command]'s arguments;
// text is taken whole. A field with default:"…" takes it for the answer "-", which
// the question says. Fields without ask are left alone. What is no answer is said,
// with what is expected, and asked again; see [Tries]. It fails as [Bot.Ask] does.
func AskStruct[T any](ctx context.Context, b *Bot, m onebot.MessageEvent, opts ...AskOption) (T, error) {
	var out T
	fields, err := formOf(reflect.TypeFor[T]())
	if err != nil {
		misuse("AskStruct: %v", err)
	}
	o := newAskOptions(opts)
	for _, f := range fields {
		v, err := f.ask(ctx, b, m, o)
		if err != nil {
			return out, err
		}
		reflect.ValueOf(&out).Elem().FieldByIndex(f.index).Set(v)
	}
	return out, nil
}

// formField is one question of a form.
type formField struct {
	index    []int
	question string
	spec     *argSpec // of a struct with this field only
}

func formOf(t reflect.Type) ([]formField, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("a form is a struct, not a %s", t)
	}
	var out []formField
	for i := range t.NumField() {
		sf := t.Field(i)
		question, ok := sf.Tag.Lookup("ask")
		if !ok {
			continue
		}
		if !sf.IsExported() {
			return nil, fmt.Errorf("field %s has a question and is not exported", sf.Name)
		}
		tag := fmt.Sprintf("arg:%q", sf.Name)
		if sf.Type.Kind() == reflect.String && sf.Tag.Get("enum") == "" || sf.Type == reflect.TypeFor[onebot.Message]() {
			tag = fmt.Sprintf("arg:%q", sf.Name+",rest")
		}
		for _, key := range []string{"enum", "help", "default"} {
			if v, ok := sf.Tag.Lookup(key); ok {
				tag += fmt.Sprintf(" %s:%q", key, v)
			}
		}
		spec, err := specOf(reflect.StructOf([]reflect.StructField{{Name: sf.Name, Type: sf.Type, Tag: reflect.StructTag(tag)}}))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", sf.Name, err)
		}
		if e := spec.args[0].enum; len(e) > 0 {
			question += " (" + strings.Join(e, " / ") + ")"
		}
		out = append(out, formField{sf.Index, question, spec})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf(`%s has no field with a question; write ask:"…"`, t)
	}
	return out, nil
}

func (f *formField) ask(ctx context.Context, b *Bot, m onebot.MessageEvent, o *askOptions) (reflect.Value, error) {
	question, def := f.question, f.spec.args[0].def
	if def != nil {
		question += "\n" + fmt.Sprintf(b.text("ask.default"), *def)
	}
	for range o.tries {
		answer, err := b.ask(ctx, m, question, o)
		if err != nil {
			return reflect.Value{}, err
		}
		msg := answer.Msg().Message
		if def != nil && strings.TrimSpace(msg.Text()) == "-" {
			msg = nil
		}
		v, mistake := f.spec.bind(b, answer.Msg(), scanner{msg: msg})
		if mistake == nil {
			return v.Field(0), nil
		}
		question = mistake.text(b)
	}
	return reflect.Value{}, ErrNoAnswer
}
