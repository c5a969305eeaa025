package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Plugins says of the plugins that are linked in, by their ids, in which struct
// each takes its section: a pointer to one with the defaults in it, or nil where
// that is not known.
type Plugins map[string]any

const pluginPrefix = "bot.plugin_config."

// IsPluginKey reports whether a key leads into the section of a plugin.
func IsPluginKey(key string) bool { return strings.HasPrefix(key, pluginPrefix) }

// split returns the plugin that a key means, whose id may have dots in it, and the
// path below it.
func (p Plugins) split(c *Config, key string) (id string, path []string) {
	rest := strings.TrimPrefix(key, pluginPrefix)
	ids := slices.AppendSeq(slices.Collect(maps.Keys(p)), maps.Keys(c.Bot.PluginConfig))
	for _, x := range ids {
		if (rest == x || strings.HasPrefix(rest, x+".")) && len(x) > len(id) {
			id = x
		}
	}
	if id == "" {
		id, _, _ = strings.Cut(rest, ".")
	}
	if below := strings.TrimPrefix(strings.TrimPrefix(rest, id), "."); below != "" {
		path = strings.Split(below, ".")
	}
	return id, path
}

func pluginProblem(key, code string, args ...any) error {
	return &Error{Problems: []Problem{{Place: Place{Source: key}, Key: key, Code: code, Args: args}}}
}

// shape returns a copy of the struct of a plugin, nil if it is not known.
func (p Plugins) shape(id string) any {
	in := p[id]
	t := reflect.TypeOf(in)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	out := reflect.New(t.Elem())
	b, err := json.Marshal(in)
	if err != nil || json.Unmarshal(b, out.Interface()) != nil {
		out.Elem().Set(reflect.ValueOf(in).Elem()) // of a type with a form of its own
	}
	return out.Interface()
}

// Get returns the value of a key in a plugin's section, or the plugin's default.
func (p Plugins) Get(c *Config, key string) (any, error) {
	id, path := p.split(c, key)
	section, known := c.Bot.PluginConfig[id]
	shape := p.shape(id)
	if shape == nil {
		if !known {
			return nil, pluginProblem(key, "plugin_none", id)
		}
		v := section
		for _, k := range path {
			m, ok := v.(map[string]any)
			if v, known = m[k]; !ok || !known {
				return nil, pluginProblem(key, "unknown_key", key)
			}
		}
		return v, nil
	}
	if err := DecodeSection(section, shape); err != nil {
		return nil, pluginProblem(pluginPrefix+id, "plugin_value", err.Error())
	}
	v, unit := reflect.ValueOf(shape).Elem(), ""
	for _, k := range path {
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Map:
			if v = v.MapIndex(reflect.ValueOf(k)); !v.IsValid() {
				return nil, pluginProblem(key, "unknown_key", key)
			}
		case reflect.Struct:
			f, ok := sectionFields(v.Type())[strings.ToLower(k)]
			if !ok {
				return nil, unknownField(key, k, v.Type())
			}
			v, unit = v.FieldByIndex(f.Index), f.Tag.Get("unit")
		default:
			return nil, pluginProblem(key, "unknown_key", key)
		}
	}
	return shown(v, unit), nil
}

func unknownField(key, k string, t reflect.Type) error {
	names := slices.Sorted(maps.Keys(sectionFields(t)))
	return pluginProblem(key, "plugin_key", k, strings.Join(names, ", "))
}

// shown returns a value of a plugin's struct as the config has it.
func shown(v reflect.Value, unit string) any {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return Duration(v.Int())
	case unit == "size" && v.CanInt():
		return Size(v.Int())
	case v.Kind() == reflect.Struct:
		if _, ok := v.Interface().(json.Marshaler); ok {
			return v.Interface()
		}
		out := map[string]any{}
		for name, f := range sectionFields(v.Type()) {
			out[name] = shown(v.FieldByIndex(f.Index), f.Tag.Get("unit"))
		}
		return out
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return shown(v.Elem(), unit)
	}
	return v.Interface()
}

// SetFile changes one key in a plugin's section of the file at path and returns its
// value. The error is an [*Error] if the plugin does not take the value.
func (p Plugins) SetFile(path, key, value string) (any, error) {
	return editFile(path, func(src []byte) ([]byte, error) { return p.set(path, src, key, value) }, func(c *Config) (any, error) { return p.Get(c, key) })
}

