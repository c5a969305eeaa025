package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// goTypes are the hand-written types of package onebot, as far as scripts see
// them.
type goTypes struct {
	structs map[string]*goTypeDecl
	names   map[string]string // string types and their constants, as a union
	events  map[string]string // wire name to struct
}

type goTypeDecl struct {
	doc    string
	embeds []string
	fields []goField
}

type goField struct{ wire, typ, note string }

// fixedEvents are the events that are not in the tables of decode.go.
var fixedEvents = map[string]string{
	"message.group": "GroupMessage", "message.private": "PrivateMessage", "request.friend": "FriendRequest", "request.group": "GroupRequest",
	"meta_event.lifecycle": "Lifecycle", "meta_event.heartbeat": "Heartbeat", "unknown": "UnknownEvent",
}

func loadTypes(dir string) (*goTypes, error) {
	t := &goTypes{structs: map[string]*goTypeDecl{}, names: map[string]string{}, events: maps.Clone(fixedEvents)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || strings.HasSuffix(e.Name(), "_gen.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				t.decl(g)
			}
		}
	}
	return t, nil
}

func (t *goTypes) decl(g *ast.GenDecl) {
	for _, s := range g.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			doc := s.Doc.Text()
			if doc == "" {
				doc = g.Doc.Text()
			}
			if st, ok := s.Type.(*ast.StructType); ok && s.Name.IsExported() {
				t.structs[s.Name.Name] = structOf(st, doc)
			}
		case *ast.ValueSpec:
			t.value(s)
		}
	}
}

// value reads the tables of events and the constants of string types.
func (t *goTypes) value(s *ast.ValueSpec) {
	if id, ok := s.Type.(*ast.Ident); ok && id.Name == "Role" && len(s.Values) == 1 {
		if lit, ok := s.Values[0].(*ast.BasicLit); ok {
			t.names["Role"] = strings.TrimPrefix(t.names["Role"]+" | "+lit.Value, " | ")
		}
	}
	if len(s.Names) != 1 || s.Names[0].Name != "notices" && s.Names[0].Name != "notifies" {
		return
	}
	for _, el := range s.Values[0].(*ast.CompositeLit).Elts {
		kv := el.(*ast.KeyValueExpr)
		key, err := strconv.Unquote(kv.Key.(*ast.BasicLit).Value)
		if err != nil {
			continue
		}
		ast.Inspect(kv.Value, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				if fn, ok := c.Fun.(*ast.Ident); ok && fn.Name == "new" {
					t.events["notice."+key] = c.Args[0].(*ast.Ident).Name
				}
			}
			return true
		})
	}
}

func structOf(st *ast.StructType, doc string) *goTypeDecl {
	g := &goTypeDecl{doc: doc}
	for _, f := range st.Fields.List {
		typ := exprText(f.Type)
		if len(f.Names) == 0 {
			g.embeds = append(g.embeds, typ)
			continue
		}
		if f.Tag == nil || !f.Names[0].IsExported() {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue
		}
		name, opts, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		if strings.Contains(opts, "string") {
			typ = "string"
		}
		if strings.Contains(opts, "omitempty") {
			name += "?"
		}
		g.fields = append(g.fields, goField{name, typ, strings.TrimSpace(f.Comment.Text())})
	}
	return g
}

func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprText(e.X) + "." + e.Sel.Name
	case *ast.StarExpr:
		return "*" + exprText(e.X)
	case *ast.ArrayType:
		return "[]" + exprText(e.Elt)
	case *ast.MapType:
		return "map[" + exprText(e.Key) + "]" + exprText(e.Value)
	}
	return "any"
}

func (t *goTypes) emitEvents(w *bytes.Buffer) {
	for _, n := range slices.Sorted(maps.Keys(t.names)) {
		fmt.Fprintf(w, "  export type %s = %s;\n", n, t.names[n])
	}
	for _, n := range []string{"EventBase", "Sender", "MessageBase"} {
		t.emit(w, n, "")
	}
	fmt.Fprintf(w, "  export interface RequestBase extends EventBase {}\n")
	var done []string
	for _, key := range slices.Sorted(maps.Keys(t.events)) {
		n := t.events[key]
		if slices.Contains(done, n) {
			continue
		}
		done = append(done, n)
		base := ""
		kind, of, _ := strings.Cut(key, ".")
		switch kind {
		case "request":
			base = "RequestBase"
			t.structs[n].narrow("request_type", of)
		case "message":
			t.structs[n].narrow("message_type", of)
		}
		t.emit(w, n, base)
	}
	w.WriteString("  /** The events by the names under which on() takes them. */\n  export interface Events {\n")
	for _, key := range slices.Sorted(maps.Keys(t.events)) {
		fmt.Fprintf(w, "    %q: %s;\n", key, t.events[key])
	}
	w.WriteString("    message: GroupMessage | PrivateMessage;\n    notice: EventBase & Record<string, any>;\n    request: FriendRequest | GroupRequest;\n" +
		"    meta_event: Lifecycle | Heartbeat;\n    event: EventBase & Record<string, any>;\n  }\n")
}

