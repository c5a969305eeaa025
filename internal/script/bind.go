package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// spec is one registration as a script described it.
type spec struct {
	kind string // on, command, schedule
	options
}

// options are those of all registrations: each kind knows some of them.
type options struct {
	ID       int         `json:"id"`
	Type     string      `json:"type"`
	Name     string      `json:"name"`
	Match    []string    `json:"match"`
	Where    *filterSpec `json:"where"`
	Priority *int        `json:"priority"`
	Fallback bool        `json:"fallback"`
	Args     []argSpec   `json:"args"`
	Help     string      `json:"help"`
	Alias    oneOrMore   `json:"alias"`
	Need     oneOrMore   `json:"need"`
	Cooldown duration    `json:"cooldown"`
	Hidden   bool        `json:"hidden"`
	PassOn   bool        `json:"passOn"`
	Spec     string      `json:"spec"`
	In       string      `json:"in"`
	Jitter   duration    `json:"jitter"`
	CatchUp  bool        `json:"catchUp"`
}

// oneOrMore is a text or a list of them.
type oneOrMore []string

// UnmarshalJSON implements [json.Unmarshaler].
func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*o = oneOrMore{s}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}

// argSpec is one argument of a command.
type argSpec struct {
	Key      string          `json:"key"`
	Kind     string          `json:"kind"`
	Default  *string         `json:"default"`
	Optional bool            `json:"optional"`
	Help     string          `json:"help"`
	Enum     []string        `json:"enum"`
	Many     bool            `json:"many"`
	Flag     json.RawMessage `json:"flag"` // true, or a letter
}

// register is told by the script of a handler. What is wrong with it is thrown
// where the script registered it.
func (m *machine) register(kind, text string) error {
	if m.loaded {
		return unfit(api.Because(api.CodeScriptRegLate))
	}
	s := spec{kind: kind}
	if err := strict(json.RawMessage(text), &s.options); err != nil {
		return err
	}
	if _, err := s.Where.filter(); err != nil {
		return err
	}
	var err error
	switch kind {
	case "on":
		if _, err = kindOf(s.Type); err == nil && s.Match != nil {
			_, err = pattern(s.Match)
		}
	case "command":
		if _, err = argsType(s.Args); err == nil {
			err = m.nameable(&s)
		}
	case "schedule":
		_, err = s.schedule()
	default:
		err = fmt.Errorf("cannot register a %s", kind)
	}
	if err == nil {
		err = m.roomFor(kind)
	}
	if err != nil {
		return err
	}
	m.specs = append(m.specs, s)
	return nil
}

// maxHandlers and maxSchedules bound what one plugin registers: each event goes past
// all handlers, and all schedules may be due at once.
const (
	maxHandlers  = 4096
	maxSchedules = 256
)

func (m *machine) roomFor(kind string) error {
	switch {
	case kind == "schedule" && m.schedules == maxSchedules:
		return unfit(api.Because(api.CodeScriptRegTimes, maxSchedules))
	case kind == "schedule":
		m.schedules++
	case len(m.specs)-m.schedules == maxHandlers:
		return unfit(api.Because(api.CodeScriptRegMany, maxHandlers))
	}
	return nil
}

// nameable refuses a command that has no name, or one that another of the plugin
// has.
func (m *machine) nameable(s *spec) error {
	if strings.TrimSpace(s.Name) == "" {
		return unfit(api.Because(api.CodeScriptRegName))
	}
	mine := append([]string{s.Name}, s.Alias...)
	for i := range m.specs {
		other := &m.specs[i]
		if other.kind == "command" && slices.ContainsFunc(append([]string{other.Name}, other.Alias...), func(n string) bool {
			return slices.ContainsFunc(mine, func(name string) bool { return strings.EqualFold(n, name) })
		}) {
			return unfit(api.Because(api.CodeScriptRegTaken, s.Name, other.Name))
		}
	}
	return nil
}

// bind registers on h what the version's script registered.
func (v *version) bind(h *ncat.Host) error {
	for i := range v.specs {
		s := &v.specs[i]
		if err := v.bindOne(h, s); err != nil {
			return err
		}
	}
	return nil
}

