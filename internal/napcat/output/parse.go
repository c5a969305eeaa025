package output

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/logfile"
)

// Parser turns NapCat's output into facts, one line at a time. Records may span
// several lines and are mixed with lines of other origin. It never fails: what
// it does not know has no fact. The zero Parser is ready for use; it is not safe
// for concurrent use.
//
// Chat messages are printed too, and their text is whatever a stranger wrote.
// NapCat strips control characters from it, so only a line with a real escape
// sequence begins a record after a chat message; all others belong to the
// message and mean nothing.
type Parser struct {
	chat bool // the record in progress is a chat message
}

// head matches the beginning of a record of NapCat's logger (A.11) after escape
// sequences were removed, orphaned ones ("[32minfo[39m") included.
var head = regexp.MustCompile(`^\d\d-\d\d \d\d:\d\d:\d\d \[(?:\[\d+m)?(debug|info|warn|error|fatal)(?:\[\d+m)?\] ?`)

// Parse understands one line, given without its line ending. The line is cut
// where it is longer than 16 KiB.
func (p *Parser) Parse(raw []byte) Line {
	const limit = 16 << 10
	if len(raw) > limit {
		raw = raw[:limit]
	}
	text, escaped := logfile.Plain(raw)
	l := Line{Text: text, Message: text, Level: "info"}
	var m []int
	if len(text) > 16 && text[2] == '-' && text[5] == ' ' && text[8] == ':' { // the pattern is slow for a flood
		m = head.FindStringSubmatchIndex(text)
	}
	switch {
	case m != nil && (escaped || !p.chat):
		l.Level = text[m[2]:m[3]]
		if l.Level == "fatal" {
			l.Level = "error"
		}
		l.Message = text[m[1]:]
		p.chat = chatMessage(l.Message)
		l.Chat = p.chat
	case p.chat:
		l.Chat = true
		return l
	}
	if l.Chat {
		return l
	}
	if noise(l.Message) {
		l.Noise = true
		return l
	}
	if m != nil && (strings.Contains(l.Message, " | 接收 <- ") || strings.Contains(l.Message, " | 发送 -> ")) {
		p.chat, l.Chat = true, true
		return l
	}
	l.Fact = meaning(l.Message)
	if l.Fact == nil && m != nil {
		// After login the nickname stands before the message.
		if _, rest, ok := strings.Cut(l.Message, " | "); ok {
			l.Fact = meaning(rest)
		}
	}
	return l
}

func chatMessage(s string) bool {
	return strings.HasPrefix(s, "接收 <- ") || strings.HasPrefix(s, "发送 -> ")
}

// noise reports whether s is QQ's own chatter, which nobody can act on.
func noise(s string) bool {
	switch {
	case s == "":
		return false
	case strings.HasPrefix(s, "not mini app"),
		strings.HasPrefix(s, "resourcesPath:"),
		strings.HasPrefix(s, "prepare write and writev hooks"),
		strings.HasPrefix(s, "[preload] succeeded."),
		strings.HasPrefix(s, "Bugly"), strings.HasPrefix(s, "[Bugly"),
		strings.HasSuffix(s, " js loaded"):
		return true
	}
	return chromium.MatchString(s) && !strings.Contains(s, "Missing X server")
}

// chromium matches the head of a line of Chromium's own logger.
var chromium = regexp.MustCompile(`^\[\d+:\d{4}/\d{6}\.\d+:(?:ERROR|WARNING|INFO|VERBOSE\d*):`)

// meaning returns the fact that a message is, nil for none.
func meaning(s string) *Fact {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	if s[0] == '[' {
		return tagged(s)
	}
	for _, r := range untagged {
		if rest, ok := strings.CutPrefix(s, r.prefix); ok {
			return r.fact(strings.TrimSpace(rest))
		}
	}
	return system(s)
}

type rule struct {
	prefix string
	fact   func(rest string) *Fact
}

func plain(k Kind) func(string) *Fact { return func(string) *Fact { return &Fact{Kind: k} } }
func words(k Kind) func(string) *Fact { return func(s string) *Fact { return &Fact{Kind: k, Text: s} } }
func account(k Kind) func(string) *Fact {
	return func(s string) *Fact { return &Fact{Kind: k, UIN: digits(s)} }
}
func link(k Kind) func(string) *Fact {
	return func(s string) *Fact {
		s, _, _ = strings.Cut(s, " ")
		return &Fact{Kind: k, URL: s}
	}
}

