package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// answered gives a connection that was never made a call that waits, and one
// frame, whose memory is used again if it may be. It returns the call.
func answered(t *testing.T, c *Conn, id uint64, frame []byte) *pending {
	t.Helper()
	p := pendings.Get().(*pending)
	p.id = id
	c.calls[id] = p
	if err := c.handle(frame); err != nil {
		t.Fatal(err)
	}
	if len(frame) <= maxKept {
		for i := range frame {
			frame[i] = '#'
		}
	}
	<-p.done
	return p
}

// A frame of up to maxKept bytes is read over by the next one, also before the
// call that it answers wakes. What the call returns is its own for good.
func TestAnswersOutliveTheirFrames(t *testing.T) {
	const head = `{"status":"ok","retcode":0,"data":"`
	for _, size := range []int{100, maxKept - 1, maxKept, maxKept + 1, 2 * maxKept} {
		c := &Conn{wire: &wire{}, calls: map[uint64]*pending{}}
		c.o.setDefaults()
		var frames [][]byte
		var raws []json.RawMessage
		var answers []Answer
		for i := range 4 {
			end := fmt.Sprintf(`","echo":"%d"}`, i+1)
			frame := []byte(head + strings.Repeat(string(rune('a'+i)), size-len(head)-len(end)) + end)
			frames = append(frames, bytes.Clone(frame))
			p := answered(t, c, uint64(i+1), frame)
			var raw json.RawMessage
			var a Answer
			if err := p.finish("x", &raw); err != nil {
				t.Fatal(err)
			}
			if err := p.finish("x", &a); err != nil {
				t.Fatal(err)
			}
			release(p)
			raws, answers = append(raws, raw), append(answers, a)
		}
		for i, f := range frames {
			before, after, has := answers[i].Echo()
			if !bytes.Equal(answers[i].Frame, f) || !has || !bytes.HasSuffix(before, []byte(`","echo":`)) || string(after) != "}" {
				t.Errorf("%d bytes: the answer became %.60s, without its echo %v … %s", size, answers[i].Frame, has, after)
			}
			if want := f[len(head)-1 : bytes.LastIndexByte(f, ',')]; !bytes.Equal(raws[i], want) {
				t.Errorf("%d bytes: the data became %.60s", size, raws[i])
			}
		}
	}
}

// An answer that is passed on gets another echo in the place of its own, wherever
// that stands, or behind everything else.
func TestEchoOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		frame, before, after string
		has                  bool
		retcode              int
		refused              string
	}{
		{frame: `{"status":"ok","retcode":0,"data":null,"echo":"17"}`, before: `{"status":"ok","retcode":0,"data":null,"echo":`, after: `}`, has: true},
		{frame: `{"echo":17,"status":"ok","retcode":0}`, before: `{"echo":`, after: `,"status":"ok","retcode":0}`, has: true},
		{frame: `{"echo" : null , "retcode":0}`, before: `{"echo" : `, after: ` , "retcode":0}`, has: true},
		{frame: `{"status":"ok","retcode":0}`, before: `{"status":"ok","retcode":0`, after: `}`},
		{frame: "{\"status\":\"failed\",\"retcode\":1200,\"message\":\"不}\",\"data\":{\"echo\":1}}\r\n", before: `{"status":"failed","retcode":1200,"message":"不}","data":{"echo":1}`, after: "}\r\n", retcode: 1200, refused: "不}"},
	} {
		frame := slices.Grow([]byte(c.frame), 100)
		a := NewAnswer(frame)
		before, after, has := a.Echo()
		if string(before) != c.before || string(after) != c.after || has != c.has || a.RetCode != c.retcode {
			t.Errorf("%s: %s, %s, %v, retcode %d", c.frame, before, after, has, a.RetCode)
		}
		err := a.Err("get_msg")
		refused, _ := err.(*onebot.Error)
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", c.frame, err)
		case c.refused != "" && (refused == nil || refused.Action != "get_msg" || refused.Message != c.refused || refused.RetCode != c.retcode || string(refused.Raw) != c.frame):
			t.Errorf("%s: %v", c.frame, err)
		}
	}
}
