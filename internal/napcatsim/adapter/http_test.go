package adapter

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

const httpServers = `{network:{
	httpServers:[{name:"h",enable:true,port:0,token:"sec"}],
	httpSseServers:[{name:"sse",enable:true,port:0,token:"sec"}]}}`

var randomEchoRE = regexp.MustCompile(`"echo":"[0-9a-z]{8,13}"`)

func (r *rig) http(method, path, contentType, body, token string) (int, string, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.n.Addr("h")+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

func TestHTTPServer(t *testing.T) {
	r := newRig(t, httpServers)
	const json, html, form = "application/json; charset=utf-8", "text/html; charset=utf-8", "application/x-www-form-urlencoded"
	ok := func(echo string) string {
		return `{"status":"ok","retcode":0,"data":{"online":true,"good":true,"stat":{}},"message":"","wording":"","echo":"` + echo + `","stream":"normal-action"}`
	}
	bad := func(code, text, echo string) string {
		return `{"status":"failed","retcode":` + code + `,"data":null,"message":"` + text + `","wording":"` + text + `","echo":` + echo + `,"stream":"normal-action"}`
	}
	for _, tt := range []struct {
		method, path, in, body, token string
		code                          int
		out, want                     string
	}{
		{"GET", "/", "", "", "", 403, html, `{"message":"token verify failed!"}`},
		{"GET", "/", "", "", "sec", 200, json, `{"status":"ok","retcode":0,"data":{},"message":"NapCat4 Is Running","wording":"","echo":null,"stream":"normal-action"}`},
		{"GET", "/get_status?access_token=sec", "", "", "", 200, json, ok("RANDOM")},
		{"GET", "/get_status?access_token=sec&echo=abc", "", "", "", 200, json, ok("abc")},
		{"POST", "/get_status", "", `{}`, "sec", 200, json, ok("RANDOM")},
		{"POST", "/get_status", "text/plain", `{echo:'zz'}`, "sec", 200, json, ok("zz")},
		{"POST", "/get_status?echo=q", "", `{"echo":"zz"}`, "sec", 200, json, ok("q")},
		{"POST", "/get_status", form, `echo=f&a=1`, "sec", 200, json, ok("f")},
		{"POST", "/get_status", "", "", "sec", 200, json, ok("RANDOM")},
		{"POST", "/get_status", "application/json", `{bad`, "sec", 400, html, "Invalid JSON"},
		{"POST", "/nope", "", `{"echo":"x"}`, "sec", 200, json, bad("200", "不支持的Api nope", `"x"`)},
		{"POST", "/set_group_ban", "", `{"echo":"x"}`, "sec", 200, json, bad("400", "Schema compilation error: Expected required property", "null")},
		{"POST", "/send_msg", "", `{"message":"x","echo":"e"}`, "sec", 200, json, bad("200", "请指定正确的 group_id 或 user_id", `"e"`)},
		{"POST", "/send_msg?group_id=700000001", form, `message=hello&echo=e`, "sec", 200, json, ""},
	} {
		code, typ, body := r.http(tt.method, tt.path, tt.in, tt.body, tt.token)
		if tt.want == "" {
			if !strings.Contains(body, `"retcode":0,"data":{"message_id":`) {
				t.Errorf("%s %s: %s", tt.method, tt.path, body)
			}
			continue
		}
		if strings.Contains(tt.want, "RANDOM") {
			body = randomEchoRE.ReplaceAllString(body, `"echo":"RANDOM"`)
		}
		if code != tt.code || typ != tt.out || body != tt.want {
			t.Errorf("%s %s %s:\n got %d %s %s\nwant %d %s %s", tt.method, tt.path, tt.body, code, typ, body, tt.code, tt.out, tt.want)
		}
	}
	if _, _, body := r.http("POST", "/send_msg", "", "{}", "sec"); !strings.Contains(body, `"retcode":200`) ||
		!strings.Contains(body, `"message":"TypeError: Cannot read properties of undefined (reading 'type')\n    at `) {
		t.Errorf("send_msg without message: %s", body)
	}
	if code, _, body := r.http("OPTIONS", "/get_status", "", "", ""); code != 204 || body != "" {
		t.Errorf("OPTIONS: %d %q", code, body)
	}
}

func TestHTTPStream(t *testing.T) {
	r := newRig(t, httpServers)
	_, typ, body := r.http("POST", "/test_download_stream", "", `{"echo":"s"}`, "sec")
	packets := strings.Split(strings.TrimSuffix(body, "\r\n\r\n"), "\r\n\r\n")
	if typ != "" || len(packets) != 11 {
		t.Fatalf("content type %q, %d packets", typ, len(packets))
	}
	if want := `{"status":"ok","retcode":0,"data":{"type":"stream","data":"Index-> 1","data_type":"data_chunk"},"message":"","wording":"","echo":"s","stream":"stream-action"}`; packets[0] != want {
		t.Errorf("first packet %s", packets[0])
	}
	if !strings.Contains(packets[10], `"data":{"type":"response","data":"Stream transmission complete","data_type":"data_complete"}`) {
		t.Errorf("last packet %s", packets[10])
	}
}

// sse opens the stream of events and returns its lines of data.
func (r *rig) sse(query string) <-chan string {
	r.t.Helper()
	resp, err := http.Get("http://" + r.n.Addr("sse") + "/_events" + query)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		r.t.Fatalf("content type %q (%s)", got, resp.Status)
	}
	out := make(chan string, 64)
	go func() {
		defer close(out)
		sc := bufio.NewScanner(resp.Body)
		for sc.Scan() {
			if data, ok := strings.CutPrefix(sc.Text(), "data: "); ok {
				out <- data
			}
		}
	}()
	return out
}

