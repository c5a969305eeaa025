package onebot

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// Numbers come as strings and strings as numbers, lists of one come bare and
// JavaScript's empty maps come as {} where a list is declared. So whatever is
// decoded from NapCat goes through the lenient decoder of this file: a value
// that fits is taken, one that cannot fit leaves its field zero, and nothing
// ever fails a call that NapCat had carried out. What came stays reachable
// through Raw, and is what goes out again for every field that was not changed.

// Received is embedded in what is decoded from the wire and keeps it as it
// came, with every field this package does not know. What is made by hand has
// none.
type Received struct{ raw string }

// Raw returns the JSON from which the value was decoded, nil if it was made by
// hand. It is a copy: what lies inside each other shares one text.
func (r *Received) Raw() json.RawMessage { return rawBytes(r.raw) }

func (r *Received) keepRaw(s string) { r.raw = s }
func (r *Received) rawText() string  { return r.raw }

func rawBytes(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// keeper is what embeds Received or EventBase.
type keeper interface {
	rawText() string
	keepRaw(string)
}

// completer is implemented by what finds some of its fields in other places than
// their names say. complete is called after the fields were decoded.
type completer interface {
	complete(ms []jsonscan.Member, depth int)
}

// maxNesting is how deep messages may be nested in each other: forwards in
// forwards. NapCat makes three levels; what lies deeper stays undecoded in Raw,
// because each level is read once more for every level above it.
const maxNesting = 8

var (
	messageType = reflect.TypeFor[Message]()
	chatType    = reflect.TypeFor[ChatMessage]()
)

type fieldPlan struct {
	name      string
	index     []int
	omitEmpty bool
	quoted    bool
	unit      time.Duration // of a time.Duration, which is a number on the wire
}

type structPlan struct {
	fields []fieldPlan
	byName map[string]int
}

var units = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond}

var plans sync.Map // reflect.Type -> *structPlan

func planOf(t reflect.Type) *structPlan {
	if p, ok := plans.Load(t); ok {
		return p.(*structPlan)
	}
	p := &structPlan{byName: map[string]int{}}
	p.add(t, nil)
	got, _ := plans.LoadOrStore(t, p)
	return got.(*structPlan)
}

func (p *structPlan) add(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			p.add(f.Type, at)
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		p.byName[name] = len(p.fields)
		p.fields = append(p.fields, fieldPlan{
			name: name, index: at,
			omitEmpty: strings.Contains(opts, "omitempty"),
			quoted:    strings.Contains(opts, "string"),
			unit:      units[f.Tag.Get("unit")],
		})
	}
}

// decodeObject fills k, a pointer to a struct, from data and keeps data. It
// fails only if data is no valid JSON.
func decodeObject(data []byte, k keeper) error {
	s := string(data)
	var buf [16]jsonscan.Member
	ms, ok := jsonscan.Members(s, buf[:0])
	if !ok && !jsonscan.Valid(s) {
		return syntaxError(data)
	}
	if ok {
		decodeMembers(ms, reflect.ValueOf(k).Elem(), 0)
	}
	if strings.TrimSpace(s) != "null" {
		k.keepRaw(s)
	}
	return nil
}

// syntaxError returns encoding/json's words for what is wrong with data.
func syntaxError(data []byte) error {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	return &json.SyntaxError{}
}

// decodeMembers fills the struct v. depth is how many messages it lies in.
func decodeMembers(ms []jsonscan.Member, v reflect.Value, depth int) {
	decodeFields(ms, v, depth)
	if c, ok := v.Addr().Interface().(completer); ok {
		c.complete(slices.Clone(ms), depth) // few are completers: the others' members stay on the stack
	}
}

// decodeFields is decodeMembers for the fields that have the names of members.
func decodeFields(ms []jsonscan.Member, v reflect.Value, depth int) {
	p := planOf(v.Type())
	for _, m := range ms {
		i, ok := p.byName[m.Key]
		if !ok {
			continue
		}
		f := v.FieldByIndex(p.fields[i].index)
		decodeValue(m.Val, f, depth)
		if unit := p.fields[i].unit; unit != 0 {
			if d, ok := f.Interface().(*time.Duration); ok && d != nil {
				*d *= unit
			}
		}
	}
}

// decodeValue sets v from the valid JSON value s as well as it can.
func decodeValue(s string, v reflect.Value, depth int) {
	if s == "null" {
		return
	}
	switch v.Type() {
	case messageType:
		v.Set(reflect.ValueOf(decodeMessage(s, depth+1)))
		return
	case chatType:
		if ms, ok := jsonscan.Members(s, nil); ok && depth < maxNesting {
			decodeMembers(ms, v, depth)
		}
		v.Addr().Interface().(keeper).keepRaw(s)
		return
	}
	if v.CanAddr() {
		switch u := v.Addr().Interface().(type) { // what does not fit stays zero, see above
		case *UserID:
			setID(u, s)
			return
		case *GroupID:
			setID(u, s)
			return
		case *MessageID:
			setID(u, s)
			return
		case json.Unmarshaler:
			_ = u.UnmarshalJSON([]byte(s))
			return
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(looseText(s))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n, ok := wholeInt(s); ok && !v.OverflowInt(n) {
			v.SetInt(n)
		}
	case reflect.Float32, reflect.Float64:
		if f, err := strconv.ParseFloat(looseText(s), 64); err == nil {
			v.SetFloat(f)
		}
	case reflect.Bool:
		switch looseText(s) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0", "":
			v.SetBool(false)
		}
	case reflect.Pointer:
		n := reflect.New(v.Type().Elem())
		decodeValue(s, n.Elem(), depth)
		v.Set(n)
	case reflect.Slice:
		decodeSlice(s, v, depth)
	case reflect.Struct:
		if ms, ok := jsonscan.Members(s, nil); ok {
			decodeMembers(ms, v, depth)
		}
	default:
		_ = json.Unmarshal([]byte(s), v.Addr().Interface()) // as above
	}
}

