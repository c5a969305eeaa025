// Package cqcode turns message segments into CQ code text and back, the way the
// host does (contract H.3).
package cqcode

import (
	"regexp"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

var code = regexp.MustCompile(`\[CQ:(\w+)((?:,\w+=[^,\]]*)*)\]`)

var (
	escapeText    = strings.NewReplacer("&", "&amp;", "[", "&#91;", "]", "&#93;")
	escapeValue   = strings.NewReplacer("&", "&amp;", "[", "&#91;", "]", "&#93;", ",", "&#44;")
	unescapeText  = strings.NewReplacer("&#91;", "[", "&#93;", "]", "&amp;", "&")
	unescapeValue = strings.NewReplacer("&#91;", "[", "&#93;", "]", "&#44;", ",", "&amp;", "&")
)

// Parse returns the segments of s. Every value of a code is a string; what looks
// like a code but is none stays text.
func Parse(s string) []world.Segment {
	var out []world.Segment
	text := func(t string) {
		if t != "" {
			out = append(out, world.Text(unescapeText.Replace(t)))
		}
	}
	for {
		m := code.FindStringSubmatchIndex(s)
		if m == nil {
			text(s)
			return out
		}
		text(s[:m[0]])
		data := &jsval.Object{}
		for _, kv := range strings.Split(s[m[4]:m[5]], ",") {
			if k, v, ok := strings.Cut(kv, "="); ok {
				data.Set(k, unescapeValue.Replace(v))
			}
		}
		out = append(out, world.Segment{Type: s[m[2]:m[3]], Data: data})
		s = s[m[1]:]
	}
}

// Format returns segs as text. Empty and undefined values are left out, objects
// are written as JSON.
func Format(segs []world.Segment) string {
	var b strings.Builder
	for _, s := range segs {
		if s.Type == "text" {
			b.WriteString(escapeText.Replace(s.Data.String("text")))
			continue
		}
		b.WriteString("[CQ:" + s.Type)
		if s.Data != nil {
			for _, m := range s.Data.Members {
				var v string
				switch t := m.Value.(type) {
				case *jsval.Object, []any:
					v = jsval.Stringify(t)
				case nil:
					continue
				default:
					if jsval.IsUndefined(t) {
						continue
					}
					v = jsval.ToString(t)
				}
				if v == "" {
					continue
				}
				b.WriteString("," + m.Key + "=" + escapeValue.Replace(v))
			}
		}
		b.WriteByte(']')
	}
	return b.String()
}

// Array returns segs as the JavaScript array that goes into a message.
func Array(segs []world.Segment) []any {
	out := make([]any, len(segs))
	for i, s := range segs {
		data := s.Data
		if data == nil {
			data = &jsval.Object{}
		}
		out[i] = jsval.Obj("type", s.Type, "data", data)
	}
	return out
}

// Segments returns the segments that an array of segment objects stands for;
// what is no segment is left out.
func Segments(a []any) []world.Segment {
	var out []world.Segment
	for _, e := range a {
		o, ok := e.(*jsval.Object)
		if !ok || o.String("type") == "" {
			continue
		}
		data, _ := o.Get("data").(*jsval.Object)
		if data == nil {
			data = &jsval.Object{}
		}
		out = append(out, world.Segment{Type: o.String("type"), Data: data})
	}
	return out
}