func receive(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		return ""
	}
}

func TestSSE(t *testing.T) {
	r := newRig(t, httpServers)
	lines := r.sse("?access_token=sec")
	r.w.Typing(3001000001, 1, "对方正在输入...")
	want := `{"time":0,"self_id":10001,"post_type":"notice","notice_type":"notify","sub_type":"input_status","status_text":"对方正在输入...","event_type":1,"user_id":3001000001,"group_id":0}`
	if got := timeless(receive(t, lines)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	// Packets of a stream action go into the stream of events, the last one into
	// the answer.
	resp, err := http.Post("http://"+r.n.Addr("sse")+"/test_download_stream?access_token=sec", "", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if n := strings.Count(string(b), "stream-action"); n != 1 || !strings.Contains(string(b), "data_complete") {
		t.Errorf("the answer holds %d packets: %s", n, b)
	}
	for i := range 10 {
		if got := receive(t, lines); !strings.Contains(got, "Index-> ") {
			t.Errorf("packet %d: %s", i, got)
		}
	}
}

func TestWebhook(t *testing.T) {
	type post struct {
		head http.Header
		body string
	}
	posts := make(chan post, 16)
	answers := make(chan string, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posts <- post{r.Header, string(b)}
		io.WriteString(w, <-answers)
	}))
	t.Cleanup(hook.Close)
	r := newRig(t, `{network:{httpClients:[{name:"w",enable:true,url:"`+hook.URL+`",token:"key"}]}}`)

	answers <- `{reply: 'pong', at_sender: true, delete: true}`
	m, err := r.w.Say(world.Say{Group: 700000001, User: 3001000002, Text: "ping"})
	if err != nil {
		t.Fatal(err)
	}
	p := <-posts
	mac := hmac.New(sha1.New, []byte("key"))
	mac.Write([]byte(p.body))
	if want := "sha1=" + hex.EncodeToString(mac.Sum(nil)); p.head.Get("x-signature") != want || p.head.Get("x-self-id") != "10001" ||
		p.head.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", p.head)
	}
	sent := r.waitSent(0)
	if got, want := jsval.Stringify(segments(sent.Segments)), `[{"type":"reply","data":{"id":"`+jsval.ToString(int64(m.ID))+`"}},{"type":"at","data":{"qq":"3001000002"}},{"type":"text","data":{"text":"pong"}}]`; got != want {
		t.Errorf("quick reply %s\nwant %s", got, want)
	}
	if got, _ := r.w.Lookup(m.ID); got.Recalled {
		t.Error("delete was carried out")
	}

	answers <- `{"approve":true}`
	if _, err := r.w.Ask(world.Request{Kind: world.FriendRequest, User: 3009000001, Comment: "hi"}); err != nil {
		t.Fatal(err)
	}
	<-posts
	answers <- "" // friend_add, which follows
	if p := <-posts; !strings.Contains(p.body, `"notice_type":"friend_add","user_id":3009000001`) {
		t.Errorf("got %s", p.body)
	}
}

func TestHTTPServerWithWebSocket(t *testing.T) {
	r := newRig(t, `{network:{httpServers:[{name:"h",enable:true,port:0,token:"sec",enableWebsocket:true}]}}`)
	c := r.dial("h", "/?access_token=sec", nil)
	if got := timeless(c.next()); got != lifecycle {
		t.Errorf("first frame %s", got)
	}
	c.send(`{"action":"nope"}`)
	if got := c.next(); !strings.Contains(got, `"retcode":1404,"data":null,"message":"不支持的API nope"`) {
		t.Errorf("got %s", got)
	}
	if _, err := r.w.Say(world.Say{User: 3001000001, Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	if got := c.next(); !strings.Contains(got, `"raw_message":"hi"`) {
		t.Errorf("got %s", got)
	}
	if _, _, body := r.http("GET", "/get_status", "", "", "sec"); !strings.Contains(body, `"online":true`) {
		t.Errorf("HTTP beside it: %s", body)
	}
	// Turned off, the port answers HTTP only.
	r.n.Apply(mustParse(t, `{network:{httpServers:[{name:"h",enable:true,port:0,token:"sec"}]}}`))
	if c, err := dial(r.n.Addr("h"), "/?access_token=sec", nil); err == nil {
		c.ws.CloseNow()
		t.Error("a WebSocket was accepted")
	}
}
