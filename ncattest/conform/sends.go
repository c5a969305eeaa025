package conform

import (
	"encoding/json"
	"fmt"
)

const (
	noTarget = "请指定正确的 group_id 或 user_id"
	nothing  = "消息体无法解析, 请检查是否发送了不支持的消息类型"
	mixed    = "转发消息不能和普通消息混在一起发送,转发需要保证message只有type为node的元素"
	hello    = `[{"type":"text","data":{"text":"hello"}}]`
	sentOne  = `{message_id:int}`
	node     = `{"type":"node","data":{"user_id":"$self","nickname":"Node","content":[{"type":"text","data":{"text":"in"}}]}}`
)

var sends = []Expectation{
	{Place: "F.2", Title: "send_group_msg", try: answers("send_group_msg", `{"group_id":$group,"message":`+hello+`}`, sentOne)},
	{Place: "F.2", Title: "send_group_msg with ids as texts", try: answers("send_group_msg", `{"group_id":"$group","message":`+hello+`}`, sentOne)},
	{Place: "F.2", Title: "send_private_msg", try: answers("send_private_msg", `{"user_id":$friend,"message":`+hello+`}`, sentOne)},
	{Place: "F.2", Title: "send_msg to a group", try: answers("send_msg", `{"message_type":"group","group_id":$group,"message":`+hello+`}`, sentOne)},
	{Place: "F.2", Title: "send_msg to a friend", try: answers("send_msg", `{"message_type":"private","user_id":$friend,"message":`+hello+`}`, sentOne)},
	{Place: "F.2", Title: "send_msg without a type", try: answers("send_msg", `{"user_id":$friend,"message":`+hello+`}`, sentOne)},
	{Place: "F.2", Title: "send_msg: the group wins", try: sentTo("send_msg", `{"group_id":$group,"user_id":$friend,"message":`+hello+`}`, `{message_type:"group", group_id:$group}`)},
	{Place: "results send_group_msg", Title: "user_id is thrown away", try: sentTo("send_group_msg", `{"group_id":$group,"user_id":$friend,"message":`+hello+`}`, `{message_type:"group", group_id:$group}`)},
	{Place: "F.2", Title: "no target", try: refuses("send_msg", `{"message":`+hello+`}`, 1200, noTarget)},
	{Place: "F.2", Title: "a group send without a group", try: refuses("send_group_msg", `{"user_id":$friend,"message":`+hello+`}`, 1200, noTarget)},
	{Place: "F.2", Title: "a private send with a group only", try: refuses("send_private_msg", `{"group_id":$group,"message":`+hello+`}`, 1200, "当前私聊发送,请指定 user_id 而不是 group_id")},
	{Place: "F.2", Title: "a private send to nobody", try: refuses("send_private_msg", `{"user_id":$nobody,"message":`+hello+`}`, 1200, "无法获取用户信息")},
	{Place: "L.1", Title: "a send that QQ refuses says so", try: refuses("send_group_msg", `{"group_id":$nowhere,"message":`+hello+`}`, 1200, "EventChecker Failed: NTEvent serviceAndMethod:…")},
	{Place: "H.2", Title: "an unknown segment", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"nonsense","data":{}}]}`, 1200, "未知的消息类型：nonsense")},
	{Place: "H.2", Title: "an unknown segment beside text", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"text","data":{"text":"a"}},{"type":"nonsense","data":{}}]}`, 1200, "未知的消息类型：nonsense")},
	{Place: "H.2", Title: "an empty list", try: refuses("send_group_msg", `{"group_id":$group,"message":[]}`, 1200, nothing)},
	{Place: "H.2", Title: "poke alone makes nothing", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"poke","data":{"type":"1","id":"1"}}]}`, 1200, nothing)},
	{Place: "H.2", Title: "xml alone makes nothing", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"xml","data":{"data":"<a/>"}}]}`, 1200, nothing)},
	{Place: "H.2", Title: "miniapp alone makes nothing", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"miniapp","data":{"data":"{}"}}]}`, 1200, nothing)},
	{Place: "H.2", Title: "a mention alone makes nothing in private", try: refuses("send_private_msg", `{"user_id":$friend,"message":[{"type":"at","data":{"qq":"$self"}}]}`, 1200, nothing)},
	{Place: "H.2", Title: "a mention of nobody", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"at","data":{"qq":"$nobody"}}]}`, 1200, "Get Uid Error")},
	{Place: "H.2", Title: "nodes beside text", try: refuses("send_group_msg", `{"group_id":$group,"message":[`+node+`,{"type":"text","data":{"text":"x"}}]}`, 1400, mixed)},
	{Place: "H.2", Title: "nodes make a forward", try: answers("send_group_msg", `{"group_id":$group,"message":[`+node+`]}`, `{message_id:int, res_id?:str, forward_id?:str}`)},
	{Place: "results send_forward_msg", Title: "messages is honoured", try: answers("send_forward_msg", `{"group_id":$group,"messages":[`+node+`]}`, `{message_id:int, res_id?:str, forward_id?:str}`)},
	{Place: "results send_group_forward_msg", Title: "message is honoured", try: answers("send_group_forward_msg", `{"group_id":$group,"message":[`+node+`]}`, sentOne)},
	{Place: "results send_private_forward_msg", Title: "a forward to a friend", try: answers("send_private_forward_msg", `{"user_id":$friend,"messages":[`+node+`]}`, sentOne)},
	{Place: "results get_forward_msg", Title: "by the id of the message", try: forwardBack},
	{Place: "E.9", Title: "an id is positive and of 31 bits", try: func(v *visit) error {
		id, err := v.message()
		if err == nil && (id <= 0 || id >= 1<<31) {
			err = fmt.Errorf("the id is %d", id)
		}
		return err
	}},
	{Place: "E.9", Title: "sequences go on by one in a chat", try: sequence},
}

