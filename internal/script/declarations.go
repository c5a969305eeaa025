package script

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncatd/ncatd/internal/control/api"
)

// types/onebot.d.ts, packed by internal/onebotgen.
//
//go:embed types/onebot.d.ts.gz
var packedTypes []byte

var onebotTypes = sync.OnceValue(func() string {
	r, err := gzip.NewReader(bytes.NewReader(packedTypes))
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(r); err == nil {
			return string(b)
		}
	}
	panic("script: the embedded onebot.d.ts.gz does not unpack: " + err.Error())
})

//go:embed types/ncat.d.ts
var ncatTypes string

//go:embed types/test.d.ts
var testTypes string

// Declarations returns what editors and type checkers read of what scripts are
// given, by the names of the files.
func Declarations() map[string]string {
	return map[string]string{"onebot.d.ts": onebotTypes(), "ncat.d.ts": ncatTypes, "test.d.ts": testTypes}
}

// ErrNoPlugin says that what lies at a path is no plugin.
var ErrNoPlugin error = Fail(api.Because(api.CodeScriptNone), nil)

// Check reads the manifest of the plugin at path and bundles it, after a rehearsal
// if it needs one and there is one. The problems are what keeps it from running.
func Check(path string, rehearse Rehearsal) ([]Problem, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	l, ok := locate(path)
	if !ok {
		return nil, ErrNoPlugin
	}
	m, err := l.manifest()
	if err == nil {
		_, err = l.build(m, rehearse)
	}
	var bad *buildError
	if errors.As(err, &bad) {
		return bad.list, nil
	}
	return nil, err
}

// Find returns where in dir, the folder of all plugins, those lie that have an id.
func Find(dir, id string) ([]string, error) {
	found, err := discover(dir)
	var paths []string
	for _, l := range found {
		if newPlugin(nil, l).id == id {
			paths = append(paths, l.path())
		}
	}
	return paths, err
}

// Read returns the manifest of the plugin at path.
func Read(path string) (Manifest, error) {
	l, ok := locate(path)
	if !ok {
		return Manifest{}, ErrNoPlugin
	}
	return l.manifest()
}
