package napcatsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Installation is what QQ's package.json leads to.
type Installation struct {
	QQDir         string // where the qq executable lies
	QQVersion     string
	Main          string // path of napcat.mjs; its directory is NapCat's binary path
	NapCatVersion string
}

// errBroken says that this is no QQ at all.
var errBroken = errors.New("not an installed QQ")

// errPlainQQ says that the chain from package.json ends in QQ itself.
var errPlainQQ = errors.New("package.json does not lead to a NapCat loader")

var (
	importPath = regexp.MustCompile(`(?:import|require)\s*\(\s*["'\x60]([^"'\x60]+)["'\x60]`)
	importEnv  = regexp.MustCompile(`process\.env(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*["']([^"']+)["']\s*\])`)
)

// FindInstallation follows package.json's "main" of the QQ whose executable is
// qq to a loader and the loader's import to an unpacked NapCat, as QQ and the
// loader would. The import is a literal (a path or a file URL) or the value of
// an environment variable that the loader names. A chain that ends in QQ itself
// is errPlainQQ; any other error is what node would report.
func FindInstallation(qq string, getenv func(string) string) (Installation, error) {
	qq, err := filepath.Abs(qq)
	if err != nil {
		return Installation{}, err
	}
	in := Installation{QQDir: filepath.Dir(qq)}
	app := filepath.Join(in.QQDir, "resources", "app")
	var pkg struct {
		Version string `json:"version"`
		Main    string `json:"main"`
	}
	if err := readJSON(filepath.Join(app, "package.json"), &pkg); err != nil {
		return Installation{}, fmt.Errorf("%w: %w", errBroken, err)
	}
	in.QQVersion = pkg.Version
	loader := filepath.Join(app, filepath.FromSlash(pkg.Main))
	src, err := os.ReadFile(loader)
	if pkg.Main == "" || strings.Contains(pkg.Main, ".asar") {
		return in, errPlainQQ
	}
	if err != nil {
		return in, fmt.Errorf("cannot find module '%s'", loader)
	}
	for _, spec := range imports(string(src), getenv) {
		path := modulePath(spec, filepath.Dir(loader))
		if filepath.Base(path) != "napcat.mjs" {
			continue
		}
		if fi, err := os.Stat(path); err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
			return in, fmt.Errorf("cannot find module '%s' imported from %s", path, loader)
		}
		var pkg struct {
			Version string `json:"version"`
		}
		if err := readJSON(filepath.Join(filepath.Dir(path), "package.json"), &pkg); err != nil {
			return in, fmt.Errorf("NapCat's package.json: %w", err)
		}
		in.Main, in.NapCatVersion = path, pkg.Version
		return in, nil
	}
	return in, errPlainQQ
}

// imports lists what a loader imports: values of variables that it names, then
// literals.
func imports(src string, getenv func(string) string) []string {
	var out []string
	for _, m := range importEnv.FindAllStringSubmatch(src, -1) {
		if v := getenv(m[1] + m[2]); v != "" {
			out = append(out, v)
		}
	}
	for _, m := range importPath.FindAllStringSubmatch(src, -1) {
		out = append(out, m[1])
	}
	return out
}

// modulePath is the file that an import of spec names.
func modulePath(spec, dir string) string {
	if strings.HasPrefix(spec, "file:") {
		u, err := url.Parse(spec)
		if err != nil {
			return ""
		}
		p := u.Path
		if len(p) > 2 && p[0] == '/' && p[2] == ':' { // file:///C:/…
			p = p[1:]
		}
		return filepath.FromSlash(p)
	}
	if !filepath.IsAbs(spec) {
		spec = filepath.Join(dir, spec)
	}
	return filepath.Clean(spec)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
