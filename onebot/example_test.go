package onebot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// printer is a Caller that prints what it is asked to send and answers as
// NapCat would. A real one comes from a connection.
type printer struct{}

func (printer) Call(_ context.Context, action string, params, result any) error {
	b := []byte("{}")
	if p, ok := params.(onebot.Appender); ok {
		b = p.AppendJSON(nil)
	} else if params != nil {
		b, _ = json.Marshal(params)
	}
	fmt.Println(action, string(b))
	answers := map[string]string{
		"send_group_msg":         `{"message_id":1187465321}`,
		"send_private_msg":       `{"message_id":1187465322}`,
		"send_group_forward_msg": `{"message_id":1187465323,"res_id":"r1"}`,
		"get_version_info":       `{"app_name":"NapCat.Onebot","protocol_version":"v11","app_version":"4.18.19"}`,
	}
	switch answer, ok := answers[action]; {
	case action == "fly":
		return &onebot.Error{Action: action, RetCode: onebot.RetUnsupported, Message: "不支持的API fly"}
	case action == "delete_msg":
		return fmt.Errorf("delete_msg: %w", onebot.ErrUnknownOutcome)
	case ok && result != nil:
		return json.Unmarshal([]byte(answer), result)
	}
	return nil
}

var client = onebot.NewClient(printer{})

