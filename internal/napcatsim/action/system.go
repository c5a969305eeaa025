package action

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

var systemActions = map[string]handler{
	"get_login_info":               loginInfo,
	"get_status":                   status,
	"get_version_info":             versionInfo,
	"set_restart":                  setRestart,
	"bot_exit":                     botExit,
	"clean_cache":                  cleanCache,
	"nc_get_packet_status":         func(*call) (any, error) { return undefined, nil },
	"send_packet":                  sendPacket,
	"get_cookies":                  cookies,
	"get_credentials":              credentials,
	"get_csrf_token":               func(c *call) (any, error) { return jsval.Obj("token", c.h.bkn()), nil },
	"get_clientkey":                func(c *call) (any, error) { return jsval.Obj("clientkey", c.h.secret("clientkey")), nil },
	"get_rkey":                     rkeys,
	"get_rkey_server":              rkeyServer,
	"nc_get_rkey":                  ncRkeys,
	"get_robot_uin_range":          robotRange,
	"get_online_clients":           onlineClients,
	"get_guild_list":               func(*call) (any, error) { return undefined, nil },
	"get_guild_service_profile":    func(*call) (any, error) { return undefined, nil },
	"_get_model_show":              modelShow,
	"_set_model_show":              func(*call) (any, error) { return undefined, nil },
	"check_url_safely":             func(*call) (any, error) { return jsval.Obj("level", 1), nil },
	"translate_en2zh":              translate,
	"get_ai_characters":            aiCharacters,
	"get_ai_record":                aiRecord,
	"send_group_ai_record":         sendAIRecord,
	"click_inline_keyboard_button": clickButton,
	".handle_quick_operation":      quickOperation,
}

func loginInfo(c *call) (any, error) {
	u := c.h.w.Self()
	return jsval.Obj("user_id", u.UIN, "nickname", u.Nickname), nil
}

func status(c *call) (any, error) {
	return jsval.Obj("online", c.h.w.Online(), "good", true, "stat", &jsval.Object{}), nil
}

func versionInfo(c *call) (any, error) {
	return jsval.Obj("app_name", "NapCat.Onebot", "protocol_version", "v11", "app_version", c.h.o.Version), nil
}

func setRestart(c *call) (any, error) {
	if c.h.o.Restart == nil {
		return nil, Failed("重启功能未初始化")
	}
	if err := c.h.o.Restart(); err != nil {
		return nil, err
	}
	return undefined, nil
}

func botExit(c *call) (any, error) {
	if c.h.o.Exit != nil {
		c.h.o.Exit()
	}
	return nil, errNoAnswer
}

func cleanCache(c *call) (any, error) {
	dir, err := c.h.tempDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			c.h.o.Log("error", "清理缓存失败: "+err.Error())
		}
	}
	return undefined, nil
}

func sendPacket(c *call) (any, error) {
	if _, err := hex.DecodeString(c.str("data")); err != nil {
		return nil, Failed("Invalid hex data")
	}
	if !c.yes("rsp") {
		return "", nil
	}
	return "", nil
}

// secret returns text that looks like one of QQ's session keys, the same for
// the life of the host.
func (h *Host) secret(name string) string {
	return strings.ToUpper(md5hex([]byte(name + h.start.String() + strconv.FormatInt(h.self, 10))))
}

// bkn is the number that QQ's web pages derive from the skey.
func (h *Host) bkn() int64 {
	hash := int64(5381)
	for _, b := range []byte(h.secret("skey")[:10]) {
		hash += hash<<5 + int64(b)
	}
	return hash & 0x7FFFFFFF
}

func (c *call) cookieText() string {
	uin := strconv.FormatInt(c.h.self, 10)
	return "p_uin=o" + uin + "; p_skey=" + c.h.secret("p_skey"+c.str("domain")) + "; skey=" + c.h.secret("skey")[:10] + "; uin=o" + uin
}

