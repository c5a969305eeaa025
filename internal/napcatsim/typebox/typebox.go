// Package typebox checks and converts values by JSON schema the way the host's
// schema library does: clean, default, convert, assert, in this order. [Schema]
// is its central type. Only what the host's schemas use is implemented.
package typebox

import (
	"fmt"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// Kind is the kind of a [Schema].
type Kind int

// The kinds.
const (
	Any Kind = iota // everything but undefined goes
	String
	Number
	Boolean
	Null
	Literal
	Object
	Array
	Union
	Intersect
)

// Schema describes a value. A Schema is immutable once made and safe for
// concurrent use.
type Schema struct {
	Kind    Kind
	Props   []Prop    // of an Object, in order
	Items   *Schema   // of an Array
	Of      []*Schema // of a Union or Intersect
	Const   string    // of a Literal
	Default any       // jsval.Undefined: none
}

// Prop is a property of an object.
type Prop struct {
	Name     string
	Schema   *Schema
	Required bool
}

// Error is a value that does not fit. Its text is what the library says, which
// names neither the place nor the value.
type Error struct{ Text string }

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Load makes a Schema from a JSON schema document as [jsval.Parse] returns it.
// References of the form #/types/Name are looked up in types. It fails on
// keywords it does not know how to honour.
func Load(doc any, types *jsval.Object) (*Schema, error) {
	o, ok := doc.(*jsval.Object)
	if !ok {
		return nil, fmt.Errorf("schema is %T, not an object", doc)
	}
	if ref, ok := o.Get("$ref").(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		if !types.Has(name) {
			return nil, fmt.Errorf("unknown type %q", name)
		}
		return Load(types.Get(name), types)
	}
	s := &Schema{Default: jsval.Clone(o.Get("default"))}
	for key, kind := range map[string]Kind{"anyOf": Union, "oneOf": Union, "allOf": Intersect, "enum": Union} {
		list, ok := o.Get(key).([]any)
		if !ok {
			continue
		}
		s.Kind = kind
		for _, e := range list {
			if key == "enum" {
				s.Of = append(s.Of, &Schema{Kind: Literal, Const: jsval.ToString(e), Default: jsval.Undefined})
				continue
			}
			sub, err := Load(e, types)
			if err != nil {
				return nil, err
			}
			s.Of = append(s.Of, sub)
		}
		if len(s.Of) == 1 && key == "enum" {
			return &Schema{Kind: Literal, Const: s.Of[0].Const, Default: s.Default}, nil
		}
		return s, nil
	}
	switch t := o.Get("type"); t {
	case jsval.Undefined:
		s.Kind = Any
	case "string":
		s.Kind = String
	case "number":
		s.Kind = Number
	case "boolean":
		s.Kind = Boolean
	case "null":
		s.Kind = Null
	case "array":
		s.Kind = Array
		items := o.Get("items")
		if jsval.IsUndefined(items) {
			items = &jsval.Object{}
		}
		var err error
		if s.Items, err = Load(items, types); err != nil {
			return nil, err
		}
	case "object":
		if err := s.loadObject(o, types); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unknown type %v", t)
	}
	return s, nil
}

// loadObject makes s the schema of an object.
func (s *Schema) loadObject(o, types *jsval.Object) error {
	props, ok := o.Get("properties").(*jsval.Object)
	if !ok {
		s.Kind = Any // an object of unknown form stands for a loose type
		return nil
	}
	s.Kind = Object
	required := make(map[string]bool)
	if list, ok := o.Get("required").([]any); ok {
		for _, r := range list {
			required[jsval.ToString(r)] = true
		}
	}
	for _, m := range props.Members {
		sub, err := Load(m.Value, types)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Key, err)
		}
		s.Props = append(s.Props, Prop{Name: m.Key, Schema: sub, Required: required[m.Key]})
	}
	return nil
}

// Parse returns v cleaned, completed with defaults and converted. v itself is
// not changed. The error is an [*Error].
func (s *Schema) Parse(v any) (any, error) {
	v = s.clean(jsval.Clone(v))
	v = s.defaults(v)
	v = s.convert(v)
	if e := s.check(v); e != "" {
		return nil, &Error{Text: e}
	}
	return v, nil
}

func (s *Schema) clean(v any) any {
	switch s.Kind {
	case Object:
		o, ok := v.(*jsval.Object)
		if !ok {
			return v
		}
		kept := o.Members[:0]
		for _, m := range o.Members {
			if p := s.prop(m.Key); p != nil {
				m.Value = p.Schema.clean(m.Value)
				kept = append(kept, m)
			}
		}
		o.Members = kept
	case Array:
		if a, ok := v.([]any); ok {
			for i := range a {
				a[i] = s.Items.clean(a[i])
			}
		}
	case Union:
		for _, sub := range s.Of {
			if sub.check(v) == "" {
				return sub.clean(v)
			}
		}
	case Intersect:
		o, ok := v.(*jsval.Object)
		if !ok {
			return v
		}
		out := &jsval.Object{}
		for _, sub := range s.Of {
			if c, ok := sub.clean(jsval.Clone(o)).(*jsval.Object); ok {
				for _, m := range c.Members {
					out.Set(m.Key, m.Value)
				}
			}
		}
		return out
	}
	return v
}