// sentTo expects a message to arrive where the shape of it says.
func sentTo(action, params, shape string) func(*visit) error {
	return func(v *visit) error {
		var sent struct {
			MessageID int64 `json:"message_id"`
		}
		if err := v.ask(action, params, &sent); err != nil {
			return err
		}
		shape, err := v.fill(shape)
		if err != nil {
			return err
		}
		return answers("get_msg", fmt.Sprintf(`{"message_id":%d}`, sent.MessageID), shape)(v)
	}
}

func forwardBack(v *visit) error {
	var sent struct {
		MessageID int64 `json:"message_id"`
	}
	if err := v.ask("send_group_forward_msg", `{"group_id":$group,"messages":[`+node+`,`+node+`]}`, &sent); err != nil {
		return err
	}
	var f struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if err := v.ask("get_forward_msg", fmt.Sprintf(`{"message_id":%d}`, sent.MessageID), &f); err != nil {
		return err
	}
	if len(f.Messages) != 2 {
		return fmt.Errorf("%d messages in the forward, want 2", len(f.Messages))
	}
	return matches(f.Messages[0], `{sender:{nickname:"Node"}, message:[{type:"text", data:{text:"in"}}]}`)
}

// sequence expects two messages to have real_seq one apart.
func sequence(v *visit) error {
	var seqs [2]int64
	for i := range seqs {
		id, err := v.message()
		if err != nil {
			return err
		}
		var m struct {
			RealSeq int64 `json:"real_seq,string"`
		}
		if err := v.ask("get_msg", fmt.Sprintf(`{"message_id":%d}`, id), &m); err != nil {
			return err
		}
		seqs[i] = m.RealSeq
	}
	if seqs[1] != seqs[0]+1 {
		return fmt.Errorf("real_seq %d comes after %d", seqs[1], seqs[0])
	}
	return nil
}

