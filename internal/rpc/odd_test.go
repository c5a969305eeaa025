package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// A frame of any form is an event, the answer to the call, an answer that no
// call waits for, or counted as garbage; the link holds, and the call that
// waits meanwhile gets its own answer.
func TestOddFrames(t *testing.T) {
	const (
		event = iota
		mine  // answers the call, in which %s is its echo
		unmatched
		junk
	)
	for name, tc := range map[string]struct {
		kind   int
		typ    websocket.MessageType
		frame  string
		failed int // the retcode of a refusal
	}{
		"event in a text frame":            {kind: event, frame: `{"time":1,"post_type":"notice"}`},
		"event in a binary frame":          {kind: event, typ: websocket.MessageBinary, frame: `{"time":1,"post_type":"notice"}`},
		"event behind a byte order mark":   {kind: event, frame: "\ufeff{\"post_type\":\"notice\"}"},
		"event with an echo":               {kind: event, frame: `{"post_type":"notice","echo":%s,"retcode":0}`},
		"event with spaces":                {kind: event, frame: "\r\n { \"a\" : [] , \"post_type\" : \"notice\" } \n"},
		"event with self_id as text":       {kind: event, frame: `{"self_id":"1","post_type":"message"}`},
		"event NapCat cannot have written": {kind: event, frame: `{"time":NaN,"post_type":"message"}`}, // the decoder says so
		"answer in a binary frame":         {kind: mine, typ: websocket.MessageBinary, frame: `{"status":"ok","retcode":0,"data":null,"echo":%s}`},
		"answer behind a byte order mark":  {kind: mine, frame: "\ufeff{\"status\":\"ok\",\"retcode\":0,\"echo\":%s}"},
		"answer without data":              {kind: mine, frame: `{"status":"ok","retcode":0,"echo":%s}`},
		"answer with nothing but an echo":  {kind: mine, frame: `{"echo":%s}`},
		"answer with the echo first":       {kind: mine, frame: `{"echo":%s,"stream":"normal-action","data":{"echo":"9","post_type":"x"},"retcode":0,"status":"ok"}`},
		"answer on its way":                {kind: mine, frame: `{"status":"async","retcode":1,"data":null,"echo":%s}`},
		"a list as data":                   {kind: mine, frame: `{"status":"ok","retcode":0,"data":["]}",{"a":"\\\""}],"echo":%s}`},
		"unknown fields":                   {kind: mine, frame: `{"novel":{"echo":"0"},"status":"ok","retcode":0,"msg":"","echo":%s,"took":1e400}`},
		"refusal, unknown code":            {kind: mine, frame: `{"status":"failed","retcode":87654,"data":null,"message":"m","wording":"m","echo":%s}`, failed: 87654},
		"refusal, negative code":           {kind: mine, frame: `{"status":"failed","retcode":-7,"echo":%s}`, failed: -7},
		"refusal, code as text":            {kind: mine, frame: `{"status":"failed","retcode":"1404","echo":%s}`, failed: 1404},
		"refusal without a status":         {kind: mine, frame: `{"retcode":1200,"echo":%s}`, failed: 1200},
		"refusal of the call by its echo":  {kind: mine, frame: `{"status":"failed","retcode":1403,"echo":%s}`, failed: 1403},
		"a stream packet for a plain call": {kind: mine, frame: `{"status":"ok","retcode":0,"data":{"type":"stream"},"echo":%s,"stream":"stream-action"}`},
		"answer without an echo":           {kind: unmatched, frame: `{"status":"ok","retcode":0,"data":null}`},
		"answer with echo null":            {kind: unmatched, frame: `{"status":"failed","retcode":1400,"data":null,"message":"json解析失败,请检查数据格式","echo":null}`},
		"answer with an empty echo":        {kind: unmatched, frame: `{"status":"ok","retcode":0,"echo":""}`},
		"answer with somebody's echo":      {kind: unmatched, frame: `{"status":"ok","retcode":0,"echo":{"seq":1}}`},
		"answer with an unknown echo":      {kind: unmatched, frame: `{"status":"ok","retcode":0,"echo":"123456789"}`},
		"answer with a huge echo":          {kind: unmatched, frame: `{"status":"ok","retcode":0,"echo":123456789012345678901234567890}`},
		"answer with a negative echo":      {kind: unmatched, frame: `{"status":"ok","retcode":0,"echo":-1}`},
		"a list":                           {kind: junk, frame: `[{"post_type":"notice"}]`},
		"a list of an answer":              {kind: junk, frame: `[{"status":"ok","retcode":0,"echo":%s}]`},
		"text":                             {kind: junk, frame: `"post_type"`},
		"a number":                         {kind: junk, frame: `5`},
		"null":                             {kind: junk, frame: `null`},
		"nothing":                          {kind: junk, frame: ``},
		"a byte order mark alone":          {kind: junk, frame: "\ufeff"},
		"an object of no kind":             {kind: junk, frame: `{"type":"hello"}`},
		"cut off":                          {kind: junk, frame: `{"status":"ok","retcode":0,"echo":%s`},
		"two in one":                       {kind: junk, frame: `{"echo":%s}{"echo":%s}`},
		"no JSON":                          {kind: junk, frame: "\x00\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			url := endpoint(t, func(ctx context.Context, p *peer) {
				q, _ := p.next(ctx)
				frame := tc.frame
				switch n := countVerbs(frame); n {
				case 1:
					frame = fmt.Sprintf(frame, q.Echo)
				case 2:
					frame = fmt.Sprintf(frame, q.Echo, q.Echo)
				}
				typ := tc.typ
				if typ == 0 {
					typ = websocket.MessageText
				}
				p.ws.Write(ctx, typ, []byte(frame))
				p.write(ctx, okFrame(q.Echo, `{"n":7}`)) // a second answer, if the first was one
				echoServer(ctx, p)
			})
			events := 0
			c, _ := dial(t, url, rpc.Options{Event: func([]byte) bool { events++; return false }})
			var got numbered
			err := c.Call(t.Context(), "x", nil, &got)
			var refused *onebot.Error
			switch {
			case tc.failed != 0 && (!errors.As(err, &refused) || refused.RetCode != tc.failed):
				t.Errorf("got %v, want a refusal with %d", err, tc.failed)
			case tc.failed == 0 && tc.kind == mine && name != "a list as data" && err != nil:
				t.Errorf("got %v", err)
			case tc.kind != mine && (err != nil || got.N != 7):
				t.Errorf("got %v, %v", got, err)
			}
			// The link holds, and what came before this answer has been counted.
			if err := c.Call(t.Context(), "x", numbered{8}, &got); err != nil || got.N != 8 {
				t.Errorf("the call after it: %v, %v", got, err)
			}
			s := c.Stats()
			want := rpc.Stats{Answers: 2}
			switch tc.kind {
			case event:
				want.Events = 1
			case mine, unmatched:
				want.Unmatched = 1
			case junk:
				want.Garbage = 1
			}
			// An answer is counted just after its call was woken.
			eventually(t, "the counters", func() bool { s = c.Stats(); return s.Answers == want.Answers })
			if s != want || events != int(want.Events) {
				t.Errorf("got %+v and %d events, want %+v", s, events, want)
			}
		})
	}
}

// countVerbs returns how often %s stands in s.
func countVerbs(s string) (n int) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' && s[i+1] == 's' {
			n++
		}
	}
	return n
}
