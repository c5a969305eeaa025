package control

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

type object = map[string]any

// describe is the OpenAPI 3.1 description, made of the table of handlers and the
// wire types, so that it cannot say anything else than they do.
func describe(table []route) json.RawMessage {
	d := &describer{schemas: object{}}
	errorAnswer := object{
		"description": "refused",
		"content":     object{"application/json": object{"schema": d.schema(reflect.TypeFor[api.ErrorBody]())}},
	}
	paths := object{}
	for _, rt := range table {
		op := object{"summary": rt.Summary, "operationId": operationID(rt)}
		var params []object
		for _, m := range pathParam.FindAllStringSubmatch(rt.Path, -1) {
			params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
		}
		for _, q := range rt.Query {
			params = append(params, object{"name": q.Name, "in": "query", "description": q.Doc, "schema": object{"type": "string"}})
		}
		if params != nil {
			op["parameters"] = params
		}
		if rt.In != nil {
			op["requestBody"] = object{"content": object{"application/json": object{"schema": d.schema(rt.In)}}}
		}
		answer := object{"description": "done"}
		switch {
		case rt.mime != "":
			answer["content"] = object{rt.mime: object{"schema": object{"type": "string", "format": "binary"}}}
		case rt.text:
			answer["content"] = object{"text/plain": object{"schema": object{"type": "string"}}}
		case rt.stream:
			answer["content"] = object{"application/x-ndjson": object{"schema": d.schema(rt.Out)}}
		default:
			answer["content"] = object{"application/json": object{"schema": d.schema(rt.Out)}}
		}
		op["responses"] = object{"200": answer, "default": errorAnswer}
		item, _ := paths[rt.Path].(object)
		if item == nil {
			item = object{}
			paths[rt.Path] = item
		}
		item[strings.ToLower(rt.Method)] = op
	}
	b, err := json.Marshal(object{
		"openapi":    "3.1.0",
		"info":       object{"title": "ncatd control API", "version": "v0"},
		"paths":      paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
		"security":   []object{{"token": []string{}}, {}},
	})
	if err != nil {
		panic("control: the description does not encode: " + err.Error())
	}
	return b
}

func operationID(rt route) string {
	words := strings.FieldsFunc(rt.Path, func(r rune) bool { return r == '/' || r == '{' || r == '}' || r == '.' || r == '_' })
	return strings.ToLower(rt.Method) + "_" + strings.Join(words, "_")
}

type describer struct{ schemas object }

// schema describes a Go type as encoding/json writes it.
func (d *describer) schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Struct:
	default:
		panic("control: no schema for " + t.String())
	}
	name := t.Name()
	if name == "none" {
		return object{"type": "object", "additionalProperties": false}
	}
	ref := object{"$ref": "#/components/schemas/" + name}
	if _, done := d.schemas[name]; done {
		return ref
	}
	d.schemas[name] = object{} // a type that holds itself ends here
	props, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) { // those of embedded structs too
		tag, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" || tag == "" {
			continue
		}
		props[tag] = d.schema(f.Type)
		if !strings.Contains(opts, "omit") {
			required = append(required, tag)
		}
	}
	if strings.HasSuffix(name, "Request") {
		required = nil // a missing field is its zero value
	}
	s := object{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	d.schemas[name] = s
	return ref
}

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, describe(s.table))
	return nil
}
