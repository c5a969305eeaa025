package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/schedule"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// stage lets a test in JavaScript play on a harness.
type stage struct {
	h       *ncattest.Harness
	bot     *ncat.Bot
	claimed map[int]bool // calls that were wanted
}

// who is a person as tests describe it.
type who struct {
	Group onebot.GroupID `json:"group"`
	User  onebot.UserID  `json:"user"`
	Role  onebot.Role    `json:"role"`
}

// Do implements [script.Stage].
func (s *stage) Do(op string, args []json.RawMessage) (any, error) {
	switch op {
	case "says", "quotes", "mentions", "recalls", "pokes", "reacts", "joins", "leaves", "asks":
		if len(args) == 0 {
			return nil, fmt.Errorf("%s: by whom?", op)
		}
		var w who
		if err := json.Unmarshal(args[0], &w); err != nil {
			return nil, err
		}
		return s.act(op, w, args[1:])
	case "want", "wantLike", "wantNothing", "sent":
		return s.want(op, args)
	case "wantCall", "wantNoCall":
		return nil, s.wantCall(op, args)
	case "on":
		return nil, s.on(args)
	case "event":
		if len(args) != 1 {
			return nil, fmt.Errorf("event takes one event")
		}
		e, err := onebot.Decode(args[0])
		if err == nil {
			s.h.Event(e)
		}
		return nil, err
	case "pass", "passUntil":
		return nil, s.pass(op, args)
	case "restart":
		s.h.Stop()
		s.h.Start(s.bot)
		return nil, nil
	case "errors":
		out := []string{}
		for _, err := range s.h.Errors() {
			out = append(out, err.Error())
		}
		return out, nil
	}
	return nil, fmt.Errorf("no such step: %s", op)
}

func (s *stage) person(w who) *ncattest.Person {
	p := s.h.Friend(w.User)
	if w.Group != 0 {
		p = s.h.Group(w.Group).From(w.User)
	}
	if w.Role != "" {
		p.As(w.Role)
	}
	return p
}

