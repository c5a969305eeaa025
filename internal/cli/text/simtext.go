package text

// The short helps of the simulator's commands; their long ones are English.
var simEN = map[string]string{
	"cmd.sim.act.short":       "Let somebody do something besides writing",
	"cmd.sim.crash.short":     "End the worker (or the master) at once",
	"cmd.sim.drop.short":      "Disturb the OneBot connections",
	"cmd.sim.fault.short":     "Change simulator options of the running and later workers",
	"cmd.sim.hang.short":      "Let the worker stop answering",
	"cmd.sim.kick.short":      "Log the account out from QQ's side",
	"cmd.sim.offline.short":   "Play QQ's status 20: offline without an event",
	"cmd.sim.online.short":    "End QQ's status 20",
	"cmd.sim.onebot.short":    "Serve NapCat's OneBot side alone, without QQ and login",
	"cmd.sim.pack.short":      "Write a simulated QQ package and NapCat.Shell.zip",
	"cmd.sim.qq.short":        "The role of the packed qq executable",
	"cmd.sim.qr-expire.short": "Let the code on screen expire",
	"cmd.sim.say.short":       "Write to the bot and print its answers",
	"cmd.sim.scan.short":      "Scan the login code and confirm",
	"cmd.sim.sent.short":      "Print what the bot has sent",
	"cmd.sim.state.short":     "Print what the simulator is doing",
	"cmd.sim.world.short":     "Print the people, groups and messages as JSON",
}

var simZH = map[string]string{
	"cmd.sim.act.short":       "让某人做发消息以外的事（戳一戳、进群、撤回……）",
	"cmd.sim.crash.short":     "让 worker（或 master）立刻崩溃",
	"cmd.sim.drop.short":      "扰乱 OneBot 连接",
	"cmd.sim.fault.short":     "修改模拟器选项，对当前和之后的 worker 生效",
	"cmd.sim.hang.short":      "让 worker 卡死不应答",
	"cmd.sim.kick.short":      "由 QQ 一侧踢下线",
	"cmd.sim.offline.short":   "模拟 QQ 状态 20：离线但没有事件",
	"cmd.sim.online.short":    "结束 QQ 状态 20",
	"cmd.sim.onebot.short":    "单独提供 NapCat 的 OneBot 一侧，不要 QQ 和登录",
	"cmd.sim.pack.short":      "生成模拟的 QQ 安装包和 NapCat.Shell.zip",
	"cmd.sim.qq.short":        "打包出的 qq 程序所扮演的角色",
	"cmd.sim.qr-expire.short": "让当前二维码过期",
	"cmd.sim.say.short":       "给机器人发消息并打印它的回复",
	"cmd.sim.scan.short":      "扫描登录二维码并确认",
	"cmd.sim.sent.short":      "打印机器人发出的消息",
	"cmd.sim.state.short":     "打印模拟器的当前状态",
	"cmd.sim.world.short":     "以 JSON 打印好友、群和消息",
}
