package output

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/e2e/cost"
)

// record writes a line as NapCat's logger does (contract A.11).
func record(level, message string) string {
	color := map[string]string{"debug": "34", "info": "32", "warn": "33", "error": "31"}[level]
	return "11-22 03:20:38 [\x1b[" + color + "m" + level + "\x1b[39m] " + message
}

var parseTable = []struct {
	line string // as it comes
	want *Fact
}{
	{"NapCat Shell App Loading...", &Fact{Kind: KindLoading}},
	{record("info", "[PacketHandler] 加载成功"), nil},
	{record("info", "[Napi2NativeLoader] 加载成功"), nil},
	{record("info", "[FFmpeg] 使用系统环境"), nil},
	{record("info", "[PacketHandler] 初始化成功"), nil},
	{record("info", "[NapCat] [Core] NapCat.Core Version: 4.18.19"), &Fact{Kind: KindVersion, Text: "4.18.19"}},
	{record("info", "[NapCat] [WebUi] WebUi Token: tok123456"), nil},
	{record("info", "[NapCat] [WebUi] WebUi User Panel Url: http://127.0.0.1:6099/webui?token=tok123456"), &Fact{Kind: KindWebUIURL, Port: 6099, URL: "http://127.0.0.1:6099/webui", Text: "tok123456"}},
	{record("info", "[NapCat] [WebUi] WebUi User Panel Url: http://[::]:6100/webui?token=x"), &Fact{Kind: KindWebUIURL, Port: 6100, URL: "http://[::]:6100/webui", Text: "x"}},
	{record("info", "[NapCat] [WebUi] WebUi User Panel Url: http://127.0.0.1:99999/webui?token=x"), nil},
	{record("info", "host或port不可用 ::1 70000"), &Fact{Kind: KindWebUIDead}},
	{record("info", "[NapCat] [WebUi] Current WebUi is not run."), &Fact{Kind: KindWebUIDead}},
	{record("info", "[NapCat] [WebUi] WebUI is disabled by configuration."), &Fact{Kind: KindWebUIDead}},
	{record("info", "[NapCat] [WebUi] 找到SSL证书，将启用HTTPS模式"), &Fact{Kind: KindWebUITLS}},
	{record("info", "等待网络连接..."), &Fact{Kind: KindNetworkWait}},
	{record("info", "网络已连接"), &Fact{Kind: KindNetworkUp}},
	{record("info", "[NapCat] 已通知主进程登录成功"), &Fact{Kind: KindLoggedIn}},
	{record("info", "[ServerTime] 时间同步完成，偏差 12ms"), nil},
	{record("info", "[Core] [Packet] 使用 NativePacketClient 作为后端"), nil},
	{record("info", "[AdapterManager] 开始初始化协议适配器..."), &Fact{Kind: KindAdapters}},
	{record("info", "bot | [Notice] [OneBot11] [network] 配置加载"), nil},
	{record("info", "[OneBot] [WebSocket Server] Server Started 127.0.0.1:3001"), nil},
	{record("info", "[OneBot] [WebSocket Server] Server Started undefined:undefined"), nil},
	{record("info", "[OneBot] [WebSocket Server] Server Error: listen EADDRINUSE: address already in use 127.0.0.1:3001"), &Fact{Kind: KindPortBusy, Text: "onebot", Port: 3001}},
	{record("info", "小猫 | [AdapterManager] OneBot11 适配器初始化完成"), &Fact{Kind: KindOneBotReady}},
	{record("info", "[AdapterManager] OneBot11 适配器初始化完成"), &Fact{Kind: KindOneBotReady}},
	{record("error", "[AdapterManager] OneBot11 适配器初始化失败: Error: Expected object"), &Fact{Kind: KindOneBotFailed, Text: "Error: Expected object"}},
	{record("info", "[AdapterManager] NapCat Protocol 适配器未启用，跳过初始化"), nil},
	{record("info", "[AdapterManager] 协议适配器初始化完成，已加载 2 个适配器"), nil},

	// D.2
	{record("warn", "请扫描下面的二维码，然后在手Q上授权登录："), nil},
	{"▄▄▄▄▄▄▄▄▄▄▄▄", nil},
	{"█ ▄▄▄▄▄ █ ▀▄ █", nil},
	{"二维码解码URL: https://txz.qq.com/p?k=abc&f=1600001615", &Fact{Kind: KindQR, URL: "https://txz.qq.com/p?k=abc&f=1600001615"}},
	{"如果控制台二维码无法扫码，可以复制解码url到二维码生成网站生成二维码再扫码，也可以打开下方的二维码路径图片进行扫码。", nil},
	{record("warn", "二维码已保存到 /srv/a/cache/qrcode.png"), nil},
	{record("error", "[Core] [Login] Login Error,ErrType:  1  ErrCode: 3"), &Fact{Kind: KindQRExpired}},
	{record("error", "[Core] [Login] Login Error,ErrType:  2  ErrCode: 17"), &Fact{Kind: KindLoginError, Text: "2 ErrCode: 17"}},
	{record("error", `[Core] [Login] Login Error , ErrInfo:  ["a","b"]`), &Fact{Kind: KindLoginError, Text: `["a","b"]`}},
	{record("error", "当前账号(u_abc)已登录,无法重复登录"), nil},

	// D.3
	{record("info", "正在快速登录  3889001001"), &Fact{Kind: KindQuickBegan, UIN: 3889001001}},
	{record("error", "快速登录错误： 快速登录失败，错误码: 140022011"), &Fact{Kind: KindQuickFailed, Text: "快速登录失败，错误码: 140022011"}},
	{record("error", "快速登录异常： Error: x"), &Fact{Kind: KindQuickFailed, Text: "Error: x"}},
	{record("warn", "快速登录失败，未找到该 QQ 历史登录记录，将尝试密码回退登录"), nil},
	{record("warn", "QQ 10001 未配置回退密码环境变量，将使用二维码登录方式"), nil},
	{record("info", "检测到 NAPCAT_QUICK_PASSWORD，已在内存中计算 MD5 用于回退登录"), nil},
	{record("info", "正在尝试密码回退登录  10001"), nil},
	{record("info", "正在密码登录  10001"), nil},
	{record("info", "密码回退登录成功  10001"), nil},
	{record("warn", "密码回退需要验证码，请在 WebUi 中继续完成验证：https://t.qq.com/c?sid=1"), &Fact{Kind: KindCaptcha, URL: "https://t.qq.com/c?sid=1"}},
	{record("warn", "密码回退需要新设备验证，请在 WebUi 中继续完成验证：https://t.qq.com/j"), &Fact{Kind: KindNewDevice, URL: "https://t.qq.com/j"}},
	{record("error", "密码回退登录失败： 密码错误"), nil},
	{record("info", "没有 -q 指令指定快速登录，将使用二维码登录方式"), nil},
	{record("info", "可用于快速登录的 QQ："), nil},
	{"1. 10001 bot", nil},
	{"[NapCat] [WebUi] 自动快速登录成功: 10001", nil},
	{"[NapCat] [WebUi] 自动快速登录失败: 登录态已失效", &Fact{Kind: KindQuickFailed, Text: "登录态已失效"}},
	{"[NapCat] [WebUi] 自动快速登录异常: Error: x", &Fact{Kind: KindQuickFailed, Text: "Error: x"}},
	{"[NapCat] [WebUi] QQ 10001 未配置回退密码环境变量，将使用二维码登录方式", nil},
	{"[NapCat] [WebUi] 自动密码回退登录成功: 10001", nil},

	// D.4
	{record("error", "小猫 | [KickedOffLine] [下线通知] 你的帐号当前登录已失效，请重新登录。"), &Fact{Kind: KindKicked, Text: "[下线通知] 你的帐号当前登录已失效，请重新登录。"}},
	{record("info", "小猫 | 账号状态变更为离线"), &Fact{Kind: KindOffline}},
	{record("info", "账号状态变更为离线"), &Fact{Kind: KindOffline}},

	// C.1
	{record("info", "[NapCat] [WebUi] WebUi User Panel Url: http://[::]:6100/webui?token=a#%zz&b +c"), &Fact{Kind: KindWebUIURL, Port: 6100, URL: "http://[::]:6100/webui", Text: "a#%zz&b +c"}},

	// A.10
	{record("error", "[NapCat] [UtilityProcess] Worker进程退出，退出码: 11"), &Fact{Kind: KindWorkerExit, Code: 11}},
	{record("error", "[NapCat] [Fork] Worker进程退出，退出码: 139"), &Fact{Kind: KindWorkerExit, Code: 139}},
	{record("warn", "[NapCat] [UtilityProcess] Worker进程意外退出 (2/3)，正在尝试重新拉起..."), &Fact{Kind: KindWorkerAgain, Code: 2}},
	{record("error", "[NapCat] [UtilityProcess] Worker进程在 10 秒内异常退出 3 次，主进程退出"), nil},
	{record("error", "[NapCat] [Process] 启动失败: Error: boom"), &Fact{Kind: KindStartFailed, Text: "Error: boom"}},
	{record("error", "[NapCat] [Error] Unhandled Exception: read ECONNRESET"), nil},
	{record("error", "[NapCat] [Error] Unhandled Exception: listen EADDRINUSE: address already in use 127.0.0.1:6099"), &Fact{Kind: KindPortBusy, Port: 6099}},
	{record("error", "[NapCat] [Error] unhandledRejection: Error: x"), nil},

	// A.3, B.1
	{record("warn", "[QQ版本兼容性检测] 当前版本Appid未内置 通过Major获取 537246140"), nil},
	{record("warn", "[QQ版本兼容性检测] 3.2.99-60000 版本兼容性不佳，可能会导致一些功能无法正常使用"), &Fact{Kind: KindUnsupportedQQ, Text: "3.2.99-60000 版本兼容性不佳，可能会导致一些功能无法正常使用"}},
	{record("warn", "[QQ版本兼容性检测] 获取Appid异常 请检测NapCat/QQNT是否正常"), &Fact{Kind: KindUnsupportedQQ, Text: "获取Appid异常 请检测NapCat/QQNT是否正常"}},
	{record("error", "[Core] [Packet] PacketBackend 不支持当前QQ版本架构：3.2.99-x64，"), &Fact{Kind: KindPacketOff, Text: "：3.2.99-x64，"}},
	{record("error", "[Core] [Config] 操作配置文件格式错误，请检查配置文件: onebot11_1.json"), &Fact{Kind: KindBadConfig, Text: "，请检查配置文件: onebot11_1.json"}},

	// What QQ cannot start without.
	{"/opt/qq: error while loading shared libraries: libnss3.so: cannot open shared object file: No such file or directory", &Fact{Kind: KindMissingLib, Text: "libnss3.so"}},
	{"[123:1122/032038.123456:ERROR:ozone_platform_x11.cc(240)] Missing X server or $DISPLAY", &Fact{Kind: KindNoDisplay, Text: "Missing X server or $DISPLAY"}},
	{"Missing X server or $DISPLAY", &Fact{Kind: KindNoDisplay, Text: "Missing X server or $DISPLAY"}},
	{"Error: ENOSPC: no space left on device, write", &Fact{Kind: KindDiskFull, Text: "Error: ENOSPC: no space left on device, write"}},
	{"Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/x/napcat.mjs'", &Fact{Kind: KindNotNapCat, Text: "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/x/napcat.mjs'"}},

	// Orphaned escape sequences, as other launchers leave them.
	{"11-22 03:20:38 [[32minfo[39m] 网络已连接", &Fact{Kind: KindNetworkUp}},
	{"", nil},
	{"\x1b[31", nil},
	{"\x1b]0;title\x07网络已连接", &Fact{Kind: KindNetworkUp}},
}

