package action

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// maxTokens is how many ids of listings the host remembers.
const maxTokens = 5000

var groupFileActions = map[string]handler{
	"get_group_root_files":       groupFiles,
	"get_group_files_by_folder":  groupFiles,
	"get_group_file_system_info": fileSystemInfo,
	"get_group_file_url":         groupFileURL,
	"delete_group_file":          deleteGroupFile,
	"create_group_file_folder":   createFolder,
	"delete_group_folder":        deleteFolder,
	"move_group_file":            moveFile,
	"rename_group_file":          renameFile,
	"trans_group_file":           transFile,
}

// token returns a new id for a file, as every listing makes one.
func (h *Host) token(id string) string {
	var b [16]byte
	rand.Read(b[:])
	t := hex.EncodeToString(b[:])
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens[t] = id
	h.tokenq = append(h.tokenq, t)
	if len(h.tokenq) > maxTokens {
		delete(h.tokens, h.tokenq[0])
		h.tokenq = h.tokenq[1:]
	}
	return t
}

func groupFiles(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	folder := c.first("folder", "folder_id")
	files, folders := []any{}, []any{}
	for _, f := range c.h.w.GroupFiles(g.ID, folder) {
		if f.Kind == "folder" {
			inside := c.h.w.GroupFiles(g.ID, f.ID)
			folders = append(folders, jsval.Obj("group_id", g.ID, "folder_id", f.ID, "folder", f.ID, "folder_name", f.Name,
				"create_time", f.Time, "creator", f.Owner, "creator_name", c.h.nick(f.Owner), "total_file_count", len(inside)))
			continue
		}
		files = append(files, jsval.Obj("group_id", g.ID, "file_id", c.h.token(f.ID), "file_name", f.Name, "busid", 102, "size", f.Size,
			"file_size", f.Size, "upload_time", f.Time, "dead_time", 0, "modify_time", f.Time, "download_times", f.Loads,
			"uploader", f.Owner, "uploader_name", c.h.nick(f.Owner)))
	}
	if c.name == "get_group_files_by_folder" {
		folders = []any{} // sub-folders are not reported there
	}
	return jsval.Obj("files", files, "folders", folders), nil
}

func fileSystemInfo(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	count, used := 0, int64(0)
	dirs := []string{"/"}
	for len(dirs) > 0 {
		for _, f := range c.h.w.GroupFiles(g.ID, dirs[0]) {
			if f.Kind == "folder" {
				dirs = append(dirs, f.ID)
				continue
			}
			count++
			used += f.Size
		}
		dirs = dirs[1:]
	}
	return jsval.Obj("file_count", count, "limit_count", 10000, "used_space", used, "total_space", int64(10)<<30), nil
}

// groupFile returns the file that the call names. Ids of upload answers, which
// begin with a slash, are not known everywhere.
func (c *call) groupFile() (world.File, error) {
	f, ok := c.h.known(strings.TrimPrefix(c.str("file_id"), "/"))
	if !ok || f.Group != c.int("group_id") {
		return f, Failed("real fileuuid not found!")
	}
	return f, nil
}

func groupFileURL(c *call) (any, error) {
	if strings.HasPrefix(c.str("file_id"), "/") { // of an upload's answer
		return nil, Failed("real fileUUID not found!")
	}
	f, err := c.groupFile()
	if err != nil {
		return nil, err
	}
	if c.h.o.FileURL != "" {
		return jsval.Obj("url", c.h.fileURL(f)), nil
	}
	return jsval.Obj("url", "https://njc-download.ftn.qq.com/ftn_handler/"+md5hex([]byte(f.ID))+"/?fname="), nil
}

// listedFile returns the file that an id out of a listing names; only such ids
// can be deleted.
func (c *call) listedFile() (string, bool) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	id, ok := c.h.tokens[c.str("file_id")]
	return id, ok
}

func deleteGroupFile(c *call) (any, error) {
	id, ok := c.listedFile()
	f, found := c.h.w.File(id)
	if !ok || !found || f.Group != c.int("group_id") {
		return nil, Failed("Invalid file_id")
	}
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	code, text, good, bad := 0, "ok", []any{id}, []any{}
	if f.Owner != c.h.self && g.Members[c.h.self].Role == world.Plain {
		code, text, good, bad = -36, "permission denied", []any{}, []any{id}
	} else if err := c.h.w.DeleteFile(id); err != nil {
		return nil, err
	}
	return gcr(0, "", "transGroupFileResult", jsval.Obj("result", jsval.Obj("retCode", code, "retMsg", text, "clientWording", ""),
		"successFileIdList", good, "failFileIdList", bad)), nil
}

func createFolder(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	name := c.first("folder_name", "name")
	reply := func(code int, text string, item any) (any, error) {
		return jsval.Obj("result", jsval.Obj("retCode", code, "retMsg", text, "clientWording", ""), "groupItem", item), nil
	}
	same := func(f world.File) bool { return f.Kind == "folder" && f.Name == name }
	if slices.ContainsFunc(c.h.w.GroupFiles(g.ID, "/"), same) {
		return reply(-3, "folder already exists", nil)
	}
	f := c.h.w.AddFile(world.File{Name: name, Kind: "folder", Group: g.ID, Owner: c.h.self, Listed: true})
	self := strconv.FormatInt(c.h.self, 10)
	item := jsval.Obj("peerId", strconv.FormatInt(g.ID, 10), "type", 2, "folderInfo", jsval.Obj("folderId", f.ID,
		"parentFolderId", "/", "folderName", name, "createTime", f.Time, "modifyTime", f.Time, "createUin", self,
		"creatorName", c.h.nick(c.h.self), "totalFileCount", 0, "modifyUin", self, "modifyName", c.h.nick(c.h.self), "usedSpace", "0"), "fileInfo", nil)
	c.h.mu.Lock()
	c.h.folders++
	list := c.h.folders%2 == 0
	c.h.mu.Unlock()
	if list { // both forms come
		return reply(0, "ok", []any{item})
	}
	return reply(0, "ok", item)
}

func deleteFolder(c *call) (any, error) {
	id := c.first("folder", "folder_id")
	f, ok := c.h.w.File(id)
	if !ok || f.Kind != "folder" || f.Group != c.int("group_id") {
		return jsval.Obj("retCode", -1, "retMsg", "folder not exist", "clientWording", ""), nil
	}
	if err := c.h.w.DeleteFile(id); err != nil {
		return nil, err
	}
	return jsval.Obj("retCode", 0, "retMsg", "ok", "clientWording", ""), nil
}

func (c *call) changeFile(change func(*world.File)) (any, error) {
	f, err := c.groupFile()
	if err != nil {
		return nil, err
	}
	if err := c.h.w.UpdateFile(f.ID, change); err != nil {
		return nil, err
	}
	return jsval.Obj("ok", true), nil
}

func moveFile(c *call) (any, error) {
	to := c.str("target_parent_directory")
	if f, ok := c.h.w.File(to); to != "/" && to != "" && (!ok || f.Kind != "folder") {
		return nil, Failed("move file failed")
	}
	return c.changeFile(func(f *world.File) { f.Folder = to })
}

func renameFile(c *call) (any, error) {
	return c.changeFile(func(f *world.File) { f.Name = c.str("new_name") })
}

func transFile(c *call) (any, error) {
	return c.changeFile(func(*world.File) {})
}