func (s *Schema) prop(name string) *Prop {
	for i := range s.Props {
		if s.Props[i].Name == name {
			return &s.Props[i]
		}
	}
	return nil
}

func (s *Schema) defaults(v any) any {
	if jsval.IsUndefined(v) {
		v = jsval.Clone(s.Default)
	}
	switch s.Kind {
	case Object:
		o, ok := v.(*jsval.Object)
		if !ok {
			return v
		}
		for _, p := range s.Props {
			if d := p.Schema.defaults(o.Get(p.Name)); !jsval.IsUndefined(d) {
				o.Set(p.Name, d)
			}
		}
	case Array:
		if a, ok := v.([]any); ok {
			for i := range a {
				a[i] = s.Items.defaults(a[i])
			}
		}
	case Union:
		for _, sub := range s.Of {
			if d := sub.defaults(jsval.Clone(v)); sub.check(d) == "" {
				return d
			}
		}
	case Intersect:
		for _, sub := range s.Of {
			v = sub.defaults(v)
		}
	}
	return v
}

func (s *Schema) convert(v any) any {
	switch s.Kind {
	case String:
		switch v.(type) {
		case bool, float64:
			return jsval.ToString(v)
		}
	case Number:
		return number(v)
	case Boolean:
		if isTrue(v) {
			return true
		}
		if isFalse(v) {
			return false
		}
	case Null:
		if t, ok := v.(string); ok && strings.ToLower(t) == "null" {
			return nil
		}
	case Literal:
		switch v.(type) {
		case bool, float64:
			if t := jsval.ToString(v); t == s.Const {
				return t
			}
		}
	case Object:
		if o, ok := v.(*jsval.Object); ok {
			for _, p := range s.Props {
				if o.Has(p.Name) {
					o.Set(p.Name, p.Schema.convert(o.Get(p.Name)))
				}
			}
		}
	case Array:
		a, ok := v.([]any)
		if !ok {
			if jsval.IsUndefined(v) {
				return v
			}
			a = []any{v}
		}
		for i := range a {
			a[i] = s.Items.convert(a[i])
		}
		return a
	case Union:
		for _, sub := range s.Of {
			if sub.check(v) == "" {
				return v
			}
		}
		for _, sub := range s.Of {
			if c := sub.convert(jsval.Clone(v)); sub.check(c) == "" {
				return c
			}
		}
	case Intersect:
		for _, sub := range s.Of {
			v = sub.convert(v)
		}
	}
	return v
}

// number converts what stands for a number.
func number(v any) any {
	if t, ok := v.(string); ok {
		if n := jsval.StringNumber(t); n == n {
			if f, ok := jsval.ParseFloat(t); ok {
				return f
			}
		}
	}
	if isTrue(v) {
		return 1.0
	}
	if isFalse(v) {
		return 0.0
	}
	return v
}

func isTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case float64:
		return v == 1
	case string:
		return v == "1" || strings.ToLower(v) == "true"
	}
	return false
}

func isFalse(v any) bool {
	switch v := v.(type) {
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == "0" || v == "-0" || strings.ToLower(v) == "false"
	}
	return false
}

// check returns "" if v fits, else the library's words for the first misfit.
func (s *Schema) check(v any) string {
	switch s.Kind {
	case String:
		if _, ok := v.(string); !ok {
			return "Expected string"
		}
	case Number:
		// Subtracting a number from itself gives no zero for what is not finite.
		if f, ok := v.(float64); !ok || f-f != 0 {
			return "Expected number"
		}
	case Boolean:
		if _, ok := v.(bool); !ok {
			return "Expected boolean"
		}
	case Null:
		if v != nil {
			return "Expected null"
		}
	case Literal:
		if v != s.Const {
			return "Expected '" + s.Const + "'"
		}
	case Array:
		a, ok := v.([]any)
		if !ok {
			return "Expected array"
		}
		for _, e := range a {
			if t := s.Items.check(e); t != "" {
				return t
			}
		}
	case Union:
		for _, sub := range s.Of {
			if sub.check(v) == "" {
				return ""
			}
		}
		return "Expected union value"
	case Intersect:
		for _, sub := range s.Of {
			if t := sub.check(v); t != "" {
				return t
			}
		}
	case Object:
		return s.checkObject(v)
	}
	return ""
}

func (s *Schema) checkObject(v any) string {
	o, ok := v.(*jsval.Object)
	if !ok {
		return "Expected object"
	}
	for _, p := range s.Props {
		if p.Required && !o.Has(p.Name) {
			return "Expected required property"
		}
	}
	for _, p := range s.Props {
		if e := o.Get(p.Name); p.Required || !jsval.IsUndefined(e) {
			if t := p.Schema.check(e); t != "" {
				return t
			}
		}
	}
	return ""
}
