package action

import (
	"context"
	"encoding/base64"
	"image"
	_ "image/gif" // formats of DecodeConfig
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// maxFetch bounds what is downloaded from a URL in a segment.
const maxFetch = 512 << 20

// load finds the bytes of a medium by the rules of contract H.2.
func (h *Host) load(kind string, d *jsval.Object) (world.File, error) {
	var src string
	for _, k := range []string{"url", "file", "path"} {
		if v := d.Get(k); jsval.Truthy(v) {
			src = jsval.ToString(v)
			break
		}
	}
	if src == "" {
		return world.File{}, Failed("文件消息缺少参数")
	}
	name := ""
	if v := d.Get("name"); jsval.Truthy(v) {
		name = jsval.ToString(v)
	}
	return h.open(context.Background(), kind, src, name)
}

// open makes a file known from any form in which clients name one: an id that
// the host gave out, a local path, a URL, base64, a data URL.
func (h *Host) open(ctx context.Context, kind, src, name string) (world.File, error) {
	if f, ok := h.known(src); ok {
		f.ID, f.Kind, f.Listed = "", kind, false
		return f, nil
	}
	if st, err := os.Stat(src); err == nil && !st.IsDir() {
		return h.local(kind, src, name)
	}
	switch {
	case strings.HasPrefix(src, "http:"), strings.HasPrefix(src, "https:"):
		return h.fetch(ctx, kind, src, name)
	case strings.HasPrefix(src, "base64://"):
		return h.decode(kind, src[len("base64://"):], name)
	case strings.HasPrefix(src, "file:///"): // a host's name is no form of it
		at, err := url.PathUnescape(strings.TrimPrefix(src, "file://"))
		if err != nil {
			return world.File{}, failf("文件处理失败: %v", err)
		}
		if _, err := os.Stat(at); err != nil {
			return world.File{}, failf("文件处理失败: ENOENT: no such file or directory, open '%s'", at)
		}
		return h.local(kind, at, name)
	case strings.HasPrefix(src, "data:"):
		if _, b64, ok := strings.Cut(src, ";base64,"); ok {
			return h.decode(kind, b64, name)
		}
	}
	return world.File{}, Failed("文件处理失败: 识别URL失败, uri= " + src)
}

// known returns the file that a client names by an id which the host gave out,
// or by the name of a received medium.
func (h *Host) known(id string) (world.File, bool) {
	h.mu.Lock()
	real, ok := h.tokens[id]
	h.mu.Unlock()
	if !ok {
		real = id
	}
	if f, ok := h.w.File(real); ok {
		return f, true
	}
	if strings.ContainsAny(id, `/\:`) || id == "" {
		return world.File{}, false
	}
	return h.w.FindFile(id)
}

func (h *Host) local(kind, path, name string) (world.File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return world.File{}, failf("文件处理失败: %v", err)
	}
	if name == "" {
		name = filepath.Base(path)
	}
	return world.File{Kind: kind, Name: name, Path: path, Size: st.Size()}, nil
}

func (h *Host) fetch(ctx context.Context, kind, src, name string) (world.File, error) {
	if h.o.Fetch == nil {
		return h.fetchWeb(ctx, kind, src, name)
	}
	b, err := h.o.Fetch(ctx, src)
	switch {
	case err != nil:
		return world.File{}, failf("文件处理失败: fetch failed: %v", err)
	case b != nil:
		return h.store(kind, b, name)
	}
	if u, err := url.Parse(src); err == nil && name == "" {
		name = path.Base(u.Path)
	}
	return world.File{Kind: kind, Name: name, URL: src}, nil
}

