package ncat

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/schedule"
	"github.com/ncatd/ncatd/onebot"
)

// argSpec is how arguments are bound to a struct.
type argSpec struct {
	typ   reflect.Type
	args  []*argField // by place
	flags []*argField
	byKey map[string]*argField // flags by "--name" and "-n"
}

// argField is one field of the struct.
type argField struct {
	index    []int
	name     string
	short    string
	help     string
	kind     string // key of a text that names what is expected
	enum     []string
	def      *string
	rest     bool
	optional bool
	repeated bool
	parse    func(dst reflect.Value, tok token) error
}

// mistake is what is wrong with the arguments of a message.
type mistake struct {
	code  string
	field *argField
	value string
}

func (m *mistake) text(b *Bot) string {
	switch m.code {
	case "missing":
		return fmt.Sprintf(b.text("missing"), m.field.name)
	case "wrong":
		return fmt.Sprintf(b.text("wrong"), m.field.name, m.field.expects(b), short(m.value))
	case "novalue":
		return fmt.Sprintf(b.text("novalue"), m.field.name)
	}
	return fmt.Sprintf(b.text(m.code), short(m.value))
}

func (f *argField) expects(b *Bot) string {
	if len(f.enum) > 0 {
		return strings.Join(f.enum, " | ")
	}
	return b.text("kind." + f.kind)
}

// short keeps answers from repeating whole messages.
func short(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

var (
	errWrong         = errors.New("wrong")
	messageType      = reflect.TypeFor[onebot.Message]()
	segmentInterface = reflect.TypeFor[onebot.Segment]()
	unmarshalerType  = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// specOf reads the tags of a struct.
func specOf(t reflect.Type) (*argSpec, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("arguments are bound to a struct, not to a %s", t)
	}
	s := &argSpec{typ: t, byKey: map[string]*argField{}}
	if err := s.add(t, nil); err != nil {
		return nil, err
	}
	for i, f := range s.args {
		last := i == len(s.args)-1
		if (f.rest || f.repeated) && !last {
			return nil, fmt.Errorf("argument %s takes all that follows, so that it must be the last", f.name)
		}
		if i > 0 && s.args[i-1].optional && !f.optional {
			return nil, fmt.Errorf("argument %s must be optional, because %s before it is", f.name, s.args[i-1].name)
		}
	}
	return s, nil
}

func (s *argSpec) add(t reflect.Type, index []int) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(index), i)
		if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			if err := s.add(sf.Type, at); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() {
			continue
		}
		f, err := newArgField(sf, at)
		if err != nil {
			return fmt.Errorf("field %s: %w", sf.Name, err)
		}
		if _, ok := sf.Tag.Lookup("flag"); !ok {
			s.args = append(s.args, f)
			continue
		}
		s.flags = append(s.flags, f)
		keys := []string{"--" + f.name}
		if f.short != "" {
			keys = append(keys, "-"+f.short)
		}
		for _, k := range keys {
			if s.byKey[k] != nil {
				return fmt.Errorf("flag %s is there twice", k)
			}
			s.byKey[k] = f
		}
	}
	return nil
}

