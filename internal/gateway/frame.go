package gateway

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// The codes of answers that come from the gateway. They are documented in
// docs/apps and are none of NapCat's.
const (
	RetNotAllowed = 1460 // the app has no right to the action; NapCat was not asked
	RetAway       = 1461 // the account's NapCat is away, or the account offline; nothing was sent
	RetTooMany    = 1462 // too many calls at once, or messages too fast; nothing was sent
	RetUnknown    = 1463 // the link to NapCat was lost; the action may have been carried out
	RetTooLarge   = 1464 // the request is over the limit
)

// WebSocket opcodes.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
)

// small is how long a body may be to be copied behind its header.
const small = 16 << 10

// frame is a WebSocket frame as it goes over the wire, unmasked: parts of memory
// that is not changed, and that all receivers share.
type frame [][]byte

func (f frame) size() (n int) {
	for _, p := range f {
		n += len(p)
	}
	return n
}

// encode makes one frame of the parts of a text.
func encode(op byte, body ...[]byte) frame {
	n := 0
	for _, p := range body {
		n += len(p)
	}
	head := rpc.AppendHead(make([]byte, 0, 10+min(n, small)), op, n)
	if n > small {
		return append(frame{head}, body...)
	}
	for _, p := range body {
		head = append(head, p...)
	}
	return frame{head}
}

// masked returns a copy of f as a client has to send it (RFC 6455, 5.3).
func masked(f frame) frame {
	flat := slices.Concat(f...)
	out := make([]byte, 0, len(flat)+8)
	for len(flat) > 0 { // one, or a ping before it
		at, n := 2, int(flat[1])
		switch n {
		case 126:
			at, n = 4, int(binary.BigEndian.Uint16(flat[2:]))
		case 127:
			at, n = 10, int(binary.BigEndian.Uint64(flat[2:]))
		}
		var key [4]byte
		binary.LittleEndian.PutUint32(key[:], rand.Uint32())
		out = append(out, flat[0], flat[1]|0x80)
		out = append(out, flat[2:at]...)
		out = append(out, key[:]...)
		for i, b := range flat[at : at+n] {
			out = append(out, b^key[i&3])
		}
		flat = flat[at+n:]
	}
	return frame{out}
}

func lifecycle(self int64, now time.Time) []byte {
	b := meta(self, now)
	return append(b, `"lifecycle","sub_type":"connect"}`...)
}

func heartbeat(self int64, now time.Time, online bool, every time.Duration) []byte {
	b := append(meta(self, now), `"heartbeat","status":{"online":`...)
	b = strconv.AppendBool(b, online)
	b = append(b, `,"good":true},"interval":`...)
	return append(strconv.AppendInt(b, every.Milliseconds(), 10), '}')
}

func meta(self int64, now time.Time) []byte {
	b := strconv.AppendInt([]byte(`{"time":`), now.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"self_id":`...), self, 10)
	return append(b, `,"post_type":"meta_event","meta_event_type":`...)
}

// answer makes an answer of the gateway's own, in the order of NapCat's keys
// (contract E.2).
func answer(retcode int, message string, echo []byte) []byte {
	text, _ := json.Marshal(message) // a string always encodes
	b := strconv.AppendInt([]byte(`{"status":"failed","retcode":`), int64(retcode), 10)
	b = append(append(b, `,"data":null,"message":`...), text...)
	b = append(append(b, `,"wording":`...), text...)
	b = append(append(b, `,"echo":`...), echoOr(echo, "null")...)
	return append(b, `,"stream":"normal-action"}`...)
}

// packet makes the frame of one packet of a stream (contract E.3).
func packet(data, echo []byte) [][]byte {
	head := append([]byte(nil), `{"status":"ok","retcode":0,"data":`...)
	tail := append([]byte(`,"message":"","wording":"","echo":`), echoOr(echo, `""`)...)
	return [][]byte{head, data, append(tail, `,"stream":"stream-action"}`...)}
}

func echoOr(echo []byte, none string) []byte {
	if len(echo) == 0 {
		return []byte(none)
	}
	return echo
}

// marked returns an event with a key more.
func marked(raw []byte, key string) []byte {
	end := len(raw)
	for end > 0 && raw[end-1] != '}' {
		end--
	}
	if end < 2 {
		return raw
	}
	return slices.Concat(raw[:end-1], []byte(`,"`+key+`":true}`))
}

// request is a call that an app asks for. Its slices are parts of the frame.
type request struct {
	action string
	params []byte
	echo   []byte
}

// bom may stand before a text in UTF-8; JSON5 has it for a space, JSON does not.
var bom = []byte("\ufeff")

// What a frame may be instead of a request (contract E.2).
var (
	errNotJSON = errors.New("no JSON")
	errUnheard = errors.New("a text or a number") // which NapCat does not answer
)

// parse reads a request, as JSON or JSON5.
func parse(b []byte) (request, error) {
	b = bytes.TrimPrefix(b, bom)
	r, ok := read(b)
	if ok {
		return r, nil
	}
	if b = bytes.TrimSpace(b); !jsonscan.Valid(b) {
		b = loose(b)
		if r, ok := read(b); ok {
			return r, nil
		}
	}
	switch {
	case len(b) == 0 || b[0] == 'n':
		return r, errNotJSON
	case b[0] == '[': // an object without an action to NapCat
		return request{}, nil
	}
	return r, errUnheard
}

// read reads the members of a request.
func read(b []byte) (r request, ok bool) {
	ok = jsonscan.Fields(b, func(key, val []byte) {
		switch string(key) {
		case "action":
			r.action = ""
			if len(val) > 1 && val[0] == '"' {
				r.action = jsonscan.Unquote(string(val))
			}
		case "params":
			r.params = val
		case "echo":
			r.echo = val
		}
	})
	if none(r.params) {
		r.params = nil
	}
	if string(r.echo) == "null" {
		r.echo = nil // which NapCat takes for none at all
	}
	return r, ok
}

// none reports whether NapCat takes a value for none (contract E.2).
func none(val []byte) bool {
	switch string(val) {
	case "", "null", "false", "0", `""`:
		return true
	}
	return false
}

// rawParams are params that go out as they came.
type rawParams struct {
	json []byte
	sent func() // nil, or called once they are on their way
}

var (
	_ onebot.Appender = rawParams{}
	_ rpc.Sender      = rawParams{}
)

// AppendJSON implements [onebot.Appender].
func (p rawParams) AppendJSON(b []byte) []byte {
	if len(p.json) == 0 {
		return append(b, "{}"...)
	}
	return append(b, p.json...)
}

// MarshalJSON implements json.Marshaler.
func (p rawParams) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// Sent implements [rpc.Sender].
func (p rawParams) Sent() {
	if p.sent != nil {
		p.sent()
	}
}
