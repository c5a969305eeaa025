package onebot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

//go:generate go run ../internal/onebotgen

// This file is what the generated methods rest on.

// Appender is implemented by params that write their own JSON without
// reflection. Transports prefer it to encoding/json.
type Appender interface {
	// AppendJSON appends the JSON of the value to dst.
	AppendJSON(dst []byte) []byte
}

// ParamError says that a call was not sent because of one of its parameters. It
// wraps [ErrNotSent].
type ParamError struct {
	Action, Param string
	Problem       string
}

// Error implements error.
func (e *ParamError) Error() string {
	return fmt.Sprintf("%s: parameter %s %s", e.Action, e.Param, e.Problem)
}

// Unwrap returns [ErrNotSent].
func (e *ParamError) Unwrap() error { return ErrNotSent }

func missing(action, param string) error {
	return &ParamError{action, param, "must be given: what NapCat takes its absence for does harm"}
}

func notTrue(action, param string) error {
	return &ParamError{action, param, "must be true: NapCat takes false for true"}
}

// Actions returns the names of all actions this package has a method for,
// sorted. NapCat takes each with the endings _async and _rate_limited, too, to
// no effect.
func Actions() []string { return slices.Clone(actions) }

// lossIsDone turns the loss of the connection into success.
func lossIsDone(ctx context.Context, err error) error {
	if errors.Is(err, ErrUnknownOutcome) && ctx.Err() == nil {
		return nil
	}
	return err
}

// list decodes a list of T, leniently.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(string(b))
	if !jsonscan.Valid(s) {
		return syntaxError(b)
	}
	if s != "null" {
		decodeSlice(s, reflect.ValueOf((*[]T)(l)).Elem(), 0)
	}
	return nil
}

// text decodes a string, leniently.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(string(b))
	if !jsonscan.Valid(s) {
		return syntaxError(b)
	}
	*t = text(fastText(s))
	return nil
}

// verdict returns the *Error for an answer of QQ's that NapCat called done
// although a code in it refuses, nil if there is none.
func verdict(action, data string) error {
	code, words := verdictIn(data)
	if code == 0 {
		return nil
	}
	return refused(action, int(code), words, data)
}

// verdictIn returns QQ's code in the JSON object s, 0 if it holds none, and the
// words beside it. QQ has half a dozen places for the code.
func verdictIn(s string) (code int64, words string) {
	ms, ok := jsonscan.Members(s, nil)
	if !ok {
		return 0, ""
	}
	var v verdictReader
	v.look(ms, "result", "errCode", "retCode", "resultCode")
	for _, m := range ms {
		switch m.Key {
		case "result":
			in, _ := jsonscan.Members(m.Val, nil)
			v.look(in, "retCode", "errorCode")
		case "transGroupFileResult":
			in, _ := jsonscan.Members(m.Val, nil)
			in, _ = jsonscan.Members(lastValue(in, "result"), nil)
			v.look(in, "retCode")
		case "rsp":
			in, _ := jsonscan.Members(m.Val, nil)
			jsonscan.Elements(lastValue(in, "sendStatus"), func(val string) bool {
				st, _ := jsonscan.Members(val, nil)
				v.look(st, "result")
				if v.code != 0 {
					v.words = append(v.words, fastText(lastValue(st, "msg")))
				}
				return v.code == 0
			})
		case "valid":
			if m.Val == "false" && v.code == 0 {
				v.code = -1
			}
		}
	}
	return v.code, strings.Join(v.words, ": ")
}

type verdictReader struct {
	code  int64
	words []string
}

// look takes the first code other than 0 that stands under one of keys, and the
// words.
func (v *verdictReader) look(ms []jsonscan.Member, keys ...string) {
	for _, m := range ms {
		if v.code == 0 && slices.Contains(keys, m.Key) {
			if c := m.Val[0]; c == '"' || c == '-' || c >= '0' && c <= '9' {
				v.code, _ = looseInt(m.Val)
			}
		}
		switch m.Key {
		case "errMsg", "errMs", "retMsg", "clientWording", "wording", "message":
			if t := fastText(m.Val); m.Val[0] == '"' && t != "" && len(v.words) < 8 && !slices.Contains(v.words, t) {
				v.words = append(v.words, t)
			}
		}
	}
}

// needs returns an *Error if data lacks what only a refusal leaves out.
func needs(action, data, key string) error {
	ms, _ := jsonscan.Members(data, nil)
	if lastValue(ms, key) != "null" {
		return nil
	}
	if err := verdict(action, data); err != nil {
		return err
	}
	return refused(action, -1, "the answer has no "+key, data)
}

func refused(action string, code int, message, data string) error {
	return &Error{Action: action, Verdict: code, Message: message, Wording: message, Raw: json.RawMessage(data)}
}

// closeObject ends an object whose members were appended from start on, each
// with a comma before it.
func closeObject(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{'
	return append(dst, '}')
}

// decodeParams fills p, a pointer to a struct of params, from b.
func decodeParams(b []byte, p any) error {
	s := string(b)
	ms, ok := jsonscan.Members(s, nil)
	if !ok {
		if !jsonscan.Valid(s) {
			return syntaxError(b)
		}
		if strings.TrimSpace(s) == "null" {
			return nil
		}
		return errors.New("params are no JSON object")
	}
	decodeMembers(ms, reflect.ValueOf(p).Elem(), 0)
	return nil
}

// appendDuration appends d in whole units, rounded up: half a second must not
// become the 0 that stands for none.
func appendDuration(dst []byte, d, unit time.Duration) []byte {
	n := d / unit
	if d%unit > 0 {
		n++
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

func appendUserIDs(dst []byte, list []UserID, quoted bool) []byte {
	dst = append(dst, '[')
	for i, id := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if quoted {
			dst = appendQuotedInt(dst, int64(id))
		} else {
			dst = id.AppendJSON(dst)
		}
	}
	return append(dst, ']')
}

func appendNews(dst []byte, list []NewsLine) []byte {
	dst = append(dst, '[')
	for i, n := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"text":`...)
		dst = appendString(dst, n.Text)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendRaw(dst []byte, raw json.RawMessage) []byte {
	if !jsonscan.Valid(string(raw)) {
		return append(dst, "null"...)
	}
	return append(dst, raw...)
}