// untagged are the messages that begin with no tag; the first match counts.
var untagged = []rule{
	{"NapCat Shell App Loading", plain(KindLoading)},
	{"等待网络连接", plain(KindNetworkWait)},
	{"网络已连接", plain(KindNetworkUp)},
	{"二维码解码URL:", link(KindQR)},
	{"二维码已保存到", words(KindQRSaved)},
	{"没有 -q 指令指定快速登录", plain(KindNoQuick)},
	{"正在快速登录", account(KindQuickBegan)},
	{"快速登录失败，未找到该 QQ 历史登录记录", plain(KindQuickUnknown)},
	{"快速登录错误：", words(KindQuickFailed)},
	{"快速登录异常：", words(KindQuickFailed)},
	{"正在尝试密码回退登录", account(KindPasswordBegan)},
	{"正在密码登录", account(KindPasswordBegan)},
	{"密码回退登录成功", account(KindPasswordOK)},
	{"密码回退需要验证码", afterColon(KindCaptcha)},
	{"密码回退需要新设备验证", afterColon(KindNewDevice)},
	{"密码回退登录失败：", words(KindPasswordBad)},
	{"账号状态变更为离线", plain(KindOffline)},
	{"账号状态变更为在线", plain(KindOnline)},
	{"host或port不可用", plain(KindWebUIDead)},
	{"当前账号(", func(s string) *Fact {
		uid, rest, _ := strings.Cut(s, ")")
		if !strings.HasPrefix(rest, "已登录") {
			return nil
		}
		return &Fact{Kind: KindAlreadyOnline, Text: uid}
	}},
	{"QQ ", func(s string) *Fact {
		if n := digits(s); n > 0 && strings.Contains(s, "未配置回退密码环境变量") {
			return &Fact{Kind: KindNoPassword, UIN: n}
		}
		return nil
	}},
}

// afterColon takes the URL after the full-width colon.
func afterColon(k Kind) func(string) *Fact {
	return func(s string) *Fact {
		_, u, ok := strings.Cut(s, "：")
		if !ok {
			return &Fact{Kind: k}
		}
		return &Fact{Kind: k, URL: strings.TrimSpace(u)}
	}
}

// tagged reads the messages that begin with one or more [tags].
func tagged(s string) *Fact {
	if rest, ok := strings.CutPrefix(s, "[NapCat] "); ok {
		for _, r := range napcat {
			if t, ok := strings.CutPrefix(rest, r.prefix); ok {
				return r.fact(strings.TrimSpace(t))
			}
		}
		if tag, t, ok := strings.Cut(rest, "] "); ok && (tag == "[UtilityProcess" || tag == "[Fork") {
			return worker(t)
		}
		return nil
	}
	for _, r := range tags {
		if t, ok := strings.CutPrefix(s, r.prefix); ok {
			return r.fact(strings.TrimSpace(t))
		}
	}
	return nil
}

// napcat are the messages after "[NapCat] ".
var napcat = []rule{
	{"[Core] NapCat.Core Version:", words(KindVersion)},
	{"[WebUi] 找到SSL证书", plain(KindWebUITLS)},
	{"[WebUi] WebUi Token:", words(KindWebUIToken)},
	{"[WebUi] WebUi User Panel Url:", panel},
	{"[WebUi] WebUi Local Panel Url:", panel},
	{"[WebUi] Current WebUi is not run", plain(KindWebUIDead)},
	{"[WebUi] WebUI is disabled by configuration", plain(KindWebUIDead)},
	{"[WebUi] 自动快速登录成功:", account(KindQuickOK)},
	{"[WebUi] 自动快速登录失败:", words(KindQuickFailed)},
	{"[WebUi] 自动快速登录异常:", words(KindQuickFailed)},
	{"[WebUi] 自动密码回退登录成功", account(KindPasswordOK)},
	{"[WebUi] 自动密码回退登录需要验证码", afterColon(KindCaptcha)},
	{"[WebUi] 自动密码回退登录需要新设备验证", afterColon(KindNewDevice)},
	{"[WebUi] 自动密码回退登录失败", words(KindPasswordBad)},
	{"[WebUi] 自动密码回退需要验证码", afterColon(KindCaptcha)},
	{"[WebUi] 自动密码回退需要新设备验证", afterColon(KindNewDevice)},
	{"[WebUi] QQ ", func(s string) *Fact {
		if n := digits(s); n > 0 && strings.Contains(s, "未配置回退密码环境变量") {
			return &Fact{Kind: KindNoPassword, UIN: n}
		}
		return nil
	}},
	{"已通知主进程登录成功", plain(KindLoggedIn)},
	{"[Process] 启动失败:", words(KindStartFailed)},
	{"[Error] Unhandled Exception:", func(s string) *Fact {
		if strings.Contains(s, "EADDRINUSE") {
			return busy("", s)
		}
		if strings.Contains(s, "ENOSPC") {
			return &Fact{Kind: KindDiskFull, Text: s}
		}
		return &Fact{Kind: KindUnhandled, Text: s}
	}},
	{"[Error] unhandledRejection:", words(KindUnhandled)},
}

