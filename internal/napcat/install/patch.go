package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

const (
	loaderFile   = "loadNapCat.js"
	loaderMain   = "./" + loaderFile
	originalFile = "package.json.ncatd-original"
)

// loaderScript is what QQ runs in place of its own main (contract A.5, method
// 1). It takes NapCat's path from the environment, so that one unpacked QQ
// serves every NapCat and no switch touches it again. Without the variable QQ
// starts as its publisher meant it to.
const loaderScript = `(async () => {
  const main = process.env.NCATD_NAPCAT_MAIN;
  if (!main) {
    require(%s);
    return;
  }
  const { pathToFileURL } = await import('node:url');
  await import(pathToFileURL(main).href);
})();
`

// Patch makes the QQ below dir load NapCat: it writes resources/app/loadNapCat.js
// and points package.json's main at it, keeping the original beside it. Doing it
// twice changes nothing more.
func Patch(dir string) error {
	a, err := findApp(dir)
	if err != nil {
		return err
	}
	manifestPath := filepath.Join(a.dir, "package.json")
	original := filepath.Join(a.dir, originalFile)
	b, err := os.ReadFile(manifestPath)
	if err != nil {
		return err
	}
	main := a.main
	if main == loaderMain {
		// Patched before, by us or by another installer. Only ours left the
		// original.
		m, err := readManifest(original)
		if err != nil && !missing(err) {
			return err
		}
		main = m.Main
	} else if err := atomicfile.Write(original, b, 0o644); err != nil {
		return err
	}
	quoted, err := json.Marshal("./" + path.Clean(main))
	if err != nil {
		return err
	}
	script := fmt.Appendf(nil, loaderScript, quoted)
	loader := filepath.Join(a.dir, loaderFile)
	if old, err := os.ReadFile(loader); err != nil || !bytes.Equal(old, script) {
		if err := atomicfile.Write(loader, script, 0o644); err != nil {
			return err
		}
	}
	if a.main == loaderMain {
		return nil
	}
	patched, err := setMain(b, loaderMain)
	if err != nil {
		return fmt.Errorf("%s: %w", manifestPath, err)
	}
	return atomicfile.Write(manifestPath, patched, 0o644)
}

// Unpatch undoes [Patch]: the original package.json comes back and the loader
// goes. Without a patch it does nothing.
func Unpatch(dir string) error {
	a, err := findApp(dir)
	if err != nil {
		return err
	}
	original := filepath.Join(a.dir, originalFile)
	b, err := os.ReadFile(original)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(a.dir, "package.json"), b, 0o644); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(a.dir, loaderFile)); err != nil && !missing(err) {
		return err
	}
	return os.Remove(original)
}

// setMain replaces the value of the key "main" of a JSON object and leaves every
// other byte as it was; without that key it is added in front.
func setMain(b []byte, main string) ([]byte, error) {
	quoted, err := json.Marshal(main)
	if err != nil {
		return nil, err
	}
	b = trimBOM(b)
	dec := json.NewDecoder(bytes.NewReader(b))
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if tok != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	first := dec.InputOffset()
	var start, end int64
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		// Of a key that comes twice, JavaScript takes the last.
		if key == "main" {
			end = dec.InputOffset()
			start = end - int64(len(value))
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if end > 0 {
		return bytes.Join([][]byte{b[:start], quoted, b[end:]}, nil), nil
	}
	comma := []byte(",")
	if bytes.HasPrefix(bytes.TrimSpace(b[first:]), []byte("}")) {
		comma = nil
	}
	return bytes.Join([][]byte{b[:first], []byte(`"main":`), quoted, comma, b[first:]}, nil), nil
}

// CheckPatch reports what keeps the QQ below dir from loading NapCat, nil if
// nothing does.
func CheckPatch(dir string) error {
	a, err := findApp(dir)
	if err != nil {
		return err
	}
	if a.main != loaderMain {
		return fmt.Errorf("package.json's main is %q", a.main)
	}
	b, err := os.ReadFile(filepath.Join(a.dir, loaderFile))
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte("NCATD_NAPCAT_MAIN")) {
		return fmt.Errorf("%s is not ncatd's", loaderFile)
	}
	return nil
}

// FindQQ finds the QQ program in an unpacked package: its executable and the
// folder that holds all that belongs to it.
func FindQQ(dir string) (exe, programDir string, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", "", err
	}
	a, err := findApp(abs)
	if err == nil {
		return a.exe, filepath.Dir(a.exe), nil
	}
	// A bare set of ELF files will do as long as the executable is there.
	exe = filepath.Join(abs, "qq")
	if exists(exe) != nil {
		return "", "", err
	}
	return exe, abs, nil
}
