package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// shapes are values of every shape that YAML has, with the word for each.
var shapes = []struct {
	text string
	word Word
}{
	{"{a: {b: c}}", "mapping"},
	{"[[x], {y: z}]", "list"},
	{"surely not", "text"},
	{"true", "bool"},
	{"-7777777", "int"},
	{"1.5e300", "float"},
	{"~", "nothing"},
	{"!!binary aGVsbG8=", "text"},
	{"*nowhere", "alias"},
}

// under writes a config in which key has the value.
func under(key, value string) string {
	open, end := "", ""
	parts := strings.Split(key, ".")
	for i, p := range parts {
		switch name, list := strings.CutSuffix(p, "[]"); {
		case list && (name == "accounts"):
			open += name + ": [{name: main, "
			end = "}]" + end
		case list:
			open += name + ": {one: {"
			end = "}}" + end
		case i == len(parts)-1:
			open += p + ": " + value
		default:
			open += p + ": {"
			end = "}" + end
		}
	}
	return open + end + "\n"
}

// TestShapes: whatever shape a key's value has, there is no panic, and what is
// wrong is told of that key, on its line, in a sentence without holes.
func TestShapes(t *testing.T) {
	anchor := "x-anchor: &nowhere 1\n"
	for _, key := range allKeys() {
		if strings.HasSuffix(key, ".name") {
			continue // it stands in the text already
		}
		refused := 0
		for _, sh := range shapes {
			src := anchor + under(key, sh.text)
			_, err := Parse("ncatd.yaml", []byte(src))
			var bad *Error
			if err == nil || !errors.As(err, &bad) {
				t.Errorf("%s: %v, without a word on the key that holds the anchor", src, err)
				continue
			}
			mine := 0
			for _, p := range bad.Problems {
				if strings.Contains(p.Message(), "%!") || p.Message() == "" {
					t.Errorf("%s: %q", src, p.Message())
				}
				if p.Key == "x-anchor" || p.Code == "syntax" || p.Code == "no_token" {
					continue
				}
				mine++
				if p.Line != 2 {
					t.Errorf("%s: line %d: %s", src, p.Line, p.Message())
				}
			}
			if mine > 0 {
				refused++
			}
		}
		if refused < 3 {
			t.Errorf("%s takes all but %d of %d shapes", key, refused, len(shapes))
		}
	}
}

// TestWrongTypeNamesBoth: where the shape is wrong, the problem says which one is
// wanted and which one is there.
func TestWrongTypeNamesBoth(t *testing.T) {
	for _, c := range []struct {
		of   any
		want Word
	}{{Duration(0), "duration"}, {Size(0), "size"}, {true, "bool"}, {1, "int"}, {int64(1), "int"}, {1.5, "float"}, {[]string{}, "list"}, {struct{}{}, "mapping"}, {map[string]any{}, "mapping"}, {"", "text"}} {
		if got := wantOf(reflect.ValueOf(c.of)); got != c.want {
			t.Errorf("a %T is wanted as %s", c.of, got)
		}
	}
	for key, want := range map[string]Word{"log.max_size": "size", "supervisor.stop_timeout": "duration", "bot.queue": "int", "supervisor.restart.jitter": "float",
		"napcat.keep": "int", "log.level": "text", "bot.prefixes": "list", "bot.plugins.disable": "list", "accounts[].env": "mapping"} {
		for _, sh := range shapes {
			if sh.word == want || sh.word != "mapping" && sh.word != "list" {
				continue
			}
			_, err := Parse("ncatd.yaml", []byte(under(key, sh.text)))
			var bad *Error
			if !errors.As(err, &bad) || len(bad.Problems) != 1 || bad.Problems[0].Code != "wrong_type" {
				t.Errorf("%s: %s: %v", key, sh.text, err)
				continue
			}
			p := bad.Problems[0]
			if fmt.Sprint(p.Args[1:]) != fmt.Sprint([]any{want, sh.word}) {
				t.Errorf("%s: %s: %v", key, sh.text, p.Args)
			}
		}
	}
}