// segments are sent, and told by get_msg in the form in which they are received.
var segments = []Expectation{
	{Place: "H.1", Title: "text", try: shows(hello, `[{!type:"text", data:{!text:"hello"}}]`)},
	{Place: "H.1", Title: "one segment without a list", try: shows(`{"type":"text","data":{"text":"one"}}`, `[{type:"text", data:{text:"one"}}]`)},
	{Place: "H.1", Title: "a mention", try: shows(`[{"type":"at","data":{"qq":"$self"}}]`, `[{type:"at", data:{qq:"$self"}}]`)},
	{Place: "H.1", Title: "a mention by a number", try: shows(`[{"type":"at","data":{"qq":$self}}]`, `[{type:"at", data:{qq:"$self"}}]`)},
	{Place: "H.1", Title: "a mention of everybody", try: shows(`[{"type":"at","data":{"qq":"all"}}]`, `[{type:"at", data:{qq:"all"}}]`)},
	{Place: "H.1", Title: "a quote", try: shows(`[{"type":"reply","data":{"id":"$msg"}},{"type":"text","data":{"text":"q"}}]`, `[{type:"reply"/"text", data:{id?:digits}}]`)},
	{Place: "H.2", Title: "a quote of what is not there is dropped", try: shows(`[{"type":"reply","data":{"id":"123"}},{"type":"text","data":{"text":"q"}}]`, `[{type:"text", data:{text:"q"}}]`)},
	{Place: "H.1", Title: "a face", try: shows(`[{"type":"face","data":{"id":"178"}}]`, `[{type:"face", data:{id:"178"}}]`)},
	{Place: "H.2", Title: "an unknown face is dropped", try: shows(`[{"type":"face","data":{"id":"99999"}},{"type":"text","data":{"text":"f"}}]`, `[{type:"text", data:{text:"f"}}]`)},
	{Place: "H.1", Title: "a card", try: shows(`[{"type":"json","data":{"data":"{\"app\":\"com.example\"}"}}]`, `[{type:"json", data:{data:str}}]`)},
	{Place: "H.2", Title: "a card may be an object", try: shows(`[{"type":"json","data":{"data":{"app":"com.example"}}}]`, `[{type:"json", data:{data:str}}]`)},
	{Place: "H.1", Title: "a die shows what it likes", try: shows(`[{"type":"dice","data":{"result":"3"}}]`, `[{type:"dice", data:{result:"1"/"2"/"3"/"4"/"5"/"6"}}]`)},
	{Place: "H.1", Title: "rock, paper, scissors", try: shows(`[{"type":"rps","data":{}}]`, `[{type:"rps", data:{result:"1"/"2"/"3"}}]`)},
	{Place: "H.1", Title: "a contact is a card", try: shows(`[{"type":"contact","data":{"type":"qq","id":"$friend"}}]`, `[{type:"json", data:{data:str}}]`)},
	{Place: "H.1", Title: "a forward's id is QQ's own", try: shows(`[`+node+`]`, `[{type:"forward", data:{id:digits}}]`)},
	{Place: "H.3", Title: "a CQ code is a segment", try: shows(`"[CQ:face,id=178]"`, `[{type:"face", data:{id:"178"}}]`)},
	{Place: "H.3", Title: "what is escaped in a text", try: shows(`"a&#91;b&#93;&amp;c"`, `[{type:"text", data:{text:"a[b]&c"}}]`)},
	{Place: "H.3", Title: "text, code and text", try: shows(`"a[CQ:at,qq=$self]c"`, `[{type:"text"/"at", data:{text?:"a"/"c", qq?:"$self"}}]`)},
	{Place: "H.2", Title: "auto_escape keeps codes as text", try: func(v *visit) error {
		return sentTo("send_group_msg", `{"group_id":$group,"auto_escape":true,"message":"[CQ:face,id=178]"}`, `{message:[{type:"text", data:{text:str}}]}`)(v)
	}},
	{Place: "H.2", Title: "text of a number", try: shows(`[{"type":"text","data":{"text":5}}]`, `[{type:"text", data:{text:"5"}}]`)},
}

