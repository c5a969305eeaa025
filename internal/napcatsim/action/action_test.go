package action

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func TestParametersAreTheSchema(t *testing.T) {
	b, err := os.ReadFile("../../../onebot/schema/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsval.Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	doc := v.(*jsval.Object)
	actions := &jsval.Object{}
	for _, m := range doc.Get("actions").(*jsval.Object).Members {
		actions.Set(m.Key, m.Value.(*jsval.Object).Get("params"))
		if !Known(m.Key) || !Known(m.Key+"_async") || !Known(m.Key+"_rate_limited") {
			t.Errorf("%s is not known", m.Key)
		}
	}
	want := jsval.Stringify(jsval.Obj("actions", actions, "types", doc.Get("types"))) + "\n"
	if got, err := paramsText(); got != want || err != nil {
		t.Errorf("params.json.gz does not hold the parameters of onebot/schema/actions.json: %v", err)
		if os.Getenv("UPDATE") != "" {
			var packed bytes.Buffer
			w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
			if err == nil {
				_, err = io.WriteString(w, want)
			}
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("params.json.gz", packed.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := Names()
	if len(names) != 175 || len(schemas()) != 175 {
		t.Errorf("%d handlers, %d schemas, want 175", len(names), len(schemas()))
	}
	for _, n := range names {
		if schemas()[n] == nil {
			t.Errorf("%s has a handler, but is in no schema", n)
		}
	}
}

func TestConstantsAndNothing(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{
		"can_send_record": `{"yes":true}`, "get_guild_list": "none", "_set_model_show": "none", "nc_get_packet_status": "none",
		"_get_model_show": `[{"variants":{"model_show":"napcat","need_pay":false}}]`, "get_online_clients": "[]",
		"get_status": `{"online":true,"good":true,"stat":{}}`, "get_unidirectional_friend_list": "[]",
		"get_group_ignore_add_request": "[]",
	} {
		r.want(name, `{}`, want)
	}
	r.want("check_url_safely", `{url:"http://x"}`, `{"level":1}`)
	r.want("send_group_ai_record", `{group_id:700000001,character:"c",text:"t"}`, `{"message_id":0}`)
	r.want("get_group_shut_list", `{group_id:1}`, "[]")
	r.want("get_flash_file_url", `{fileset_id:"x"}`, `{"result":-1,"errMsg":"未找到文件","transferUrl":""}`)
	if got := r.data("ocr_image", `{image:"x"}`); !strings.HasPrefix(got, "error") {
		t.Errorf("ocr_image %s", got)
	}
}

func TestPacketLayerDown(t *testing.T) {
	w := world.New(world.Options{})
	r := &rig{t: t, w: w, h: New(Options{World: w, PacketError: "packetBackend不可用"})}
	for _, name := range []string{"nc_get_packet_status", "get_rkey"} {
		out := r.do(name, `{}`)
		if out[0].Err == nil || !out[0].Err.Check || out[0].Err.Text != "packetBackend不可用" {
			t.Errorf("%s: %+v", name, out[0].Err)
		}
	}
	o := r.object("send_group_forward_msg", `{group_id:700000001,messages:[{type:"node",data:{user_id:1,nickname:"n",content:"x"}}]}`)
	if o.Has("res_id") || r.newest().Nodes[0].Sender != self {
		t.Errorf("forward without the packet layer: %s", jsval.Stringify(o))
	}
}

func TestQuickOperation(t *testing.T) {
	r := newRig(t)
	m, err := r.w.Say(world.Say{User: alice, Text: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	event := jsval.Stringify(MessageObject(&m, MessageForm{Self: self, Event: true}).Set("message", &jsval.Object{}))
	r.want(".handle_quick_operation", `{context:`+event+`,operation:{reply:"yo",delete:true}}`, "none")
	if got := r.newest(); got.PlainText() != "yo" || got.Chat.Peer != alice {
		t.Errorf("sent %+v", got)
	}
	// Requests cannot be answered this way: their keys are not in the schema.
	q, err := r.w.Ask(world.Request{Kind: world.FriendRequest, User: 3009000001})
	if err != nil {
		t.Fatal(err)
	}
	r.want(".handle_quick_operation", `{context:{time:1,self_id:2,post_type:"request",request_type:"friend",user_id:3009000001,flag:"`+q.Flag+`"},operation:{approve:true}}`, "none")
	if r.w.Requests(world.FriendRequest)[0].Answered {
		t.Error("a request was answered")
	}
}

func TestUploadStream(t *testing.T) {
	r := newRig(t)
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	r.want("upload_file_stream", `{stream_id:"s",total_chunks:2,file_size:5,filename:"h.txt",expected_sha256:"`+sum+`"}`, `{"type":"stream","stream_id":"s","status":"file_created","received_chunks":0,"total_chunks":2}`)
	r.want("upload_file_stream", `{stream_id:"s",chunk_data:"bG8=",chunk_index:1}`, `{"type":"stream","stream_id":"s","status":"chunk_received","received_chunks":1,"total_chunks":2}`)
	r.want("upload_file_stream", `{stream_id:"s",chunk_data:"bG8=",chunk_index:1}`, `{"type":"stream","stream_id":"s","status":"file_created","received_chunks":1,"total_chunks":2}`)
	r.want("upload_file_stream", `{stream_id:"s",verify_only:true}`, `{"type":"stream","stream_id":"s","status":"file_created","received_chunks":1,"total_chunks":2}`)
	if got := r.data("upload_file_stream", `{stream_id:"s",is_complete:true}`); !strings.HasPrefix(got, "error: Incomplete") {
		t.Errorf("incomplete: %s", got)
	}
	r.want("upload_file_stream", `{stream_id:"x",verify_only:true}`, "error: Stream not found")
	r.want("upload_file_stream", `{stream_id:"x",reset:true}`, "error: Stream reset completed")
	r.data("upload_file_stream", `{stream_id:"t",total_chunks:2,file_size:5,filename:"h.txt",expected_sha256:"`+sum+`"}`)
	r.data("upload_file_stream", `{stream_id:"t",chunk_data:"bG8=",chunk_index:1}`)
	r.data("upload_file_stream", `{stream_id:"t",chunk_data:"aGVs",chunk_index:0}`)
	o := r.object("upload_file_stream", `{stream_id:"t"}`) // any call without data completes what is whole
	path := o.String("file_path")
	if b, err := os.ReadFile(path); err != nil || string(b) != "hello" {
		t.Fatalf("%s: %q, %v", jsval.Stringify(o), b, err)
	}
	if got, want := jsval.Stringify(o), `{"type":"response","stream_id":"t","status":"file_complete","received_chunks":2,"total_chunks":2,"file_path":"`+path+`","file_size":5,"sha256":"`+sum+`"}`; got != want {
		t.Errorf("got %s", got)
	}
	r.data("upload_file_stream", `{stream_id:"u",total_chunks:1,file_size:1,expected_sha256:"00"}`)
	r.data("upload_file_stream", `{stream_id:"u",chunk_data:"YQ==",chunk_index:0}`)
	if got := r.data("upload_file_stream", `{stream_id:"u",is_complete:true}`); !strings.HasPrefix(got, "error: SHA256 mismatch") {
		t.Errorf("wrong digest: %s", got)
	}
	r.data("upload_file_stream", `{stream_id:"v",total_chunks:1,file_size:1,filename:"../../escape"}`)
	r.data("upload_file_stream", `{stream_id:"v",chunk_data:"YQ==",chunk_index:0}`)
	if got := r.data("upload_file_stream", `{stream_id:"v",is_complete:true}`); !strings.HasPrefix(got, "error: ENOENT") {
		t.Errorf("a name that leads out of the folder: %s", got)
	}
	// What was uploaded is a file like any other, and comes back in pieces.
	r.object("send_private_msg", jsval.Obj("user_id", 3001000001.0, "message", []any{jsval.Obj("type", "file", "data", jsval.Obj("file", path))}))
	id := r.newest().Segments[0].Data.String("file_id")
	out := r.do("download_file_stream", jsval.Obj("file_id", id, "chunk_size", 2.0))
	var packets []string
	for _, p := range out {
		packets = append(packets, jsval.Stringify(p.Data))
	}
	if want := []string{
		`{"type":"stream","data_type":"file_info","file_name":"h.txt","file_size":5,"chunk_size":2}`,
		`{"type":"stream","data_type":"file_chunk","index":0,"data":"aGU=","size":2,"progress":40,"base64_size":4}`,
		`{"type":"stream","data_type":"file_chunk","index":1,"data":"bGw=","size":2,"progress":80,"base64_size":4}`,
		`{"type":"stream","data_type":"file_chunk","index":2,"data":"bw==","size":1,"progress":100,"base64_size":4}`,
		`{"type":"response","data_type":"file_complete","total_chunks":3,"total_bytes":5,"message":"Download completed: 3 chunks"}`,
	}; !slices.Equal(packets, want) {
		t.Errorf("packets\n%s", strings.Join(packets, "\n"))
	}
	out = r.do("test_download_stream", `{error:true}`)
	if last := out[len(out)-1]; len(out) != 11 || last.Err == nil || last.Err.Text != "This is a test error" || !last.Stream {
		t.Errorf("%d packets, last %+v", len(out), last)
	}
}
