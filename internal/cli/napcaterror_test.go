package cli

import (
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

// TestRefusalsReadLikeSentences: what NapCat dumps reaches nobody raw, and what
// QQ did not confirm is never called refused.
func TestRefusalsReadLikeSentences(t *testing.T) {
	const unconfirmed = "Error: Timeout: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n{\n    \"result\": 0,\n    \"errMsg\": \"\"\n}\n"
	const muted = "EventChecker Failed: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n{\n    \"result\": 120,\n    \"errMsg\": \"你已被禁言\"\n}\n"
	const stack = "TypeError: Cannot read properties of undefined (reading 'uid')\n    at Foo.handle (file:///opt/napcat.mjs:1:2)\n    at async Bar (file:///opt/napcat.mjs:3:4)"
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		a, _ := tree(lang)
		for _, tt := range []struct {
			name, raw string
			has       string
			not       []string
		}{
			{"unconfirmed", unconfirmed, map[text.Lang]string{text.English: "not confirmed", text.Chinese: "没有得到 QQ 确认"}[lang], []string{"refused", "拒绝"}},
			{"muted", muted, "你已被禁言 (120)", []string{"retcode"}},
			{"stack", stack, "reading 'uid'", []string{"file://", " at "}},
			{"no packet", "packetBackend不支持当前QQ版本架构：3.2-x64", map[text.Lang]string{text.English: "no packet back end", text.Chinese: "发包后端"}[lang], nil},
			{"words", "群不存在", "群不存在", nil},
		} {
			err := a.refused("send_group_msg", api.CallResponse{Status: "failed", RetCode: 1200, Message: tt.raw, Wording: tt.raw})
			if err == nil {
				t.Errorf("%s: no error", tt.name)
				continue
			}
			msg, _ := a.explain(err)
			if !strings.Contains(msg, tt.has) || strings.ContainsAny(msg, "\n{}") || strings.Contains(msg, "EventRet") {
				t.Errorf("%s, %s: %q, want something with %q", lang, tt.name, msg, tt.has)
			}
			for _, no := range tt.not {
				if strings.Contains(msg, no) {
					t.Errorf("%s, %s: %q has %q", lang, tt.name, msg, no)
				}
			}
			login := a.loginLine(loginEvent{Account: "main", Event: "failed", Method: "quick", Reason: "refused", Detail: tt.raw})
			if strings.ContainsAny(login, "\n{}") || strings.Contains(login, "EventRet") || strings.Contains(login, "file://") {
				t.Errorf("%s, %s: a login says %q", lang, tt.name, login)
			}
		}
	}
}
