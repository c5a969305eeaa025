package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

const userAgent = "ncatd"

// Words in a list of mirrors that are no addresses.
const (
	MirrorAuto   = "auto"   // direct and the catalogue's mirrors, raced
	MirrorDirect = "direct" // the publisher himself
)

// fromConfig is where a request's digest comes from: nowhere else can one be
// given.
const fromConfig = "the config"

// target is one package to be had from the network.
type target struct {
	product Product
	item    catalogue.Item
	from    string // where item.SHA256 comes from
	own     bool   // the user named the address
}

// target works out what to fetch and which digest it must have: the request's,
// the catalogue's, that of ncatd.lock, GitHub's, in this order.
func (in *installer) target(ctx context.Context, p Product, pkg Package) (target, error) {
	t := target{product: p}
	switch {
	case pkg.Source != "":
		t.own = true
		t.item = catalogue.Item{Version: pkg.Version, URL: pkg.Source, Name: ownName(p, pkg)}
	case p == NapCat:
		t.item = in.choice.NapCat
	default:
		t.item = in.choice.QQ
	}
	if t.item.SHA256 != "" {
		t.from = "the catalogue"
	}
	if pkg.SHA256 != "" {
		if b, err := hex.DecodeString(pkg.SHA256); err != nil || len(b) != sha256.Size {
			return t, fmt.Errorf("%q is no SHA-256 in hex", pkg.SHA256)
		}
		t.item.SHA256, t.item.Size, t.from = strings.ToLower(pkg.SHA256), 0, fromConfig
	}
	locked, err := in.store.readDigestLock()
	if err != nil {
		return t, err
	}
	if l, ok := locked.Packages[lockKey(p, t.item.Name)]; ok {
		switch {
		case t.item.SHA256 == "":
			t.item.SHA256, t.item.Size, t.from = l.SHA256, l.Size, "ncatd.lock"
		case t.item.SHA256 != l.SHA256:
			in.req.Log.Warn("package differs from ncatd.lock", "product", p, "file", t.item.Name, "locked", l.SHA256, "wanted", t.item.SHA256, "wanted_by", t.from)
		}
	}
	if t.item.SHA256 == "" && p == NapCat && !t.own {
		in.askDigest(ctx, &t)
	}
	return t, nil
}

// askDigest asks GitHub. It is no failure when GitHub does not answer: the
// publisher's own address can still be used without a digest.
func (in *installer) askDigest(ctx context.Context, t *target) {
	api := strings.ReplaceAll(in.cat.NapCatAPI, "{version}", url.PathEscape(t.item.Version))
	if api == "" {
		return
	}
	r, err := askGitHub(ctx, apiClient(in.req.Transport), api)
	if err != nil {
		in.req.Log.Info("no digest from github", "product", t.product, "version", t.item.Version, "error", err)
		return
	}
	if sha, size := r.digest(in.cat.NapCatAsset); sha != "" {
		t.item.SHA256, t.item.Size, t.from = sha, size, "GitHub"
	}
}

// ownName names the file from an address that the user gave, so that two
// addresses never share a name.
func ownName(p Product, pkg Package) string {
	sum := sha256.Sum256([]byte(pkg.Source))
	base := "package"
	if u, err := url.Parse(pkg.Source); err == nil {
		if b := path.Base(u.Path); checkVersion(b) == nil {
			base = b
		}
	}
	return fmt.Sprintf("%s-%s-%s", p, hex.EncodeToString(sum[:4]), base)
}

// places are the addresses to try: the user's own mirrors first, raced among
// themselves, then the publisher and, with "auto", the catalogue's mirrors.
func (in *installer) places(t target) [][]fetch.Place {
	direct := fetch.Place{URL: t.item.URL, Via: MirrorDirect, Trusted: true}
	through := func(prefix string) fetch.Place {
		return fetch.Place{URL: strings.TrimSuffix(prefix, "/") + "/" + t.item.URL, Via: prefix}
	}
	mirrors := in.req.Mirrors
	if len(mirrors) == 0 {
		mirrors = []string{MirrorAuto}
	}
	var first, then []fetch.Place
	auto, directFirst := false, false
	for _, m := range mirrors {
		switch m {
		case MirrorAuto:
			auto = true
		case MirrorDirect:
			directFirst = true
		default:
			first = append(first, through(m))
		}
	}
	if directFirst {
		first = append(first, direct)
	} else {
		then = append(then, direct)
	}
	if auto && in.cat.Mirrored(t.item.URL) {
		for _, m := range in.cat.Mirrors {
			then = append(then, through(m))
		}
	}
	return [][]fetch.Place{first, then}
}

