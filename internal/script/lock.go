package script

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// lockName is the file that says where installed plugins came from.
const lockName = "plugins.lock"

// Locked is one installed plugin in the lock file.
type Locked struct {
	Source    string      `json:"source"` // a path or an address
	SHA256    string      `json:"sha256"` // of the file, or of all files of the folder
	Version   string      `json:"version"`
	Installed time.Time   `json:"installed"`
	Granted   Permissions `json:"granted"` // what the operator agreed to
	// Next is what is being put in its place. While it is written here, what lies in the
	// folder says which of the two is there.
	Next *Next `json:"next,omitempty"`
}

// Next is a plugin on its way to its place.
type Next struct {
	Locked
	Files string `json:"files"` // its [Digest]
}

// ReadLock returns the installed plugins of a folder by their ids, without what an
// install leaves open that was cut short.
func ReadLock(dir string) (map[string]Locked, error) {
	out := map[string]Locked{}
	b, err := os.ReadFile(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, Fail(api.Because(api.CodeScriptLock, err).With(api.Because(api.CodeScriptLockHint)), err)
	}
	for id, l := range out {
		switch next := l.Next; {
		case next == nil:
		case lies(dir, id, next.Files):
			out[id] = next.Locked
		case l.SHA256 == "": // it would have been the first
			delete(out, id)
		default:
			l.Next = nil
			out[id] = l
		}
	}
	return out, nil
}

// lies reports whether the plugin id is in dir, with the digest files.
func lies(dir, id, files string) bool {
	paths, err := Find(dir, id)
	if err != nil || len(paths) != 1 {
		return false
	}
	sum, err := Digest(paths[0])
	return err == nil && sum == files
}

// Digest returns the SHA-256 of a plugin's file, or of all files of its folder by
// their names.
func Digest(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if !info.IsDir() {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		sum.Write(b)
		return hex.EncodeToString(sum.Sum(nil)), nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return "", err
	}
	defer root.Close() // it was only read
	err = EachFile(root.FS(), func(name string, b []byte) error {
		AddDigest(sum, name, b)
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// AddDigest adds a file of a folder to its digest.
func AddDigest(sum hash.Hash, name string, b []byte) {
	fmt.Fprintf(sum, "%s\x00%d\x00", name, len(b))
	sum.Write(b)
}

// EachFile calls f with the files of a plugin's folder that are its own: regular ones
// that do not begin with a dot.
func EachFile(fsys fs.FS, f func(name string, b []byte) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return f(name, b)
	})
}

// LockPath returns the path of the lock file of a folder.
func LockPath(dir string) string { return filepath.Join(dir, lockName) }