// tags are the messages that begin with another tag.
var tags = []rule{
	{"[KickedOffLine] ", words(KindKicked)},
	{"[Core] [Login] Login Error,ErrType:", func(s string) *Fact {
		if strings.HasSuffix(strings.Join(strings.Fields(s), " "), "ErrCode: 3") {
			return &Fact{Kind: KindQRExpired}
		}
		return &Fact{Kind: KindLoginError, Text: strings.Join(strings.Fields(s), " ")}
	}},
	{"[Core] [Login] Login Error , ErrInfo:", words(KindLoginError)},
	{"[Core] [Packet] PacketBackend 不支持当前QQ版本架构", words(KindPacketOff)},
	{"[Core] [Packet] 已禁用PacketBackend", words(KindPacketOff)},
	{"[Core] [Packet] NativePacketClient 初始化失败", words(KindPacketOff)},
	{"[Core] [Config] 操作配置文件格式错误", words(KindBadConfig)},
	{"[Core] [Config] 读取配置文件时发生错误", words(KindBadConfig)},
	{"[QQ版本兼容性检测] ", func(s string) *Fact {
		if strings.Contains(s, "通过Major获取 ") {
			return nil // found by its major version: works
		}
		return &Fact{Kind: KindUnsupportedQQ, Text: s}
	}},
	{"[ServerTime] 时间同步完成", plain(KindTimeSynced)},
	{"[AdapterManager] 开始初始化协议适配器", plain(KindAdapters)},
	{"[AdapterManager] OneBot11 适配器初始化完成", plain(KindOneBotReady)},
	{"[AdapterManager] OneBot11 适配器初始化失败:", words(KindOneBotFailed)},
	{"[OneBot] [WebSocket Server] Server Started", listening},
	{"[OneBot] [WebSocket Server] Server Error:", func(s string) *Fact {
		if strings.Contains(s, "EADDRINUSE") {
			return busy("onebot", s)
		}
		return nil
	}},
}

func panel(s string) *Fact {
	// The token stands in the query as it is, which may be anything (C.1).
	s, token, _ := strings.Cut(s, "?token=")
	u, err := url.Parse(s)
	if err != nil {
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port < 1 || port > 65535 {
		return nil
	}
	return &Fact{Kind: KindWebUIURL, Port: port, Text: token, URL: u.String()}
}

func listening(s string) *Fact {
	f := &Fact{Kind: KindListening}
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		if port, err := strconv.Atoi(s[i+1:]); err == nil {
			f.Text, f.Port = s, port
		}
	}
	return f
}

var lastNumber = regexp.MustCompile(`:(\d{1,5})\b[^:]*$`)

func busy(who, s string) *Fact {
	f := &Fact{Kind: KindPortBusy, Text: who}
	if m := lastNumber.FindStringSubmatch(s); m != nil {
		f.Port, _ = strconv.Atoi(m[1])
	}
	return f
}

var ofThree = regexp.MustCompile(`\((\d+)/3\)`)

// worker reads what the master says of its worker.
func worker(s string) *Fact {
	switch {
	case strings.HasPrefix(s, "Worker进程退出，退出码:"):
		_, n, _ := strings.Cut(s, ":")
		code, err := strconv.Atoi(strings.TrimSpace(n))
		if err != nil {
			code = -1
		}
		return &Fact{Kind: KindWorkerExit, Code: code}
	case strings.HasPrefix(s, "Worker进程意外退出"):
		f := &Fact{Kind: KindWorkerAgain}
		if m := ofThree.FindStringSubmatch(s); m != nil {
			f.Code, _ = strconv.Atoi(m[1])
		}
		return f
	case strings.HasPrefix(s, "Worker进程在") && strings.Contains(s, "主进程退出"):
		return &Fact{Kind: KindCrashLoop}
	}
	return nil
}

// system reads what the loader, Node, Electron and the C library say when QQ
// cannot start at all.
func system(s string) *Fact {
	switch {
	case strings.Contains(s, "error while loading shared libraries:"):
		_, lib, _ := strings.Cut(s, "error while loading shared libraries:")
		lib, _, _ = strings.Cut(strings.TrimSpace(lib), ":")
		return &Fact{Kind: KindMissingLib, Text: lib}
	case strings.Contains(s, "Missing X server or $DISPLAY"), strings.Contains(s, "cannot open display"),
		strings.Contains(s, "Unable to open X display"):
		return &Fact{Kind: KindNoDisplay, Text: s}
	case strings.Contains(s, "No space left on device"), strings.Contains(s, "ENOSPC"):
		return &Fact{Kind: KindDiskFull, Text: s}
	case strings.Contains(s, "Cannot find module"), strings.Contains(s, "ERR_MODULE_NOT_FOUND"):
		return &Fact{Kind: KindNotNapCat, Text: s}
	}
	return nil
}

// digits returns the first run of digits in s as a number, 0 for none.
func digits(s string) int64 {
	i := strings.IndexAny(s, "0123456789")
	if i < 0 {
		return 0
	}
	j := i
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	n, err := strconv.ParseInt(s[i:j], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