func (s *stage) act(op string, w who, args []json.RawMessage) (any, error) {
	p := s.person(w)
	var id onebot.MessageID
	if op == "quotes" || op == "recalls" || op == "reacts" {
		if len(args) == 0 {
			return nil, fmt.Errorf("%s: which message?", op)
		}
		if err := json.Unmarshal(args[0], &id); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	content, err := contentOf(args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	switch op {
	case "says":
		return p.Says(content...), nil
	case "quotes":
		return p.Quotes(id, content...), nil
	case "mentions":
		return p.Mentions(ncattest.Self, content...), nil
	case "recalls":
		p.Recalls(id)
	case "reacts":
		p.Reacts(id, fmt.Sprint(content...))
	case "pokes":
		target := ncattest.Self
		if len(args) > 0 {
			if err := json.Unmarshal(args[0], &target); err != nil {
				return nil, err
			}
		}
		p.Pokes(target)
	case "joins":
		p.Joins()
	case "leaves":
		p.Leaves()
	case "asks":
		p.Asks(fmt.Sprint(content...))
	}
	return nil, nil
}

func contentOf(args []json.RawMessage) ([]any, error) {
	var out []any
	for _, raw := range args {
		var text string
		var number json.Number
		var list onebot.Message
		switch {
		case json.Unmarshal(raw, &text) == nil:
			out = append(out, text)
		case json.Unmarshal(raw, &number) == nil:
			out = append(out, number.String())
		case strings.HasPrefix(string(raw), "{") && json.Unmarshal([]byte("["+string(raw)+"]"), &list) == nil,
			json.Unmarshal(raw, &list) == nil:
			out = append(out, list)
		default:
			return nil, fmt.Errorf("%s is no content of a message", raw)
		}
	}
	return out, nil
}

func textsOf(args []json.RawMessage) ([]string, error) {
	out := make([]string, len(args))
	for i, raw := range args {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("%s is no text", raw)
		}
	}
	return out, nil
}

// want compares what the bot sent since the last look.
func (s *stage) want(op string, args []json.RawMessage) (any, error) {
	got := []string{}
	for _, m := range s.h.Sent() {
		text := m.Text()
		if text == "" || len(m.Message.Without("text")) > 0 {
			text = strings.TrimSpace(m.Message.CQ())
		}
		got = append(got, strings.TrimSpace(text))
	}
	wanted, err := textsOf(args)
	if err != nil {
		return nil, err
	}
	switch op {
	case "sent":
		return got, nil
	case "wantLike":
		for _, w := range wanted {
			if len(got) != 1 || !strings.Contains(got[0], w) {
				return nil, fmt.Errorf("the bot sent %q, want one message with %q", got, wanted)
			}
		}
		return nil, nil
	}
	for i := range wanted {
		wanted[i] = strings.TrimSpace(wanted[i])
	}
	if !reflect.DeepEqual(got, append([]string{}, wanted...)) {
		more := ""
		for _, err := range s.h.Errors() {
			more += "\nerror: " + err.Error()
		}
		return nil, fmt.Errorf("the bot sent %q, want %q%s", got, append([]string{}, wanted...), more)
	}
	return nil, nil
}

func (s *stage) wantCall(op string, args []json.RawMessage) error {
	all := s.h.Calls()
	if op == "wantNoCall" {
		names, err := textsOf(args)
		if err != nil {
			return err
		}
		for i, c := range all {
			for _, n := range names {
				if c.Action == n && !s.claimed[i] {
					return fmt.Errorf("the bot called %s", c)
				}
			}
		}
		return nil
	}
	var action string
	params := map[string]any{}
	if len(args) == 0 || json.Unmarshal(args[0], &action) != nil {
		return fmt.Errorf("wantCall takes an action and its params")
	}
	if len(args) > 1 {
		if err := json.Unmarshal(args[1], &params); err != nil {
			return err
		}
	}
	var list []string
	for i, c := range all {
		if s.claimed[i] {
			continue
		}
		list = append(list, c.String())
		got := map[string]any{}
		if c.Action != action || c.Decode(&got) != nil {
			continue
		}
		fits := true
		for k, v := range params {
			fits = fits && (reflect.DeepEqual(got[k], v) || fmt.Sprint(got[k]) == fmt.Sprint(v))
		}
		if fits {
			s.claimed[i] = true
			return nil
		}
	}
	return fmt.Errorf("no call of %s with %v; there were %q", action, params, list)
}

// on sets how an action is answered.
func (s *stage) on(args []json.RawMessage) error {
	var action string
	var a struct {
		Data    json.RawMessage `json:"data"`
		RetCode int             `json:"retcode"`
		Message string          `json:"message"`
		NotSent bool            `json:"notSent"`
		Silence bool            `json:"silence"`
	}
	if len(args) != 2 || json.Unmarshal(args[0], &action) != nil {
		return fmt.Errorf("on takes an action and an answer")
	}
	if err := json.Unmarshal(args[1], &a); err != nil {
		return err
	}
	switch {
	case a.NotSent:
		s.h.On(action, ncattest.NotSent())
	case a.Silence:
		s.h.On(action, ncattest.Silence())
	case a.RetCode != 0:
		s.h.On(action, ncattest.Refuse(a.RetCode, a.Message))
	default:
		s.h.On(action, ncattest.Result(a.Data))
	}
	return nil
}

var errBackwards = errors.New("time passes forwards only")

func (s *stage) pass(op string, args []json.RawMessage) error {
	var text string
	var ms float64
	switch {
	case len(args) != 1:
		return fmt.Errorf("%s takes one time", op)
	case json.Unmarshal(args[0], &ms) == nil:
		if ms < 0 {
			return errBackwards
		}
		s.h.Pass(time.Duration(ms * float64(time.Millisecond)))
		return nil
	}
	if err := json.Unmarshal(args[0], &text); err != nil {
		return err
	}
	if op == "passUntil" {
		if _, err := time.Parse("15:04", text); err != nil {
			return fmt.Errorf("%q is no time of day such as 08:30", text)
		}
		s.h.PassUntil(text)
		return nil
	}
	d, err := schedule.ParseDistance(text)
	switch {
	case err == nil && d < 0:
		err = errBackwards
	case err == nil:
		s.h.Pass(d)
	}
	return err
}
