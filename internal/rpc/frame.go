package rpc

import (
	"bytes"
	"encoding/json"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// kind says what a frame is.
type kind uint8

const (
	garbage    kind = iota // not a JSON object, or one that is neither of the others
	eventFrame             // has post_type at its top level
	answer                 // has echo, retcode or status at its top level and no post_type
)

// reply is the top level of an answer frame; its slices point into the frame.
type reply struct {
	status  []byte // unquoted
	retCode int
	data    []byte // nil when absent
	message []byte // still quoted
	wording []byte // still quoted
	echo    []byte // as it came, nil when absent
	stream  bool   // stream is "stream-action"
	odd     string // which of status and retcode is of a wrong type
}

// in returns r with its slices in b, a copy of the frame that they are slices of.
func (r *reply) in(b, frame []byte) reply {
	moved := *r
	for _, s := range []*[]byte{&moved.status, &moved.data, &moved.message, &moved.wording, &moved.echo} {
		if *s != nil {
			at := cap(frame) - cap(*s)
			*s = b[at : at+len(*s)]
		}
	}
	return moved
}

// refused reports whether the answer says that the action failed. "async" is
// OneBot's word for accepted and on its way.
func (r *reply) refused() bool {
	switch string(r.status) {
	case "ok", "async":
		return false
	case "failed":
		return true
	}
	return r.retCode != 0
}

// eventStarts are the first keys of every event NapCat sends (contract G). No
// answer starts with one of them, so that events, the bulk of the traffic, need
// no scan here: what they hold is the decoder's business.
var eventStarts = [][]byte{[]byte(`{"self_id":`), []byte(`{"time":`), []byte(`{"post_type":`)}

// classify tells events from answers and takes an answer apart, which is valid
// JSON then.
func classify(frame []byte) (kind, reply) {
	for _, s := range eventStarts {
		if bytes.HasPrefix(frame, s) && frame[len(frame)-1] == '}' {
			return eventFrame, reply{}
		}
	}
	var r reply
	k := garbage
	ok := jsonscan.Fields(frame, func(key, val []byte) {
		switch string(key) {
		case "post_type":
			k = eventFrame
		case "status":
			if val[0] == '"' {
				r.status = val[1 : len(val)-1]
			} else {
				r.odd = "status"
			}
		case "retcode":
			if n, ok := number(bytes.Trim(val, `"`)); ok {
				r.retCode = int(n)
			} else {
				r.odd = "retcode"
			}
			if k == garbage {
				k = answer
			}
		case "data":
			r.data = val
		case "message":
			r.message = val
		case "wording":
			r.wording = val
		case "echo":
			r.echo = val
			if k == garbage {
				k = answer
			}
		case "stream":
			r.stream = string(val) == `"stream-action"`
		}
	})
	if !ok {
		return garbage, reply{}
	}
	return k, r
}

// number reads a JSON integer.
func number(b []byte) (int64, bool) {
	neg := false
	if len(b) > 0 && b[0] == '-' {
		neg, b = true, b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// echoID reads back an id that Call sent as a string of digits. NapCat returns
// it verbatim (contract E.2); other implementations make it a number, also with
// a fraction of zeros, or wrap it in an array. What is no id is 0, which no call has.
func echoID(echo []byte) uint64 {
	if len(echo) >= 2 && echo[0] == '[' && echo[len(echo)-1] == ']' {
		echo = bytes.TrimSpace(echo[1 : len(echo)-1])
	}
	if len(echo) >= 2 && echo[0] == '"' && echo[len(echo)-1] == '"' {
		echo = echo[1 : len(echo)-1]
	}
	if i := bytes.IndexByte(echo, '.'); i > 0 && len(bytes.Trim(echo[i+1:], "0")) == 0 {
		echo = echo[:i]
	}
	n, _ := number(echo)
	return uint64(max(n, 0))
}

// nothing reports whether echo is one that names no call: absent, null or "".
func nothing(echo []byte) bool {
	return len(echo) == 0 || string(echo) == "null" || string(echo) == `""`
}

// unquote decodes a JSON string; anything else comes back as it is.
func unquote(b []byte) string {
	var s string
	if len(b) == 0 || string(b) == "null" {
		return ""
	}
	if json.Unmarshal(b, &s) != nil {
		return string(b)
	}
	return s
}
