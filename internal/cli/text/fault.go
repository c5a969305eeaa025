package text

import (
	"strings"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Fault words f and its causes in one sentence, "" for the zero Fault. All args
// are strings, so that every verb is %s.
func Fault(l Lang, f api.Fault) string {
	var parts []string
	for c := &f; c != nil && c.Code != ""; c = c.Cause {
		args := make([]any, len(c.Args))
		for i, a := range c.Args {
			args[i] = a
		}
		parts = append(parts, T(l, "fault."+string(c.Code), args...))
	}
	if l == Chinese {
		return strings.Join(parts, "；")
	}
	return strings.Join(parts, "; ")
}

// FaultHint returns what helps against f or, if nothing is known, against its
// nearest cause; "" if there is no remedy.
func FaultHint(l Lang, f api.Fault) string {
	for c := &f; c != nil && c.Code != ""; c = c.Cause {
		if code := "hint.fault." + string(c.Code); Has(code) {
			return T(l, code)
		}
	}
	return ""
}

// The sentences of faults, and what helps against them.
var faultEN = map[string]string{
	"fault.not_wanted":      "not wanted to run",
	"fault.stop_asked":      "a stop was asked for",
	"fault.restart_asked":   "a restart was asked for",
	"fault.shutdown":        "ncatd is stopping",
	"fault.start_given_up":  "the start was given up because a stop was asked for",
	"fault.starting":        "starting %s",
	"fault.process_starts":  "the process is being started",
	"fault.process_runs":    "the process runs, nothing has been heard of it yet",
	"fault.process_ended":   "the process ended",
	"fault.adopted":         "NapCat was still running and is kept",
	"fault.state_only":      "the account is %s",
	"fault.backoff":         "waiting before the next start",
	"fault.not_ready_after": "not ready after %s",
	"fault.offline_after":   "still offline after %s",
	"fault.crash_loop":      "it ended too often",
	"fault.spawn_failed":    "the process could not be started: %s",
	"fault.installing":      "%s",
	"fault.install_failed":  "NapCat and QQ could not be installed: %s",
	"fault.new_pair_failed": "the new NapCat and QQ did not come online (%s)",

	"fault.webui_wait":       "waiting for NapCat's WebUI",
	"fault.login_asked":      "NapCat is being asked how it stands",
	"fault.login_quick":      "logging in %s with its saved ticket",
	"fault.login_password":   "logging in %s with its password",
	"fault.login_qr":         "waiting for somebody to scan the QR code with the phone",
	"fault.login_qr_late":    "nobody scanned the QR code in time; a new one is shown from time to time",
	"fault.login_captcha":    "QQ asks for a captcha",
	"fault.login_new_device": "QQ asks to confirm this device by scanning a QR code",
	"fault.login_failed":     "no way of login.order worked; somebody must log in",
	"fault.login_accepted":   "QQ accepted the login, OneBot is being set up",
	"fault.login_stuck":      "QQ accepted the login but the account never came online",
	"fault.wrong_account":    "account %s logged in, but %s is configured",
	"fault.webui_token":      "NapCat's WebUI refuses our token",
	"fault.two_factor":       "NapCat's WebUI asks for a two-factor code",
	"fault.webui_forbidden":  "the access rules of NapCat's WebUI shut ncatd out",

	"fault.online":           "online",
	"fault.onebot_connect":   "connecting to OneBot",
	"fault.onebot_error":     "connecting to OneBot: %s",
	"fault.onebot_asked":     "connected to OneBot, asking whether the account is online",
	"fault.onebot_setup":     "NapCat could not set OneBot up: %s",
	"fault.onebot_token":     "NapCat's OneBot server refused our token",
	"fault.port_busy":        "port %s is taken by %s",
	"fault.port_moved":       "another program has port %s of NapCat's OneBot server; another one is being set up",
	"fault.webui_port_busy":  "NapCat's WebUI found no port to listen on",
	"fault.link_lost":        "the connection to OneBot broke: %s",
	"fault.heartbeat_lost":   "no heartbeat and no answer from OneBot; connecting anew",
	"fault.not_responding":   "neither NapCat's WebUI nor its OneBot server answers",
	"fault.qq_offline":       "QQ lost its connection; NapCat is trying to get it back",
	"fault.onebot_offline":   "OneBot says that the account is offline",
	"fault.webui_lost":       "online; NapCat's WebUI does not answer",
	"fault.no_network":       "NapCat finds no network",
	"fault.no_network_ended": "NapCat found no network before it ended",
	"fault.kicked":           "QQ ended the session: %s",
	"fault.kicked_quiet":     "QQ ended the session and gave no reason",
	"fault.send_failing":     "%s sends in a row were not confirmed by QQ although the account looks online",
	"fault.hung":             "process %s was stopped by a signal",
	"fault.memory":           "NapCat uses %s MiB of memory, %s are allowed",
	"fault.scheduled":        "restart_at says so",

	"fault.missing_library":     "QQ lacks the system library %s",
	"fault.disk_full":           "the disk is full",
	"fault.disk_error":          "the disk is full: %s",
	"fault.no_display":          "QQ found no X server",
	"fault.display_failed":      "the X server that QQ needs did not start: %s",
	"fault.display_lost":        "the X server that QQ draws on is gone",
	"fault.not_napcat":          "QQ could not load NapCat",
	"fault.start_failed":        "NapCat could not start: %s",
	"fault.napcat_config":       "a configuration file of NapCat's is broken: %s",
	"fault.unsupported_qq":      "this NapCat does not know this QQ version",
	"fault.crashed_module":      "QQ's native module crashed (SIGSEGV)",
	"fault.crashed_unsupported": "QQ's native module crashed (SIGSEGV), and this NapCat does not know this QQ version",
	"fault.killed":              "NapCat was killed by signal 9: by somebody, or by the kernel for want of memory",
	"fault.worker_died":         "NapCat's worker died with exit code %s",
	"fault.worker_died_unknown": "NapCat's worker died; no exit code was given",
	"fault.worker_back":         "NapCat's worker is being started again",
	"fault.worker_loop":         "NapCat's worker died %s times within %s",
	"fault.exit":                "NapCat ended with exit code %s",
	"fault.signal":              "NapCat was ended by signal %s",
	"fault.last_line":           "last line: %s",

	"fault.store_damaged":   "the database %s is damaged: %s",
	"fault.store_locked":    "the database %s is locked by another program",
	"fault.store_write":     "the bot's data cannot be written: %s",
	"fault.journal_write":   "what was answered cannot be written down, so that a restart may answer it again: %s",
	"fault.journal_gap":     "messages of chat %s are missing, at least %s",
	"fault.disk_low":        "the disk of %s has only %s MiB left",
	"fault.disk_read_only":  "%s cannot be written to",
	"fault.log_lost":        "%s log lines were lost",
	"fault.plugin_failed":   "plugin %s does not run: %s",
	"fault.permissions":     "the permissions could not be read, so that only admins may do what needs one: %s",
	"fault.port_replaced":   "port %s is taken by %s, port %s is used instead",
	"fault.no_packet":       "NapCat has no packet back end for this QQ version",
	"fault.config_rejected": "the changed config was refused, the one before is in force: %s",

	"hint.fault.missing_library":     "on Debian: apt-get install libnss3 libgbm1 libasound2 libgtk-3-0; ncatd doctor says more",
	"hint.fault.disk_full":           "free some space",
	"hint.fault.disk_error":          "free some space",
	"hint.fault.no_display":          "install Xvfb (on Debian: apt-get install xvfb); ncatd doctor says more",
	"hint.fault.display_failed":      "install Xvfb (on Debian: apt-get install xvfb); ncatd doctor says more",
	"hint.fault.not_napcat":          "run ncatd install again",
	"hint.fault.unsupported_qq":      "run ncatd rollback, or ncatd install with versions that belong together",
	"hint.fault.crashed_unsupported": "run ncatd rollback, or ncatd install with versions that belong together",
	"hint.fault.crashed_module":      "after an upgrade run ncatd rollback; otherwise set env NAPCAT_DISABLE_BYPASS: \"1\"",
	"hint.fault.store_damaged":       "ncatd logs says what was done; a backup is under data/",
	"hint.fault.disk_low":            "free some space",
	"hint.fault.disk_read_only":      "mount it writable, or mend its owner and mode",
	"hint.fault.plugin_failed":       "ncatd plugin list, ncatd logs",
	"hint.fault.port_busy":           "end that program, or choose another port in ncatd.yaml (0: any free one)",
	"hint.fault.config_rejected":     "ncatd config check",
}

var faultZH = map[string]string{
	"fault.not_wanted":      "没有要求运行",
	"fault.stop_asked":      "收到停止请求",
	"fault.restart_asked":   "收到重启请求",
	"fault.shutdown":        "ncatd 正在停止",
	"fault.start_given_up":  "收到停止请求，启动已放弃",
	"fault.starting":        "正在启动 %s",
	"fault.process_starts":  "正在启动进程",
	"fault.process_runs":    "进程已启动，还没有消息",
	"fault.process_ended":   "进程已退出",
	"fault.adopted":         "NapCat 还在运行，予以保留",
	"fault.state_only":      "账号状态：%s",
	"fault.backoff":         "等待下次启动",
	"fault.not_ready_after": "%s 后仍未就绪",
	"fault.offline_after":   "%s 后仍然离线",
	"fault.crash_loop":      "退出次数太多",
	"fault.spawn_failed":    "进程启动失败：%s",
	"fault.installing":      "%s",
	"fault.install_failed":  "NapCat 和 QQ 安装失败：%s",
	"fault.new_pair_failed": "新的 NapCat 和 QQ 没能上线（%s）",

	"fault.webui_wait":       "等待 NapCat 的 WebUI",
	"fault.login_asked":      "正在向 NapCat 查询登录状态",
	"fault.login_quick":      "正在用保存的凭据登录 %s",
	"fault.login_password":   "正在用密码登录 %s",
	"fault.login_qr":         "等待用手机扫描二维码",
	"fault.login_qr_late":    "没有人及时扫码；新的二维码会不时出现",
	"fault.login_captcha":    "QQ 要求完成验证码",
	"fault.login_new_device": "QQ 要求扫码确认这台设备",
	"fault.login_failed":     "login.order 里的方式都没有成功，需要有人来登录",
	"fault.login_accepted":   "QQ 已接受登录，正在准备 OneBot",
	"fault.login_stuck":      "QQ 已接受登录，账号却一直没有上线",
	"fault.wrong_account":    "登录的是 %s，配置里是 %s",
	"fault.webui_token":      "NapCat 的 WebUI 不接受我们的令牌",
	"fault.two_factor":       "NapCat 的 WebUI 要求两步验证码",
	"fault.webui_forbidden":  "NapCat 的 WebUI 访问规则拒绝了 ncatd",

	"fault.online":           "在线",
	"fault.onebot_connect":   "正在连接 OneBot",
	"fault.onebot_error":     "正在连接 OneBot：%s",
	"fault.onebot_asked":     "已连上 OneBot，正在询问账号是否在线",
	"fault.onebot_setup":     "NapCat 没能准备好 OneBot：%s",
	"fault.onebot_token":     "NapCat 的 OneBot 服务不接受我们的令牌",
	"fault.port_busy":        "端口 %s 已被 %s 占用",
	"fault.port_moved":       "NapCat 的 OneBot 端口 %s 被其他程序占用，正在换一个",
	"fault.webui_port_busy":  "NapCat 的 WebUI 找不到可用的端口",
	"fault.link_lost":        "与 OneBot 的连接中断：%s",
	"fault.heartbeat_lost":   "收不到心跳，OneBot 也没有回应；正在重新连接",
	"fault.not_responding":   "NapCat 的 WebUI 和 OneBot 都没有响应",
	"fault.qq_offline":       "QQ 掉线，NapCat 正在重连",
	"fault.onebot_offline":   "OneBot 报告账号离线",
	"fault.webui_lost":       "在线；NapCat 的 WebUI 没有响应",
	"fault.no_network":       "NapCat 找不到网络",
	"fault.no_network_ended": "NapCat 退出前一直没有网络",
	"fault.kicked":           "QQ 结束了会话：%s",
	"fault.kicked_quiet":     "QQ 结束了会话，没有说明原因",
	"fault.send_failing":     "连续 %s 次发送没有得到 QQ 确认，账号看起来却在线",
	"fault.hung":             "进程 %s 被信号暂停了",
	"fault.memory":           "NapCat 用了 %s MiB 内存，上限是 %s MiB",
	"fault.scheduled":        "按 restart_at 重启",

	"fault.missing_library":     "QQ 缺少系统库 %s",
	"fault.disk_full":           "磁盘已满",
	"fault.disk_error":          "磁盘已满：%s",
	"fault.no_display":          "QQ 找不到 X 显示",
	"fault.display_failed":      "QQ 需要的 X 显示没能启动：%s",
	"fault.display_lost":        "QQ 所用的 X 显示已消失",
	"fault.not_napcat":          "QQ 没能加载 NapCat",
	"fault.start_failed":        "NapCat 启动失败：%s",
	"fault.napcat_config":       "NapCat 的一个配置文件有误：%s",
	"fault.unsupported_qq":      "这个 NapCat 不支持所装的 QQ 版本",
	"fault.crashed_module":      "QQ 的原生模块崩溃（SIGSEGV）",
	"fault.crashed_unsupported": "QQ 的原生模块崩溃（SIGSEGV），而且这个 NapCat 不支持所装的 QQ 版本",
	"fault.killed":              "NapCat 被信号 9 结束：有人为之，或内核因内存不足",
	"fault.worker_died":         "NapCat 的工作进程退出，退出码 %s",
	"fault.worker_died_unknown": "NapCat 的工作进程退出，没有退出码",
	"fault.worker_back":         "NapCat 正在重启工作进程",
	"fault.worker_loop":         "NapCat 的工作进程退出了 %s 次，都在 %s 内",
	"fault.exit":                "NapCat 退出，退出码 %s",
	"fault.signal":              "NapCat 被信号 %s 结束",
	"fault.last_line":           "最后一行：%s",

	"fault.store_damaged":   "数据库 %s 已损坏：%s",
	"fault.store_locked":    "数据库 %s 被其他程序锁定",
	"fault.store_write":     "机器人的数据写不进去：%s",
	"fault.journal_write":   "已回答的消息记录不下来，重启后可能重复回答：%s",
	"fault.journal_gap":     "聊天 %s 缺少消息，至少 %s 条",
	"fault.disk_low":        "%s 所在的磁盘只剩 %s MiB",
	"fault.disk_read_only":  "%s 不可写",
	"fault.log_lost":        "丢失了 %s 行日志",
	"fault.plugin_failed":   "插件 %s 没有运行：%s",
	"fault.permissions":     "读不到权限，需要权限的操作只有管理员能做：%s",
	"fault.port_replaced":   "端口 %s 被 %s 占用，改用了端口 %s",
	"fault.no_packet":       "NapCat 没有适合这个 QQ 版本的发包后端",
	"fault.config_rejected": "改动后的配置被拒绝，仍用之前的配置：%s",

	"hint.fault.missing_library":     "Debian 上：apt-get install libnss3 libgbm1 libasound2 libgtk-3-0；详见 ncatd doctor",
	"hint.fault.disk_full":           "清理一些空间",
	"hint.fault.disk_error":          "清理一些空间",
	"hint.fault.no_display":          "安装 Xvfb（Debian 上：apt-get install xvfb）；详见 ncatd doctor",
	"hint.fault.display_failed":      "安装 Xvfb（Debian 上：apt-get install xvfb）；详见 ncatd doctor",
	"hint.fault.not_napcat":          "重新运行 ncatd install",
	"hint.fault.unsupported_qq":      "运行 ncatd rollback，或用 ncatd install 安装相配的版本",
	"hint.fault.crashed_unsupported": "运行 ncatd rollback，或用 ncatd install 安装相配的版本",
	"hint.fault.crashed_module":      "升级之后请运行 ncatd rollback；否则设置 env NAPCAT_DISABLE_BYPASS: \"1\"",
	"hint.fault.store_damaged":       "ncatd logs 里有处理经过；备份在 data/ 下",
	"hint.fault.disk_low":            "清理一些空间",
	"hint.fault.disk_read_only":      "重新挂载为可写，或改正属主和权限",
	"hint.fault.plugin_failed":       "ncatd plugin list，ncatd logs",
	"hint.fault.port_busy":           "结束那个程序，或在 ncatd.yaml 里换一个端口（0：任意空闲端口）",
	"hint.fault.config_rejected":     "ncatd config check",
}