func newArgField(sf reflect.StructField, index []int) (*argField, error) {
	f := &argField{index: index, help: sf.Tag.Get("help")}
	arg, isArg := sf.Tag.Lookup("arg")
	flag, isFlag := sf.Tag.Lookup("flag")
	switch {
	case isArg && isFlag:
		return nil, errors.New("a field is an arg or a flag, not both")
	case isArg:
		words := strings.Split(arg, ",")
		f.name = words[0]
		for _, w := range words[1:] {
			switch strings.TrimSpace(w) {
			case "rest":
				f.rest = true
			case "optional":
				f.optional = true
			default:
				return nil, fmt.Errorf("arg knows no option %q", w)
			}
		}
	case isFlag:
		var more string
		f.name, f.short, _ = strings.Cut(flag, ",")
		if f.short, more, _ = strings.Cut(strings.TrimSpace(f.short), ","); more != "" || utf8.RuneCountInString(f.short) > 1 {
			return nil, fmt.Errorf("flag %q: expected name or name,letter", flag)
		}
		f.optional = true
	default:
		return nil, errors.New(`it needs a tag arg:"name" or flag:"name"`)
	}
	if f.name == "" || strings.ContainsAny(f.name, " =\t") {
		return nil, fmt.Errorf("%q is no name", f.name)
	}
	if e, ok := sf.Tag.Lookup("enum"); ok {
		f.enum = strings.Split(e, "|")
	}
	t := sf.Type
	if f.rest {
		if t != messageType && t.Kind() != reflect.String {
			return nil, fmt.Errorf("rest needs a string or an onebot.Message, not a %s", t)
		}
	} else if t.Kind() == reflect.Slice && t != messageType && !reflect.PointerTo(t).Implements(unmarshalerType) {
		f.repeated, t = true, t.Elem()
	}
	if t == messageType && !f.rest {
		return nil, errors.New("an onebot.Message needs the option rest")
	}
	var err error
	if f.kind, f.parse, err = parserOf(t); err != nil {
		return nil, err
	}
	if len(f.enum) > 0 {
		if t.Kind() != reflect.String {
			return nil, fmt.Errorf("enum needs a string, not a %s", t)
		}
		f.parse = f.parseEnum
	}
	if d, ok := sf.Tag.Lookup("default"); ok {
		if f.repeated || f.rest && t == messageType {
			return nil, errors.New("a default is for one value")
		}
		if err := f.parse(reflect.New(t).Elem(), token{text: d}); err != nil {
			return nil, fmt.Errorf("the default %q does not fit", d)
		}
		f.def, f.optional = &d, true
	}
	return f, nil
}

func (f *argField) parseEnum(dst reflect.Value, tok token) error {
	for _, e := range f.enum {
		if tok.seg == nil && strings.EqualFold(e, tok.text) {
			dst.SetString(e)
			return nil
		}
	}
	return errWrong
}

// parser reads one value of an argument.
type parser func(dst reflect.Value, tok token) error

// fromText is a parser of text, which no segment is.
func fromText(f func(dst reflect.Value, s string) error) parser {
	return func(dst reflect.Value, tok token) error {
		if tok.seg != nil {
			return errWrong
		}
		return f(dst, tok.text)
	}
}

func parseTime(dst reflect.Value, tok token) error {
	if tok.seg != nil {
		return errWrong
	}
	now := time.Now()
	if tok.loc != nil {
		now = now.In(tok.loc)
	}
	v, err := argTime(tok.text, now)
	dst.Set(reflect.ValueOf(v))
	return err
}

// parserOf returns how one value of a type is read.
func parserOf(t reflect.Type) (kind string, parse parser, err error) {
	switch t {
	case messageType:
		return "any", func(reflect.Value, token) error { return nil }, nil
	case reflect.TypeFor[time.Duration]():
		return "duration", fromText(func(dst reflect.Value, s string) error {
			d, err := argDuration(s)
			dst.SetInt(int64(d))
			return err
		}), nil
	case reflect.TypeFor[time.Time]():
		return "time", parseTime, nil
	case reflect.TypeFor[onebot.UserID]():
		return "user", parseUser, nil
	case reflect.TypeFor[onebot.GroupID]():
		return "group", fromText(func(dst reflect.Value, s string) error {
			id, err := onebot.ParseGroupID(s)
			if err != nil || id <= 0 {
				return errWrong
			}
			dst.SetInt(int64(id))
			return nil
		}), nil
	}
	if t == segmentInterface || t.Kind() == reflect.Pointer && t.Implements(segmentInterface) {
		return segmentKind(t), parseSegment, nil
	}
	if reflect.PointerTo(t).Implements(unmarshalerType) {
		return "text", fromText(func(dst reflect.Value, s string) error {
			return dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
		}), nil
	}
	return plainParser(t)
}