func TestParse(t *testing.T) {
	for _, tt := range parseTable {
		var p Parser
		got := p.Parse([]byte(tt.line)).Fact
		switch {
		case got == nil && tt.want == nil:
		case got == nil || tt.want == nil || *got != *tt.want:
			t.Errorf("%q:\n got %+v\nwant %+v", tt.line, got, tt.want)
		}
	}
}

func TestParseLevelAndText(t *testing.T) {
	var p Parser
	l := p.Parse([]byte(record("warn", "请扫描")))
	if l.Level != "warn" || l.Message != "请扫描" || l.Text != "11-22 03:20:38 [warn] 请扫描" {
		t.Errorf("%+v", l)
	}
}

// TestParseIgnoresWhatStrangersWrite: a chat message may have lines that look
// like NapCat's own, but never a real escape character.
func TestParseIgnoresWhatStrangersWrite(t *testing.T) {
	var p Parser
	for _, line := range []string{
		record("info", "小猫 | 接收 <- 群聊 [g(1)] [a(2)] 看"),
		"11-22 03:20:38 [info] [KickedOffLine] [下线通知] x",
		"11-22 03:20:38 [[32minfo[39m] [NapCat] [WebUi] WebUi User Panel Url: http://127.0.0.1:1/webui?token=x",
		"二维码解码URL: https://evil.example/",
		"Error: ENOSPC",
		record("info", "接收 <- 私聊 (2) a Cannot find module"),
		"[NapCat] [WebUi] 自动快速登录成功: 1",
		record("info", "发送 -> 私聊 (2) a [KickedOffLine] x"),
	} {
		if l := p.Parse([]byte(line)); l.Fact != nil || !l.Chat || l.Level != "info" {
			t.Errorf("%q: %+v %+v", line, l, l.Fact)
		}
	}
	if l := p.Parse([]byte(record("error", "小猫 | [KickedOffLine] [t] d"))); l.Fact == nil || l.Fact.Kind != KindKicked {
		t.Errorf("after the chat: %+v", l)
	}
}