func ExampleClient_SendGroupMsg() {
	r, err := client.SendGroupMsg(context.Background(), onebot.SendGroupMsgParams{
		GroupID: 30003,
		Message: onebot.Message{onebot.At(20002), onebot.Text(" 早上好")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sent as", r.MessageID)
	// Output:
	// send_group_msg {"group_id":"30003","message":[{"type":"at","data":{"qq":"20002"}},{"type":"text","data":{"text":" 早上好"}}]}
	// sent as 1187465321
}

func ExampleReply() {
	e, err := onebot.Decode([]byte(`{"time":1795317637,"self_id":10001,"post_type":"message","message_type":"private","sub_type":"friend",` +
		`"user_id":20002,"message_id":77,"sender":{"user_id":20002,"nickname":"阿明","card":""},"message":[{"type":"text","data":{"text":"测试"}}]}`))
	if err != nil {
		log.Fatal(err)
	}
	if m, ok := e.(*onebot.PrivateMessage); ok && m.Text() == "测试" {
		_, err = client.SendPrivateMsg(context.Background(), onebot.SendPrivateMsgParams{
			UserID:  m.UserID,
			Message: onebot.Message{onebot.Reply(m.MessageID), onebot.Text("测试成功")},
		})
	}
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// send_private_msg {"user_id":"20002","message":[{"type":"reply","data":{"id":"77"}},{"type":"text","data":{"text":"测试成功"}}]}
}

func ExampleNode() {
	_, err := client.SendGroupForwardMsg(context.Background(), onebot.SendGroupForwardMsgParams{
		GroupID: 30003,
		Message: onebot.Message{
			onebot.NodeOf(1187465321), // a message that exists
			onebot.Node(20002, "阿明", onebot.Text("made")),
			onebot.Node(20002, "阿明", onebot.Node(20002, "阿明", onebot.Text("nested"))),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// send_group_forward_msg {"group_id":"30003","message":[{"type":"node","data":{"id":"1187465321"}},{"type":"node","data":{"user_id":20002,"nickname":"阿明","content":[{"type":"text","data":{"text":"made"}}]}},{"type":"node","data":{"user_id":20002,"nickname":"阿明","content":[{"type":"node","data":{"user_id":20002,"nickname":"阿明","content":[{"type":"text","data":{"text":"nested"}}]}}]}}]}
}

func ExampleDecode() {
	for _, frame := range []string{
		`{"time":1,"self_id":10001,"post_type":"message","message_type":"group","group_id":30003,"user_id":20002,"message":"hi [CQ:face,id=14]"}`,
		`{"time":2,"self_id":10001,"post_type":"notice","notice_type":"group_ban","sub_type":"ban","group_id":30003,"user_id":0,"duration":-1}`,
		`{"time":3,"self_id":10001,"post_type":"notice","notice_type":"telepathy","thought":"?"}`,
		`{"status":"ok","retcode":0,"data":null,"echo":"1"}`,
	} {
		e, err := onebot.Decode([]byte(frame))
		switch e := e.(type) {
		case *onebot.GroupMessage:
			fmt.Printf("in %d: %q, %d segments\n", e.GroupID, e.Text(), len(e.Message))
		case *onebot.GroupBan:
			fmt.Println("muted, everybody:", e.WholeGroup())
		case *onebot.UnknownEvent:
			fmt.Printf("unknown: %s\n", e.Raw())
		case nil:
			fmt.Println(err)
		}
	}
	// Output:
	// in 30003: "hi ", 2 segments
	// muted, everybody: true
	// unknown: {"time":3,"self_id":10001,"post_type":"notice","notice_type":"telepathy","thought":"?"}
	// not an event
}

func ExampleParseCQ() {
	m := onebot.ParseCQ("a&#91;b[CQ:at,qq=20002,name=x&#44;y]c")
	fmt.Println(len(m), m.Text(), m.Mentions(20002))
	fmt.Println(onebot.Message{onebot.Face(14), onebot.Text("[not a code]")}.CQ())
	fmt.Println(onebot.EscapeCQ("[CQ:at,qq=all]"))
	// Output:
	// 3 a[bc true
	// [CQ:face,id=14]&#91;not a code&#93;
	// &#91;CQ:at,qq=all&#93;
}

func ExampleClient_Caller() {
	// Any action, any parameters, any form of the answer.
	var v struct {
		AppVersion string `json:"app_version"`
	}
	err := client.Caller().Call(context.Background(), "get_version_info", map[string]any{}, &v)
	fmt.Println(v.AppVersion, err)
	// Output:
	// get_version_info {}
	// 4.18.19 <nil>
}

func ExampleError() {
	ctx := context.Background()
	err := client.Caller().Call(ctx, "fly", nil, nil)
	var refused *onebot.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.RetCode, onebot.IsUnsupported(err))
	}

	err = client.DeleteMsg(ctx, onebot.DeleteMsgParams{MessageID: 5})
	fmt.Println("send again?", !onebot.MaybeDone(err))

	err = client.SetGroupBan(ctx, onebot.SetGroupBanParams{GroupID: 30003, UserID: 20002})
	fmt.Println(err)
	// Output:
	// fly {}
	// 1404 true
	// delete_msg {"message_id":5}
	// send again? false
	// set_group_ban: parameter duration must be given: what NapCat takes its absence for does harm
}

func ExampleClient_SetGroupBan() {
	err := client.SetGroupBan(context.Background(), onebot.SetGroupBanParams{
		GroupID: 30003, UserID: 20002, Duration: new(10 * time.Minute),
	})
	fmt.Println(err)
	// Output:
	// set_group_ban {"group_id":"30003","user_id":"20002","duration":600}
	// <nil>
}

func ExampleMessage_Split() {
	m := onebot.Message{onebot.Text("the minutes:"), &onebot.FileSegment{File: "/data/minutes.pdf", Name: "minutes.pdf"}, onebot.Text("see you")}
	fmt.Println(m.Validate(onebot.ChatGroup))
	for _, part := range m.Split(onebot.ChatGroup) {
		fmt.Println(part)
	}
	// Output:
	// message: segment 1 (file): not_alone
	// the minutes:
	// [CQ:file,file=/data/minutes.pdf,name=minutes.pdf]
	// see you
}

func ExampleBase64() {
	seg := &onebot.ImageSegment{File: onebot.Base64([]byte("not really a picture"))}
	fmt.Println(onebot.Message{seg})
	// Output:
	// [CQ:image,file=base64://bm90IHJlYWxseSBhIHBpY3R1cmU=]
}

func ExampleClient_Upload() {
	// To a NapCat on another machine, and from there into a group.
	send := func(ctx context.Context, c *onebot.Client, path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		up, err := c.Upload(ctx, f, onebot.Upload{Name: "report.pdf"})
		if err != nil {
			return err
		}
		_, err = c.SendGroupMsg(ctx, onebot.SendGroupMsgParams{
			GroupID: 30003, Message: onebot.Message{&onebot.FileSegment{File: up.FilePath, Name: "report.pdf"}},
		})
		return err
	}
	fmt.Println(send(context.Background(), client, "testdata/none.pdf"))
	// Output:
	// open testdata/none.pdf: no such file or directory
}
