package action

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// flashSet is a set of files that QQ passes on quickly.
type flashSet struct {
	id, name, link string
	created        int64
	files          []flashFile
}

type flashFile struct {
	id, name, path string
	size           int64
	dir            bool
}

// onlineFile is a file offered directly to a friend.
type onlineFile struct {
	peer        int64
	msgID, elem string
	name, path  string
	size        int64
	dir         bool
}

// flashLife is how long a set can be fetched, in seconds.
const flashLife = 7 * 86400

var flashActions = map[string]handler{
	"create_flash_task":   createFlash,
	"get_flash_file_list": flashList,
	"get_flash_file_url":  flashURL,
	"get_fileset_id":      fileSetID,
	"get_fileset_info":    fileSetInfo,
	"get_share_link":      shareLink,
	"download_fileset":    downloadFileSet,
	"send_flash_msg":      sendFlash,
	"send_online_file":    sendOnline,
	"send_online_folder":  sendOnline,
	"get_online_file_msg": onlineFiles,
	"cancel_online_file":  cancelOnline,
	"receive_online_file": func(c *call) (any, error) { return gcr(0, ""), nil },
	"refuse_online_file":  func(*call) (any, error) { return undefined, nil },
}

func createFlash(c *call) (any, error) {
	var paths []string
	switch v := c.p.Get("files").(type) {
	case string:
		paths = []string{v}
	case []any:
		for _, e := range v {
			paths = append(paths, jsval.ToString(e))
		}
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.h.counter++
	id := md5hex([]byte("flash" + strconv.Itoa(c.h.counter) + c.h.start.String()))
	s := &flashSet{id: id, name: c.str("name"), link: "https://qfile.qq.com/q/" + id[:10], created: time.Now().Unix()}
	for i, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return gcr(-1, "file not exist"), nil
		}
		s.files = append(s.files, flashFile{id: id + strconv.Itoa(i), name: filepath.Base(p), path: p, size: st.Size(), dir: st.IsDir()})
	}
	if s.name == "" && len(s.files) > 0 {
		s.name = s.files[0].name
	}
	c.h.flash[id] = s
	return gcr(0, "", "createFlashTransferResult", jsval.Obj("fileSetId", id, "shareLink", s.link,
		"expireTime", strconv.FormatInt(s.created+flashLife, 10), "expireLeftTime", strconv.Itoa(flashLife)), "seq", c.h.counter), nil
}

func (c *call) flashSet() *flashSet {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	return c.h.flash[c.str("fileset_id")]
}

func flashList(c *call) (any, error) {
	s := c.flashSet()
	if s == nil {
		return jsval.Obj("seq", 0, "result", -1, "errMs", "fileset not exist", "fileLists", []any{}), nil
	}
	files := []any{}
	for _, f := range s.files[:min(18, len(s.files))] {
		files = append(files, jsval.Obj("fileSetId", s.id, "cliFileId", f.id, "compressedFileFolderId", "", "archiveIndex", 0, "indexPath", "",
			"isDir", f.dir, "parentId", "", "depth", 1, "cliFileIndex", 0, "fileType", 0, "name", f.name, "namePinyin", "", "isCover", false,
			"isCoverOriginal", false, "fileSize", strconv.FormatInt(f.size, 10), "fileCount", 1, "thumbnail", jsval.Obj("id", "", "url", []any{}, "localCachePath", ""),
			"physical", jsval.Obj("id", f.id, "url", "", "status", 0, "processing", "", "localPath", f.path), "srvFileId", f.id, "sha1", "",
			"saveFilePath", "", "status", 0, "uploadStatus", 2, "downloadStatus", 0, "uploadInfo", &jsval.Object{}, "downloadInfo", &jsval.Object{}))
	}
	return jsval.Obj("seq", 0, "result", 0, "errMs", "", "fileLists", []any{jsval.Obj("parentId", "", "depth", 0, "fileList", files,
		"paginationInfo", &jsval.Object{}, "isEnd", true, "isCache", false)}), nil
}

func flashURL(c *call) (any, error) {
	index := c.p.Get("file_index")
	if s := c.flashSet(); s != nil {
		for i, f := range s.files {
			if f.name == c.str("file_name") || !jsval.IsUndefined(index) && i == int(jsval.Int(index)) {
				return jsval.Obj("result", 0, "errMsg", "", "transferUrl", s.link+"/"+f.id), nil
			}
		}
	}
	return jsval.Obj("result", -1, "errMsg", "未找到文件", "transferUrl", ""), nil
}

func fileSetID(c *call) (any, error) {
	code := c.str("share_code")
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	for _, s := range c.h.flash {
		if s.link == code || filepath.Base(s.link) == code {
			return jsval.Obj("fileset_id", s.id), nil
		}
	}
	return &jsval.Object{}, nil
}