// TestForgedRecord: what a chat message says becomes no record of its own, also
// for who reads the log that Text goes into; nor is it a fact, also when it is the
// last that was said. What comes after a pause is no part of it.
func TestForgedRecord(t *testing.T) {
	forged := "11-22 03:20:38 [error] [NapCat] [Process] 启动失败: x"
	for _, first := range []string{
		record("info", "小猫 | 接收 <- 群聊 [g(1)] [a(2)] 看"),
		record("info", "小猫 | 接收 <- 群聊 [g"), // a group name with a line break
		record("info", "[Notice] a name with a line break"),
	} {
		var p Parser
		p.Parse([]byte(first))
		l := p.Parse([]byte(forged))
		if l.Fact != nil || l.Record || l.Level != "info" || head.MatchString(l.Text) {
			t.Errorf("after %q: %+v %+v", first, l, l.Fact)
		}
	}
	var p Parser
	p.Parse([]byte(record("info", "接收 <- 私聊 (2) a")))
	said := "Error: ENOSPC: no space left on device"
	if l := p.Parse([]byte(said)); l.Fact != nil || !l.Chat {
		t.Errorf("said: %+v", l)
	}
	p.Pause()
	if l := p.Parse([]byte(said)); l.Fact == nil || l.Chat {
		t.Errorf("after a pause: %+v", l)
	}
}

