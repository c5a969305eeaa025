package conform

import (
	"errors"
	"fmt"

	"github.com/coder/websocket"
)

// replies expects a frame to be answered by one of the given shape.
func replies(frame, shape string) func(*visit) error {
	return func(v *visit) error {
		c, err := v.connect()
		if err != nil {
			return err
		}
		frame, err := v.fill(frame)
		if err != nil {
			return err
		}
		if err := c.write(frame); err != nil {
			return err
		}
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if err := matches(a.raw, shape); err != nil {
			return fmt.Errorf("%w, in %s", err, a)
		}
		return nil
	}
}

// done and failed are whole answers.
func done(echo string) string {
	return `{!status:"ok", retcode:0, data:{!online:bool, good:true, stat:{!}}, message:"", wording:"", echo:` + echo + `, stream:"normal-action"}`
}

func failed(code, message, echo string) string {
	return `{!status:"failed", retcode:` + code + `, data:none, message:"` + message + `", wording:"` + message + `", echo:` + echo + `, stream:"normal-action"}`
}

// ignored expects a frame to get no answer while the connection goes on.
func ignored(frame string) func(*visit) error {
	return func(v *visit) error {
		c, err := v.connect()
		if err != nil {
			return err
		}
		frame, err := v.fill(frame)
		if err != nil {
			return err
		}
		if err := c.write(frame); err != nil {
			return err
		}
		return c.silent()
	}
}

const (
	noJSON  = "json解析失败,请检查数据格式"
	noField = "Schema compilation error: Expected required property"
)

var requests = []Expectation{
	{Place: "E.2", Title: "an echo of text comes back", wire: true, try: replies(`{"action":"get_status","params":{},"echo":"e1"}`, done(`"e1"`))},
	{Place: "E.2", Title: "an echo that is a number comes back", wire: true, try: replies(`{"action":"get_status","echo":5}`, done(`5`))},
	{Place: "E.2", Title: "an echo that is an object comes back", wire: true, try: replies(`{"action":"get_status","echo":{"a":1}}`, done(`{!a:1}`))},
	{Place: "E.2", Title: "an echo that is a list comes back", wire: true, try: replies(`{"action":"get_status","echo":[1,2]}`, done(`[int]`))},
	{Place: "E.2", Title: "an echo that is true comes back", wire: true, try: replies(`{"action":"get_status","echo":true}`, done(`true`))},
	{Place: "K.3", Title: "an omitted echo is an empty text", wire: true, try: replies(`{"action":"get_status"}`, done(`""`))},
	{Place: "E.2", Title: "a null echo is an empty text", wire: true, try: replies(`{"action":"get_status","echo":null}`, done(`""`))},
	{Place: "E.2", Title: "null params are none", wire: true, try: replies(`{"action":"get_status","params":null,"echo":"n"}`, done(`"n"`))},
	{Place: "E.2", Title: "false params are none", wire: true, try: replies(`{"action":"get_status","params":false,"echo":"n"}`, done(`"n"`))},
	{Place: "E.2", Title: "single quotes are taken", wire: true, try: replies(`{'action':'get_status','echo':'q'}`, done(`"q"`))},
	{Place: "E.2", Title: "keys without quotes are taken", wire: true, try: replies(`{action:'get_status',echo:'u'}`, done(`"u"`))},
	{Place: "E.2", Title: "a comma at the end is taken", wire: true, try: replies(`{"action":"get_status","echo":"c",}`, done(`"c"`))},
	{Place: "E.2", Title: "comments are taken", wire: true, try: replies("{/* what */\"action\":\"get_status\",// why\n\"echo\":\"k\"}", done(`"k"`))},
	{Place: "E.2", Title: "a number in hexadecimal is taken", wire: true, try: replies(`{"action":"get_status","echo":0x10}`, done(`16`))},
	{Place: "E.2", Title: "a binary frame is taken", wire: true, try: binary},
	{Place: "E.2", Title: "the order of an answer's keys", wire: true, try: answerKeys},
	{Place: "E.2", Title: "the alias _async", wire: true, try: replies(`{"action":"get_status_async","echo":"as"}`, done(`"as"`))},
	{Place: "E.2", Title: "the alias _rate_limited", wire: true, try: replies(`{"action":"get_status_rate_limited","echo":"rl"}`, done(`"rl"`))},
	{Place: "E.2", Title: "an alias answers with data", wire: true, try: answers("get_login_info_async", "{}", `{user_id:$self}`)},
	{Place: "E.2", Title: "an unknown action", wire: true, try: replies(`{"action":"nope","echo":"x"}`, failed("1404", "不支持的API nope", `"x"`))},
	{Place: "E.2", Title: "an unknown action without an echo", wire: true, try: replies(`{"action":"nope"}`, failed("1404", "不支持的API nope", `none`))},
	{Place: "E.2", Title: "an unknown action by an alias", wire: true, try: replies(`{"action":"nope_async","echo":1}`, failed("1404", "不支持的API nope_async", `1`))},
	{Place: "E.2", Title: "no action", wire: true, try: replies(`{"echo":"noaction"}`, failed("1404", "不支持的API undefined", `"noaction"`))},
	{Place: "E.2", Title: "an empty list", wire: true, try: replies(`[]`, failed("1404", "不支持的API undefined", `none`))},
	{Place: "E.2", Title: "an empty object", wire: true, try: replies(`{}`, failed("1404", "不支持的API undefined", `none`))},
	{Place: "E.2", Title: "what is no JSON5", wire: true, try: replies(`{bad`, failed("1400", noJSON, `none`))},
	{Place: "E.2", Title: "an empty frame", wire: true, try: replies(``, failed("1400", noJSON, `none`))},
	{Place: "E.2", Title: "null", wire: true, try: replies(`null`, failed("1400", noJSON, `none`))},
	{Place: "E.2", Title: "a text is not answered", wire: true, try: ignored(`"str"`)},
	{Place: "E.2", Title: "a number is not answered", wire: true, try: ignored(`5`)},
	{Place: "K.1", Title: "send_msg without a message is not answered", wire: true, try: ignored(`{"action":"send_msg","params":{"group_id":$group},"echo":"s"}`)},
	{Place: "K.1", Title: "send_group_msg without a message is not answered", wire: true, try: ignored(`{"action":"send_group_msg","params":{"group_id":$group},"echo":"s"}`)},
	{Place: "K.1", Title: "send_private_msg without a message is not answered", wire: true, try: ignored(`{"action":"send_private_msg","params":{"user_id":$friend},"echo":"s"}`)},
	{Place: "E.2", Title: "a parameter is missing", wire: true, try: replies(`{"action":"set_group_ban","params":{},"echo":"val"}`, failed("1400", noField, `"val"`))},
	{Place: "E.2", Title: "a parameter is missing and no echo is given", wire: true, try: replies(`{"action":"set_group_ban","params":{}}`, failed("1400", noField, `""`))},
	{Place: "E.2", Title: "a failure has its words twice and its echo", wire: true, try: replies(`{"action":"get_msg","params":{"message_id":123},"echo":"getmsg"}`, failed("1200", "消息不存在", `"getmsg"`))},
	{Place: "E.2", Title: "fifty calls are all answered", wire: true, try: fifty},
}