func fileSetInfo(c *call) (any, error) {
	s := c.flashSet()
	if s == nil {
		return gcr(-1, "fileset not exist", "seq", 0, "isCache", false, "fileSet", &jsval.Object{}), nil
	}
	total := int64(0)
	for _, f := range s.files {
		total += f.size
	}
	u := c.h.w.Self()
	return gcr(0, "", "seq", 0, "isCache", false, "fileSet", jsval.Obj("fileSetId", s.id, "name", s.name, "namePinyin", "",
		"totalFileCount", len(s.files), "totalFileSize", total, "permission", 1,
		"shareInfo", jsval.Obj("shareLink", s.link, "extractionCode", ""), "cover", jsval.Obj("id", "", "urls", []any{}, "localCachePath", ""),
		"uploaders", []any{jsval.Obj("uin", strconv.FormatInt(u.UIN, 10), "nickname", u.Nickname, "uid", u.UID, "sendEntrance", "")},
		"expireLeftTime", flashLife-(time.Now().Unix()-s.created), "expireTime", s.created+flashLife, "status", 0, "uploadStatus", 2,
		"downloadStatus", 0, "createTime", s.created, "taskId", s.id, "saveFileSetDir", "", "uploadInfo", &jsval.Object{}, "downloadInfo", &jsval.Object{})), nil
}

func shareLink(c *call) (any, error) {
	s := c.flashSet()
	if s == nil {
		return gcr(-1, "fileset not exist", "shareLink", "", "expireTimestamp", "0"), nil
	}
	return gcr(0, "", "shareLink", s.link, "expireTimestamp", strconv.FormatInt(s.created+flashLife, 10)), nil
}

func downloadFileSet(c *call) (any, error) {
	if c.flashSet() == nil {
		return gcr(-1, "fileset not exist"), nil
	}
	return gcr(0, "", "extraInfo", nil), nil
}

func sendFlash(c *call) (any, error) {
	reply := func(code int, text, uid string, kind int) any {
		return jsval.Obj("errCode", code, "errMsg", text, "rsp", jsval.Obj("sendStatus", []any{
			jsval.Obj("result", code, "msg", text, "target", jsval.Obj("destType", kind, "destUid", uid))}))
	}
	var chat world.Chat
	var uid string
	switch {
	case c.str("group_id") != "":
		chat, uid = world.Chat{Type: world.InGroup, Peer: c.int("group_id")}, c.str("group_id")
	case c.str("user_id") != "":
		chat, uid = world.Chat{Type: world.Private, Peer: c.int("user_id")}, world.UID(c.int("user_id"))
	default:
		return nil, Failed("请指定正确的 group_id 或 user_id")
	}
	if c.flashSet() == nil {
		return reply(-1, "fileset not exist", uid, int(chat.Type)), nil
	}
	if _, err := c.h.w.Send(chat, 0, []world.Segment{{Type: "flashtransfer", Data: jsval.Obj("fileSetId", c.str("fileset_id"))}}, nil); err != nil {
		return reply(-1, err.Error(), uid, int(chat.Type)), nil
	}
	return reply(0, "", uid, int(chat.Type)), nil
}

func sendOnline(c *call) (any, error) {
	folder := c.name == "send_online_folder"
	path, name := c.str("file_path"), c.str("file_name")
	if folder {
		path, name = c.str("folder_path"), c.str("folder_name")
	}
	st, err := os.Stat(path)
	switch {
	case folder && (err != nil || !st.IsDir()):
		return ignore(gcr(-1, "文件夹不存在"), err)
	case err != nil:
		return nil, failf("文件不存在: %s", path)
	}
	if name == "" {
		name = filepath.Base(path)
	}
	f := onlineFile{peer: c.int("user_id"), name: name, path: path, size: st.Size(), dir: folder}
	m, err := c.h.w.Send(world.Chat{Type: world.Private, Peer: f.peer}, 0, []world.Segment{{Type: "onlinefile", Data: jsval.Obj(
		"msgId", "", "elementId", "", "fileName", name, "fileSize", strconv.FormatInt(f.size, 10), "isDir", folder)}}, nil)
	if err != nil {
		return c.later(func() (any, error) {
			if err := c.wait(10 * time.Second); err != nil {
				return nil, err
			}
			return gcr(-1, "发送超时"), nil
		})
	}
	f.msgID, f.elem = m.MsgID, strconv.FormatInt(m.Seq, 10)+"000001"
	c.h.mu.Lock()
	c.h.online = append(c.h.online, f)
	c.h.mu.Unlock()
	return gcr(0, "", "msgId", f.msgID, "elementId", f.elem), nil
}

func onlineFiles(c *call) (any, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	out := []any{}
	for _, f := range c.h.online {
		if f.peer != c.int("user_id") {
			continue
		}
		kind := 23
		if f.dir {
			kind = 30
		}
		out = append(out, jsval.Obj("msgId", f.msgID, "msgRandom", "0", "senderUid", world.UID(c.h.self), "peerUid", world.UID(f.peer),
			"msgTime", strconv.FormatInt(time.Now().Unix(), 10), "elements", []any{jsval.Obj("elementType", kind, "elementId", f.elem,
				"fileElement", jsval.Obj("fileName", f.name, "filePath", f.path, "fileSize", strconv.FormatInt(f.size, 10)))}))
	}
	return gcr(0, "", "msgList", out), nil
}

func cancelOnline(c *call) (any, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	for i, f := range c.h.online {
		if f.msgID == c.str("msg_id") {
			c.h.online = append(c.h.online[:i], c.h.online[i+1:]...)
			break
		}
	}
	return undefined, nil
}