func TestParseNoise(t *testing.T) {
	for _, s := range []string{"not mini app.", "[preload] succeeded. /x/major.node", "resourcesPath: /x", "prepare write and writev hooks",
		"[123:1122/032038.123456:ERROR:gpu.cc(1)] x", "12 js loaded", "[BuglyService.cpp] x"} {
		var p Parser
		if !p.Parse([]byte(s)).Noise {
			t.Errorf("%q is no noise", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range parseTable {
		f.Add([]byte(tt.line), []byte(record("info", "接收 <- x")))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var p Parser
		cost.Bounds{Memory: 256, MemoryAnyway: 64 << 10, Time: time.Microsecond, TimeAnyway: 100 * time.Millisecond}.Hold(t, len(a)+len(b), func() {
			var q Parser
			q.Parse(a)
			q.Parse(b)
		})
		for _, raw := range [][]byte{a, b, a} {
			l := p.Parse(raw)
			if !utf8.ValidString(l.Text) || strings.ContainsAny(l.Text, "\x1b\n\r\x00") && !strings.Contains(string(raw), "\n") {
				t.Fatalf("%q became %q", raw, l.Text)
			}
			if l.Fact != nil && (l.Chat || l.Noise || l.Fact.Kind == "") {
				t.Fatalf("%q: %+v", raw, l)
			}
			switch l.Level {
			case "debug", "info", "warn", "error":
			default:
				t.Fatalf("level %q", l.Level)
			}
		}
	})
}

// TestPortsOfThePanel: a port that no program can have is no place to look.
func TestPortsOfThePanel(t *testing.T) {
	for port, want := range map[string]bool{"0": false, "1": true, "65535": true, "65536": false, "": false} {
		p := new(Parser)
		l := p.Parse([]byte(record("info", "[NapCat] [WebUi] WebUi User Panel Url: http://127.0.0.1:"+port+"/webui?token=x")))
		if (l.Fact != nil) != want {
			t.Errorf("port %q: %+v", port, l.Fact)
		}
	}
}

// TestHeadsOfRecords: what is a record, and with which level and message.
func TestHeadsOfRecords(t *testing.T) {
	for _, tt := range []struct {
		name, line     string
		record         bool
		level, message string
	}{
		{"an empty message", "11-22 03:20:38 [info] ", true, "info", ""},
		{"no space after the level", "11-22 03:20:38 [warn]", true, "warn", ""},
		{"what is fatal is an error", "11-22 03:20:38 [fatal] x", true, "error", "x"},
		{"an escape left over", "11-22 03:20:38 [[32minfo[39m] x", true, "info", "x"},
		{"too short", "11-22 03:20:38 [", false, "info", "11-22 03:20:38 ["},
		{"no level", "11-22 03:20:38 [verbose] x", false, "info", "11-22 03:20:38 [verbose] x"},
		{"another separator of the date", "11.22 03:20:38 [info] x", false, "info", "11.22 03:20:38 [info] x"},
		{"another separator of the time", "11-22T03:20:38 [info] x", false, "info", "11-22T03:20:38 [info] x"},
		{"another separator of the hour", "11-22 03.20:38 [info] x", false, "info", "11-22 03.20:38 [info] x"},
		{"all of it in colour", "\x1b[31m11-22 03:20:38 [error] x\x1b[0m", true, "error", "x"},
	} {
		l := new(Parser).Parse([]byte(tt.line))
		if l.Record != tt.record || l.Level != tt.level || l.Message != tt.message {
			t.Errorf("%s: record %v, %s, %q", tt.name, l.Record, l.Level, l.Message)
		}
	}
}

// TestColourTellsRecordsApart: once the logger writes in colour, a line without is
// none of its records, wherever in the line a colour follows.
func TestColourTellsRecordsApart(t *testing.T) {
	for name, forged := range map[string]string{
		"no colour":           "11-22 03:20:39 [info] 账号状态变更为离线",
		"colour in its words": "11-22 03:20:39 [info] \x1b[32m账号状态变更为离线\x1b[39m",
	} {
		p := new(Parser)
		p.Parse([]byte(record("info", "x")))
		l := p.Parse([]byte(forged))
		if l.Record || l.Fact != nil || l.Chat || !strings.HasPrefix(l.Text, "  ") {
			t.Errorf("%s: %+v", name, l)
		}
	}
	p := new(Parser) // a line that begins in colour paints as well
	p.Parse([]byte("\x1b[32m11-22 03:20:38 [info] x\x1b[39m"))
	if l := p.Parse([]byte("11-22 03:20:39 [info] x")); l.Record {
		t.Errorf("%+v", l)
	}
}

// TestTheEndOfAChatMessage: the lines of a message in a chat go on until the next
// record, and none of them says anything of NapCat.
func TestTheEndOfAChatMessage(t *testing.T) {
	for _, first := range []string{"接收 <- 群聊 [x]", "发送 -> 私聊", "小猫 | 接收 <- 群聊 [x]", "小猫 | 发送 -> 私聊"} {
		p := new(Parser)
		if l := p.Parse([]byte(record("info", first))); !l.Chat || l.Fact != nil {
			t.Errorf("%s: %+v", first, l)
		}
		if l := p.Parse([]byte("账号状态变更为离线")); !l.Chat || l.Fact != nil {
			t.Errorf("%s: its second line: %+v", first, l)
		}
		if l := p.Parse([]byte(record("info", "账号状态变更为离线"))); l.Chat || l.Fact == nil || l.Fact.Kind != KindOffline {
			t.Errorf("%s: the record after it: %+v", first, l)
		}
		if l := p.Parse([]byte("网络已连接")); l.Chat || l.Fact == nil || l.Fact.Kind != KindNetworkUp {
			t.Errorf("%s: a line after that: %+v", first, l)
		}
	}
}

// TestNicknameBeforeTheMessage: only records have one, and what a message says of
// itself wins over what stands after a bar.
func TestNicknameBeforeTheMessage(t *testing.T) {
	if l := new(Parser).Parse([]byte("小猫 | 账号状态变更为离线")); l.Fact != nil {
		t.Errorf("no record: %+v", l.Fact)
	}
	if l := new(Parser).Parse([]byte(record("info", "网络已连接 | 账号状态变更为离线"))); l.Fact == nil || l.Fact.Kind != KindNetworkUp {
		t.Errorf("a fact before the bar: %+v", l.Fact)
	}
	if l := new(Parser).Parse([]byte(record("info", "   网络已连接"))); l.Fact == nil || l.Fact.Kind != KindNetworkUp {
		t.Errorf("indented: %+v", l.Fact)
	}
	if l := new(Parser).Parse([]byte("二维码解码URL: https://x/y (五分钟)")); l.Fact == nil || l.Fact.URL != "https://x/y" {
		t.Errorf("words after a URL: %+v", l.Fact)
	}
}

// TestChromiumIsNoiseUnlessItDies: its logger's lines say nothing, but for the last.
func TestChromiumIsNoiseUnlessItDies(t *testing.T) {
	for line, noise := range map[string]bool{
		"[7:0101/000000.000000:ERROR:base/x.cc(214)] anything": true,
		"[7:0101/000000.000000:INFO:x.cc(1)]":                  true,
		"[7:0101/000000.000000:FATAL:x.cc(1)] Check failed":    false,
	} {
		if l := new(Parser).Parse([]byte(line)); l.Noise != noise || l.Record {
			t.Errorf("%s: %+v", line, l)
		}
	}
	for line, noise := range map[string]bool{"": false, "not mini app 1": true, "resourcesPath: /x": true, "main js loaded": true, "Bugly x": true, "[Bugly] x": true, "hello": false} {
		if l := new(Parser).Parse([]byte(line)); l.Noise != noise {
			t.Errorf("%q: %+v", line, l)
		}
	}
}