// media are pictures, voices and files.
var media = []Expectation{
	{Place: "H.1", Title: "a picture", try: shows(`[{"type":"image","data":{"file":"$image"}}]`, `[{type:"image", data:{summary:str, file:str, sub_type:int, url:str, file_size:digits}}]`)},
	{Place: "K.4", Title: "a picture's size is a text", try: shows(`[{"type":"image","data":{"file":"$image"}}]`, `[{type:"image", data:{file_size:digits}}]`)},
	{Place: "H.2", Title: "a picture as a sticker", try: shows(`[{"type":"image","data":{"file":"$image","sub_type":1,"summary":"[动画表情]"}}]`, `[{type:"image", data:{sub_type:1, summary:"[动画表情]"}}]`)},
	{Place: "H.2", Title: "a picture beside text", try: shows(`[{"type":"text","data":{"text":"t"}},{"type":"image","data":{"file":"$image"}}]`, `[{type:"text"/"image", data:object}]`)},
	{Place: "H.2", Title: "a picture by url", try: shows(`[{"type":"image","data":{"url":"$image"}}]`, `[{type:"image", data:{file:str}}]`)},
	{Place: "H.2", Title: "url wins over file", try: shows(`[{"type":"image","data":{"url":"$image","file":"nonsense"}}]`, `[{type:"image", data:{file:str}}]`)},
	{Place: "H.2", Title: "a picture as a data address", try: shows(`[{"type":"image","data":{"file":"data:image/gif;base64,`+onePixel+`"}}]`, `[{type:"image", data:{file:str}}]`)},
	{Place: "H.2", Title: "a picture without a source", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"image","data":{}}]}`, 1200, "文件消息缺少参数")},
	{Place: "H.2", Title: "a picture from nowhere", try: refuses("send_group_msg", `{"group_id":$group,"message":[{"type":"image","data":{"file":"nonsense"}}]}`, 1200, "文件处理失败: …")},
	{Place: "H.2", Title: "a received picture is sent again by its id", try: again},
	{Place: "H.1", Title: "a file's content can be got", try: answersImage("get_file", `{!file:str, url:str, file_size:digits, file_name:str, base64?:str}`)},
	{Place: "results get_image", Title: "as get_file", try: answersImage("get_image", `{!file:str, url:str, file_size:digits, file_name:str, base64?:str}`)},
	{Place: "results download_file", Title: "from base64", try: answers("download_file", `{"base64":"aGVsbG8=","name":"conform.txt"}`, `{!file:str}`)},
}

// picture sends a picture and returns what it is called.
func (v *visit) picture() (string, error) {
	var sent struct {
		MessageID int64 `json:"message_id"`
	}
	if err := v.ask("send_group_msg", `{"group_id":$group,"message":[{"type":"image","data":{"file":"$image"}}]}`, &sent); err != nil {
		return "", err
	}
	var m struct {
		Message []struct {
			Data struct {
				File string `json:"file"`
			} `json:"data"`
		} `json:"message"`
	}
	if err := v.ask("get_msg", fmt.Sprintf(`{"message_id":%d}`, sent.MessageID), &m); err != nil {
		return "", err
	}
	if len(m.Message) != 1 {
		return "", fmt.Errorf("the picture is a message of %d segments", len(m.Message))
	}
	return m.Message[0].Data.File, nil
}

func again(v *visit) error {
	name, err := v.picture()
	if err != nil {
		return err
	}
	return shows(fmt.Sprintf(`[{"type":"image","data":{"file":%q}}]`, name), `[{type:"image", data:{file:str}}]`)(v)
}

func answersImage(action, shape string) func(*visit) error {
	return func(v *visit) error {
		name, err := v.picture()
		if err != nil {
			return err
		}
		return answers(action, fmt.Sprintf(`{"file":%q}`, name), shape)(v)
	}
}
