// Package jsval holds JavaScript values the way the simulated host sees them:
// objects that keep the order of their keys, numbers that are doubles, a
// difference between undefined and null. It reads JSON5 ([Parse]) and writes
// what JSON.stringify would write ([Append]).
//
// A value is one of nil (null), [Undefined], bool, float64 (or any Go integer,
// when writing), string, []any and *[Object]. Values that came out of Parse hold
// no other types. Nothing in this package is safe for concurrent change; values
// that nobody changes may be shared.
package jsval

import (
	"math"
	"slices"
	"strconv"
)

// undefined is the type of Undefined.
type undefined struct{}

// Undefined is JavaScript's undefined: a member that holds it is not written.
var Undefined = undefined{}

// Member is one key of an object and its value.
type Member struct {
	Key   string
	Value any
}

// Object is an object whose keys keep their order. The zero Object is empty.
type Object struct {
	Members []Member
}

// Obj returns an object made of alternating keys and values. It panics when a
// key is not a string or the last value is missing; both are mistakes in the
// calling code.
func Obj(kv ...any) *Object {
	o := &Object{Members: make([]Member, 0, len(kv)/2)}
	for i := 0; i < len(kv); i += 2 {
		o.Members = append(o.Members, Member{Key: kv[i].(string), Value: kv[i+1]})
	}
	return o
}

// Get returns the value of key, [Undefined] if o is nil or has no such key.
func (o *Object) Get(key string) any {
	if o == nil {
		return Undefined
	}
	for i := range o.Members {
		if o.Members[i].Key == key {
			return o.Members[i].Value
		}
	}
	return Undefined
}

// Has reports whether o has key, whatever its value.
func (o *Object) Has(key string) bool {
	if o == nil {
		return false
	}
	return slices.ContainsFunc(o.Members, func(m Member) bool { return m.Key == key })
}

// Set gives key the value v: in place if the key is there, else at the end.
func (o *Object) Set(key string, v any) *Object {
	for i := range o.Members {
		if o.Members[i].Key == key {
			o.Members[i].Value = v
			return o
		}
	}
	o.Members = append(o.Members, Member{Key: key, Value: v})
	return o
}

// Delete removes key if it is there.
func (o *Object) Delete(key string) {
	o.Members = slices.DeleteFunc(o.Members, func(m Member) bool { return m.Key == key })
}

// With returns a copy of o, one level deep, with the given members added.
func (o *Object) With(kv ...any) *Object {
	c := &Object{Members: slices.Concat(o.Members, Obj(kv...).Members)}
	return c
}

// String returns the string under key, or "" if it is no string.
func (o *Object) String(key string) string {
	s, _ := o.Get(key).(string)
	return s
}

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) { return Append(nil, o), nil }

// UnmarshalJSON implements json.Unmarshaler. It reads anything that [Parse]
// reads, if it is an object.
func (o *Object) UnmarshalJSON(b []byte) error {
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	p, ok := v.(*Object)
	if !ok {
		return &SyntaxError{What: "not an object"}
	}
	*o = *p
	return nil
}

// Clone returns a deep copy of v.
func Clone(v any) any {
	switch v := v.(type) {
	case *Object:
		c := &Object{Members: make([]Member, len(v.Members))}
		for i, m := range v.Members {
			c.Members[i] = Member{Key: m.Key, Value: Clone(m.Value)}
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = Clone(v[i])
		}
		return c
	default:
		return v
	}
}

// IsUndefined reports whether v is [Undefined].
func IsUndefined(v any) bool { _, ok := v.(undefined); return ok }

// Truthy reports whether an if would take v.
func Truthy(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case string:
		return v != ""
	default:
		if f, ok := number(v); ok {
			return f != 0 && !math.IsNaN(f)
		}
		return true
	}
}

// number returns v as a double if it is a number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint32:
		return float64(v), true
	}
	return 0, false
}

// Number returns v as JavaScript's Number(v) would: NaN for what is no number.
func Number(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case string:
		return StringNumber(v)
	}
	if f, ok := number(v); ok {
		return f
	}
	return math.NaN()
}

// Int returns v as a whole number, 0 if it is none: what Number or parseInt
// would give for the ids and counts that clients send.
func Int(v any) int64 {
	f := Number(v)
	if math.IsNaN(f) || math.Abs(f) > 1<<63-1025 {
		return 0
	}
	return int64(f)
}

// ToString returns v as JavaScript's String(v) would.
func ToString(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case undefined:
		return "undefined"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case *Object:
		return "[object Object]"
	case []any:
		s := ""
		for i, e := range v {
			if i > 0 {
				s += ","
			}
			if e != nil && !IsUndefined(e) {
				s += ToString(e)
			}
		}
		return s
	case int64: // beyond 2^53 only when this program made it
		return strconv.FormatInt(v, 10)
	}
	f, _ := number(v)
	return FormatNumber(f)
}