func (h *Host) fetchWeb(ctx context.Context, kind, src, name string) (world.File, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, src, nil)
	if err != nil {
		return world.File{}, failf("文件处理失败: %v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return world.File{}, failf("文件处理失败: fetch failed: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return world.File{}, failf("文件处理失败: 下载文件失败: %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch))
	if err != nil {
		return world.File{}, failf("文件处理失败: %v", err)
	}
	return h.store(kind, b, name)
}

func (h *Host) decode(kind, b64, name string) (world.File, error) {
	b, err := decodeBase64(b64)
	if err != nil || len(b) == 0 {
		return world.File{}, Failed("文件处理失败: base64解码失败")
	}
	return h.store(kind, b, name)
}

// decodeBase64 is as lenient as the host's runtime: padding and the URL alphabet
// do not matter.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", " ", "").Replace(strings.TrimRight(s, "=\r\n "))
	return base64.RawStdEncoding.DecodeString(s)
}

// store writes bytes into the temporary folder under their MD5.
func (h *Host) store(kind string, b []byte, name string) (world.File, error) {
	dir, err := h.tempDir()
	if err != nil {
		return world.File{}, failf("文件处理失败: %v", err)
	}
	sum := md5hex(b)
	file := strings.ToUpper(sum) + extension(b)
	if name == "" {
		name = file
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return world.File{}, failf("文件处理失败: %v", err)
	}
	return world.File{Kind: kind, Name: name, Path: path, Size: int64(len(b)), MD5: sum}, nil
}

// extension guesses a file's ending from its first bytes.
func extension(b []byte) string {
	switch t := http.DetectContentType(b); {
	case t == "image/png":
		return ".png"
	case t == "image/jpeg":
		return ".jpg"
	case t == "image/gif":
		return ".gif"
	case t == "image/webp":
		return ".webp"
	case t == "video/mp4":
		return ".mp4"
	case strings.HasPrefix(t, "audio/"):
		return ".amr"
	case strings.HasPrefix(t, "text/plain"):
		return ".txt"
	}
	return ".bin"
}

// fileURL is where a file's bytes can be fetched.
func (h *Host) fileURL(f world.File) string {
	if h.o.FileURL != "" && f.Path != "" {
		return h.o.FileURL + "/" + url.PathEscape(strings.TrimPrefix(f.ID, "/")) + "/" + url.PathEscape(f.Name)
	}
	if f.URL != "" {
		return f.URL
	}
	return "https://multimedia.nt.qq.com.cn/download?appid=1407&fileid=" + url.QueryEscape(strings.TrimPrefix(f.ID, "/")) + "&rkey=simulated"
}

// ServeHTTP serves the bytes of files under the paths that segments carry when
// [Options.FileURL] is set: the id, a slash, any name.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := h.fileAt(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, f.Path)
}

// Holds reports whether ServeHTTP has something at path.
func (h *Host) Holds(path string) bool { _, ok := h.fileAt(path); return ok }

func (h *Host) fileAt(path string) (world.File, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	id := parts[0]
	if len(parts) > 1 {
		id = parts[len(parts)-2]
	}
	f, ok := h.w.File("/" + id)
	return f, ok && f.Path != ""
}

// imageSize returns the width and height of a picture, zeros if it is none.
func imageSize(path string) (w, h int) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return 0, 0
	}
	return c.Width, c.Height
}

var mediaActions = map[string]handler{
	"get_file":             getFile,
	"get_image":            getFile,
	"get_record":           getRecord,
	"download_file":        downloadFile,
	"can_send_image":       func(*call) (any, error) { return jsval.Obj("yes", true), nil },
	"can_send_record":      func(*call) (any, error) { return jsval.Obj("yes", true), nil },
	"upload_group_file":    uploadGroupFile,
	"upload_private_file":  uploadPrivateFile,
	"get_private_file_url": privateFileURL,
	"ocr_image":            ocrImage,
	".ocr_image":           ocrImage,
}

func (c *call) file() (world.File, error) {
	id := c.first("file", "file_id")
	f, ok := c.h.known(id)
	if !ok {
		return f, Failed("file not found")
	}
	return f, nil
}

// fileObject is the answer of get_file and its kin.
func (c *call) fileObject(f world.File, base64Too bool) *jsval.Object {
	u := f.Path
	if f.Kind == "image" || f.Kind == "video" {
		u = c.h.fileURL(f)
	}
	o := jsval.Obj("file", f.Path, "url", u, "file_size", strconv.FormatInt(f.Size, 10), "file_name", f.Name)
	c.h.mu.Lock()
	_, listed := c.h.tokens[c.first("file", "file_id")]
	c.h.mu.Unlock()
	if listed { // such ids carry no size and no name
		o.Set("file_size", "").Set("file_name", "")
	}
	if base64Too {
		if b, err := os.ReadFile(f.Path); err == nil {
			o.Set("base64", base64.StdEncoding.EncodeToString(b))
		}
	}
	return o
}