func setID[ID ~int64](id *ID, s string) {
	if n, ok := idOf(s); ok {
		*id = ID(n)
	}
}

func decodeSlice(s string, v reflect.Value, depth int) {
	out := reflect.MakeSlice(v.Type(), 0, 0)
	add := func(val string) bool {
		e := reflect.New(v.Type().Elem()).Elem()
		decodeValue(val, e, depth)
		out = reflect.Append(out, e)
		return true
	}
	switch {
	case s[0] == '[':
		jsonscan.Elements(s, add)
	case s == "{}" || s == `""`:
	default:
		add(s)
	}
	v.Set(out)
}

// looseText returns the text of a string, or any other value as it is written.
func looseText(s string) string {
	if s != "" && s[0] == '"' {
		return jsonscan.Unquote(s)
	}
	return s
}

// looseInt returns the integer in a number or a string of digits.
func looseInt(s string) (int64, bool) {
	t := looseText(s)
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n, true
	}
	switch t {
	case "true":
		return 1, true
	case "false", "":
		return 0, true
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil || f != float64(int64(f)) || f > 1<<62 || f < -1<<62 {
		return 0, false
	}
	return int64(f), true
}

// wholeInt is looseInt for what may have a fraction, such as a time in seconds,
// which is cut off.
func wholeInt(s string) (int64, bool) {
	if n, ok := looseInt(s); ok {
		return n, true
	}
	f, err := strconv.ParseFloat(looseText(s), 64)
	if err != nil || f > 1<<62 || f < -1<<62 || f != f {
		return 0, false
	}
	return int64(f), true
}

// encodeObject returns the JSON of the struct behind k: as it came if nothing
// was changed since, else with the changed fields written anew and everything
// else, known or not, as it came.
func encodeObject(dst []byte, k keeper) []byte {
	v := reflect.ValueOf(k).Elem()
	s := k.rawText()
	if s == "" {
		return appendStruct(dst, v, nil, reflect.Value{})
	}
	ms, ok := jsonscan.Members(s, nil)
	if !ok {
		return append(dst, s...)
	}
	fresh := reflect.New(v.Type())
	decodeMembers(ms, fresh.Elem(), 0)
	fresh.Interface().(keeper).keepRaw(s)
	if reflect.DeepEqual(fresh.Interface(), k) {
		return append(dst, s...)
	}
	return appendStruct(dst, v, ms, fresh.Elem())
}

// appendStruct writes v. Members it was decoded from keep their place and, if
// they are unchanged or unknown, their text.
func appendStruct(dst []byte, v reflect.Value, ms []jsonscan.Member, fresh reflect.Value) []byte {
	p := planOf(v.Type())
	written := make([]bool, len(p.fields))
	dst = append(dst, '{')
	first := true
	key := func(name string) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, name)
		dst = append(dst, ':')
	}
	same := func(f reflect.Value, index []int) bool {
		return reflect.DeepEqual(f.Interface(), fresh.FieldByIndex(index).Interface())
	}
	for _, m := range ms {
		i, known := p.byName[m.Key]
		if !known {
			key(m.Key)
			dst = append(dst, m.Val...)
			continue
		}
		if written[i] {
			continue
		}
		written[i] = true
		f := v.FieldByIndex(p.fields[i].index)
		if same(f, p.fields[i].index) {
			key(m.Key)
			dst = append(dst, lastValue(ms, m.Key)...)
		} else if !p.fields[i].omitEmpty || !isEmpty(f) {
			key(m.Key)
			dst = appendValue(dst, f, p.fields[i].quoted)
		}
	}
	for i, fp := range p.fields {
		f := v.FieldByIndex(fp.index)
		if written[i] || fp.omitEmpty && isEmpty(f) || ms != nil && same(f, fp.index) {
			continue
		}
		key(fp.name)
		dst = appendValue(dst, f, fp.quoted)
	}
	return append(dst, '}')
}

// lastValue returns the value that counts of a key that may come twice.
func lastValue(ms []jsonscan.Member, key string) string {
	for i := len(ms) - 1; i >= 0; i-- {
		if ms[i].Key == key {
			return ms[i].Val
		}
	}
	return "null"
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	}
	return v.IsZero()
}

// jsonAppender is implemented by what writes its own JSON without detours.
type jsonAppender interface{ AppendJSON(dst []byte) []byte }

func appendValue(dst []byte, v reflect.Value, quoted bool) []byte {
	if v.Kind() == reflect.Pointer && v.IsNil() || v.Kind() == reflect.Interface && v.IsNil() {
		return append(dst, "null"...)
	}
	if quoted && v.CanInt() {
		return appendQuotedInt(dst, v.Int())
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer {
		switch m := v.Addr().Interface().(type) {
		case jsonAppender:
			return m.AppendJSON(dst)
		case json.Marshaler:
			if b, err := m.MarshalJSON(); err == nil {
				return append(dst, b...)
			}
			return append(dst, "null"...)
		}
	}
	switch v.Kind() {
	case reflect.String:
		return appendString(dst, v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Pointer:
		return appendValue(dst, v.Elem(), quoted)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, v.Index(i), false)
		}
		return append(dst, ']')
	case reflect.Struct:
		return appendStruct(dst, v, nil, reflect.Value{})
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}
