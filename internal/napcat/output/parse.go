package output

import (
	"bytes"
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
// NapCat strips control characters from it, so only a line whose level is painted
// begins a record once such a line was seen; all others that follow a chat
// message belong to it and mean nothing, until [Parser.Pause].
type Parser struct {
	chat    bool // the record in progress is a chat message
	painted bool // a painted level was seen: NapCat paints all or none
}

// Pause says that nothing came for so long that the next line does not continue
// the record in progress.
func (p *Parser) Pause() { p.chat = false }

// head matches the beginning of a record of NapCat's logger (A.11) after escape
// sequences were removed, orphaned ones ("[32minfo[39m") included.
var head = regexp.MustCompile(`^\d\d-\d\d \d\d:\d\d:\d\d \[(?:\[\d+m)?(debug|info|warn|error|fatal)(?:\[\d+m)?\] ?`)

// levelAt is where the level of a record begins: after "MM-DD HH:mm:ss [".
const levelAt = 16

// Parse understands one line, given without its line ending. The line is cut
// where it is longer than 16 KiB.
func (p *Parser) Parse(raw []byte) Line {
	const limit = 16 << 10
	if len(raw) > limit {
		raw = raw[:limit]
	}
	text, _ := logfile.Plain(raw)
	l := Line{Text: text, Message: text, Level: "info"}
	var m []int
	if len(text) > 16 && text[2] == '-' && text[5] == ' ' && text[8] == ':' { // the pattern is slow for a flood
		m = head.FindStringSubmatchIndex(text)
	}
	painted := m != nil && bytes.IndexByte(raw[:min(len(raw), levelAt+1)], 0x1b) >= 0
	p.painted = p.painted || painted
	switch {
	case m != nil && (painted || !p.painted && !p.chat):
		l.Record = true
		l.Level = text[m[2]:m[3]]
		if l.Level == "fatal" {
			l.Level = "error"
		}
		l.Message = text[m[1]:]
		p.chat = chatMessage(l.Message) || strings.Contains(l.Message, " | 接收 <- ") || strings.Contains(l.Message, " | 发送 -> ")
		l.Chat = p.chat
	case m != nil:
		// It only looks like a record, and must not be taken for one when read again.
		l.Text = "  " + text
		l.Message, l.Chat = l.Text, p.chat
		return l
	default:
		l.Chat = p.chat
	}
	if l.Chat {
		return l
	}
	if !l.Record {
		if rest := chromium.ReplaceAllString(text, ""); rest != text {
			l.Fact = system(rest)
			l.Noise = l.Fact == nil && !strings.Contains(text[:len(text)-len(rest)], ":FATAL:")
			return l
		}
	}
	if noise(l.Message) {
		l.Noise = true
		return l
	}
	l.Fact = meaning(l.Message)
	if l.Fact == nil && l.Record {
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

// noise reports whether s is QQ's own chatter, which says nothing of use.
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
	return false
}

// chromium matches the head of a line of Chromium's own logger, such as
// [7:0101/000000.000000:ERROR:base/x.cc(214)]; its reporter of crashes names no
// process.
var chromium = regexp.MustCompile(`^\[(?:\d+:){0,2}\d{4}/\d{6}\.\d+:(?:FATAL|ERROR|WARNING|INFO|VERBOSE\d*):[^\]]*\] ?`)

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
	{"正在快速登录", account(KindQuickBegan)},
	{"快速登录错误：", words(KindQuickFailed)},
	{"快速登录异常：", words(KindQuickFailed)},
	{"密码回退需要验证码", afterColon(KindCaptcha)},
	{"密码回退需要新设备验证", afterColon(KindNewDevice)},
	{"账号状态变更为离线", plain(KindOffline)},
	{"账号状态变更为在线", plain(KindOnline)},
	{"host或port不可用", plain(KindWebUIDead)},
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
	{"[WebUi] WebUi User Panel Url:", panel},
	{"[WebUi] WebUi Local Panel Url:", panel},
	{"[WebUi] Current WebUi is not run", plain(KindWebUIDead)},
	{"[WebUi] WebUI is disabled by configuration", plain(KindWebUIDead)},
	{"[WebUi] 自动快速登录失败:", words(KindQuickFailed)},
	{"[WebUi] 自动快速登录异常:", words(KindQuickFailed)},
	{"[WebUi] 自动密码回退登录需要验证码", afterColon(KindCaptcha)},
	{"[WebUi] 自动密码回退登录需要新设备验证", afterColon(KindNewDevice)},
	{"[WebUi] 自动密码回退需要验证码", afterColon(KindCaptcha)},
	{"[WebUi] 自动密码回退需要新设备验证", afterColon(KindNewDevice)},
	{"已通知主进程登录成功", plain(KindLoggedIn)},
	{"[Process] 启动失败:", words(KindStartFailed)},
	{"[Error] Unhandled Exception:", func(s string) *Fact {
		if strings.Contains(s, "EADDRINUSE") {
			return busy("", s)
		}
		if strings.Contains(s, "ENOSPC") {
			return system(s)
		}
		return nil
	}},
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
	{"[AdapterManager] 开始初始化协议适配器", plain(KindAdapters)},
	{"[AdapterManager] OneBot11 适配器初始化完成", plain(KindOneBotReady)},
	{"[AdapterManager] OneBot11 适配器初始化失败:", words(KindOneBotFailed)},
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
