package install

import (
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
)

// filePath returns the path that a source means: a plain path, or a file: URL of
// this machine. ok is false for other URLs and for the empty string.
func filePath(source string) (path string, ok bool) {
	if source == "" {
		return "", false
	}
	u, err := url.Parse(source)
	// A drive letter is no scheme.
	if err != nil || len(u.Scheme) <= 1 {
		return source, true
	}
	if !strings.EqualFold(u.Scheme, "file") || u.Host != "" && u.Host != "localhost" {
		return "", false
	}
	p := u.Path
	if u.Opaque != "" { // file:relative
		p = u.Opaque
	}
	if runtime.GOOS == "windows" {
		p = strings.TrimPrefix(p, "/")
	}
	return filepath.FromSlash(p), true
}
