package text

// Sim returns the Chinese of a text of the simulator's help, and otherwise the
// English that package simcmd has. A code is COMMAND.short, COMMAND.long,
// COMMAND.--FLAG, or COMMAND.WORD for a mode or deed; the command named "sim"
// is the group itself.
func Sim(l Lang, code, english string) string {
	if zh, ok := simZH[code]; ok && l == Chinese {
		return zh
	}
	return english
}

var simZH = map[string]string{
	"sim.long":       "扮演模拟 NapCat（ncatd start --sim）周围的人、手机和服务器，并让它像真的那样出故障。",
	"sim.--account":  "配置里的账号`名`（默认：唯一的那个，或 main）",
	"sim.--patience": "模拟器还没走到命令所需的那一步时，等待这么长`时间`",

	"act.short":      "让某人做发消息以外的事（戳一戳、进群、撤回……）",
	"act.long":       "让某人做一件事。大写的词是选项。DEED 是下列之一：",
	"act.poke":       "User 在 Group 里或私聊中戳机器人",
	"act.join":       "User 由 Operator 同意进入 Group",
	"act.leave":      "User 离开 Group；给出 Operator 则是被踢",
	"act.ban":        "Operator 在 Group 里禁言 User 共 Seconds 秒（0：解除）；没有 User 则全员，加 Off 则解除全员",
	"act.admin":      "User 成为 Group 的管理员；加 Off 则撤销",
	"act.card":       "User 在 Group 的名片改为 Text",
	"act.title":      "群主在 Group 里给 User 头衔 Text",
	"act.rename":     "Operator 把 Group 改名为 Text",
	"act.recall":     "Operator 撤回 Message（默认：发送者本人）",
	"act.react":      "User 用表情 Text 回应 Message；加 Off 则收回",
	"act.essence":    "Operator 把 Message 设为精华",
	"act.upload":     "User 往 Group 上传名为 Text 的文件",
	"act.request":    "User 申请加好友，附言 Text；给出 Group 则申请入群",
	"act.invite":     "User 邀请机器人进入 Group",
	"act.typing":     "User 在私聊中正在输入",
	"act.like":       "User 给机器人的资料点赞",
	"act.disband":    "群主解散 Group",
	"act.befriend":   "User 成为好友；加 Off 则不再是",
	"act.forget":     "NapCat 忘掉所有 message_id，如同重启之后",
	"act.appear":     "名为 Text 的 User 为 QQ 所知",
	"act.--group":    "群号",
	"act.--user":     "事关何人",
	"act.--operator": "由谁来做（默认：有权的人）",
	"act.--message":  "哪条消息（message_id）",
	"act.--text":     "文字、名字或表情",
	"act.--seconds":  "多少秒",
	"act.--off":      "反过来",

	"crash.short":    "让 worker（或 master）立刻崩溃",
	"crash.--code":   "退出码；11 像原生代码崩溃",
	"crash.--signal": "改为死于这个信号：KILL、TERM、ABRT……",
	"crash.--master": "用 SIGKILL 杀掉 master，worker 成为孤儿",

	"drop.short":        "扰乱 OneBot 连接",
	"drop.long":         "扰乱 OneBot 连接。MODE 是下列之一（默认 close）：",
	"drop.close":        "不发关闭帧就断开所有连接",
	"drop.away":         "断开所有连接，也不接受新的连接",
	"drop.violate":      "写入不成 WebSocket 帧的字节",
	"drop.garbage":      "发送 Count 个不是事件的帧",
	"drop.giant":        "发送一个 Size 字节的事件",
	"drop.dead":         "QQ 悄然失联：发送超时，什么也收不到",
	"drop.no-ack":       "消息发得出去，却照样超时；什么也收不到",
	"drop.mute":         "调用会执行，但从不回应",
	"drop.slow":         "回应晚 Delay 才到",
	"drop.shuffle":      "回应次序打乱，最晚迟 Delay",
	"drop.duplicate":    "每个回应来两次",
	"drop.no-heartbeat": "心跳停止",
	"drop.heal":         "结束一切持续中的扰乱",
	"drop.--count":      "多少个垃圾帧",
	"drop.--size":       "giant 的字节数",
	"drop.--delay":      "slow 和 shuffle 的延迟",

	"fault.short": "修改模拟器选项，对当前和之后的 worker 生效",
	"fault.long":  "修改模拟器选项：当前 worker 能立即照办的立即照办，之后的从启动时起生效。VALUE 是 JSON，也可以是不加引号的字符串；null 撤销该选项。`ncatd sim state --json` 列出生效的选项。",

	"freeze.short": "冻住 worker：什么都不应答，解冻后全部补上",
	"freeze.--for": "冻多久（默认：直到 --off）",
	"freeze.--off": "解冻",

	"mute.short":     "在群里禁言机器人或某人",
	"mute.--group":   "哪个群",
	"mute.--user":    "禁言谁（默认：机器人）",
	"mute.--all":     "全体普通成员",
	"mute.--seconds": "多少秒",

	"refuse.short":   "让 QQ 拒绝机器人发的消息",
	"refuse.--code":  "QQ 的 result：120 被禁言，110 不在群里，-1 富媒体",
	"refuse.--text":  "QQ 的 errMsg",
	"refuse.--count": "拒绝多少条（默认：此后全部）",
	"refuse.--off":   "不再拒绝",

	"unmute.short":   "解除机器人或某人的禁言",
	"unmute.--group": "哪个群",
	"unmute.--user":  "解除谁（默认：机器人）",
	"unmute.--all":   "全体普通成员",

	"kick.short":         "由 QQ 一侧踢下线",
	"kick.--title":       "通知的标题",
	"kick.--text":        "通知的文字",
	"kick.--keep-ticket": "之后仍可快速登录",

	"offline.short":   "模拟 QQ 状态 20：离线但没有事件",
	"online.short":    "结束 QQ 状态 20",
	"qq.short":        "打包出的 qq 程序所扮演的角色",
	"qr-expire.short": "让当前二维码过期",

	"onebot.short":            "单独提供 NapCat 的 OneBot 一侧，不要 QQ 和登录",
	"onebot.long":             "在一个有好友和群的小 QQ 上提供 NapCat 的 OneBot 11 一侧，没有 QQ 进程、登录和 WebUI：供机器人或客户端库连接。\n\n以 JSON 行交流。输出的第一行说明监听在哪里；机器人发出的每条消息是一行 {\"sent\":…}。输入的行让世界行动：{\"say\":{\"user\":3001000001,\"text\":\"hi\"}}、{\"say\":{\"group\":700000001,\"text\":\"/ping\"}}、{\"act\":{\"deed\":\"poke\",\"user\":3001000001}}、{\"drop\":{\"mode\":\"close\"}}、{\"faults\":{\"shuffle\":true}}、{\"online\":false}、{\"config\":{…}}。每行以 {\"done\":…} 或 {\"error\":…} 回应。",
	"onebot.--host":           "监听地址",
	"onebot.--port":           "WebSocket 服务器的端口；0 表示任取一个空闲的",
	"onebot.--token":          "访问令牌；没有则谁都能连接",
	"onebot.--config":         "代替 host、port 和 token 的 onebot11.json",
	"onebot.--uin":            "机器人的账号（默认 3889001001）",
	"onebot.--nick":           "机器人的名字",
	"onebot.--napcat-version": "get_version_info 所说的版本",
	"onebot.--verbose":        "把适配器的日志输出到标准错误",

	"pack.short":            "生成模拟的 QQ 安装包和 NapCat.Shell.zip",
	"pack.--qq-version":     "打包的 QQ 的版本",
	"pack.--napcat-version": "打包的 NapCat 的版本",
	"pack.--binary":         "扮演 QQ 的程序的绝对路径（默认：本程序）",
	"pack.--options":        "内置到 NapCat 包里的模拟器选项（JSON 文件）",
	"pack.--json":           "输出 JSON",

	"say.short":     "给机器人发消息并打印它的回复",
	"say.long":      "以好友或群成员的身份给机器人发消息，并打印它在该会话里的回复。TEXT 里的 CQ 码会成为消息段。--wait 之内没有回复则以 1 退出。",
	"say.--user":    "谁发的",
	"say.--group":   "发到哪个群",
	"say.--wait":    "等回复多久；0s：不等",
	"say.--quiet":   "有回复之后再等多久看还有没有",
	"say.--unheard": "没有 OneBot 客户端能收到也照发",
	"say.--json":    "输出 JSON",

	"scan.short":   "扫描登录二维码并确认",
	"scan.--uin":   "用这个账号（默认：手机的主人）",
	"sent.short":   "打印机器人发出的消息",
	"sent.long":    "打印机器人发出的消息，以及在这些消息之间运行中的 NapCat 收到的其他每一次调用。用了 --after 或 --json 就只有消息。",
	"sent.--after": "只要编号更大的",
	"sent.--json":  "输出 JSON",
	"state.short":  "打印模拟器的当前状态",
	"state.--json": "输出 JSON",
	"world.short":  "以 JSON 打印好友、群和消息",
}