func (v *version) bindOne(h *ncat.Host, s *spec) (err error) {
	defer func() {
		if p := recover(); p != nil { // ncat's way to refuse what an author wrote
			said := strings.TrimPrefix(fmt.Sprint(p), "ncat: ")
			if i := strings.LastIndex(said, " ("); i > 0 { // a place in this package
				said = said[:i]
			}
			err = errors.New(said)
		}
	}()
	f, err := s.Where.filter()
	if err != nil {
		return err
	}
	opts := []ncat.HandlerOption{}
	if s.Where != nil {
		opts = append(opts, ncat.Where(f))
	}
	if s.Priority != nil {
		opts = append(opts, ncat.Priority(*s.Priority))
	}
	if s.Fallback {
		opts = append(opts, ncat.Fallback())
	}
	switch s.kind {
	case "schedule":
		return v.bindSchedule(h, s)
	case "command":
		return v.bindCommand(h, s, opts)
	}
	k, err := kindOf(s.Type)
	if err != nil {
		return err
	}
	if s.Name == "" {
		s.Name = fmt.Sprintf("%s #%d", s.Type, s.ID)
	}
	opts = append(opts, ncat.Named(s.Name))
	if s.Match == nil {
		k.on(h.Bot, func(ctx context.Context, b *ncat.Bot, e onebot.Event) error { return v.p.handle(ctx, v, s, b, e, "") }, opts...)
		return nil
	}
	re, err := pattern(s.Match)
	if err != nil {
		return err
	}
	opts = append(opts, ncat.Where(ncat.Matches(re)))
	k.on(h.Bot, func(ctx context.Context, b *ncat.Bot, e onebot.Event) error {
		args, err := jsonText(groupsOf(re, e.(onebot.MessageEvent)))
		if err != nil {
			return err
		}
		return v.p.handle(ctx, v, s, b, e, args)
	}, opts...)
	return nil
}

func groupsOf(re *regexp.Regexp, m onebot.MessageEvent) []string {
	return re.FindStringSubmatch(m.Text())
}

func (v *version) bindCommand(h *ncat.Host, s *spec, opts []ncat.HandlerOption) error {
	t, err := argsType(s.Args)
	if err != nil {
		return err
	}
	if s.Help != "" {
		opts = append(opts, ncat.Help(s.Help))
	}
	if s.Hidden {
		opts = append(opts, ncat.Hidden())
	}
	if s.PassOn {
		opts = append(opts, ncat.PassOn())
	}
	if s.Cooldown > 0 {
		opts = append(opts, ncat.Cooldown(time.Duration(s.Cooldown)))
	}
	keys := make([]string, len(s.Args))
	for i, a := range s.Args {
		if keys[i], err = jsonText(a.Key); err != nil {
			return err
		}
	}
	opts = append(opts, ncat.Alias(s.Alias...), ncat.Need(s.Need...))
	ncat.CommandOf(h.Bot, s.Name, t, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, args reflect.Value) error {
		text, err := argsJSON(s.Args, keys, args)
		if err != nil {
			return err
		}
		return v.p.handle(ctx, v, s, b, m, text)
	}, opts...)
	return nil
}

// argsType makes the struct to which ncat binds a command's arguments.
func argsType(args []argSpec) (t reflect.Type, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &argumentError{text: fmt.Sprint(v)}
		}
	}()
	fields := make([]reflect.StructField, len(args))
	for i, a := range args {
		typ, opts := argType(a.Kind), ""
		if typ == nil {
			return nil, &argumentError{text: fmt.Sprintf("argument %s: no kind %q", a.Key, a.Kind)}
		}
		if a.Kind == "rest" || a.Kind == "content" {
			opts += ",rest"
		}
		if a.Optional {
			opts += ",optional"
		}
		if a.Many {
			typ = reflect.SliceOf(typ)
		}
		tag := "arg:" + strconv.Quote(a.Key+opts)
		if len(a.Flag) > 0 && string(a.Flag) != "false" {
			name, letter := a.Key, ""
			if json.Unmarshal(a.Flag, &letter) == nil {
				name += "," + letter
			}
			tag = "flag:" + strconv.Quote(name)
		}
		if a.Default != nil {
			tag += " default:" + strconv.Quote(*a.Default)
		}
		if a.Enum != nil {
			tag += " enum:" + strconv.Quote(strings.Join(a.Enum, "|"))
		}
		if a.Help != "" {
			tag += " help:" + strconv.Quote(a.Help)
		}
		fields[i] = reflect.StructField{Name: "F" + strconv.Itoa(i), Type: typ, Tag: reflect.StructTag(tag)}
	}
	t = reflect.StructOf(fields)
	return t, argsError(args, ncat.CheckArgs(t))
}

