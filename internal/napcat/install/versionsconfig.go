package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// FixVersionsConfig mends a trap of QQ on Linux (contract A.3): NapCat believes
// the version in HOME/.config/QQ/versions/config.json before that of the QQ that
// really runs, and that file outlives upgrades and rollbacks. Called with an
// account's HOME before its QQ starts, it sets baseVersion, curVersion and
// buildId to those of qqVersion (such as "3.2.30-50969") if the file is there
// and says something else, and keeps every other key. It reports whether it
// changed the file. Without the file, or on another system's layout, it does
// nothing. The QQ of that home must not be running.
func FixVersionsConfig(home, qqVersion string) (bool, error) {
	path := filepath.Join(home, ".config", "QQ", "versions", "config.json")
	b, err := os.ReadFile(path)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, build, ok := strings.Cut(qqVersion, "-")
	if !ok {
		return false, fmt.Errorf("QQ version %q has no build number", qqVersion)
	}
	dec := json.NewDecoder(bytes.NewReader(trimBOM(b)))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil || m == nil {
		// A file that cannot be read hides the real version just as a stale one
		// does. QQ writes a new one.
		if err := os.Rename(path, path+".damaged"); err != nil {
			return false, errors.Join(fmt.Errorf("%s is damaged", path), err)
		}
		return true, nil
	}
	want := map[string]string{"baseVersion": qqVersion, "curVersion": qqVersion, "buildId": build}
	changed := false
	for k, v := range want {
		if m[k] != v {
			m[k] = v
			changed = true
		}
	}
	if !changed {
		return false, nil
	}
	out, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return false, err
	}
	perm := os.FileMode(0o644)
	if fi, err := os.Stat(path); err == nil {
		perm = fi.Mode().Perm()
	}
	return true, atomicfile.Write(path, append(out, '\n'), perm)
}