func cookies(c *call) (any, error) {
	return jsval.Obj("cookies", c.cookieText(), "bkn", strconv.FormatInt(c.h.bkn(), 10)), nil
}

func credentials(c *call) (any, error) {
	return jsval.Obj("cookies", c.cookieText(), "token", c.h.bkn()), nil
}

// rkeyLife is how long the keys in picture addresses last, in seconds.
const rkeyLife = 3600

func (h *Host) rkey(kind string) string { return "&rkey=" + h.secret("rkey"+kind) }

func rkeys(c *call) (any, error) {
	now := time.Now().Unix()
	return []any{
		jsval.Obj("type", "private", "rkey", c.h.rkey("private"), "created_at", now, "ttl", rkeyLife),
		jsval.Obj("type", "group", "rkey", c.h.rkey("group"), "created_at", now, "ttl", rkeyLife),
	}, nil
}

func rkeyServer(c *call) (any, error) {
	return jsval.Obj("private_rkey", c.h.rkey("private"), "group_rkey", c.h.rkey("group"),
		"expired_time", time.Now().Unix()+rkeyLife, "name", "NapCat 4"), nil
}

func ncRkeys(c *call) (any, error) {
	now, ttl := time.Now().Unix(), strconv.Itoa(rkeyLife)
	return []any{
		jsval.Obj("rkey", c.h.rkey("private"), "ttl", ttl, "time", now, "type", 10),
		jsval.Obj("rkey", c.h.rkey("group"), "ttl", ttl, "time", now, "type", 20),
	}, nil
}

func robotRange(*call) (any, error) {
	return []any{
		jsval.Obj("minUin", "3328144510", "maxUin", "3328144510"),
		jsval.Obj("minUin", "2854196301", "maxUin", "2854216399"),
		jsval.Obj("minUin", "66600000", "maxUin", "66600000"),
		jsval.Obj("minUin", "4010000000", "maxUin", "4019999999"),
	}, nil
}

func onlineClients(c *call) (any, error) {
	return c.later(func() (any, error) {
		if err := c.wait(500 * time.Millisecond); err != nil {
			return nil, err
		}
		return []any{}, nil
	})
}

func modelShow(*call) (any, error) {
	return []any{jsval.Obj("variants", jsval.Obj("model_show", "napcat", "need_pay", false))}, nil
}

func translate(c *call) (any, error) {
	known := map[string]string{"hello": "你好", "world": "世界", "cat": "猫", "bot": "机器人", "test": "测试"}
	list, _ := c.p.Get("words").([]any)
	out := make([]any, len(list))
	for i, w := range list {
		s := jsval.ToString(w)
		if zh, ok := known[strings.ToLower(s)]; ok {
			s = zh
		}
		out[i] = s
	}
	return jsval.Obj("words", out), nil
}

func aiCharacters(*call) (any, error) {
	one := func(id, name string) any {
		return jsval.Obj("character_id", id, "character_name", name, "preview_url", "https://res.qpt.qq.com/qpilot/tts_sample/group/"+id+".wav")
	}
	return []any{jsval.Obj("type", "推荐", "characters", []any{one("lucy-voice-laibixiaoxin", "小新"), one("lucy-voice-houge", "猴哥")})}, nil
}

func aiRecord(c *call) (any, error) {
	return "https://grouptalk.c2c.qq.com/ai/" + md5hex([]byte(c.str("character")+c.str("text"))) + ".wav", nil
}

func sendAIRecord(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	f := c.h.w.AddFile(world.File{Name: md5hex([]byte(c.str("text"))) + ".amr", Kind: "record", Owner: c.h.self, Size: 1024})
	return c.deliver(world.Chat{Type: world.InGroup, Peer: g.ID}, 0, []world.Segment{c.h.mediaSegment("record", f, nil)}, nil, 0,
		func(world.Message) any { return jsval.Obj("message_id", 0) }) // never the real id
}

func clickButton(*call) (any, error) {
	return gcr(0, "", "status", 0, "promptText", "", "promptType", 0, "promptIcon", 0), nil
}