func (t *goTypes) emit(w *bytes.Buffer, name, base string) {
	g := t.structs[name]
	ext := base
	for _, e := range g.embeds {
		if base == "" && (e == "EventBase" || e == "MessageBase") {
			ext = e
		}
	}
	if ext != "" {
		ext = " extends " + ext
	}
	tsDoc(w, "  ", g.doc)
	fmt.Fprintf(w, "  export interface %s%s {\n", name, ext)
	g.emitFields(w, "    ")
	w.WriteString("  }\n")
}

// narrow gives a field its only value, by which the types of a union are told apart.
func (g *goTypeDecl) narrow(wire, value string) {
	only := goField{wire, strconv.Quote(value), ""}
	for i, f := range g.fields {
		if f.wire == wire {
			g.fields[i] = only
			return
		}
	}
	g.fields = append([]goField{only}, g.fields...)
}

func (g *goTypeDecl) emitFields(w *bytes.Buffer, indent string) {
	for _, f := range g.fields {
		if f.note != "" {
			fmt.Fprintf(w, "%s/** %s */\n", indent, strings.ReplaceAll(f.note, "*/", ""))
		}
		key, optional := strings.CutSuffix(f.wire, "?")
		key = tsKey(key)
		if optional {
			key += "?"
		}
		fmt.Fprintf(w, "%s%s: %s;\n", indent, key, tsType(f.typ, false))
	}
}

// segments are the types of segments by their names on the wire.
var segmentWire = map[string]string{
	"text": "TextSegment", "at": "AtSegment", "face": "FaceSegment", "image": "ImageSegment", "record": "RecordSegment", "video": "VideoSegment",
	"file": "FileSegment", "onlinefile": "OnlineFileSegment", "flashtransfer": "FlashTransferSegment", "reply": "ReplySegment", "forward": "ForwardSegment",
	"json": "JSONSegment", "xml": "XMLSegment", "markdown": "MarkdownSegment", "miniapp": "MiniAppSegment", "poke": "PokeSegment", "dice": "DiceSegment",
	"rps": "RPSSegment", "mface": "MFaceSegment", "music": "MusicSegment", "contact": "ContactSegment", "location": "LocationSegment", "node": "NodeSegment",
}

func (t *goTypes) emitSegments(w *bytes.Buffer) {
	w.WriteString("  /** The data of segments by the segments' types. */\n  export interface SegmentData {\n")
	for _, n := range slices.Sorted(maps.Keys(segmentWire)) {
		g := t.structs[segmentWire[n]]
		if g == nil {
			continue
		}
		tsDoc(w, "    ", g.doc)
		fmt.Fprintf(w, "    %s: {\n", n)
		g.emitFields(w, "      ")
		w.WriteString("    };\n")
	}
	w.WriteString("  }\n  /** One piece of a message. */\n" +
		"  export type SegmentOf<T extends keyof SegmentData> = { type: T; data: SegmentData[T] };\n" +
		"  export type Segment = { [T in keyof SegmentData]: SegmentOf<T> }[keyof SegmentData];\n" +
		"  /** A segment as actions take it; one may be written by hand. */\n" +
		"  export type PlainSegment = Segment | { type: string; data: Record<string, unknown> };\n" +
		"  /** A segment as reply, send and sendForward take it, with what image() and its kin return. */\n" +
		"  export type SegmentLike = PlainSegment | Media;\n")
}

// emitRest writes the structs that others mention and nothing has written yet.
func (t *goTypes) emitRest(w *bytes.Buffer, done map[string]bool) {
	for _, n := range slices.Sorted(maps.Keys(t.structs)) {
		if done[n] || !bytes.Contains(w.Bytes(), []byte(": "+n+";")) && !bytes.Contains(w.Bytes(), []byte(": "+n+"[];")) && n != "StreamPacket" ||
			bytes.Contains(w.Bytes(), []byte("export interface "+n+" ")) {
			continue
		}
		t.emit(w, n, "")
	}
}