var fieldOf = regexp.MustCompile(`^field F(\d+): (.*)$`)

// argsError names what is wrong with arguments as the script names it.
func argsError(args []argSpec, err error) error {
	if err == nil {
		return nil
	}
	said := fieldOf.FindStringSubmatch(err.Error())
	if said == nil {
		return &argumentError{text: err.Error()}
	}
	i, _ := strconv.Atoi(said[1]) // digits
	if a := args[i]; a.Default != nil && said[2] == fmt.Sprintf("the default %q does not fit", *a.Default) {
		return unfit(api.Because(api.CodeScriptRegDefault, a.Key, *a.Default))
	}
	return unfit(api.Because(api.CodeScriptRegArg, args[i].Key, said[2]))
}

func argType(kind string) reflect.Type {
	switch kind {
	case "text", "rest":
		return reflect.TypeFor[string]()
	case "int":
		return reflect.TypeFor[int64]()
	case "float":
		return reflect.TypeFor[float64]()
	case "bool":
		return reflect.TypeFor[bool]()
	case "duration":
		return reflect.TypeFor[time.Duration]()
	case "time":
		return reflect.TypeFor[time.Time]()
	case "user":
		return reflect.TypeFor[onebot.UserID]()
	case "group":
		return reflect.TypeFor[onebot.GroupID]()
	case "message":
		return reflect.TypeFor[onebot.MessageID]()
	case "content":
		return reflect.TypeFor[onebot.Message]()
	case "segment":
		return reflect.TypeFor[onebot.Segment]()
	case "image":
		return reflect.TypeFor[*onebot.ImageSegment]()
	case "record":
		return reflect.TypeFor[*onebot.RecordSegment]()
	case "video":
		return reflect.TypeFor[*onebot.VideoSegment]()
	case "file":
		return reflect.TypeFor[*onebot.FileSegment]()
	case "face":
		return reflect.TypeFor[*onebot.FaceSegment]()
	case "at":
		return reflect.TypeFor[*onebot.AtSegment]()
	}
	return nil
}

// argsJSON encodes bound arguments for the script, whose names in JSON are keys:
// durations and times in milliseconds, what was not given left out.
func argsJSON(specs []argSpec, keys []string, args reflect.Value) (string, error) {
	out := []byte{'{'}
	for i, a := range specs {
		f := args.Field(i)
		if a.Optional && a.Default == nil && f.IsZero() {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, keys[i]...), ':')
		v := argValue(f)
		if n, ok := v.(int64); ok { // what most are
			out = strconv.AppendInt(out, n, 10)
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		out = append(out, text...)
	}
	return string(append(out, '}')), nil
}

func argValue(f reflect.Value) any {
	switch x := f.Interface().(type) {
	case time.Duration:
		return x.Milliseconds()
	case time.Time:
		return x.UnixMilli()
	case onebot.Message:
		return x
	}
	if f.Kind() == reflect.Slice {
		list := make([]any, f.Len())
		for i := range list {
			list[i] = argValue(f.Index(i))
		}
		return list
	}
	return f.Interface()
}

func (s *spec) schedule() ([]ncat.ScheduleOption, error) {
	loc := time.Local
	if s.In != "" {
		var err error
		if loc, err = time.LoadLocation(s.In); err != nil {
			return nil, unfit(api.Because(api.CodeScriptRegZone, s.Name, s.In))
		}
	}
	if _, err := ncat.ParseSchedule(s.Spec, loc); err != nil {
		return nil, unfit(api.Because(api.CodeScriptRegSchedule, s.Name, s.Spec))
	}
	opts := []ncat.ScheduleOption{ncat.InZone(loc), ncat.Jitter(time.Duration(s.Jitter))}
	if s.CatchUp {
		opts = append(opts, ncat.CatchUp())
	}
	return opts, nil
}

func (v *version) bindSchedule(h *ncat.Host, s *spec) error {
	opts, err := s.schedule()
	if err != nil {
		return err
	}
	_, err = h.Schedule(s.Name, s.Spec, func(ctx context.Context, b *ncat.Bot) error { return v.p.handle(ctx, v, s, b, nil, "") }, opts...)
	return err
}
