package install

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
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
	return "", &LayoutError{Product: NapCat, Lacks: "napcat.mjs"}
}

// LayoutError is an archive that holds something else than the product.
type LayoutError struct {
	Product Product // that it should be
	Lacks   string  // what a package of that product has
}

// Error implements error.
func (e *LayoutError) Error() string {
	name := "NapCat"
	if e.Product == QQ {
		name = "QQ"
	}
	return fmt.Sprintf("not a %s package: no %s in it", name, e.Lacks)
}

// maxBundle bounds what is read of napcat.mjs to find its version; the published
// ones have a few MiB.
const maxBundle = 64 << 20

// versionStatement is how the published napcat.mjs names its version: a constant
// whose expression holds it as the first string that looks like one. The
// package.json beside it is that of the whole source tree and says 0.0.1 in
// every release.
var (
	versionStatement = regexp.MustCompile(`napCatVersion\s*=[^=;\n][^;\n]{0,400}`)
	versionString    = regexp.MustCompile(`["']v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)["']`)
)

// placeholder is the version in the package.json of NapCat's source tree.
const placeholder = "0.0.1"

// napcatVersion reads the version of a NapCat: out of napcat.mjs, else out of the
// package.json beside it. It returns the placeholder when neither tells.
func napcatVersion(main string) (string, error) {
	f, err := os.Open(main)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBundle))
	if err != nil {
		return "", err
	}
	if m := versionString.FindSubmatch(versionStatement.Find(b)); m != nil {
		v := string(m[1])
		return v, checkVersion(v)
	}
	m, err := readManifest(filepath.Join(filepath.Dir(main), "package.json"))
	if missing(err) {
		return placeholder, nil
	}
	if err != nil {
		return "", err
	}
	v := strings.TrimPrefix(m.Version, "v")
	return v, checkVersion(v)
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
		return app{}, &LayoutError{Product: QQ, Lacks: path.Join("resources", "app", "package.json")}
	}
	if err := exists(a.exe); err != nil {
		if missing(err) {
			err = &LayoutError{Product: QQ, Lacks: exe}
		}
		return app{}, err
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
		return m, fmt.Errorf("%w: %s: %w", unpack.ErrDamaged, filepath.Base(path), err)
	}
	return m, nil
}

func trimBOM(b []byte) []byte { return []byte(strings.TrimPrefix(string(b), "\ufeff")) }

// checkVersion accepts what may become the name of a folder; its error is that of
// a package that names something else.
func checkVersion(v string) error {
	if !catalogue.IsVersion(v) {
		return fmt.Errorf("%w: it names %.80q as its version", unpack.ErrDamaged, v)
	}
	return nil
}