func parseUser(dst reflect.Value, tok token) error {
	if at, ok := tok.seg.(*onebot.AtSegment); ok && at.UserID() != 0 {
		dst.SetInt(int64(at.UserID()))
		return nil
	}
	id, err := onebot.ParseUserID(strings.TrimPrefix(tok.text, "@"))
	if tok.seg != nil || err != nil || id <= 0 {
		return errWrong
	}
	dst.SetInt(int64(id))
	return nil
}

// parseSegment takes a segment that dst can hold.
func parseSegment(dst reflect.Value, tok token) error {
	if tok.seg == nil || !reflect.TypeOf(tok.seg).AssignableTo(dst.Type()) {
		return errWrong
	}
	dst.Set(reflect.ValueOf(tok.seg))
	return nil
}

// segmentKind is the kind of an argument that is a segment.
func segmentKind(t reflect.Type) string {
	if t != segmentInterface {
		switch kind := reflect.New(t.Elem()).Interface().(onebot.Segment).SegmentType(); kind {
		case "image", "record", "video", "file", "face", "at":
			return kind
		}
	}
	return "segment"
}

// plainParser returns how a value of one of Go's own types is read.
func plainParser(t reflect.Type) (kind string, parse parser, err error) {
	switch t.Kind() {
	case reflect.String:
		return "text", fromText(func(dst reflect.Value, s string) error { dst.SetString(s); return nil }), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "int", fromText(func(dst reflect.Value, s string) error {
			n, err := strconv.ParseInt(s, 10, t.Bits())
			dst.SetInt(n)
			return err
		}), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "int", fromText(func(dst reflect.Value, s string) error {
			n, err := strconv.ParseUint(s, 10, t.Bits())
			dst.SetUint(n)
			return err
		}), nil
	case reflect.Float32, reflect.Float64:
		return "float", fromText(func(dst reflect.Value, s string) error {
			n, err := strconv.ParseFloat(s, t.Bits())
			if math.IsNaN(n) || math.IsInf(n, 0) {
				return errWrong
			}
			dst.SetFloat(n)
			return err
		}), nil
	case reflect.Bool:
		return "bool", fromText(func(dst reflect.Value, s string) error {
			v, ok := argBool(s)
			dst.SetBool(v)
			if !ok {
				return errWrong
			}
			return nil
		}), nil
	}
	return "", nil, fmt.Errorf("a %s cannot be an argument", t)
}

func argBool(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "y", "on", "1", "开", "是":
		return true, true
	case "false", "no", "n", "off", "0", "关", "否":
		return false, true
	}
	return false, false
}

func argDuration(s string) (time.Duration, error) {
	d, err := schedule.ParseDistance(s)
	if err == nil && d < 0 {
		err = errWrong
	}
	return d, err
}

// argTime reads a moment. A time of day without a date is the next such time.
func argTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		y, m, d := now.Date()
		at := time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		if !at.After(now) {
			at = time.Date(y, m, d+1, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		}
		return at, nil
	}
	return time.Time{}, errWrong
}

