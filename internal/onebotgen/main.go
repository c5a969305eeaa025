// Command onebotgen writes the generated part of package onebot: for every
// action of NapCat its params, its result and its method on Client. It reads
// schema/actions.json, the facts as NapCat publishes them, and
// schema/overrides.yaml, where they are wrong or silent and what people want to
// know. For package script it writes the table of those methods and what scripts'
// editors read of them. It writes nothing else and knows nothing of any transport.
//
//	go generate ./onebot
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "directory of package onebot")
	script := flag.String("script", "../internal/script", "directory of package script")
	flag.Parse()
	err := run(*dir)
	if err == nil {
		err = runScript(*dir, *script)
	}
	if err != nil {
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

// runScript writes what package script has of the protocol.
func runScript(dir, script string) error {
	files, err := generateScript(dir)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(script, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generateScript returns the generated files of package script by name.
func generateScript(dir string) (map[string][]byte, error) {
	m, err := load(filepath.Join(dir, "schema"))
	if err != nil {
		return nil, err
	}
	return m.emitScript(dir)
}

// generate returns the generated files by name.
func generate(schemaDir string) (map[string][]byte, error) {
	m, err := load(schemaDir)
	if err != nil {
		return nil, err
	}
	files, err := m.emit()
	if err != nil {
		return nil, err
	}
	facts, err := os.ReadFile(filepath.Join(schemaDir, "actions.json"))
	files["schema/actions.json.gz"] = pack(facts)
	return files, err
}

// pack returns what a program embeds of a large text.
func pack(text []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // memory takes everything
	}
	return b.Bytes()
}

func load(schemaDir string) (*model, error) {
	s, err := loadSchema(filepath.Join(schemaDir, "actions.json"))
	if err != nil {
		return nil, err
	}
	o, err := loadOverrides(filepath.Join(schemaDir, "overrides.yaml"))
	if err != nil {
		return nil, err
	}
	return newModel(s, o)
}
