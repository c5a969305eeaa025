package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DecodeSection decodes a plugin's section, as it stands in [Bot.PluginConfig], into
// a pointer to the plugin's struct. It is strict: a key that the struct does not have
// is an error that names the keys there are. Durations are texts such as "30s" or
// "1d12h", sizes of an integer field with the tag unit:"size" texts such as
// "1.5GiB", and integers may be written in quotes, as long ids are. nil leaves the
// struct alone.
func DecodeSection(section, into any) error {
	if section == nil {
		return nil
	}
	v, err := plain(section, reflect.TypeOf(into), "", "")
	if err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// plain returns v as encoding/json decodes it into a t. unit is the tag of the
// field, key its path.
func plain(v any, t reflect.Type, unit, key string) (any, error) {
	for t != nil && t.Kind() == reflect.Pointer {
		if t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || t.Implements(reflect.TypeFor[json.Unmarshaler]()) {
			return v, nil
		}
		t = t.Elem()
	}
	if t == nil {
		return v, nil
	}
	switch x := v.(type) {
	case map[string]any:
		return plainMap(x, t, key)
	case []any:
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return v, nil
		}
		out := make([]any, len(x))
		for i, in := range x {
			var err error
			if out[i], err = plain(in, t.Elem(), unit, fmt.Sprintf("%s[%d]", key, i)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return plainScalar(v, t, unit, key)
}

func plainScalar(v any, t reflect.Type, unit, key string) (any, error) {
	text, isText := v.(string)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		if !isText {
			return nil, fmt.Errorf("%s: %v is no duration; write for instance %q", key, v, "30s")
		}
		d, err := ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		return int64(d), nil
	case isText && unit == "size":
		n, err := ParseSize(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		return int64(n), nil
	case isText && t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no whole number", key, text)
		}
		return n, nil
	}
	return v, nil
}

func plainMap(m map[string]any, t reflect.Type, key string) (any, error) {
	out := map[string]any{}
	if t.Kind() == reflect.Map {
		for k, in := range m {
			var err error
			if out[k], err = plain(in, t.Elem(), "", join(key, k)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if t.Kind() != reflect.Struct {
		return m, nil
	}
	fields := sectionFields(t)
	for k, in := range m {
		f, ok := fields[strings.ToLower(k)]
		if !ok {
			return nil, fmt.Errorf("%s: there is no such key; there are: %s", join(key, k), strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		var err error
		if out[k], err = plain(in, f.Type, f.Tag.Get("unit"), join(key, k)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sectionFields returns the fields of a plugin's struct by their keys in lower case.
func sectionFields(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[strings.ToLower(name)] = f
	}
	return fields
}
