package onebot

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/ncatd/ncatd/internal/alias"
	"github.com/ncatd/ncatd/internal/jsonscan"
)

// Segment is one part of a message. The concrete type is always a pointer to
// one of the segment structs of this package, [*UnknownSegment] for what it
// does not know.
//
// A segment encodes to the JSON it was decoded from, with the fields that were
// changed since written anew; one made by hand encodes to its fields.
type Segment interface {
	// SegmentType returns the segment's type on the wire, such as "text".
	SegmentType() string
	// AppendJSON appends the segment's JSON, type and data.
	AppendJSON(dst []byte) []byte
}

// UnknownSegment is a segment whose type this package does not know, or an
// element of a message that is no segment at all. It encodes to the bytes it
// was decoded from.
type UnknownSegment struct {
	Type string
	Raw  json.RawMessage // the whole segment, type and data
}

// SegmentType implements [Segment].
func (s *UnknownSegment) SegmentType() string { return s.Type }

// AppendJSON implements [Segment].
func (s *UnknownSegment) AppendJSON(dst []byte) []byte {
	if len(s.Raw) == 0 {
		dst = append(dst, `{"type":`...)
		dst = appendString(dst, s.Type)
		return append(dst, `,"data":{}}`...)
	}
	return append(dst, s.Raw...)
}

// MarshalJSON implements [encoding/json.Marshaler].
func (s *UnknownSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// UnmarshalJSON keeps b.
func (s *UnknownSegment) UnmarshalJSON(b []byte) error {
	s.Raw = append(json.RawMessage(nil), b...)
	s.Type, _, _ = segmentParts(string(s.Raw))
	return nil
}

// segmentParts returns the type and the data of a segment; plain says that it
// holds nothing else.
func segmentParts(s string) (typ, data string, plain bool) {
	var buf [4]jsonscan.Member
	ms, ok := jsonscan.Members(s, buf[:0])
	if !ok {
		return "", "", false
	}
	for i := range ms {
		switch ms[i].Key {
		case "type":
			typ = fastText(ms[i].Val)
		case "data":
			data = ms[i].Val
		}
	}
	return typ, data, len(ms) == 2 && data != ""
}

// decodeSegment returns the segment whose JSON is s, which must be valid. The
// result shares memory with s.
func decodeSegment(s string, depth int) Segment {
	typ, data, plain := segmentParts(s)
	var buf [8]jsonscan.Member
	ms, ok := jsonscan.Members(data, buf[:0])
	if !ok {
		if data != "" && data != "null" {
			return &UnknownSegment{Type: typ, Raw: json.RawMessage(s)}
		}
		plain = false
	}
	plain = plain && len(ms) == 1 && ms[0].Val[0] == '"'
	// The three kinds that nearly all messages are made of.
	switch {
	case typ == "text" && plain && ms[0].Key == "text":
		return &TextSegment{Text: jsonscan.Unquote(ms[0].Val)}
	case typ == "at" && plain && ms[0].Key == "qq":
		return &AtSegment{QQ: jsonscan.Unquote(ms[0].Val)}
	}
	mk, known := segments[typ]
	if !known {
		return &UnknownSegment{Type: typ, Raw: json.RawMessage(s)}
	}
	seg := mk()
	decodeMembers(ms, reflect.ValueOf(seg).Elem(), depth)
	seg.(keeper).keepRaw(s)
	return seg
}

// complete takes the writer of a node under the names that go-cqhttp gave them
// and NapCat takes, too.
func (s *NodeSegment) complete(ms []jsonscan.Member, depth int) {
	if s.UserID == 0 {
		decodeValue(lastValue(ms, "uin"), reflect.ValueOf(&s.UserID).Elem(), depth)
	}
	if s.Nickname == "" {
		decodeValue(lastValue(ms, "name"), reflect.ValueOf(&s.Nickname).Elem(), depth)
	}
}

// decodeSegmentInto fills seg, a pointer to a segment struct, from b.
func decodeSegmentInto(b []byte, seg Segment) error {
	s := string(b)
	if !jsonscan.Valid(s) {
		return syntaxError(b)
	}
	got := decodeSegment(s, 1)
	if got.SegmentType() != seg.SegmentType() {
		return fmt.Errorf("segment of type %q where %q is wanted", got.SegmentType(), seg.SegmentType())
	}
	if reflect.TypeOf(got) != reflect.TypeOf(seg) {
		return fmt.Errorf("segment of type %q without an object as data", seg.SegmentType())
	}
	reflect.ValueOf(seg).Elem().Set(reflect.ValueOf(got).Elem())
	return nil
}

// appendSegment writes any segment struct.
func appendSegment(dst []byte, seg Segment) []byte {
	k := seg.(keeper)
	v := reflect.ValueOf(seg).Elem()
	if raw := k.rawText(); raw != "" {
		fresh := decodeSegment(raw, 1)
		if reflect.DeepEqual(fresh, seg) {
			return append(dst, raw...)
		}
		if reflect.TypeOf(fresh) == reflect.TypeOf(seg) {
			return appendChangedSegment(dst, raw, v, reflect.ValueOf(fresh).Elem())
		}
	}
	dst = append(dst, `{"type":"`...)
	dst = append(dst, seg.SegmentType()...)
	dst = append(dst, `","data":`...)
	dst = appendStruct(dst, v, nil, reflect.Value{})
	return append(dst, '}')
}

func appendChangedSegment(dst []byte, raw string, v, fresh reflect.Value) []byte {
	outer, _ := jsonscan.Members(raw, nil)
	inner, _ := jsonscan.Members(lastValue(outer, "data"), nil)
	if inner == nil {
		inner = []jsonscan.Member{}
	}
	dst = append(dst, '{')
	done := false
	for i, m := range outer {
		if m.Key == "data" && done {
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.Key)
		dst = append(dst, ':')
		if m.Key == "data" {
			done = true
			dst = appendStruct(dst, v, inner, fresh)
		} else {
			dst = append(dst, m.Val...)
		}
	}
	if !done {
		dst = append(dst, `,"data":`...)
		dst = appendStruct(dst, v, inner, fresh)
	}
	return append(dst, '}')
}

// AppendJSON implements [Segment].
func (s *TextSegment) AppendJSON(dst []byte) []byte {
	if s.raw != "" {
		return appendSegment(dst, s)
	}
	dst = append(dst, `{"type":"text","data":{"text":`...)
	dst = appendString(dst, s.Text)
	return append(dst, "}}"...)
}

// AppendJSON implements [Segment].
func (s *AtSegment) AppendJSON(dst []byte) []byte {
	if s.raw != "" || s.Name != "" {
		return appendSegment(dst, s)
	}
	dst = append(dst, `{"type":"at","data":{"qq":`...)
	dst = appendString(dst, s.QQ)
	return append(dst, "}}"...)
}

// AppendJSON implements [Segment].
func (s *ReplySegment) AppendJSON(dst []byte) []byte {
	if s.raw != "" || s.Seq != 0 {
		return appendSegment(dst, s)
	}
	dst = append(dst, `{"type":"reply","data":{"id":`...)
	dst = appendQuotedInt(dst, int64(s.ID))
	return append(dst, "}}"...)
}

// All reports whether the mention is of everybody.
func (s *AtSegment) All() bool { return s.QQ == "all" }

// UserID returns whom the segment mentions, 0 if everybody.
func (s *AtSegment) UserID() UserID {
	id := alias.Number(s.QQ)
	if s.All() || id < 0 && !alias.Is(id) {
		return 0
	}
	return UserID(id)
}
