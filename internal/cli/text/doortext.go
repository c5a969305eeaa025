package text

// How the command line speaks of who is let into the web console.
var doorEN = map[string]string{
	"door.once":            "the link works once, within %d minutes; whoever opens it first is let in",
	"door.fingerprint":     "the browser will warn of a certificate it does not know; its SHA-256 must be %s",
	"door.nobody":          "nobody was let in",
	"door.revoked":         "revoked: %s",
	"door.password_prompt": "password for the web console: ",
	"door.password_set":    "the password is set",
	"door.password_off":    "the password is gone: only links let in",
	"door.head.id":         "ID",
	"door.head.role":       "ROLE",
	"door.head.used":       "LAST USED",
	"door.head.from":       "FROM",
	"door.head.agent":      "BROWSER",
	"hint.door_loopback":   "only this machine reaches it; from elsewhere: ssh -L %s:%s HOST, or set control.listen and control.tls (docs/console.md)",
}

var doorZH = map[string]string{
	"door.once":            "链接只能用一次，%d 分钟内有效；谁先打开，谁就能进入",
	"door.fingerprint":     "浏览器会提示证书不受信任；它的 SHA-256 指纹应为 %s",
	"door.nobody":          "还没有浏览器进入过",
	"door.revoked":         "已撤销：%s",
	"door.password_prompt": "网页控制台的密码：",
	"door.password_set":    "密码已设置",
	"door.password_off":    "密码已取消，只能用链接进入",
	"door.head.id":         "编号",
	"door.head.role":       "角色",
	"door.head.used":       "最近使用",
	"door.head.from":       "来源",
	"door.head.agent":      "浏览器",
	"hint.door_loopback":   "只有本机能打开；要在别处打开：ssh -L %s:%s 主机，或设置 control.listen 和 control.tls（见 docs/console.zh-CN.md）",
}
