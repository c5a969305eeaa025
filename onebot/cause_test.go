package onebot_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// failure is the error that an answer becomes, as internal/rpc makes it.
func failure(t *testing.T, frame string) *onebot.Error {
	t.Helper()
	var r struct {
		RetCode          int
		Message, Wording string
	}
	if err := json.Unmarshal([]byte(frame), &r); err != nil {
		t.Fatal(err)
	}
	return &onebot.Error{Action: "send_group_msg", RetCode: r.RetCode, Message: r.Message, Wording: r.Wording, Raw: json.RawMessage(frame)}
}

// A refusal by QQ is certain; a send that QQ took without confirming may have
// arrived and is nowhere called refused.
func TestSendsRefusedAndUnconfirmed(t *testing.T) {
	b, err := os.ReadFile("testdata/sends.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	frames := strings.Split(strings.TrimSpace(string(b)), "\n")
	refused, unconfirmed := failure(t, frames[0]), failure(t, frames[1])
	if onebot.MaybeDone(refused) || onebot.IsUnconfirmed(refused) || !onebot.IsMuted(refused) {
		t.Errorf("the refused send: %+v", refused.Cause())
	}
	if got := refused.Error(); got != "send_group_msg: refused by QQ: 你已被禁言 (120)" {
		t.Errorf("the refused send is shown as %q", got)
	}
	if !onebot.MaybeDone(unconfirmed) || !onebot.IsUnconfirmed(unconfirmed) || onebot.IsMuted(unconfirmed) {
		t.Errorf("the unconfirmed send: %+v", unconfirmed.Cause())
	}
	if got := unconfirmed.Error(); strings.Contains(got, "refused") || strings.Contains(got, "EventRet") {
		t.Errorf("the unconfirmed send is shown as %q", got)
	}
}

func TestExplain(t *testing.T) {
	const (
		checker = "EventChecker Failed: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n"
		timeout = "Timeout: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n"
	)
	for _, tc := range []struct {
		text  string
		class onebot.Class
		shown string
	}{
		{checker + "{\n    \"result\": 110,\n    \"errMsg\": \"\"\n}\n", onebot.ClassRefused, "not in the group (110)"},
		{checker + `{ "result": 120 }`, onebot.ClassRefused, "muted (120)"},
		{checker + `{"result":-1,"errMsg":"rich media transfer failed"}`, onebot.ClassRefused, "rich media transfer failed (-1)"},
		{checker + `{"result":"34","errMsg":"say \"no\" {here}"}`, onebot.ClassRefused, `say "no" {here} (34)`},
		{checker + `{"result":299,"errMsg":""}`, onebot.ClassRefused, "code 299"},
		{checker + "{\n  \"result\": 120,\n  \"errMsg\": \"你已被", onebot.ClassRefused, "muted (120)"}, // cut short
		{checker + `[{"result":5,"errMsg":"群不存在"}]`, onebot.ClassRefused, "群不存在 (5)"},
		{checker + `{"result":{"retCode":7,"retMsg":"no such group"}}`, onebot.ClassRefused, "no such group (7)"},
		{checker + "undefined\n", onebot.ClassRefused, "no reason given"},
		{checker + `{"result":0,"errMsg":""}`, onebot.ClassUnconfirmed, "QQ did not confirm it in time"},
		{"Error: " + checker + `{"result":120,"errMsg":"x"}` + "\n    at Foo (file:///x.mjs:1:2)", onebot.ClassRefused, "x (120)"},
		{timeout + `{ "result": 0, "errMsg": "" }`, onebot.ClassUnconfirmed, "QQ did not confirm it in time"},
		{timeout + "{}\n", onebot.ClassUnconfirmed, "QQ did not confirm it in time"},
		{timeout + `{ "result": 120, "errMsg": "你已被禁言" }`, onebot.ClassRefused, "你已被禁言 (120)"},
		{"Timeout: NTEvent", onebot.ClassUnconfirmed, "QQ did not confirm it in time"},
		{"发送超时", onebot.ClassUnconfirmed, "发送超时"},
		{"packetBackend不可用，请参照文档 和启动日志检查packetBackend状态或进行配置！错误堆栈信息：Error: x\n    at a (b:1:1)", onebot.ClassNoPacket, "NapCat has no packet back end"},
		{"TypeError: Cannot read properties of undefined (reading 'packetStatus')\n    at Foo.check (file:///n.mjs:1:2)", onebot.ClassNoPacket, "NapCat has no packet back end"},
		{"TypeError: Cannot read properties of undefined (reading 'type')\n    at file:///n.mjs:3:4\n    at Array.filter (<anonymous>)", onebot.ClassInternal, "TypeError: Cannot read properties of undefined (reading 'type')"},
		{"Cannot read properties of null (reading 'x')\n    at a (b)", onebot.ClassInternal, "Cannot read properties of null (reading 'x')"},
		{`SyntaxError: Unexpected token in JSON\n    at JSON.parse (<anonymous>)`, onebot.ClassInternal, "SyntaxError: Unexpected token in JSON"},
		{"Error: 消息不存在\n    at GetMsg._handle (file:///n.mjs:5:6)", onebot.ClassText, "消息不存在"},
		{"消息不存在", onebot.ClassText, "消息不存在"},
		{"移动失败: {\"retCode\":-36,\"retMsg\":\"file\\nnot there\",\"clientWording\":\"\"}", onebot.ClassRefused, "移动失败: file not there (-36)"},
		{`{"result":1,"errMsg":"密码错误"}`, onebot.ClassRefused, "密码错误 (1)"},
		{`读取配置 {"a":1} 失败`, onebot.ClassText, `读取配置 {"a":1} 失败`},
		{`登录失败: ["140022013","","你的账号存在安全风险"]`, onebot.ClassText, "登录失败: 140022013: 你的账号存在安全风险"},
		{`登录失败: [{"step":1,"code":45,"tipsTitle":"登录失败","tipsContent":"账号被冻结"}]`, onebot.ClassRefused, "登录失败: 账号被冻结 (45)"},
		{`Failed to get new device QR code: {"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":"sig expired"}`, onebot.ClassRefused, "Failed to get new device QR code: sig expired (10004)"},
		{`上传失败: {"data":{"error":{"code":"-5503007","message":"文件已失效"}}}`, onebot.ClassRefused, "上传失败: 文件已失效 (-5503007)"},
		{`{"retcode":0,"result":{"msg":"群已解散","code":13}}`, onebot.ClassRefused, "群已解散 (13)"},
		{`"{\"ret\":-3,\"msg\":\"no login\"}"`, onebot.ClassText, `"{\"ret\":-3,\"msg\":\"no login\"}"`},
		{`[KickedOffLine] [下线通知] 你的帐号当前登录已失效，请重新登录。`, onebot.ClassText, `[KickedOffLine] [下线通知] 你的帐号当前登录已失效，请重新登录。`},
		{`[空] 没有 [1]`, onebot.ClassText, `[空] 没有 [1]`},
		{"", onebot.ClassText, "no reason given"},
	} {
		c := onebot.Explain(tc.text)
		if c.Class != tc.class || c.String() != tc.shown || c.Raw != tc.text {
			t.Errorf("%q: got %s %q, want %s %q", tc.text, c.Class, c, tc.class, tc.shown)
		}
	}
	if c := onebot.Explain(strings.Repeat("长", 1000)); len(c.Text) > 310 {
		t.Errorf("a text of %d bytes", len(c.Text))
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("EventChecker Failed: NTEvent EventRet:\n{\"result\":120,\"errMsg\":\"x\"}")
	f.Add("TypeError: x\n    at y")
	f.Fuzz(func(t *testing.T, s string) {
		c := onebot.Explain(s)
		if len(c.Text) > 310 || strings.ContainsAny(c.Text, "\n\r") || c.Class == "" || c.Raw != s {
			t.Errorf("%+v", c)
		}
		e := &onebot.Error{RetCode: onebot.RetFailed, Message: s}
		if onebot.MaybeDone(e) != (c.Class == onebot.ClassUnconfirmed) || onebot.MaybeDone(e) && strings.HasPrefix(e.Error(), ": refused") {
			t.Error(fmt.Sprint(e))
		}
	})
}
