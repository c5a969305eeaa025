package napcatsim

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// endpointUnderTest runs an endpoint and returns what it says, line by line.
func endpointUnderTest(t *testing.T, o EndpointOptions) (say func(string), next func() EndpointLine) {
	ctx, cancel := context.WithCancel(t.Context())
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- RunEndpoint(ctx, o, inR, outW) }()
	t.Cleanup(func() {
		cancel()
		inW.Close()
		outR.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	sc := bufio.NewScanner(outR)
	say = func(l string) { io.WriteString(inW, l+"\n") }
	next = func() EndpointLine {
		t.Helper()
		if !sc.Scan() {
			t.Fatalf("no line: %v", sc.Err())
		}
		var l EndpointLine
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", sc.Text(), err)
		}
		return l
	}
	return say, next
}

func TestEndpoint(t *testing.T) {
	say, next := endpointUnderTest(t, EndpointOptions{Host: "127.0.0.1", Token: "tok"})
	listening := next().Listening
	if len(listening) != 1 || !listening[0].Up {
		t.Fatalf("listening %+v", listening)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+listening[0].Addr+"/?access_token=tok", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	read := func() string {
		t.Helper()
		_, b, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	read() // lifecycle
	say(`{"say":{"user":3001000001,"text":"hi [CQ:face,id=1]"}}`)
	if l := next(); l.Done == nil || l.Done.MessageID == 0 {
		t.Errorf("line %+v", l)
	}
	if got := read(); !strings.Contains(got, `"raw_message":"hi [CQ:face,id=1]"`) {
		t.Errorf("event %s", got)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"action":"send_private_msg","params":{"user_id":3001000001,"message":"yo"}}`)); err != nil {
		t.Fatal(err)
	}
	if l := next(); l.Sent == nil || l.Sent.Text != "yo" || l.Sent.User != 3001000001 || l.Sent.Seq != 1 {
		t.Errorf("line %+v", l.Sent)
	}
	read() // the answer
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"action":"send_private_msg","params":{"user_id":3001000001,"message":[{"type":"image","data":{"file":"base64://aGVsbG8="}}]}}`)); err != nil {
		t.Fatal(err)
	}
	l := next()
	read() // the answer
	var segs []struct{ Data struct{ URL string } }
	if l.Sent == nil || json.Unmarshal(l.Sent.Message, &segs) != nil || len(segs) != 1 {
		t.Fatalf("line %+v", l.Sent)
	}
	resp, err := http.Get(segs[0].Data.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "hello" {
		t.Errorf("%s holds %q, %v", segs[0].Data.URL, b, err)
	}
	say(`{"act":{"deed":"poke","user":3001000001}}`)
	if l := next(); l.Done == nil {
		t.Errorf("line %+v", l)
	}
	if got := read(); !strings.Contains(got, `"message":[]`) {
		t.Errorf("event %s", got)
	}
	if got := read(); !strings.Contains(got, `"sub_type":"poke"`) {
		t.Errorf("event %s", got)
	}
	const send = `{"action":"send_group_msg","params":{"group_id":700000001,"message":"x"},"echo":"s"}`
	for _, tc := range []struct{ command, refused string }{
		{`{"mute":{"group":700000001,"seconds":60}}`, `\"result\": 120`},
		{`{"mute":{"group":700000001,"off":true}}`, ""},
		{`{"mute":{"group":700000002,"all":true}}`, ""}, // another group
		{`{"refuse":{"code":-1,"text":"rich media transfer failed","count":1}}`, `\"result\": -1,\n    \"errMsg\": \"rich media transfer failed\"`},
		{`{"refuse":{"code":110,"text":"x"}}`, `\"result\": 110`},
		{`{"refuse":{"off":true}}`, ""},
	} {
		say(tc.command)
		if l := next(); l.Done == nil {
			t.Errorf("%s: %+v", tc.command, l)
		}
		if err := ws.Write(ctx, websocket.MessageText, []byte(send)); err != nil {
			t.Fatal(err)
		}
		got := read()
		for strings.Contains(got, "group_ban") {
			got = read()
		}
		if tc.refused == "" {
			next() // what was sent
		}
		if (tc.refused == "") != strings.Contains(got, `"retcode":0`) || tc.refused != "" && !(strings.Contains(got, "EventChecker Failed") && strings.Contains(got, tc.refused)) {
			t.Errorf("%s: the send answers %s", tc.command, got)
		}
	}
	for _, bad := range []string{`{`, `{}`, `{"mute":{"group":7,"seconds":1}}`, `{"mute":{"group":700000001}}`, `{"refuse":{}}`, `{"shout":1}`, `{"say":{"user":1,"text":"x"}}`, `{"drop":{"mode":"x"}}`, `{"config":{"network":5}}`} {
		say(bad)
		if l := next(); l.Error == "" {
			t.Errorf("%s: line %+v", bad, l)
		}
	}
	say(`{"drop":{"mode":"close"}}`)
	if l := next(); l.Done == nil {
		t.Errorf("line %+v", l)
	}
	if _, _, err := ws.Read(ctx); err == nil {
		t.Error("the connection still lives")
	}
}

func TestEndpointRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	for _, o := range []EndpointOptions{{Host: "127.0.0.1", Port: n}, {Config: "{"}} {
		if err := RunEndpoint(t.Context(), o, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%+v was served", o)
		}
	}
}
