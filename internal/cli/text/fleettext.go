package text

// What is said of a fleet of hosts.
var fleetEN = map[string]string{
	"fleet.host":         "%s: %s",
	"fleet.heard":        "heard %s ago",
	"fleet.silent":       "SILENT for %s",
	"fleet.no_dead":      "no dead events",
	"fleet.head.id":      "ID",
	"fleet.head.time":    "TIME",
	"fleet.head.group":   "GROUP",
	"fleet.head.account": "ACCOUNT",
	"fleet.head.error":   "ERROR",
	"fleet.head.event":   "EVENT",
	"fleet.dropped":      "dropped: %d",
	"fleet.retried":      "given again: %d",
	"fleet.taken":        "%s is this host's now and is being started",
	"err.no_number":      "%q is not a number",
	"err.take_unsure":    "%s may still run on the host that had it",
	"hint.take_unsure":   "switch that machine off, then repeat with --host-is-gone",
}

var fleetZH = map[string]string{
	"fleet.host":         "%s：%s",
	"fleet.heard":        "%s 前有音讯",
	"fleet.silent":       "已失联 %s",
	"fleet.no_dead":      "没有处理不了的事件",
	"fleet.head.id":      "编号",
	"fleet.head.time":    "时间",
	"fleet.head.group":   "组",
	"fleet.head.account": "账号",
	"fleet.head.error":   "原因",
	"fleet.head.event":   "事件",
	"fleet.dropped":      "已丢弃：%d",
	"fleet.retried":      "已重新交付：%d",
	"fleet.taken":        "%s 现归本机，正在启动",
	"err.no_number":      "%q 不是数字",
	"err.take_unsure":    "%s 可能仍在原主机上运行",
	"hint.take_unsure":   "请先关掉那台机器，再加上 --host-is-gone 重试",
}
