package text

import "github.com/ncatd/ncatd/internal/config"

// Problem words what is wrong with a config.
func Problem(l Lang, p config.Problem) string {
	args := make([]any, len(p.Args))
	for i, x := range p.Args {
		switch v := x.(type) {
		case config.Word:
			x = T(l, "word."+string(v))
		case config.LineNumber:
			x = T(l, "word.line", int(v))
		}
		args[i] = x
	}
	return T(l, "config."+p.Code, args...)
}

// The problems of a config. English is the config package's own wording.
var configEN = func() map[string]string {
	m := make(map[string]string, len(config.Formats))
	for code, f := range config.Formats {
		m["config."+code] = f
	}
	return m
}()

var configZH = map[string]string{
	"config.syntax":            "不是合法的 YAML：%s",
	"config.not_mapping":       "文件应该是 键: 值 的形式",
	"config.tab":               "缩进用了制表符（Tab），YAML 只能用空格缩进",
	"config.wide_colon":        "用了全角冒号（：），应写成半角冒号加空格（: ）",
	"config.wide_char":         "%s 是全角或中文标点，YAML 要写成半角的 %s",
	"config.gbk":               "文件是 GBK 编码，不是 UTF-8；请另存为 UTF-8（记事本：另存为 → 编码；或 iconv -f GB18030 -t UTF-8）",
	"config.utf16":             "文件是 UTF-16 编码，不是 UTF-8；请另存为 UTF-8（记事本：另存为 → 编码；或 iconv -f UTF-16 -t UTF-8）",
	"config.not_utf8":          "从这里起不是 UTF-8 文本；请把文件另存为 UTF-8",
	"config.zeroed":            "文件里全是零字节（常见于断电之后）；请用备份替换，或删除后运行 ncatd init",
	"config.no_such_file":      "没有这个文件",
	"config.forbidden":         "当前用户无权读取这个文件",
	"config.not_regular":       "不是普通文件；配置应是不超过 1 MiB 的文件",
	"config.adapter_twice":     "%s：名字 %q 已经用过（%s），NapCat 会丢掉其中一个",
	"config.adapter_name":      "%s 是 %q，这个名字由 NapCat 自己使用，请换一个",
	"config.adapter_unnamed":   "%s 没有 name，每个适配器都要有自己的名字",
	"config.bad_url":           "%s 是 %q；地址应以 %s:// 开头并写明主机，如 %[3]s://127.0.0.1:5140/onebot",
	"config.several_docs":      "只能有一个 YAML 文档",
	"config.merge_key":         "不支持合并键（<<），请把设置写全",
	"config.alias":             "不支持别名（*%s），请把设置写全",
	"config.plugin_none":       "本程序没有插件 %s，配置里也没有它的内容",
	"config.plugin_key":        "插件没有键 %q；有：%s",
	"config.plugin_value":      "插件不接受：%s",
	"config.plugin_whole":      "%s 是一整节；请写出其中的键，或者用 {键: 值} 给出全部",
	"config.unknown_key":       "未知的键 %q",
	"config.unknown_nearest":   "未知的键 %q，是不是 %q？",
	"config.unknown_elsewhere": "这里没有键 %q，有的是 %q",
	"config.duplicate_key":     "键 %q 在第 %d 行已经写过",
	"config.wrong_type":        "%s 应该是%s，而不是%s",
	"config.not_one_of":        "%s 是 %q，只能是 %s 之一",
	"config.out_of_range":      "%s 是 %v，应该在 %v 到 %v 之间",
	"config.bad_duration":      "%s 是 %q，时长应写成 30s、5m 或 1h30m",
	"config.bad_size":          "%s 是 %q，大小应写成 200MiB 或 1.5GiB",
	"config.bad_int":           "%s 是 %q，应该是整数",
	"config.bad_float":         "%s 是 %q，应该是数字",
	"config.bad_bool":          "%s 是 %q，应该是 true 或 false",
	"config.bad_name":          "账号名 %q 只能有字母、数字、- 和 _，最多 32 个，并以字母或数字开头",
	"config.bad_uin":           "%s 是 %v，QQ 号有 5 到 11 位数字",
	"config.bad_host":          "%s 是 %q，应该是 IP 地址或主机名，不带端口",
	"config.bad_network":       "%s 里有 %q，应是 IP 地址或网段，如 10.0.0.0/8",
	"config.no_cert":           "%s 是 files，还要写 control.cert 和 control.key",
	"config.bad_listen":        "%s 是 %q，应写成 127.0.0.1:8686",
	"config.bad_schedule":      "%s 是 %q，不是时间表；正确的写法如 \"0 5 * * *\"、\"每天 5:00\"、\"每12小时\" 或 \"CRON_TZ=Asia/Shanghai 0 5 * * *\"",
	"config.bad_version":       "%s 是 %q，版本应写成 4.18.13 这样的名字，不能是路径",
	"config.no_zone":           "%s：没有时区 %q，时区应写成 Asia/Shanghai 这样",
	"config.too_often":         "%s 是 %q，两次重启至少要隔 %s",
	"config.bad_grant":         "%s 不是授权，应写成 {fetch: [api.example.com], files: true}",
	"config.bad_zone":          "%s 是 %q，没有这个时区；请写成 Asia/Shanghai 这样",
	"config.bad_rate":          "%s 是 %q，频率应写成 20/10s：10 秒 20 条",
	"config.bad_sha256":        "%s 是 %q，sha256 有 64 位十六进制数字",
	"config.bus_without_url":   "写了 %s，却没有写 bus.url",
	"config.bad_bus_url":       "%s 是 %q，应写成 nats://主机:4222 或 tls://主机:4222，多个用逗号分隔",
	"config.bad_bus_host":      "%s 是 %q，只能用字母、数字、- 和 _，最多 64 个字符",
	"config.bad_replicas":      "%s 是 %d，只能是 1、3 或 5",
	"config.no_file":           "%s 是 %s，这不是一个文件",
	"config.unread_file":       "%s 读不了：%s",
	"config.mixed_bus_url":     "%s 里 ws://、wss:// 与其他地址混用；请全部用其中一类",
	"config.bad_bus_creds":     "%s 是 %s，里面既没有 NATS 凭据（用户 JWT 及其密钥），也没有 nkey 种子（SU…）",
	"config.bad_bus_ca":        "%s 是 %s，里面没有 PEM 格式的证书",
	"config.bad_display":       "%s 是 %q，应该是 auto、none 或 :5 这样的 X 显示",
	"config.bad_env_name":      "%s：%q 不是环境变量名",
	"config.md5_itself":        "%s 里写的是密码的 MD5；请写保存它的环境变量的名字",
	"config.reserved_env":      "%s：%s 由 ncatd 自己设置",
	"config.reserved_arg":      "%s：%s 由 ncatd 自己传入",
	"config.unsafe_host":       "%s 是 %q，其他机器能访问它：旁边必须写一个至少 %d 个字符的 token",
	"config.short_token":       "%s 有 %d 个字符；host 为 %q 时至少要 %d 个",
	"config.no_accounts":       "至少要有一个账号",
	"config.no_name":           "有多个账号时，每个账号都要有 name",
	"config.duplicate_name":    "账号名 %q 已经用过（%s）",
	"config.duplicate_uin":     "QQ 号 %d 已经是账号 %s 的（%s）",
	"config.same_port":         "端口 %d 已被 %s 使用（%s）",
	"config.empty_list":        "%s 不能为空",
	"config.repeated":          "%s 里 %q 写了两次",
	"config.order":             "%s（%s）不能大于 %s（%s）",
	"config.unknown_env":       "没有这个设置",
	"config.unknown_account":   "没有名为 %q 的账号",
	"config.bad_channel_name":  "通道名 %q 只能有字母、数字、- 和 _，最多 32 个，并以字母或数字开头",
	"config.duplicate_channel": "通道名 %q 已经用过（%s）",
	"config.channel_lacks":     "%s：%s 类通道还需要 %s",
	"config.open_secret":       "%s 不是对密钥的引用；密钥不写在这个文件里，请写 env:变量名、file:路径（权限 0600）或 credential:名字",
	"config.user_or_group":     "%s：user 和 group 要写且只写一个",
	"config.bad_time_of_day":   "%s 是 %q，时刻应写成 23:00",
	"config.too_large":         "文件超过 %d 字节",
	"config.read":              "%s",

	"config.app_no_name":           "每个应用都要有 name",
	"config.bad_app_name":          "应用名 %q 只能有字母、数字、- 和 _，最多 32 个，并以字母或数字开头",
	"config.duplicate_app":         "应用名 %q 已经用过（%s）",
	"config.unknown_app":           "没有名为 %q 的应用",
	"config.unknown_right":         "%s：%q 既不是动作组，也不是动作；动作组有 %s",
	"config.unknown_right_nearest": "%s：%q 既不是动作组，也不是动作；是不是 %q？",
	"config.no_action_matches":     "%s：没有动作符合 %q",
	"config.bad_pattern":           "%s：%q 不是通配式；其中 * 代表任意字母，[a-c] 代表其中一个",
	"config.bad_token":             "%s 只能有 ASCII 字母、数字和标点，因为它要放进请求头",
	"config.no_url":                "缺少 %s，%s 这种连接方式需要它",
	"config.unused_url":            "写了 %s，但 %s 里没有对应的连接方式",
	"config.no_command":            "缺少 %s：要运行什么？",
	"config.bad_command":           "%s：引号没有配对",
	"config.command_missing":       "%s：没有程序 %q",
	"config.not_absolute":          "%s 是 %q，应该是绝对路径",
}
