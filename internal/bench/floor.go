package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/onebot"
)

// floor is the least a bot can do: the reply is written by the goroutine that
// read the message, nothing is decoded and answers are thrown away.
func floor(ctx context.Context, url string) error {
	ctx = context.WithoutCancel(ctx) // a context with an end costs a timer per frame
	ws, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	ws.SetReadLimit(64 << 20)
	var send action
	_, _ = onebot.NewClient(&send).SendGroupMsg(ctx, onebot.SendGroupMsgParams{}) // for the action's name only
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return nil
		}
		n, ok := between(b, `"ping `, '"')
		if !ok {
			continue
		}
		group, _ := between(b, `"group_id":`, ',')
		_ = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil,
			`{"action":"%s","params":{"group_id":%s,"message":[{"type":"text","data":{"text":"pong %s"}}]},"echo":"%s"}`, send, group, n, n))
	}
}

// action learns an action's name from the client's method.
type action string

func (a *action) Call(_ context.Context, name string, _, _ any) error {
	*a = action(name)
	return nil
}

// between returns what stands in b between the first start and the next end.
func between(b []byte, start string, end byte) ([]byte, bool) {
	_, rest, ok := bytes.Cut(b, []byte(start))
	if !ok {
		return nil, false
	}
	n := bytes.IndexByte(rest, end)
	return rest[:max(n, 0)], n >= 0
}
