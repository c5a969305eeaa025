package install

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
)

// maxLayoutDepth is how far below a package's root QQ's folder is looked for:
// opt/QQ in the packages that are published.
const maxLayoutDepth = 3

// app is the QQ program as it lies in an unpacked package.
type app struct {
	exe     string // absolute path of qq
	dir     string // resources/app
	version string
	main    string // package.json's main
}

// findNapCat returns the path of napcat.mjs in an unpacked NapCat.Shell.zip: at
// its root, where the published ones have it, or in its only folder.
func findNapCat(dir string) (string, error) {
	main := filepath.Join(dir, "napcat.mjs")
	err := exists(main)
	if err == nil {
		return main, nil
	}
	found, globErr := filepath.Glob(filepath.Join(dir, "*", "napcat.mjs"))
	if globErr == nil && len(found) == 1 && exists(found[0]) == nil {
		return found[0], nil
	}
	return "", err
}

// napcatVersion reads the version out of the package.json beside napcat.mjs.
func napcatVersion(main string) (string, error) {
	m, err := readManifest(filepath.Join(filepath.Dir(main), "package.json"))
	if err != nil {
		return "", err
	}
	return m.Version, checkVersion(m.Version)
}

// findApp finds the QQ program below dir by its resources/app/package.json.
func findApp(dir string) (app, error) {
	exe := "qq"
	if runtime.GOOS == "windows" {
		exe = "QQ.exe"
	}
	var a app
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if exists(filepath.Join(dir, filepath.FromSlash(p), "resources", "app", "package.json")) == nil {
			a.exe = filepath.Join(dir, filepath.FromSlash(p), exe)
			a.dir = filepath.Join(dir, filepath.FromSlash(p), "resources", "app")
			return fs.SkipAll
		}
		if p != "." && strings.Count(p, "/")+1 >= maxLayoutDepth {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return app{}, err
	}
	if a.dir == "" {
		return app{}, fmt.Errorf("no %s: not a QQ package", path.Join("resources", "app", "package.json"))
	}
	if err := exists(a.exe); err != nil {
		return app{}, fmt.Errorf("no %s executable: %w", exe, err)
	}
	m, err := readManifest(filepath.Join(a.dir, "package.json"))
	if err != nil {
		return app{}, err
	}
	a.version, a.main = m.Version, m.Main
	return a, checkVersion(m.Version)
}

// manifest is what matters of a package.json.
type manifest struct {
	Version string `json:"version"`
	Main    string `json:"main"`
}

// maxManifest bounds a package.json.
const maxManifest = 1 << 20

func readManifest(path string) (manifest, error) {
	var m manifest
	fi, err := os.Stat(path)
	if err != nil {
		return m, err
	}
	if fi.Size() > maxManifest {
		return m, fmt.Errorf("%s has %d bytes", path, fi.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(trimBOM(b), &m); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func trimBOM(b []byte) []byte { return []byte(strings.TrimPrefix(string(b), "\ufeff")) }

// checkVersion accepts what may become the name of a folder.
func checkVersion(v string) error {
	ok := v != "" && len(v) <= 64 && v[0] != '.' && v[0] != '-' && !strings.ContainsFunc(v, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-+_~", r)
	})
	if !ok {
		return fmt.Errorf("package names %.80q as its version", v)
	}
	return nil
}
