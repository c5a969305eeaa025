package main

import (
	"fmt"
	"slices"
	"strings"
)

// model is what is going to be written.
type model struct {
	schema  *schema
	areas   []*area
	structs map[string]*goStruct // by name
	shared  []*goStruct          // from the section types
}

type area struct {
	name    string
	methods []*method
}

type method struct {
	name, action string
	ov           *override
	since        string
	params       *goStruct // nil without any
	paramStructs []*goStruct
	result       goType
	results      []*goStruct // result structs of its own
}

// goStruct is a struct type, of params or of a result.
type goStruct struct {
	name, doc string
	fields    []*field
}

type field struct {
	wire, name string
	typ        string // Go type without the pointer that tells given from not
	optional   bool
	pointer    bool
	must, yes  bool
	quoted     bool   // on the wire a string that holds a number or bool
	number     bool   // on the wire nothing but a number
	unit       string // s or ms for a time.Duration
	note       string
}

// goType is what a method returns beside an error.
type goType struct {
	kind string // none, string, list, struct
	elem string // of a list or a struct
}

func newModel(s *schema, o *overrides) (*model, error) {
	if err := check(s, o); err != nil {
		return nil, err
	}
	m := &model{schema: s, structs: map[string]*goStruct{}}
	for _, name := range o.Types.names {
		d := o.Types.vals[name]
		g := &goStruct{name: name, doc: d.Doc}
		var err error
		if g.fields, err = parseFields(d.Fields); err != nil {
			return nil, fmt.Errorf("type %s: %w", name, err)
		}
		m.structs[name] = g
		m.shared = append(m.shared, g)
	}
	for _, an := range o.Areas.names {
		ar := &area{name: an}
		list := o.Areas.vals[an]
		for _, name := range list.names {
			me, err := m.method(name, s.Actions[name], list.vals[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			ar.methods = append(ar.methods, me)
		}
		m.areas = append(m.areas, ar)
	}
	return m, nil
}

func (m *model) method(name string, a *action, ov *override) (*method, error) {
	me := &method{name: ov.Go, action: name, ov: ov, since: a.Since}
	if me.name == "" {
		me.name = goName(strings.Trim(name, "._"))
	}
	if err := m.params(me, a); err != nil {
		return nil, err
	}
	return me, m.result(me, a)
}

// params makes the struct of an action's parameters.
func (m *model) params(me *method, a *action) error {
	forms := paramNodes(a)
	g := &goStruct{name: me.name + "Params", doc: "are the parameters of [Client." + me.name + "]"}
	for _, form := range forms {
		for _, wire := range form.Properties.names {
			if slices.ContainsFunc(g.fields, func(f *field) bool { return f.wire == wire }) {
				continue
			}
			if me.ov.Params[wire] == "drop" {
				continue
			}
			required := slices.Contains(form.Required, wire)
			for _, other := range forms { // required only if in all forms
				required = required && slices.Contains(other.Required, wire)
			}
			f, err := m.param(me, g.name, form.Properties.nodes[wire], wire, required, me.ov.Params[wire])
			if err != nil {
				return fmt.Errorf("parameter %s: %w", wire, err)
			}
			g.fields = append(g.fields, f)
		}
	}
	if len(g.fields) > 0 {
		me.params = g
		me.paramStructs = append(me.paramStructs, g)
	}
	return nil
}

var scalars = []string{"string", "bool", "int", "int64", "float64", "UserID", "GroupID", "MessageID", "time.Duration"}

func (m *model) param(me *method, parent string, n *node, wire string, required bool, words string) (*field, error) {
	f := &field{wire: wire, name: goName(wire), optional: !required || n.Default != nil}
	kinds := schemaKinds(n)
	f.number = slices.Equal(kinds, []string{"number"})
	onlyString := slices.Equal(kinds, []string{"string"})
	switch {
	case strings.HasSuffix(n.Ref, "OB11MessageMixType"):
		f.typ = "Message"
	case n.Ref != "":
		return nil, fmt.Errorf("no Go type for %s", n.Ref)
	case wire == "group_id":
		f.typ = "GroupID"
	case wire == "message_id":
		f.typ = "MessageID"
	case wire == "user_id" && n.Type == "array":
		f.typ = "[]UserID"
	case wire == "user_id" || wire == "friend_id" || wire == "target_id" || wire == "self_id":
		f.typ = "UserID"
	case wire == "news":
		f.typ = "[]NewsLine"
	case n.Type == "array" || slices.Contains(kinds, "array"):
		f.typ = "[]string"
	case n.Type == "object" && n.Properties != nil && len(n.Properties.names) > 0:
		sub := &goStruct{name: strings.TrimSuffix(parent, "Params") + f.name, doc: "is part of [" + parent + "]"}
		for _, w := range n.Properties.names {
			sf, err := m.param(me, sub.name, n.Properties.nodes[w], w, slices.Contains(n.Required, w), "")
			if err != nil {
				return nil, err
			}
			sub.fields = append(sub.fields, sf)
		}
		me.paramStructs = append(me.paramStructs, sub)
		f.typ = sub.name
	case n.Type == "object":
		f.typ = "json.RawMessage"
	case slices.Contains(kinds, "boolean"):
		f.typ = "bool"
	case slices.Contains(kinds, "number"):
		f.typ = "int"
	default:
		f.typ = "string"
	}
	if len(n.Enum) > 0 {
		f.note = "one of " + strings.Join(n.Enum, ", ")
	}
	for _, w := range strings.Fields(words) {
		switch w {
		case "must":
			f.must, f.optional = true, false
		case "yes":
			f.yes = true
		case "required":
			f.optional = false
		case "optional":
			f.optional = true
		case "seconds":
			f.typ, f.unit, f.note = "time.Duration", "s", "sent in seconds, rounded up"
		case "millis":
			f.typ, f.unit, f.note = "time.Duration", "ms", "sent in milliseconds, rounded up"
		case "quoted":
			f.quoted = true
		default:
			f.typ = w
		}
	}
	if onlyString && slices.Contains([]string{"UserID", "GroupID", "MessageID", "[]UserID", "int", "bool"}, f.typ) {
		f.quoted = true
	}
	f.quoted = f.quoted || f.typ == "[]UserID" && slices.Equal(schemaKinds(n.Items), []string{"string"})
	id := strings.HasSuffix(f.typ, "ID")
	scalar := slices.Contains(scalars, f.typ)
	f.pointer = f.must || f.optional && (scalar && !id || !scalar && !strings.HasPrefix(f.typ, "[]") && f.typ != "Message" && f.typ != "json.RawMessage")
	return f, nil
}

// schemaKinds returns the JSON types that n takes.
func schemaKinds(n *node) []string {
	if n == nil {
		return nil
	}
	if len(n.AnyOf) == 0 {
		return []string{n.Type}
	}
	var out []string
	for _, a := range n.AnyOf {
		out = append(out, schemaKinds(a)...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "null" })
}

// result settles what a method returns.
func (m *model) result(me *method, a *action) error {
	spec := me.ov.Result
	switch {
	case me.ov.Stream:
		me.result = goType{kind: "struct", elem: "StreamPacket"}
		return nil
	case spec == "":
		return m.schemaResult(me, a.Result)
	case spec == "none":
		me.result = goType{kind: "none"}
	case spec == "string":
		me.result = goType{kind: "string"}
	case strings.HasPrefix(spec, "[]"):
		me.result = goType{kind: "list", elem: spec[2:]}
	case strings.Contains(spec, ":"):
		g := &goStruct{name: me.name + "Result", doc: "is what [Client." + me.name + "] returns"}
		var err error
		if g.fields, err = parseFields(spec); err != nil {
			return err
		}
		me.results = append(me.results, g)
		me.result = goType{kind: "struct", elem: g.name}
	default:
		me.result = goType{kind: "struct", elem: strings.TrimPrefix(spec, "*")}
	}
	return nil
}

func (m *model) schemaResult(me *method, n *node) error {
	if n == nil {
		return fmt.Errorf("the schema has no result")
	}
	t, err := m.resultType(me, me.name+"Result", n)
	if err != nil {
		return err
	}
	switch {
	case t == "":
		me.result = goType{kind: "none"}
	case t == "string":
		me.result = goType{kind: "string"}
	case strings.HasPrefix(t, "[]"):
		me.result = goType{kind: "list", elem: t[2:]}
	default:
		me.result = goType{kind: "struct", elem: t}
	}
	return nil
}

// resultType returns the Go type of a result's schema, making structs named
// after where they stand.
func (m *model) resultType(me *method, name string, n *node) (string, error) {
	if n.Ref != "" {
		ref := n.Ref[strings.LastIndexByte(n.Ref, '/')+1:]
		switch ref {
		case "EmptyData":
			return "", nil
		case "OB11User":
			return "User", nil
		case "OB11Group":
			return "Group", nil
		case "OB11GroupMember":
			return "Member", nil
		case "OB11Notify":
			return "GroupNotice", nil
		}
		return "", fmt.Errorf("no Go type for %s", ref)
	}
	switch n.Type {
	case "null":
		return "", nil
	case "string":
		return "string", nil
	case "boolean":
		return "bool", nil
	case "number":
		return "int64", nil
	case "array":
		t, err := m.resultType(me, strings.TrimSuffix(strings.TrimSuffix(name, "Result"), "s")+"Item", n.Items)
		return "[]" + t, err
	case "object":
		if n.Properties == nil || len(n.Properties.names) == 0 {
			return "", fmt.Errorf("%s: an object of which the schema has no keys wants an override", name)
		}
		g := &goStruct{name: name, doc: "is what [Client." + me.name + "] returns"}
		if !strings.HasSuffix(name, "Result") {
			g.doc = "is part of what [Client." + me.name + "] returns"
		}
		for _, wire := range n.Properties.names {
			t, err := m.resultType(me, strings.TrimSuffix(name, "Result")+goName(wire), n.Properties.nodes[wire])
			if err != nil {
				return "", err
			}
			if id := idType(wire); id != "" && (t == "int64" || t == "string") {
				t = id
			}
			g.fields = append(g.fields, &field{wire: wire, name: goName(wire), typ: t, optional: !slices.Contains(n.Required, wire)})
		}
		me.results = append(me.results, g)
		return name, nil
	}
	return "", fmt.Errorf("%s: the schema says nothing, an override must", name)
}

func idType(wire string) string {
	switch wire {
	case "user_id", "tinyId", "uin":
		return "UserID"
	case "group_id":
		return "GroupID"
	case "message_id":
		return "MessageID"
	}
	return ""
}

// parseFields reads the fields of a result in the form overrides.yaml explains.
func parseFields(spec string) ([]*field, error) {
	var out []*field
	for _, w := range strings.Fields(spec) {
		key, typ, ok := strings.Cut(w, ":")
		if !ok {
			return nil, fmt.Errorf("%q is not key:type", w)
		}
		key, optional := strings.CutSuffix(key, "?")
		wire, name, named := strings.Cut(key, "=")
		wire, opt := strings.CutSuffix(wire, "?")
		if !named {
			name = goName(wire)
		}
		f := &field{wire: wire, name: name, optional: optional || opt}
		f.typ, f.quoted = strings.CutSuffix(typ, "#")
		if f.typ == "int" {
			f.typ = "int64"
		}
		out = append(out, f)
	}
	return out, nil
}

var initialisms = map[string]string{
	"id": "ID", "ids": "IDs", "url": "URL", "uin": "UIN", "uid": "UID", "qq": "QQ", "json": "JSON", "md5": "MD5",
	"ttl": "TTL", "ok": "OK", "sha256": "SHA256", "sha1": "SHA1", "vip": "VIP", "ocr": "OCR", "ai": "AI",
	"png": "PNG", "nc": "NC", "sdk": "SDK",
}

// goName returns the Go name of a wire name, snake or camel.
func goName(wire string) string {
	var words []string
	for _, part := range strings.FieldsFunc(wire, func(r rune) bool { return r == '_' || r == '.' }) {
		start := 0
		for i := 1; i < len(part); i++ {
			if isUpper(part[i]) && !isUpper(part[i-1]) {
				words = append(words, part[start:i])
				start = i
			}
		}
		words = append(words, part[start:])
	}
	for i, w := range words {
		if up, ok := initialisms[strings.ToLower(w)]; ok {
			words[i] = up
		} else {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
