package text

// What backup and restore say.
var backupEN = map[string]string{
	"backup.done":              "backup written: %s (%d bytes)",
	"backup.folder":            "%s is a folder; give the name of a file",
	"backup.passphrase_prompt": "passphrase: ",
	"backup.passphrase_again":  "the same again: ",
	"err.passphrase_file":      "there is no file of one line %s",
	"err.passphrase_empty":     "the passphrase is empty or too long",
	"hint.passphrase":          "type it, or give --passphrase-file FILE or $NCATD_PASSPHRASE",
	"err.passphrase_differs":   "the two are not the same; nothing was written",
	"err.passphrase_wrong":     "%s is encrypted, and this passphrase does not open it",
	"hint.passphrase_wrong":    "nothing was changed; mind capitals, blanks and the input method",
	"restore.done":             "restored from %s (%d bytes)",
	"restore.kept":             "what was there before is in %s",
	"restore.ask":              "replace %s?",
	"restore.left":             "nothing was changed",
	"restore.no_file":          "there is no file %s",
	"err.backup_exists":        "a file of that name is there already",
	"hint.backup_exists":       "choose another name, or add --force to overwrite it",
}

var backupZH = map[string]string{
	"backup.done":              "备份已写入：%s（%d 字节）",
	"backup.folder":            "%s 是一个文件夹；请给出文件名",
	"backup.passphrase_prompt": "密码短语：",
	"backup.passphrase_again":  "再输入一次：",
	"err.passphrase_file":      "没有只含一行的文件 %s",
	"err.passphrase_empty":     "密码短语为空或太长",
	"hint.passphrase":          "直接输入，或用 --passphrase-file 文件、环境变量 NCATD_PASSPHRASE 给出",
	"err.passphrase_differs":   "两次输入不一样；什么都没有写",
	"err.passphrase_wrong":     "%s 已加密，这个密码短语打不开它",
	"hint.passphrase_wrong":    "没有任何改动；请注意大小写、空格和输入法",
	"restore.done":             "已从 %s 恢复（%d 字节）",
	"restore.kept":             "原来的数据在 %s",
	"restore.ask":              "替换 %s 吗？",
	"restore.left":             "没有任何改动",
	"restore.no_file":          "没有文件 %s",
	"err.backup_exists":        "已有同名的文件",
	"hint.backup_exists":       "换一个名字，或加上 --force 覆盖",
}
