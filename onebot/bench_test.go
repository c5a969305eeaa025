package onebot

import (
	"encoding/json"
	"testing"
)

// groupFrame is the frame of an everyday group message.
var groupFrame = []byte(`{"self_id":3889001001,"user_id":3001000001,"time":1795317637,"message_id":1000777,"message_seq":1000777,"real_id":1000777,"real_seq":"777","message_type":"group","sender":{"user_id":3001000001,"nickname":"Alice","card":"","role":"member","title":""},"raw_message":"ping 777","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"ping 777"}}],"message_format":"array","post_type":"message","group_id":700000001,"group_name":"Group 700000001"}`)

func BenchmarkDecodeGroupMessage(b *testing.B) {
	b.SetBytes(int64(len(groupFrame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(groupFrame); err != nil {
			b.Fatal(err)
		}
	}
}

// The same frame through encoding/json into the same fields, for comparison.
func BenchmarkDecodeGroupMessageEncodingJSON(b *testing.B) {
	b.SetBytes(int64(len(groupFrame)))
	b.ReportAllocs()
	for b.Loop() {
		var e struct {
			Time        int64  `json:"time"`
			SelfID      int64  `json:"self_id"`
			PostType    string `json:"post_type"`
			MessageType string `json:"message_type"`
			SubType     string `json:"sub_type"`
			MessageID   int64  `json:"message_id"`
			RealSeq     string `json:"real_seq"`
			UserID      int64  `json:"user_id"`
			RawMessage  string `json:"raw_message"`
			GroupID     int64  `json:"group_id"`
			GroupName   string `json:"group_name"`
			Sender      Sender `json:"sender"`
			Message     []struct {
				Type string          `json:"type"`
				Data json.RawMessage `json:"data"`
			} `json:"message"`
		}
		if err := json.Unmarshal(groupFrame, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePoke(b *testing.B) {
	frame := []byte(`{"time":1795317637,"self_id":10001,"post_type":"notice","notice_type":"notify","sub_type":"poke","target_id":3,"user_id":2,"group_id":1,"raw_info":[{"uid":"a"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeSendGroupMsg(b *testing.B) {
	p := &SendGroupMsgParams{GroupID: 700000001, Message: Message{Text("pong 777")}}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = p.AppendJSON(buf[:0])
	}
}

func BenchmarkDecodeSendResult(b *testing.B) {
	data := []byte(`{"message_id":1187465321}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := new(SendResult).UnmarshalJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}
