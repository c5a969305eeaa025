package script

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
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
}

// ReadLock returns the installed plugins of a folder by their ids.
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
	return out, nil
}

// LockPath returns the path of the lock file of a folder.
func LockPath(dir string) string { return filepath.Join(dir, lockName) }