func getFile(c *call) (any, error) {
	f, err := c.file()
	if err != nil {
		return nil, err
	}
	return c.fileObject(f, c.h.limit().LocalFileAsBase64), nil
}

var recordFormats = []string{"mp3", "amr", "wma", "m4a", "spx", "ogg", "wav", "flac"}

func getRecord(c *call) (any, error) {
	f, err := c.file()
	if err != nil {
		return nil, err
	}
	format := c.str("out_format")
	if format == "" {
		return c.fileObject(f, c.h.limit().LocalFileAsBase64), nil
	}
	if !strings.Contains(" "+strings.Join(recordFormats, " ")+" ", " "+format+" ") {
		return nil, Failed("转换失败")
	}
	// The bytes stay what they are: the world has no codec.
	out := strings.TrimSuffix(f.Path, filepath.Ext(f.Path)) + "." + format
	b, err := os.ReadFile(f.Path)
	if err == nil {
		err = os.WriteFile(out, b, 0o600)
	}
	if err != nil {
		return nil, Failed(err.Error())
	}
	f.Path = out
	return c.fileObject(f, true), nil
}

func downloadFile(c *call) (any, error) {
	name := c.str("name")
	place := func(f world.File) (any, error) {
		if name == "" {
			return jsval.Obj("file", f.Path), nil
		}
		dir, err := c.h.tempDir()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, filepath.Base(name))
		b, err := os.ReadFile(f.Path)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			return nil, err
		}
		return jsval.Obj("file", path), nil
	}
	if b64 := c.str("base64"); b64 != "" {
		f, err := c.h.decode("file", b64, "")
		if err != nil {
			return nil, err
		}
		return place(f)
	}
	src := c.str("url")
	if src == "" {
		return nil, Failed("不存在任何文件, 无法下载")
	}
	return c.later(func() (any, error) {
		f, err := c.h.open(c.ctx, "file", src, "")
		if err != nil {
			return nil, err
		}
		dir, err := c.h.tempDir()
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(f.Path, dir) && name == "" {
			// The real host moves the file; copying is enough to answer alike.
			b, err := os.ReadFile(f.Path)
			if err != nil {
				return nil, err
			}
			if f, err = c.h.store("file", b, ""); err != nil {
				return nil, err
			}
		}
		return place(f)
	})
}

func (c *call) uploaded() (world.File, error) {
	f, err := c.h.open(c.ctx, "file", c.str("file"), c.str("name"))
	if err != nil {
		return f, err
	}
	f.Name, f.Owner = c.str("name"), c.h.self
	return f, nil
}

func uploadGroupFile(c *call) (any, error) {
	return c.later(func() (any, error) {
		f, err := c.uploaded()
		if err != nil {
			return nil, err
		}
		f.Folder = c.first("folder", "folder_id")
		f.Group, f.Listed = c.int("group_id"), true
		f = c.h.w.AddFile(f)
		return settle(c.deliver(world.Chat{Type: world.InGroup, Peer: f.Group}, 0, []world.Segment{c.h.mediaSegment("file", f, nil)}, nil, f.Size,
			func(world.Message) any { return jsval.Obj("file_id", "/"+f.ID) }))
	})
}

func uploadPrivateFile(c *call) (any, error) {
	uin := c.int("user_id")
	if _, ok := c.h.w.User(uin); !ok {
		return nil, Failed("缺少参数 user_id")
	}
	return c.later(func() (any, error) {
		f, err := c.uploaded()
		if err != nil {
			return nil, err
		}
		f = c.h.w.AddFile(f)
		return settle(c.deliver(world.Chat{Type: world.Private, Peer: uin}, 0, []world.Segment{c.h.mediaSegment("file", f, nil)}, nil, f.Size,
			func(world.Message) any { return jsval.Obj("file_id", f.ID) }))
	})
}

func privateFileURL(c *call) (any, error) {
	f, ok := c.h.known(c.str("file_id"))
	if !ok || f.Group != 0 {
		return nil, Failed("real fileuuid not found!")
	}
	return jsval.Obj("url", c.h.fileURL(f)), nil
}

func ocrImage(*call) (any, error) {
	return nil, Failed("screenOCR is not supported on this platform") // QQ's reader of pictures exists on Windows only
}