// bind fills a new struct from the arguments of a message.
func (s *argSpec) bind(b *Bot, _ *onebot.MessageBase, sc scanner) (reflect.Value, *mistake) {
	v := reflect.New(s.typ).Elem()
	given := map[*argField]bool{}
	place, flags := 0, len(s.flags) > 0
	sc.flags, sc.loc = flags, b.Location()
	for {
		before := sc
		tok, ok := sc.next()
		if !ok {
			break
		}
		if flags && tok.seg == nil && !tok.quoted && len(tok.text) > 1 && tok.text[0] == '-' && !isNumber(tok.text) {
			if tok.open {
				return v, &mistake{code: "openquote", value: tok.text}
			}
			if tok.text == "--" {
				flags, sc.flags = false, false
				continue
			}
			if m := s.flag(v, given, tok.text, &sc); m != nil {
				return v, m
			}
			continue
		}
		if place == len(s.args) {
			if tok.seg != nil {
				return v, &mistake{code: "toomany", value: "[" + tok.seg.SegmentType() + "]"}
			}
			return v, &mistake{code: "toomany", value: tok.text}
		}
		f := s.args[place]
		if f.rest {
			sc = before
			rest := sc.rest()
			if f.kind == "any" {
				v.FieldByIndex(f.index).Set(reflect.ValueOf(rest))
			} else if err := f.parse(v.FieldByIndex(f.index), token{text: rest.Text(), loc: sc.loc}); err != nil {
				return v, &mistake{code: "wrong", field: f, value: rest.Text()}
			}
			given[f] = f.kind == "any" || rest.Text() != ""
			break
		}
		if m := f.set(v, tok); m != nil {
			return v, m
		}
		given[f] = true
		if !f.repeated {
			place++
		}
	}
	for _, f := range slices.Concat(s.args, s.flags) {
		if given[f] {
			continue
		}
		if !f.optional {
			return v, &mistake{code: "missing", field: f}
		}
		if f.def != nil {
			_ = f.parse(v.FieldByIndex(f.index), token{text: *f.def, loc: sc.loc}) // tried by newArgField
		}
	}
	return v, nil
}

// set gives f one value.
func (f *argField) set(v reflect.Value, tok token) *mistake {
	if tok.open {
		return &mistake{code: "openquote", value: tok.text}
	}
	dst := v.FieldByIndex(f.index)
	one := dst
	if f.repeated {
		one = reflect.New(dst.Type().Elem()).Elem()
	}
	if err := f.parse(one, tok); err != nil {
		value := tok.text
		if tok.seg != nil {
			value = "[" + tok.seg.SegmentType() + "]"
		}
		return &mistake{code: "wrong", field: f, value: value}
	}
	if f.repeated {
		dst.Set(reflect.Append(dst, one))
	}
	return nil
}

// flag takes in one word that begins with a dash, and its value.
func (s *argSpec) flag(v reflect.Value, given map[*argField]bool, word string, sc *scanner) *mistake {
	name, value, has := strings.Cut(word, "=")
	f := s.byKey[name]
	if f == nil && !has && strings.HasPrefix(name, "--no-") {
		if f = s.byKey["--"+name[len("--no-"):]]; f != nil && f.kind == "bool" && !f.repeated {
			given[f] = true
			v.FieldByIndex(f.index).SetBool(false)
			return nil
		}
		f = nil
	}
	if f == nil && !strings.HasPrefix(name, "--") {
		// -abc is -a -b -c for switches; -n5 is -n 5.
		letters := []rune(name[1:])
		for i, r := range letters {
			f := s.byKey["-"+string(r)]
			if f == nil {
				break
			}
			given[f] = true
			if f.kind != "bool" {
				rest := string(letters[i+1:])
				if has {
					rest += "=" + value
				}
				if rest == "" {
					return s.value(v, f, sc)
				}
				return f.set(v, token{text: rest, loc: sc.loc})
			}
			if m := f.set(v, token{text: "true"}); m != nil {
				return m
			}
			if i == len(letters)-1 && !has {
				return nil
			}
		}
	}
	if f == nil {
		return &mistake{code: "unknownflag", value: name}
	}
	if !f.repeated && given[f] {
		return &mistake{code: "twice", value: name}
	}
	given[f] = true
	switch {
	case has:
		return f.set(v, token{text: value, loc: sc.loc})
	case f.kind == "bool":
		return f.set(v, token{text: "true"})
	}
	return s.value(v, f, sc)
}

// value takes a flag's value from the next argument.
func (s *argSpec) value(v reflect.Value, f *argField, sc *scanner) *mistake {
	tok, ok := sc.next()
	if !ok {
		return &mistake{code: "novalue", field: f}
	}
	return f.set(v, tok)
}

// isNumber keeps -5 from being taken for a flag.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
