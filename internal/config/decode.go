package config

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a config file; the longest sensible one has some thousand lines.
const maxFile = 1 << 20

var (
	durationType = reflect.TypeFor[Duration]()
	sizeType     = reflect.TypeFor[Size]()
	accountType  = reflect.TypeFor[Account]()
	appType      = reflect.TypeFor[App]()
	commandType  = reflect.TypeFor[[]string]()
)

// named reports whether a list has entries with names, and makes such an entry.
func named(t reflect.Type) (entry func(name string) reflect.Value, ok bool) {
	if t.Kind() != reflect.Slice {
		return nil, false
	}
	switch t.Elem() {
	case accountType:
		return func(name string) reflect.Value { return reflect.ValueOf(DefaultAccount(name)) }, true
	case appType:
		return func(name string) reflect.Value { return reflect.ValueOf(DefaultApp(name)) }, true
	}
	return nil, false
}

// decoder fills a Config from YAML nodes and remembers every problem and where
// each key was set.
type decoder struct {
	file     string
	lines    []string
	source   string           // set while a variable or flag is applied
	places   map[string]Place // key -> where it was set last
	problems []Problem
	told     map[complaint]bool // of the first known problems
	known    int
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, places: map[string]Place{}, told: map[complaint]bool{}}
}

// document parses src and fills c from it.
func (d *decoder) document(src []byte, c *Config) {
	if len(src) > maxFile {
		d.add(Place{File: d.file}, "", "too_large", maxFile)
		return
	}
	d.lines = strings.Split(string(src), "\n")
	if !d.encoding(src) {
		return
	}
	root, p := parse(d.file, src)
	if p != nil {
		found := []Problem{*p}
		if p.Code == "syntax" {
			if s := slips(d.file, src, true); len(s) > 0 {
				found = s
			}
		}
		for _, p := range found {
			p.Text = d.line(p.Line)
			d.problems = append(d.problems, p)
		}
		return
	}
	defer d.settle(src)
	if root == nil {
		return
	}
	if root.Kind != yaml.MappingNode {
		d.at(root, "", "not_mapping")
		return
	}
	d.mapping(root, reflect.ValueOf(c).Elem(), "")
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:(?:while .*?)?line (\d+): )?`)

// parse returns the root of the only document in src, nil if that is empty.
func parse(file string, src []byte) (*yaml.Node, *Problem) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		m := yamlLine.FindStringSubmatch(err.Error())
		n, _ := strconv.Atoi(m[1]) // no number: the place is the whole file
		return nil, &Problem{Place: Place{File: file, Line: n}, Code: "syntax", Args: []any{strings.TrimPrefix(err.Error()[len(m[0]):], "yaml: ")}}
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		p := &Problem{Place: Place{File: file}, Code: "several_docs"}
		if err == nil {
			p.Line, p.Column = more.Line, more.Column
		}
		return nil, p
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if isNull(root) {
		return nil, nil
	}
	return root, nil
}

func (d *decoder) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return strings.TrimRight(d.lines[n-1], "\r")
}

func (d *decoder) add(p Place, key, code string, args ...any) {
	d.problems = append(d.problems, Problem{Place: p, Key: key, Text: d.line(p.Line), Code: code, Args: args})
}

func (d *decoder) place(n *yaml.Node) Place {
	if d.source != "" {
		return Place{Source: d.source}
	}
	return Place{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) at(n *yaml.Node, key, code string, args ...any) {
	d.add(d.place(n), key, code, args...)
}

// mark remembers where key was set; problems found later are reported there.
func (d *decoder) mark(n *yaml.Node, key string) { d.places[key] = d.place(n) }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// pairs calls each for every distinct key of a mapping.
func (d *decoder) pairs(n *yaml.Node, prefix string, each func(k, v *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind == yaml.AliasNode:
			d.at(k, prefix, "alias", k.Value)
		case k.Tag == "!!merge":
			d.at(k, prefix, "merge_key")
		case k.Kind != yaml.ScalarNode:
			d.at(k, prefix, "wrong_type", Word("key"), Word("text"), kindOf(k))
		case first[k.Value] != 0:
			d.at(k, join(prefix, k.Value), "duplicate_key", k.Value, first[k.Value])
		default:
			first[k.Value] = k.Line
			if v.Kind == yaml.AliasNode {
				d.at(v, join(prefix, k.Value), "alias", v.Value)
				continue
			}
			each(k, v)
		}
	}
}

// field is one key of a struct, inlined structs included.
type field struct {
	name  string
	index []int
}

// fields lists the keys of a struct type in order.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case opts == "inline":
			for _, in := range fields(f.Type) {
				out = append(out, field{in.name, append([]int{i}, in.index...)})
			}
		case name != "" && name != "-":
			out = append(out, field{name, []int{i}})
		}
	}
	return out
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, prefix string) {
	fs := fields(v.Type())
	d.pairs(n, prefix, func(k, val *yaml.Node) {
		for _, f := range fs {
			if f.name == k.Value {
				d.value(val, k, v.FieldByIndex(f.index), join(prefix, k.Value))
				return
			}
		}
		d.unknown(k, fs, prefix)
	})
}

func (d *decoder) unknown(k *yaml.Node, fs []field, prefix string) {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.name
	}
	key := join(prefix, k.Value)
	if d.mistyped(k, key, false) {
		return
	}
	if near := Nearest(k.Value, names); near != "" {
		d.at(k, key, "unknown_nearest", k.Value, near)
		return
	}
	for _, full := range allKeys() {
		if full == k.Value || strings.HasSuffix(full, "."+k.Value) {
			d.at(k, key, "unknown_elsewhere", k.Value, full)
			return
		}
	}
	d.at(k, key, "unknown_key", k.Value)
}

// value sets v from n; kn is the key's node, which is where a missing or
// structurally wrong value is reported.
func (d *decoder) value(n, kn *yaml.Node, v reflect.Value, key string) {
	if isNull(n) {
		return // "bot:" with all its keys commented out is as good as no "bot:"
	}
	if n.Kind == yaml.AliasNode {
		d.at(n, key, "alias", n.Value)
		return
	}
	d.mark(n, key)
	t := v.Type()
	if n.Kind == yaml.ScalarNode && wantsMore(t) && d.mistyped(n, key, false) {
		return
	}
	switch {
	case t == durationType, t == sizeType:
		d.scalar(n, v, key)
	case t.Kind() == reflect.Struct:
		if n.Kind != yaml.MappingNode {
			d.at(n, key, "wrong_type", key, Word("mapping"), kindOf(n))
			return
		}
		d.mapping(n, v, key)
	case t == alertChannelsType, t == alertRulesType:
		d.alertList(n, v, key)
	case hasNames(t):
		d.entries(n, v, key)
	case t == commandType && n.Kind == yaml.ScalarNode && strings.HasSuffix(key, ".run.command"):
		list, ok := words(n.Value)
		if !ok {
			d.at(n, key, "bad_command", key)
			return
		}
		v.Set(reflect.ValueOf(list))
	case t.Kind() == reflect.Slice:
		d.list(n, v, key)
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.String:
		d.stringMap(n, v, key)
	case t.Kind() == reflect.Map:
		d.anyMap(n, v, key)
	default:
		d.scalar(n, v, key)
	}
}

// wantsMore reports whether a type is written as a list or mapping.
func wantsMore(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Slice || t.Kind() == reflect.Map
}

func hasNames(t reflect.Type) bool {
	_, ok := named(t)
	return ok
}

// entries reads a list of accounts or apps.
func (d *decoder) entries(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.at(n, key, "wrong_type", key, Word("list"), kindOf(n))
		return
	}
	entry, _ := named(v.Type())
	list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		name := ""
		if len(n.Content) == 1 && v.Type().Elem() == accountType {
			name = "main"
		}
		a := reflect.New(v.Type().Elem()).Elem()
		a.Set(entry(name))
		at := key + "." + strconv.Itoa(i)
		switch {
		case item.Kind == yaml.AliasNode:
			d.at(item, at, "alias", item.Value)
		case item.Kind != yaml.MappingNode:
			d.at(item, at, "wrong_type", at, Word("mapping"), kindOf(item))
		default:
			d.mark(item, at)
			d.mapping(item, a, at)
		}
		list = reflect.Append(list, a)
	}
	v.Set(list)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.at(n, key, "wrong_type", key, Word("list"), kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		at := key + "." + strconv.Itoa(i)
		e := reflect.New(v.Type().Elem()).Elem()
		switch {
		case item.Kind == yaml.AliasNode:
			d.at(item, at, "alias", item.Value)
		case isNull(item):
			d.at(item, at, "wrong_type", at, wantOf(e), kindOf(item))
		default:
			d.mark(item, at)
			if !d.wideComma(item, at) {
				d.scalar(item, e, at)
			}
		}
		out = reflect.Append(out, e) // also what is told already, so that the places of the others hold
	}
	v.Set(out)
}

func (d *decoder) stringMap(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.at(n, key, "wrong_type", key, Word("mapping"), kindOf(n))
		return
	}
	m := map[string]string{}
	d.pairs(n, key, func(k, val *yaml.Node) {
		at := join(key, k.Value)
		d.mark(k, at)
		s := reflect.New(reflect.TypeFor[string]()).Elem()
		if !isNull(val) {
			d.scalar(val, s, at)
		}
		m[k.Value] = s.String()
	})
	v.Set(reflect.ValueOf(m))
}

// anyMap takes what is passed on as it is.
func (d *decoder) anyMap(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.at(n, key, "wrong_type", key, Word("mapping"), kindOf(n))
		return
	}
	m := map[string]any{}
	d.pairs(n, key, func(k, val *yaml.Node) {
		at := join(key, k.Value)
		d.mark(val, at)
		if bad := findAlias(val); bad != nil {
			d.at(bad, at, "alias", bad.Value)
			return
		}
		textKeys(val)
		var x any
		if err := val.Decode(&x); err != nil {
			d.at(val, at, "syntax", err.Error())
			return
		}
		m[k.Value] = x
	})
	v.Set(reflect.ValueOf(m))
	if strings.HasPrefix(key, "accounts.") && strings.HasSuffix(key, ".networks") {
		d.networks(n, key)
	}
}

// textKeys makes texts of the keys below n as they are written, such as the numbers of
// groups: JSON knows no others.
func textKeys(n *yaml.Node) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind == yaml.ScalarNode && c.Tag != "!!merge" {
			c.Tag = "!!str"
		}
		textKeys(c)
	}
}

func findAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if a := findAlias(c); a != nil {
			return a
		}
	}
	return nil
}

// scalar sets v, a string, bool, number, Duration or Size, from n.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.ScalarNode {
		d.at(n, key, "wrong_type", key, wantOf(v), kindOf(n))
		return
	}
	if d.mistyped(n, key, v.Kind() == reflect.String) {
		return
	}
	s := n.Value
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch {
	case v.Type() == durationType:
		x, err := ParseDuration(s)
		if err != nil {
			d.at(n, key, "bad_duration", key, s)
			return
		}
		v.SetInt(int64(x))
	case v.Type() == sizeType:
		x, err := ParseSize(s)
		if err != nil {
			d.at(n, key, "bad_size", key, s)
			return
		}
		v.SetInt(int64(x))
	case v.Kind() == reflect.String:
		if n.Tag == "!!bool" {
			d.at(n, key, "wrong_type", key, wantOf(v), kindOf(n))
			return
		}
		v.SetString(s)
	case v.Kind() == reflect.Bool:
		if n.Tag != "!!bool" || quoted {
			d.at(n, key, "bad_bool", key, s)
			return
		}
		v.SetBool(strings.EqualFold(s, "true"))
	case v.Kind() == reflect.Int, v.Kind() == reflect.Int64:
		x, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil || quoted && d.source == "" && v.Kind() == reflect.Int {
			d.at(n, key, "bad_int", key, s)
			return
		}
		v.SetInt(x)
	case v.Kind() == reflect.Float64:
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || x != x {
			d.at(n, key, "bad_float", key, s)
			return
		}
		v.SetFloat(x)
	}
}

// wantOf names the type of v for a reader.
func wantOf(v reflect.Value) Word {
	switch {
	case v.Type() == durationType:
		return "duration"
	case v.Type() == sizeType:
		return "size"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int64:
		return "int"
	case reflect.Float64:
		return "float"
	case reflect.Slice:
		return "list"
	case reflect.Struct, reflect.Map:
		return "mapping"
	}
	return "text"
}

// kindOf names what a node is for a reader.
func kindOf(n *yaml.Node) Word {
	switch n.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	case yaml.AliasNode:
		return "alias"
	}
	switch n.Tag {
	case "!!bool":
		return "bool"
	case "!!int":
		return "int"
	case "!!float":
		return "float"
	case "!!null":
		return "nothing"
	}
	return "text"
}