func binary(v *visit) error {
	c, err := v.connect()
	if err != nil {
		return err
	}
	if err := c.ws.Write(v.ctx, websocket.MessageBinary, []byte(`{"action":"get_status","echo":"b"}`)); err != nil {
		return err
	}
	a, err := c.answer(`"b"`)
	if err != nil {
		return err
	}
	return matches(a.raw, done(`"b"`))
}

func answerKeys(v *visit) error {
	for _, frame := range []string{`{"action":"get_status","echo":1}`, `{"action":"nope","echo":1}`, `{"action":"set_group_ban","echo":1}`} {
		c, err := v.connect()
		if err != nil {
			return err
		}
		if err := c.write(frame); err != nil {
			return err
		}
		a, err := c.answer("1")
		if err != nil {
			return err
		}
		if err := inOrder(a.raw, "status retcode data message wording echo stream"); err != nil {
			return err
		}
	}
	return nil
}

// fifty takes answers in any order (contract K.2).
func fifty(v *visit) error {
	c, err := v.connect()
	if err != nil {
		return err
	}
	const n = 50
	for i := range n {
		action := []string{"get_status", "get_login_info", "nope", "get_group_list"}[i%4]
		if err := c.write(fmt.Sprintf(`{"action":%q,"echo":%d}`, action, i)); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for range n {
		a, err := c.answer("")
		if err != nil {
			return err
		}
		if seen[string(a.Echo)] {
			return fmt.Errorf("two answers to %s", a.Echo)
		}
		seen[string(a.Echo)] = true
	}
	if len(seen) != n {
		return errors.New("answers have echoes that no call had")
	}
	return nil
}

// coercions are how parameters are read (results, section 3).
var coercions = []Expectation{
	{Place: "results 3.3", Title: "an id as a number", try: answers("get_group_info", `{"group_id":$group}`, `{group_id:int}`)},
	{Place: "results 3.3", Title: "an id as a text", try: answers("get_group_info", `{"group_id":"$group"}`, `{group_id:int}`)},
	{Place: "results 3.2", Title: "null is refused", try: refuses("get_group_info", `{"group_id":null}`, 1400, "Schema compilation error: …")},
	{Place: "results 3.2", Title: "null is refused for an optional parameter too", try: refuses("get_group_member_list", `{"group_id":$group,"no_cache":null}`, 1400, "Schema compilation error: …")},
	{Place: "results 3.1", Title: "a parameter with a default is never required", try: answers("get_recent_contact", `{}`, `list`)},
	{Place: "results 3.7", Title: "a flag as a number", try: answers("get_group_member_info", `{"group_id":$group,"user_id":$self,"no_cache":1}`, `{user_id:int}`)},
	{Place: "results 3.7", Title: "a flag as a text", try: answers("get_group_member_info", `{"group_id":$group,"user_id":"$self","no_cache":"true"}`, `{user_id:int}`)},
	{Place: "results 3.9", Title: "unknown keys are ignored", try: answers("get_login_info", `{"what":1,"ever":{"a":[]}}`, `{user_id:int}`)},
	{Place: "results 3.10", Title: "an unknown kind of honour is refused", try: refuses("get_group_honor_info", `{"group_id":$group,"type":"Talkative"}`, 1400, "Schema compilation error: …")},
	{Place: "results 3.11", Title: "get_version_info checks nothing", try: answers("get_version_info", `{"a":null}`, `{app_name:str}`)},
	{Place: "L.8", Title: "a count that has a default may be left out", try: both(
		answers("send_group_msg", `{"group_id":$group,"message":`+hello+`}`, sentOne),
		answers("get_group_msg_history", `{"group_id":$group}`, `{messages:[Msg]}`))},
}