func (p Plugins) set(name string, src []byte, key, value string) ([]byte, error) {
	before := Default()
	d := newDecoder(name)
	if err := d.editable(src, before); err != nil {
		return nil, err
	}
	id, path := p.split(before, key)
	shape := p.shape(id)
	if id == "" || len(path) == 0 && shape != nil && !strings.HasPrefix(strings.TrimSpace(value), "{") {
		return nil, pluginProblem(key, "plugin_whole", key)
	}
	t, unit := reflect.TypeOf(shape), ""
	for i, k := range path {
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case t == nil || t.Kind() == reflect.Interface:
			t = nil
		case t.Kind() == reflect.Map:
			t, unit = t.Elem(), ""
		case t.Kind() == reflect.Struct:
			f, ok := sectionFields(t)[strings.ToLower(k)]
			if !ok {
				return nil, unknownField(key, k, t)
			}
			path[i] = spelled(f, k)
			t, unit = f.Type, f.Tag.Get("unit")
		default:
			return nil, pluginProblem(key, "unknown_key", key)
		}
	}
	v := meant(t, unit, value)
	text, err := flowOf(v)
	if err != nil {
		return nil, err
	}
	want := clonePlugins(before.Bot.PluginConfig)
	into := want
	for _, k := range append([]string{id}, path[:max(len(path)-1, 0)]...) {
		if len(path) == 0 {
			break
		}
		next, _ := into[k].(map[string]any)
		if next == nil {
			next = map[string]any{}
			into[k] = next
		}
		into = next
	}
	into[append([]string{id}, path...)[len(path)]] = v
	out, err := replace(name, src, append([]string{"bot", "plugin_config", id}, path...), text, len(d.problems), func(after *Config) bool {
		return sameJSON(after.Bot.PluginConfig, want) && sameBut(before, after)
	})
	if err != nil || shape == nil {
		return out, err
	}
	if err := DecodeSection(want[id], shape); err != nil {
		return nil, pluginProblem(key, "plugin_value", err.Error())
	}
	return out, nil
}

// spelled returns the key of a field as its tag has it.
func spelled(f reflect.StructField, k string) string {
	if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
		return name
	}
	return k
}

// meant returns what a user means who writes text for a t; nil is any type.
func meant(t reflect.Type, unit, text string) any {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil || t.Kind() == reflect.Interface:
		return fromYAML(text)
	case t == reflect.TypeFor[time.Duration](), unit == "size", t.Kind() == reflect.String:
		return text
	case t.Kind() == reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case t.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(text), "["):
		out := []any{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, meant(t.Elem(), unit, part))
			}
		}
		return out
	default:
		return fromYAML(text)
	}
	return text // the plugin says what is wrong with it
}

func fromYAML(text string) any {
	var n yaml.Node
	var v any
	if yaml.Unmarshal([]byte(text), &n) != nil {
		return text
	}
	if textKeys(&n); n.Decode(&v) != nil || v == nil {
		return text
	}
	return v
}

// flowOf writes a value on one line.
func flowOf(v any) (string, error) {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return "", fmt.Errorf("encode the value: %w", err)
	}
	n.Style |= yaml.FlowStyle
	b, err := yaml.Marshal(&n)
	if err != nil {
		return "", fmt.Errorf("encode the value: %w", err)
	}
	s := strings.TrimSuffix(string(b), "\n")
	if strings.Contains(s, "\n") { // JSON is YAML on one line
		b, err = json.Marshal(v)
		s = string(b)
	}
	return s, err
}

func clonePlugins(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if in, ok := v.(map[string]any); ok {
			v = clonePlugins(in)
		}
		out[k] = v
	}
	return out
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// sameBut reports whether two configs differ in nothing but plugins' sections.
func sameBut(a, b *Config) bool {
	x, y := *a, *b
	x.Bot.PluginConfig, y.Bot.PluginConfig = nil, nil
	return reflect.DeepEqual(x, y)
}

// Check returns what plugins will not take in their sections, in the order of their
// ids.
func (p Plugins) Check(file string, c *Config) (problems []Problem) {
	for _, id := range slices.Sorted(maps.Keys(c.Bot.PluginConfig)) {
		if shape := p.shape(id); shape != nil {
			if err := DecodeSection(c.Bot.PluginConfig[id], shape); err != nil {
				problems = append(problems, Problem{Place: Place{File: file}, Key: pluginPrefix + id, Code: "plugin_value", Args: []any{err.Error()}})
			}
		}
	}
	return problems
}

// PluginKey is a key of a plugin that is linked in.
type PluginKey struct {
	Key     string
	Default any
}

// Keys returns the keys of the plugins whose structs are known, sorted.
func (p Plugins) Keys() []PluginKey {
	var out []PluginKey
	var walk func(v reflect.Value, prefix string)
	walk = func(v reflect.Value, prefix string) {
		fields := sectionFields(v.Type())
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			f := fields[name]
			in := v.FieldByIndex(f.Index)
			key := join(prefix, spelled(f, name))
			if in.Kind() == reflect.Struct {
				if m, ok := shown(in, "").(map[string]any); ok && len(m) > 0 {
					walk(in, key)
					continue
				}
			}
			out = append(out, PluginKey{key, shown(in, f.Tag.Get("unit"))})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p)) {
		if shape := p.shape(id); shape != nil {
			walk(reflect.ValueOf(shape).Elem(), pluginPrefix+id)
		}
	}
	return out
}
