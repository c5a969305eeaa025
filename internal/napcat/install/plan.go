package install

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

// Plan is what an install would bring.
type Plan struct {
	NapCat PlanItem         `json:"napcat"`
	QQ     PlanItem         `json:"qq"`
	Notes  []catalogue.Note `json:"notes,omitempty"`
}

// PlanItem is one package of a [Plan].
type PlanItem struct {
	Version string `json:"version,omitempty"` // empty: the package will say
	URL     string `json:"url"`               // or path
	Size    int64  `json:"size,omitempty"`    // bytes, 0: not known
	// Present is true when nothing has to be fetched: the release is unpacked, or
	// the package lies on this machine.
	Present bool `json:"present"`
}

// sizeTimeout bounds the question how large a package is.
const sizeTimeout = 4 * time.Second

// Plan works out what [Store.Install] of req would fetch, without fetching it.
// Sizes that the catalogue does not know are asked for at the publisher's; no
// answer is no error.
func (s *Store) Plan(ctx context.Context, req Request) (Plan, error) {
	in := &installer{store: s, req: req, emit: func(Event) {}, cat: req.Catalogue}
	if err := in.choose(ctx); err != nil {
		return Plan{}, err
	}
	p := Plan{Notes: in.choice.Notes}
	var wg sync.WaitGroup
	for _, it := range []struct {
		product Product
		pkg     Package
		item    catalogue.Item
		out     *PlanItem
	}{{NapCat, req.NapCat, in.choice.NapCat, &p.NapCat}, {QQ, req.QQ, in.choice.QQ, &p.QQ}} {
		wg.Go(func() { *it.out = s.planItem(ctx, it.product, it.pkg, it.item, req.Transport) })
	}
	wg.Wait()
	return p, ctx.Err()
}

func (s *Store) planItem(ctx context.Context, p Product, pkg Package, item catalogue.Item, rt http.RoundTripper) PlanItem {
	if pkg.Use != nil {
		return PlanItem{Version: pkg.Use.Version, URL: pkg.Use.Dir, Present: true}
	}
	if path, ok := pkg.local(); ok {
		return PlanItem{Version: pkg.Version, URL: path, Present: true}
	}
	name := item.Name
	if pkg.Source != "" {
		item = catalogue.Item{Version: pkg.Version, URL: pkg.Source}
		name = ownName(p, pkg)
	}
	out := PlanItem{Version: item.Version, URL: item.URL, Size: item.Size}
	sha := strings.ToLower(pkg.SHA256)
	if sha == "" {
		sha = item.SHA256
	}
	if l, err := s.readDigestLock(); err == nil {
		if locked, ok := l.Packages[lockKey(p, name)]; ok {
			out.Size = locked.Size
			if sha == "" {
				sha = locked.SHA256
			}
		}
	}
	if _, ok := s.findRelease(p, sha); ok {
		out.Present = true
	}
	if out.Size == 0 && !out.Present {
		out.Size = askSize(ctx, out.URL, rt)
	}
	return out
}

// askSize asks a server how large a file is, 0 when it does not tell in time.
func askSize(ctx context.Context, rawURL string, rt http.RoundTripper) int64 {
	ctx, cancel := context.WithTimeout(ctx, sizeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, rawURL, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return 0
	}
	return max(resp.ContentLength, 0)
}

// Newest asks the publisher which NapCat is the newest, such as "4.18.19". The
// catalogue may not know it yet.
func (s *Store) Newest(ctx context.Context, rt http.RoundTripper) (string, error) {
	c, err := s.Catalogue()
	if err != nil {
		return "", err
	}
	r, err := askGitHub(ctx, apiClient(rt), c.NapCatLatest)
	if err != nil {
		return "", err
	}
	v := strings.TrimPrefix(r.Tag, "v")
	if checkVersion(v) != nil {
		return "", fmt.Errorf("the publisher's newest is called %.80q", v)
	}
	return v, nil
}
