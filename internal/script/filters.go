package script

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// filterSpec is a filter as a script describes it. It is built once, when the
// handler is registered, and runs without the script.
type filterSpec struct {
	Op   string            `json:"op"`
	Args []json.RawMessage `json:"args"`
	Of   []filterSpec      `json:"of"`
}

func (s *filterSpec) filter() (f ncat.Filter, err error) {
	if s == nil {
		return ncat.AllOf(), nil
	}
	defer func() {
		if v := recover(); v != nil { // a time of day that cannot be read, and the like
			err = &argumentError{text: fmt.Sprint(v)}
		}
	}()
	switch s.Op {
	case "all", "any", "not":
		fs := make([]ncat.Filter, len(s.Of))
		for i := range s.Of {
			if fs[i], err = s.Of[i].filter(); err != nil {
				return nil, err
			}
		}
		switch {
		case s.Op == "all":
			return ncat.AllOf(fs...), nil
		case s.Op == "any":
			return ncat.AnyOf(fs...), nil
		case len(fs) == 1:
			return ncat.Not(fs[0]), nil
		}
	case "in_private":
		return ncat.InPrivate(), nil
	case "mentions_me":
		return ncat.MentionsMe(), nil
	case "to_me":
		return ncat.ToMe(), nil
	case "by_admin":
		return ncat.ByAdmin(), nil
	case "by_group_admin":
		return ncat.ByGroupAdmin(), nil
	case "by_group_owner":
		return ncat.ByGroupOwner(), nil
	case "not_self":
		return ncat.NotSelf(), nil
	case "in_group":
		ids, err := ids[onebot.GroupID](s.Args)
		return ncat.InGroup(ids...), err
	case "from_user":
		ids, err := ids[onebot.UserID](s.Args)
		return ncat.FromUser(ids...), err
	case "is_reply":
		ids, err := ids[onebot.MessageID](s.Args)
		return ncat.IsReply(ids...), err
	}
	return s.textFilter()
}

// textFilter makes the filters whose arguments are texts.
func (s *filterSpec) textFilter() (ncat.Filter, error) {
	args, err := texts(s.Args)
	if err != nil {
		return nil, err
	}
	switch s.Op {
	case "text_is":
		return ncat.TextIs(args...), nil
	case "has_prefix":
		return ncat.HasPrefix(args...), nil
	case "has_suffix":
		return ncat.HasSuffix(args...), nil
	case "keyword":
		return ncat.Keyword(args...), nil
	case "matches":
		re, err := pattern(args)
		if err != nil {
			return nil, err
		}
		return ncat.Matches(re), nil
	case "during":
		if len(args) == 2 {
			return ncat.During(args[0], args[1], nil), nil
		}
	case "has_segment":
		return func(_ *ncat.Bot, e onebot.Event) bool {
			m, ok := e.(onebot.MessageEvent)
			return ok && len(m.Msg().Message.Only(args...)) > 0
		}, nil
	case "type":
		return ofTypes(args)
	}
	return nil, &argumentError{text: fmt.Sprintf("the filter %s does not take %d arguments", s.Op, len(s.Args))}
}

// pattern reads a regular expression of JavaScript: its source and flags. It
// runs in Go, whose expressions have neither look-around nor back references.
func pattern(args []string) (*regexp.Regexp, error) {
	if len(args) != 2 {
		return nil, &argumentError{text: "matches takes one regular expression"}
	}
	flags := ""
	for _, f := range args[1] {
		switch f {
		case 'i', 's', 'm':
			flags += string(f)
		case 'u', 'g', 'v', 'y', 'd':
		default:
			return nil, unfit(api.Because(api.CodeScriptRegFlag, string(f)))
		}
	}
	src := namedGroup.ReplaceAllString(args[0], "(?P<$1>")
	src = strings.ReplaceAll(src, `\/`, `/`)
	if flags != "" {
		src = "(?" + flags + ")" + src
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, unfit(api.Because(api.CodeScriptRegPattern, short(args[0]), err))
	}
	return re, nil
}

var namedGroup = regexp.MustCompile(`\(\?<([A-Za-z_]\w*)>`)

func ids[T ~int64](raw []json.RawMessage) ([]T, error) {
	out := make([]T, 0, len(raw))
	for _, r := range raw {
		var n int64
		if err := json.Unmarshal([]byte(strings.Trim(string(r), `"`)), &n); err != nil {
			return nil, &argumentError{text: fmt.Sprintf("%s is no number of a user, group or message", short(string(r)))}
		}
		out = append(out, T(n))
	}
	return out, nil
}

func texts(raw []json.RawMessage) ([]string, error) {
	out := make([]string, 0, len(raw))
	for _, r := range raw {
		var s string
		if err := json.Unmarshal(r, &s); err != nil {
			return nil, &argumentError{text: fmt.Sprintf("%s is no text", short(string(r)))}
		}
		out = append(out, s)
	}
	return out, nil
}

// ofTypes passes events of the types with these names.
func ofTypes(names []string) (ncat.Filter, error) {
	types := map[reflect.Type]bool{}
	for _, n := range names {
		k, err := kindOf(n)
		if err != nil {
			return nil, err
		}
		if k.typ == nil {
			return nil, &argumentError{text: fmt.Sprintf("ofType takes exact types, not %q", n)}
		}
		types[k.typ] = true
	}
	return func(_ *ncat.Bot, e onebot.Event) bool { return types[reflect.TypeOf(e)] }, nil
}
