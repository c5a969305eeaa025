package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/selfupgrade"
)

// TestNoReleaseIsReadable: what ails ten mirrors alike is said once, in the user's
// language and without what a library says of each.
func TestNoReleaseIsReadable(t *testing.T) {
	place := func(via string, err error) error { return &selfupgrade.PlaceError{Via: via, Err: err} }
	lookup := func(host string) error {
		return &url.Error{Op: "Get", URL: "https://" + host, Err: &net.OpError{Op: "dial", Err: &net.DNSError{Name: host, Err: "no such host"}}}
	}
	err := errors.Join(place("https://a/", lookup("a")), place("direct", errors.New("manifest.json is an HTML page")), place("https://b/", lookup("b")))
	for lang, want := range map[text.Lang]string{
		text.English: "no place has a release that can be used:\n  https://a/, https://b/: its name cannot be resolved\n  direct: failed (manifest.json is an HTML page)",
		text.Chinese: "没有一处有可用的版本：\n  https://a/, https://b/：域名无法解析\n  direct：失败 (manifest.json is an HTML page)",
	} {
		a := &app{lang: lang, Deps: Deps{Stderr: &bytes.Buffer{}}}
		a.out = newOutput(&bytes.Buffer{}, a.Stderr, lang, a.getenv)
		if got := a.noRelease(err).Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", lang, got, want)
		}
	}
}

// TestNothingIsFetchedForNothing: where the program's folder takes nothing, that is said
// before the new one is fetched, of which there is no publisher here.
func TestNothingIsFetchedForNothing(t *testing.T) {
	a := &app{lang: text.English, Deps: Deps{Stderr: &bytes.Buffer{}}}
	a.out = newOutput(&bytes.Buffer{}, a.Stderr, a.lang, a.getenv)
	gone := filepath.Join(t.TempDir(), "gone")
	if _, err := a.stage(t.Context(), nil, selfupgrade.Release{}, filepath.Join(gone, "ncatd")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := selfupgrade.Stageable(filepath.Join(dir, "ncatd")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}
