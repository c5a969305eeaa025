package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/configs"
	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

const (
	catalogueTimeout  = 20 * time.Second
	maxCatalogueBytes = 1 << 20
)

func (s *Store) cataloguePath() string { return filepath.Join(s.home, "catalogue.json") }

// CatalogueError says that a catalogue cannot be had or read.
type CatalogueError struct {
	Source string // address or path
	Copy   bool   // it is the one that [Store.RefreshCatalogue] left in the home
	Err    error
}

// Error implements error.
func (e *CatalogueError) Error() string { return fmt.Sprintf("catalogue %s: %v", e.Source, e.Err) }

// Unwrap returns what went wrong.
func (e *CatalogueError) Unwrap() error { return e.Err }

// BuiltInCatalogue returns the catalogue in the program.
func BuiltInCatalogue() (*catalogue.Catalogue, error) {
	c, err := catalogue.Parse(configs.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("built-in %w", err)
	}
	return c, nil
}

// Catalogue returns the newer one of the catalogue in the program and the copy
// that [Store.RefreshCatalogue] left in the home. A copy that cannot be read is
// an error and is not passed over.
func (s *Store) Catalogue() (*catalogue.Catalogue, error) {
	own, err := BuiltInCatalogue()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.cataloguePath())
	if missing(err) {
		return own, nil
	}
	if err != nil {
		return nil, &CatalogueError{Source: s.cataloguePath(), Copy: true, Err: err}
	}
	copied, err := catalogue.Parse(b)
	if err != nil {
		return nil, &CatalogueError{Source: s.cataloguePath(), Copy: true, Err: err}
	}
	if copied.Updated < own.Updated {
		return own, nil
	}
	return copied, nil
}

// catalogueAt is the catalogue at source, or the store's own.
func (s *Store) catalogueAt(ctx context.Context, source string, rt http.RoundTripper) (*catalogue.Catalogue, error) {
	if source == "" {
		return s.Catalogue()
	}
	return LoadCatalogue(ctx, source, rt)
}

// LoadCatalogue reads a catalogue from a path, a file: URL or an https address,
// for one that the user names in place of the store's own.
func LoadCatalogue(ctx context.Context, source string, rt http.RoundTripper) (*catalogue.Catalogue, error) {
	b, err := loadCatalogue(ctx, source, rt)
	if err != nil {
		return nil, &CatalogueError{Source: source, Err: withoutAddress(err)}
	}
	c, err := catalogue.Parse(b)
	if err != nil {
		return nil, &CatalogueError{Source: source, Err: err}
	}
	return c, nil
}

func loadCatalogue(ctx context.Context, source string, rt http.RoundTripper) ([]byte, error) {
	if path, ok := filePath(source); ok {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxCatalogueBytes+1))
	}
	// A catalogue holds digests, so that it must come over verified TLS.
	if !strings.HasPrefix(source, "https://") {
		return nil, fmt.Errorf("no https address")
	}
	ctx, cancel := context.WithTimeout(ctx, catalogueTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := apiClient(rt).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxCatalogueBytes+1))
}

// TakeCatalogue keeps a catalogue, whose signature was checked, in the home for
// later installs. One that is older than the one at hand is not kept; took says
// which it was.
func (s *Store) TakeCatalogue(text []byte) (c *catalogue.Catalogue, took bool, err error) {
	if c, err = catalogue.Parse(text); err != nil {
		return nil, false, err
	}
	if own, err := s.Catalogue(); err == nil && c.Updated < own.Updated {
		return c, false, nil
	}
	if err := s.makeHome(); err != nil {
		return nil, false, err
	}
	return c, true, atomicfile.Write(s.cataloguePath(), text, 0o644)
}

// CatalogueFrom says whether the catalogue in use is the copy in the home rather
// than the one in the program.
func (s *Store) CatalogueFrom() (path string, copied bool) {
	own, err := BuiltInCatalogue()
	c, err2 := s.Catalogue()
	if err != nil || err2 != nil {
		return "", false
	}
	_, err = os.Stat(s.cataloguePath())
	return s.cataloguePath(), err == nil && c.Updated >= own.Updated
}

// RefreshCatalogue fetches a catalogue from a source of the user's own and keeps
// it in the home for later installs. One that is older than the built-in one is
// kept too, but not used.
func (s *Store) RefreshCatalogue(ctx context.Context, source string, rt http.RoundTripper) (*catalogue.Catalogue, error) {
	b, err := loadCatalogue(ctx, source, rt)
	if err != nil {
		return nil, &CatalogueError{Source: source, Err: withoutAddress(err)}
	}
	c, err := catalogue.Parse(b)
	if err != nil {
		return nil, &CatalogueError{Source: source, Err: err}
	}
	if err := s.makeHome(); err != nil {
		return nil, err
	}
	return c, atomicfile.Write(s.cataloguePath(), b, 0o644)
}

// withoutAddress takes off what repeats the address that is named anyway.
func withoutAddress(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
