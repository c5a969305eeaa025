package action

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// Limits of uploads (contract E.3).
const (
	uploadLife = 10 * time.Minute
)

// upload is a file that arrives in pieces. Pieces go straight to disk.
type upload struct {
	id, name, sum string
	total         int
	size          int64
	got           map[int]string // piece to its file
	dir           string
	started       time.Time
	retention     time.Duration
}

var streamActions = map[string]handler{
	"upload_file_stream":          uploadStream,
	"download_file_stream":        downloadStream,
	"download_file_image_stream":  downloadStream,
	"download_file_record_stream": downloadStream,
	"test_download_stream":        testStream,
	"clean_stream_temp_file":      cleanTemp,
}

func uploadStream(c *call) (any, error) {
	h, id := c.h, c.str("stream_id")
	dir, err := h.tempDir()
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expireUploadsLocked()
	u := h.uploads[id]
	if c.p.Get("reset") == true {
		if u != nil {
			h.dropUploadLocked(u)
		}
		return nil, Failed("Stream reset completed")
	}
	if c.p.Get("verify_only") == true {
		if u == nil {
			return nil, Failed("Stream not found")
		}
		return u.state("file_created"), nil
	}
	if u == nil {
		total, size := c.p.Get("total_chunks"), c.p.Get("file_size")
		if c.p.Get("is_complete") == true {
			return nil, Failed("Stream not found")
		}
		if !jsval.Truthy(total) || !jsval.Truthy(size) {
			return nil, Failed("total_chunks and file_size required")
		}
		u = &upload{
			id: id, total: int(jsval.Int(total)), size: jsval.Int(size), name: c.str("filename"), sum: c.str("expected_sha256"),
			got: make(map[int]string), dir: filepath.Join(dir, "stream-"+md5hex([]byte(id))), started: time.Now(),
			retention: time.Duration(c.int("file_retention")) * time.Millisecond,
		}
		if err := os.MkdirAll(u.dir, 0o700); err != nil {
			return nil, err
		}
		h.uploads[id] = u
	}
	data, index := c.p.Get("chunk_data"), c.p.Get("chunk_index")
	if jsval.Truthy(data) && !jsval.IsUndefined(index) {
		return u.piece(jsval.ToString(data), int(jsval.Int(index)))
	}
	if c.p.Get("is_complete") == true || len(u.got) == u.total {
		defer h.dropUploadLocked(u)
		o, err := u.complete(dir)
		if err != nil {
			return nil, err
		}
		if u.retention > 0 { // 0 keeps the file
			path := o.String("file_path")
			h.timers = append(h.timers, time.AfterFunc(u.retention, func() { _ = os.Remove(path) }))
		}
		return o, nil
	}
	return u.state("file_created"), nil
}

func (h *Host) expireUploadsLocked() {
	for _, u := range h.uploads {
		if time.Since(u.started) > uploadLife {
			h.dropUploadLocked(u)
		}
	}
}

func (h *Host) dropUploadLocked(u *upload) {
	delete(h.uploads, u.id)
	os.RemoveAll(u.dir)
}

func (u *upload) state(status string) *jsval.Object {
	return jsval.Obj("type", "stream", "stream_id", u.id, "status", status, "received_chunks", len(u.got), "total_chunks", u.total)
}

func (u *upload) piece(data string, index int) (any, error) {
	if index < 0 || index >= u.total {
		return nil, failf("Invalid chunk index: %d", index)
	}
	if u.got[index] != "" {
		return u.state("file_created"), nil
	}
	b, err := decodeBase64(data)
	if err != nil {
		return nil, Failed("Invalid chunk data")
	}
	path := filepath.Join(u.dir, strconv.Itoa(index))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, err
	}
	u.got[index] = path
	return u.state("chunk_received"), nil
}