// remote fetches, verifies and unpacks one package. What is unpacked already is
// not fetched.
func (in *installer) remote(ctx context.Context, p Product, pkg Package) (Release, error) {
	t, err := in.target(ctx, p, pkg)
	if err != nil {
		return Release{}, err
	}
	if r, ok := in.store.findRelease(p, t.item.SHA256); ok {
		in.emit(Event{Kind: EventNote, Product: p, Version: r.Version, Code: "already_installed", Message: "this very package is unpacked already"})
		return r, nil
	}
	if err := os.MkdirAll(in.store.downloads(), 0o755); err != nil {
		return Release{}, err
	}
	f := fetch.New(fetch.Options{
		Dir: in.store.downloads(), Limits: in.req.Limits, Log: in.req.Log.With("product", p),
		Space:     func(need int64) error { return checkSpace(in.store.downloads(), need) },
		UserAgent: userAgent, Transport: in.req.Transport,
	})
	got, err := f.Fetch(ctx, fetch.File{
		Name: t.item.Name, Places: in.places(t), SHA256: t.item.SHA256, DigestFrom: t.from, Size: t.item.Size,
		Insecure: in.req.Insecure,
		Sniff:    func(head []byte) error { _, err := unpack.Sniff(head); return err },
		Check: func(f *os.File, size int64) error {
			if t.item.SHA256 == "" {
				// Only the archive itself can tell whether a byte is wrong.
				_, err := unpack.Verify(ctx, f, size, unpack.Options{})
				return err
			}
			_, err := unpack.Check(f, size)
			return err
		},
	}, in.watch(t))
	if err != nil {
		return Release{}, err
	}
	in.emit(Event{Kind: EventVerified, Product: p, Version: t.item.Version, URL: t.item.URL, Total: got.Size, SHA256: got.SHA256})
	if t.item.SHA256 != "" || !in.req.Insecure {
		source := t.item.URL
		if got.Place.URL != "" {
			source = got.Place.URL
		}
		if err := in.lockDigest(p, t.item.Name, lockedFile{SHA256: got.SHA256, Size: got.Size, Source: source, Accepted: time.Now().UTC()}); err != nil {
			return Release{}, fmt.Errorf("record the digest: %w", err)
		}
	}
	file, err := os.Open(got.Path)
	if err != nil {
		return Release{}, err
	}
	defer file.Close()
	if r, ok := in.store.findRelease(p, got.SHA256); ok {
		return r, nil
	}
	r, err := in.publish(ctx, p, file, got.Size, releaseInfo{SHA256: got.SHA256, Source: t.item.URL, Archive: t.item.Name}, t.item.Version)
	if err != nil {
		return Release{}, fmt.Errorf("unpack %s: %w", got.Path, err)
	}
	return r, nil
}

// watch turns what a fetch reports into events.
func (in *installer) watch(t target) func(fetch.Event) {
	var tick *ticker
	base := Event{Product: t.product, Version: t.item.Version}
	return func(e fetch.Event) {
		ev := base
		ev.URL, ev.Bytes, ev.Total, ev.Rate = e.Place.URL, e.Bytes, e.Total, e.Rate
		if e.Err != nil {
			place := fetch.Judge(e.Place, e.Err)
			ev.Error, ev.Fault = fetch.Describe(place), sourceFault(place)
		}
		switch e.Kind {
		case fetch.Tried:
			ev.Kind = EventMirror
		case fetch.Chosen:
			ev.Kind = EventPlan
			d := base
			d.Kind, d.URL, d.Total = EventDownload, e.Place.URL, e.Total
			tick = newTicker(in.emit, d)
			tick.base = e.Bytes
		case fetch.Arriving:
			tick.bytes(e.Bytes)
			return
		case fetch.GivenUp:
			ev.Kind = EventFailed
		case fetch.Complete:
			tick.done(e.Bytes)
			return
		}
		in.emit(ev)
	}
}
