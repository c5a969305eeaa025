// Command onebotgen writes the generated part of package onebot: for every
// action of NapCat its params, its result and its method on Client. It reads
// schema/actions.json, the facts as NapCat publishes them, and
// schema/overrides.yaml, where they are wrong or silent and what people want to
// know. It writes nothing else and knows nothing of any transport.
//
//	go generate ./onebot
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "directory of package onebot")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "onebotgen:", err)
		os.Exit(1)
	}
}

// run writes the generated files of the package in dir and removes those that
// are no longer generated.
func run(dir string) error {
	files, err := generate(filepath.Join(dir, "schema"))
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*_gen.go"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if _, ok := files[filepath.Base(f)]; !ok {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files by name.
func generate(schemaDir string) (map[string][]byte, error) {
	s, err := loadSchema(filepath.Join(schemaDir, "actions.json"))
	if err != nil {
		return nil, err
	}
	o, err := loadOverrides(filepath.Join(schemaDir, "overrides.yaml"))
	if err != nil {
		return nil, err
	}
	m, err := newModel(s, o)
	if err != nil {
		return nil, err
	}
	return m.emit()
}