func (u *upload) complete(dir string) (*jsval.Object, error) {
	if len(u.got) < u.total {
		return nil, failf("Incomplete stream: received %d of %d chunks", len(u.got), u.total)
	}
	name := u.name
	if name == "" {
		name = "upload_" + md5hex([]byte(u.id))
	}
	// The real host joins the name as it is; here it cannot leave the folder.
	path := filepath.Join(dir, name)
	if !filepath.IsLocal(name) {
		return nil, failf("ENOENT: no such file or directory, open '%s'", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	out, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	sum, size := sha256.New(), int64(0)
	for i := range u.total {
		b, err := os.ReadFile(u.got[i])
		if err != nil {
			return nil, err
		}
		sum.Write(b)
		size += int64(len(b))
		if _, err := out.Write(b); err != nil {
			return nil, err
		}
	}
	o := jsval.Obj("type", "response", "stream_id", u.id, "status", "file_complete", "received_chunks", len(u.got),
		"total_chunks", u.total, "file_path", path, "file_size", size)
	if u.sum != "" {
		got := hex.EncodeToString(sum.Sum(nil))
		if got != strings.ToLower(u.sum) {
			os.Remove(path)
			return nil, failf("SHA256 mismatch: expected %s, got %s", u.sum, got)
		}
		o.Set("sha256", got)
	}
	return o, nil
}

func downloadStream(c *call) (any, error) {
	return c.later(func() (any, error) {
		id := c.first("file", "file_id")
		f, ok := c.h.known(id)
		if !ok {
			return nil, Failed("file not found")
		}
		in, err := os.Open(f.Path)
		if err != nil {
			return nil, Failed("file not found")
		}
		defer in.Close()
		chunk := int(c.int("chunk_size"))
		if chunk <= 0 {
			chunk = 65536
		}
		if err := c.packet(c.fileInfo(id, f, chunk)); err != nil {
			return nil, err
		}
		return c.chunks(in, f, chunk)
	})
}

func (c *call) fileInfo(id string, f world.File, chunk int) *jsval.Object {
	name := f.Name
	c.h.mu.Lock()
	if _, listed := c.h.tokens[id]; listed {
		name = ""
	}
	c.h.mu.Unlock()
	info := jsval.Obj("type", "stream", "data_type", "file_info", "file_name", name, "file_size", f.Size, "chunk_size", chunk)
	switch c.name {
	case "download_file_image_stream":
		w, h := imageSize(f.Path)
		info.Set("width", w).Set("height", h)
	case "download_file_record_stream":
		if o := c.str("out_format"); o != "" {
			info.Set("out_format", o)
		}
	}
	return info
}

func (c *call) chunks(in io.Reader, f world.File, chunk int) (any, error) {
	buf := make([]byte, chunk)
	total, n := int64(0), 0
	for ; ; n++ {
		k, err := io.ReadFull(in, buf)
		if k == 0 {
			break
		}
		total += int64(k)
		b64 := base64.StdEncoding.EncodeToString(buf[:k])
		progress := int64(100)
		if f.Size > 0 {
			progress = min(100, total*100/f.Size)
		}
		if err := c.packet(jsval.Obj("type", "stream", "data_type", "file_chunk", "index", n, "data", b64, "size", k,
			"progress", progress, "base64_size", len(b64))); err != nil {
			return nil, err
		}
		if err != nil {
			n++
			break
		}
	}
	return jsval.Obj("type", "response", "data_type", "file_complete", "total_chunks", n, "total_bytes", total,
		"message", fmt.Sprintf("Download completed: %d chunks", n)), nil
}

func testStream(c *call) (any, error) {
	return c.later(func() (any, error) {
		for i := 1; i <= 10; i++ {
			if err := c.packet(jsval.Obj("type", "stream", "data", fmt.Sprintf("Index-> %d", i), "data_type", "data_chunk")); err != nil {
				return nil, err
			}
			if err := c.wait(100 * time.Millisecond); err != nil {
				return nil, err
			}
		}
		if c.p.Get("error") == true {
			return nil, Failed("This is a test error")
		}
		return jsval.Obj("type", "response", "data", "Stream transmission complete", "data_type", "data_complete"), nil
	})
}

func cleanTemp(c *call) (any, error) {
	dir, err := c.h.tempDir()
	if err != nil {
		return nil, err
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		os.RemoveAll(filepath.Join(dir, e.Name()))
	}
	return undefined, nil
}
