package ncat

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// message joins what callers hand to Reply and its kin.
func message(content []any) (onebot.Message, error) {
	return appendContent(make(onebot.Message, 0, len(content)), content)
}

func appendContent(msg onebot.Message, p any) (onebot.Message, error) {
	switch p := p.(type) {
	case string: // what nearly all content is
		if p == "" {
			return msg, nil
		}
		return append(msg, onebot.Text(p)), nil
	case onebot.Segment:
		if isNil(p) {
			break
		}
		return append(msg, p), nil
	case onebot.Message:
		return append(msg, p...), nil
	case []onebot.Segment:
		return append(msg, p...), nil
	case []any:
		for _, in := range p {
			var err error
			if msg, err = appendContent(msg, in); err != nil {
				return nil, err
			}
		}
		return msg, nil
	}
	text, ok := textOf(p)
	if !ok {
		return nil, fmt.Errorf("send: a %T is no message content: %w", p, onebot.ErrNotSent)
	}
	if text == "" {
		return msg, nil
	}
	return append(msg, onebot.Text(text)), nil
}

// textOf returns the text that a value without a form of its own is sent as.
func textOf(p any) (string, bool) {
	if isNil(p) {
		return "", false
	}
	switch p := p.(type) {
	case time.Time:
		return p.Format(time.DateTime), true
	case error:
		return p.Error(), true
	case fmt.Stringer:
		return p.String(), true
	}
	switch v := reflect.ValueOf(p); v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprint(p), true
	case reflect.Float32:
		return strconv.FormatFloat(v.Float(), 'f', -1, 32), true
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64), true
	}
	return "", false
}

// isNil reports whether p is nil, or a nil of a type that has one: an error or a
// Stringer would panic.
func isNil(p any) bool {
	switch v := reflect.ValueOf(p); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Interface:
		return v.IsNil()
	}
	return false
}
