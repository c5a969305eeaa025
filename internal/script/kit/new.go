// Package kit is what an author of scripts does without a running bot: it makes a
// plugin with all that an editor needs, checks one, and installs one from a file,
// a folder or a web address.
package kit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/script"
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// badName says that a plugin cannot have a name.
func badName(name string) error { return script.Fail(api.Because(api.CodeScriptPackName, name), nil) }

// ErrExists says that there is a plugin of that name.
var ErrExists = errors.New("it is there already")

const (
	mainTS = `import { command, onPrivate, textIs } from "ncat";

onPrivate(textIs("你好"), (m) => m.reply("你好！"));

command("%[1]s", (m) => m.reply("%[1]s is here"), { help: "is %[1]s there?" });
`
	testTS = `import { friend, test, want } from "ncat/test";

test("answers", () => {
  friend(1).says("你好");
  want("你好！");
  friend(1).says("/%[1]s");
  want("%[1]s is here");
});
`
	manifest = `id: %[1]s
version: 0.1.0
description: ""
permissions:
  fetch: []   # hosts that fetch() may ask, such as api.example.com
`
	tsconfig = `{
  "compilerOptions": {
    "target": "ES2023",
    "lib": ["ES2023"],
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "strict": true,
    "allowJs": true,
    "noEmit": true,
    "skipLibCheck": true,
    "types": []
  },
  "include": ["**/*", ".types/*.d.ts"],
  "exclude": ["**/node_modules"]
}
`
)

// New makes the plugin name in dir, the folder of all plugins, and returns the
// files that it wrote. What editors need lies beside the plugins, for all of them.
func New(dir, name string) ([]string, error) {
	if !namePattern.MatchString(name) {
		return nil, badName(name)
	}
	if err := script.CheckID(name); err != nil {
		return nil, err
	}
	at := filepath.Join(dir, name)
	for _, taken := range []string{at, at + ".ts", at + ".js", at + ".mts", at + ".mjs"} {
		if _, err := os.Lstat(taken); err == nil {
			return nil, script.Fail(api.Because(api.CodeScriptPackExists, name), ErrExists)
		}
	}
	files, err := Types(dir)
	if err != nil {
		return nil, err
	}
	// The folder comes into being complete, so that a bot that runs sees all of it.
	tmp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) // it is gone if all went well
	for _, f := range []struct{ name, text string }{
		{"plugin.yaml", manifest}, {"main.ts", mainTS}, {"main.test.ts", testTS},
	} {
		text := fmt.Sprintf(f.text, name) // commands have one name in all plugins
		if err := os.WriteFile(filepath.Join(tmp, f.name), []byte(text), 0o644); err != nil {
			return nil, err
		}
		files = append(files, filepath.Join(at, f.name))
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	return files, os.Rename(tmp, at)
}

// Types writes the declarations and the tsconfig that editors and tsc read, where
// they are missing or old, and returns those that it wrote.
func Types(dir string) ([]string, error) {
	types := filepath.Join(dir, ".types")
	if err := os.MkdirAll(types, 0o755); err != nil {
		return nil, err
	}
	var wrote []string
	for name, text := range script.Declarations() {
		path := filepath.Join(types, name)
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
		wrote = append(wrote, path)
	}
	path := filepath.Join(dir, "tsconfig.json")
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(path, []byte(tsconfig), 0o644); err != nil {
			return nil, err
		}
		wrote = append(wrote, path)
	}
	return wrote, nil
}
