package onebot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// wireFixture is a frame as NapCat writes it, to the order of its keys: an
// event with the type it has here, what answers a call of an action, or an
// answer that belongs to no call.
type wireFixture struct {
	Want    string
	Frame   json.RawMessage
	Action  string
	Answer  []json.RawMessage
	Code    int
	Message string
	Packets int
}

// Every frame that a real NapCat was seen to write goes over a real socket,
// becomes the right type or the right answer, and is written again byte for
// byte.
func TestFramesOfNapCat(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/wire.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var events, calls, strays []wireFixture
	for l := range bytes.Lines(b) {
		var f wireFixture
		if err := json.Unmarshal(l, &f); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		switch {
		case f.Want != "":
			events = append(events, f)
		case f.Action != "":
			calls = append(calls, f)
		default:
			strays = append(strays, f)
		}
	}
	if len(events) < 5 || len(calls) < 20 || len(strays) < 10 {
		t.Fatalf("%d events, %d calls, %d strays", len(events), len(calls), len(strays))
	}
	srv := httptest.NewServer(replay(t, events, calls, strays))
	defer srv.Close()

	got := make(chan []byte, len(events))
	conn, err := rpc.Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"), rpc.Options{CallTimeout: 20 * time.Second, Event: func(b []byte) bool {
		got <- bytes.Clone(b)
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- conn.Run(ctx) }()
	defer func() { cancel(); <-done }()

	for _, f := range events {
		var frame []byte
		select {
		case frame = <-got:
		case <-time.After(20 * time.Second):
			t.Fatalf("no %s came", f.Want)
		}
		e, err := onebot.Decode(frame)
		if err != nil || reflect.TypeOf(e).Elem().Name() != f.Want || e.Base().SelfID != 10001 || e.Base().Time == 0 {
			t.Errorf("%s became %T %+v, %v, want %s", frame, e, e, err, f.Want)
			continue
		}
		if out, err := json.Marshal(e); err != nil || !bytes.Equal(out, f.Frame) {
			t.Errorf("%s comes back as %s (%v)", f.Frame, out, err)
		}
	}

	methods := methodsOf(onebot.NewClient(conn))
	for _, f := range calls {
		m := methods[f.Action]
		args := zeroArgs(m.Type())
		packets := 0
		if f.Packets > 0 {
			args[len(args)-1] = reflect.ValueOf(func(p *onebot.StreamPacket) error {
				packets++
				if p.Type != "stream" || p.DataType != "data_chunk" || p.Data == "" {
					t.Errorf("%s", p.Raw())
				}
				return nil
			})
		}
		out := m.Call(args)
		err, _ := out[len(out)-1].Interface().(error)
		if packets != f.Packets {
			t.Errorf("%s: %d packets, want %d", f.Action, packets, f.Packets)
		}
		last := f.Answer[len(f.Answer)-1]
		if f.Code != 0 {
			var e *onebot.Error
			if !errors.As(err, &e) || e.RetCode != f.Code || e.Message != f.Message || e.Wording != f.Message || e.Action != f.Action {
				t.Errorf("%s: got %v, want %d %s", f.Action, err, f.Code, f.Message)
			} else if onebot.IsUnsupported(err) != (f.Code == 1404) || onebot.IsBadParams(err) != (f.Code == 1400) || onebot.IsBadToken(err) || onebot.MaybeDone(err) {
				t.Errorf("%s %s is taken for something else", f.Action, last)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", f.Action, err)
			continue
		}
		var answer struct{ Data json.RawMessage }
		if err := json.Unmarshal(last, &answer); err != nil {
			t.Fatal(err)
		}
		if back, err := marshal(out[0].Interface()); err != nil || !bytes.Equal(back, answer.Data) {
			t.Errorf("%s: %s comes back as %s (%v)", f.Action, answer.Data, back, err)
		}
	}
	for _, f := range strays {
		if e, err := onebot.Decode(f.Frame); !errors.Is(err, onebot.ErrNotEvent) {
			t.Errorf("%s: got %v, %v", f.Frame, e, err)
		}
	}
	if len(got) != 0 {
		t.Errorf("%s was taken for an event", <-got)
	}
}

// replay writes the events and the strays, then answers each request with the
// frames of the next of calls, under the request's echo.
func replay(t *testing.T, events, calls, strays []wireFixture) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		ctx := r.Context()
		write := func(b []byte) {
			if err := ws.Write(ctx, websocket.MessageText, b); err != nil {
				t.Error(err)
			}
		}
		for _, f := range events {
			write(f.Frame)
		}
		for _, f := range strays {
			if !bytes.Contains(f.Frame, []byte(":1403,")) { // that would end the connection
				write(f.Frame)
			}
		}
		for _, f := range calls {
			_, req, err := ws.Read(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			var q struct {
				Action string
				Echo   json.RawMessage
			}
			if err := json.Unmarshal(req, &q); err != nil || q.Action != f.Action {
				t.Errorf("%s came for %s (%v)", req, f.Action, err)
				return
			}
			for _, a := range f.Answer {
				write(bytes.Replace(a, []byte(`"echo":"1"`), append([]byte(`"echo":`), q.Echo...), 1))
			}
		}
		_, _, _ = ws.Read(ctx) // until the client goes
	}
}
