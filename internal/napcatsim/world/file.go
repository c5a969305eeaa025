package world

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// File is a file, picture, recording or video that QQ holds.
type File struct {
	ID     string `json:"id"` // QQ's own id
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Path   string `json:"path,omitempty"` // on the simulated machine; "" if it has no bytes here
	URL    string `json:"url,omitempty"`
	MD5    string `json:"md5,omitempty"`
	Kind   string `json:"kind"` // file, image, record, video, folder
	Group  int64  `json:"group,omitempty"`
	Folder string `json:"folder,omitempty"` // id of the folder in a group's file space; "" or "/": its root
	Owner  int64  `json:"owner"`
	Time   int64  `json:"time"`
	Loads  int    `json:"loads"`
	Listed bool   `json:"listed"` // in its group's file space
}

// AddFile makes a file known to QQ and returns it with its id and time.
func (w *World) AddFile(f File) File {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.addFileLocked(f)
}

func (w *World) addFileLocked(f File) *File {
	w.fileN++
	w.changes++
	f.Time = w.now().Unix()
	if f.ID == "" {
		sum := md5.Sum([]byte(f.Name + strconv.Itoa(w.fileN) + strconv.FormatInt(f.Time, 10)))
		h := hex.EncodeToString(sum[:])
		f.ID = "/" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	w.files[f.ID] = &f
	return &f
}

// File returns the file with QQ's id id.
func (w *World) File(id string) (File, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.files[id]; f != nil {
		return *f, true
	}
	return File{}, false
}

// FindFile returns the newest file called name.
func (w *World) FindFile(name string) (File, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var best *File
	for _, f := range w.files {
		if f.Name == name && f.Kind != "folder" && (best == nil || f.Time > best.Time) {
			best = f
		}
	}
	if best == nil {
		return File{}, false
	}
	return *best, true
}

// UpdateFile changes a file by f, which must not call back.
func (w *World) UpdateFile(id string, f func(*File)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.files[id]
	if p == nil {
		return fmt.Errorf("file %q: %w", id, ErrNoFile)
	}
	f(p)
	w.changes++
	return nil
}

// DeleteFile removes a file, or a folder and what is in it.
func (w *World) DeleteFile(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files[id] == nil {
		return fmt.Errorf("file %q: %w", id, ErrNoFile)
	}
	w.changes++
	delete(w.files, id)
	for k, f := range w.files {
		if f.Listed && f.Folder == id {
			delete(w.files, k)
		}
	}
	return nil
}

// GroupFiles returns the files and folders in a folder of a group's file space,
// by time and name. "" and "/" are the root.
func (w *World) GroupFiles(group int64, folder string) []File {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []File
	for _, f := range w.files {
		if f.Listed && f.Group == group && strings.Trim(f.Folder, "/") == strings.Trim(folder, "/") {
			out = append(out, *f)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Time != b.Time {
			return a.Time < b.Time
		}
		return a.Name+a.ID < b.Name+b.ID
	})
	return out
}

// Upload lets a member put a file into a group's file space: the group_upload
// notice is emitted, and the message with the file segment.
func (w *World) Upload(group, user int64, f File) (File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, _, err := w.memberLocked(group, user); err != nil {
		return File{}, err
	}
	f.Kind, f.Group, f.Owner, f.Listed = "file", group, user, true
	p := w.addFileLocked(f)
	m := &Message{Chat: Chat{InGroup, group}, Sender: user, Self: user == w.self.UIN, Segments: []Segment{FileSegment(*p)}}
	w.deliverLocked(m)
	w.uploadNoticeLocked(*p)
	return *p, nil
}

// uploadNoticeLocked emits the group_upload notice of f.
func (w *World) uploadNoticeLocked(f File) {
	w.noticeLocked("group_id", f.Group, "user_id", f.Owner, "notice_type", "group_upload",
		"file", jsval.Obj("id", f.ID, "name", f.Name, "size", f.Size, "busid", 102))
}

// FileSegment returns the segment in which a file is received.
func FileSegment(f File) Segment {
	url := any(jsval.Undefined)
	if f.URL != "" {
		url = f.URL
	}
	return Segment{Type: "file", Data: jsval.Obj("file", f.Name, "file_id", f.ID, "file_size", strconv.FormatInt(f.Size, 10), "url", url)}
}
