package kit

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/script"
)

const (
	// stagePrefix begins the names of the folders to which packages are brought. Who
	// brings one holds the lock of its folder.
	stagePrefix = ".install-"
	// asideName is the folder in there of what had to make place.
	asideName = ".before"
)

// holdFolder waits for the lock of the folder of all plugins, which orders what
// several processes put there.
func holdFolder(dir string) (*atomicfile.Lock, error) {
	at, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	return atomicfile.WaitLock(at)
}

// stage makes a folder for a package within dir, and removes those of installs that
// were cut short.
func stage(dir string) (tmp string, held *atomicfile.Lock, err error) {
	lock, err := holdFolder(dir)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := tidy(dir); err != nil {
		return "", nil, err
	}
	if tmp, err = os.MkdirTemp(dir, stagePrefix); err != nil {
		return "", nil, err
	}
	held, err = atomicfile.TryLock(tmp)
	return tmp, held, err
}

// Restore brings back what an install that was cut short took out of its place and
// did not replace. dir, the folder of all plugins, need not exist.
func Restore(dir string) (err error) {
	lock, err := holdFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return tidy(dir)
}

// tidy is Restore with the lock of the folder held.
func tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if number, ok := strings.CutPrefix(e.Name(), "."+filepath.Base(script.LockPath(dir))); ok && e.Type().IsRegular() && strings.Trim(number, "0123456789") == "" {
			if err := os.Remove(path); err != nil { // a lock file that was being written
				return err
			}
		}
		if !e.IsDir() || !strings.HasPrefix(e.Name(), stagePrefix) {
			continue
		}
		held, err := atomicfile.TryLock(path)
		if errors.Is(err, atomicfile.ErrLocked) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(putBack(dir, path), held.Unlock(), os.RemoveAll(path)); err != nil {
			return err
		}
	}
	return nil
}

// putBack puts back what was taken out of its place in dir into tmp, unless something
// came instead of it.
func putBack(dir, tmp string) error {
	aside := filepath.Join(tmp, asideName)
	entries, err := os.ReadDir(aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(aside, e.Name()), filepath.Join(dir, e.Name())
		m, err := script.Read(from)
		if err != nil {
			continue // it could not run
		}
		there, err := script.Find(dir, m.ID)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(to); err == nil || len(there) > 0 {
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	return nil
}

// place puts what Open brought in the place of what was before. all is the lock file,
// which says what is about to happen before it does.
func (p *Package) place(all map[string]script.Locked, next script.Locked, before []string, to string) error {
	id := p.Manifest.ID
	files, err := script.Digest(p.path)
	if err != nil {
		return err
	}
	was, known := all[id]
	about := was
	about.Next = &script.Next{Locked: next, Files: files}
	all[id] = about
	if err := p.writeLock(all); err != nil {
		return err
	}
	if err := p.replace(before, to); err != nil {
		if all[id] = was; !known {
			delete(all, id)
		}
		return errors.Join(err, p.writeLock(all))
	}
	all[id] = next
	return p.writeLock(all)
}

func (p *Package) writeLock(all map[string]script.Locked) error {
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(script.LockPath(p.dir), append(b, '\n'), 0o644)
}

// replace puts what Open brought in the place of what was before, which stays if that
// fails: in one step if it is one thing with the same name, where the system can.
func (p *Package) replace(before []string, to string) (err error) {
	if len(before) == 1 && before[0] == to && atomicfile.Exchange(p.path, to) {
		return nil
	}
	aside := filepath.Join(p.tmp, asideName)
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return err
	}
	for _, at := range before {
		away := filepath.Join(aside, filepath.Base(at))
		if err := os.Rename(at, away); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Rename(away, at))
			}
		}()
	}
	return os.Rename(p.path, to)
}
