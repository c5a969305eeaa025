package install

import (
	"log/slog"
	"net/http"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
)

// Package says where one product comes from. The zero value leaves the choice
// to the catalogue.
type Package struct {
	// Version is the release to fetch, or to expect in File. Empty: the
	// catalogue's choice.
	Version string
	// Use is a release that is installed already; it wins over all else.
	Use *Release
	// File is a package on this machine; it wins over Source.
	File string
	// Source is a URL (https, http, file) or a path in place of the publisher's.
	// {version} in it stands for Version.
	Source string
	// SHA256 is the digest the package must have, in hex. Empty: see Store.Install.
	SHA256 string
}

// local reports the path if the package is on this machine.
func (p Package) local() (string, bool) {
	if p.File != "" {
		return p.File, true
	}
	if path, ok := filePath(p.Source); ok {
		return path, true
	}
	return "", false
}

// Request says what [Store.Install] is to bring.
type Request struct {
	NapCat Package
	QQ     Package

	// Mirrors are URL prefixes, "direct" and "auto"; empty is auto.
	Mirrors []string
	// Insecure accepts a package without any digest from wherever it comes. TLS
	// is verified all the same.
	Insecure bool
	// Keep is how many pairs stay on disk, the current one included; 0: 2.
	Keep int
	// Log gets what an operator may want to read later. It must not be nil.
	Log *slog.Logger
	// InUse returns the release folders that something runs from, beyond those
	// that a look at the processes of this machine shows. It may be nil.
	InUse func() []string

	// Catalogue is what to choose from; nil is the one at CatalogueSource, a path
	// or an https address, and without that the store's own.
	Catalogue       *catalogue.Catalogue
	CatalogueSource string
	// Limits of the transfers; the zero value is fetch.DefaultLimits.
	Limits fetch.Limits
	// Transport replaces the ordinary HTTP transport, which verifies TLS and
	// honours HTTPS_PROXY, HTTP_PROXY and NO_PROXY. It may be nil.
	Transport http.RoundTripper
}

// wish is what the catalogue is asked for.
func (r Request) wish() catalogue.Wish {
	w := catalogue.Wish{NapCat: r.NapCat.Version, QQ: r.QQ.Version, Arch: Arch()}
	w.NoNapCat = r.NapCat.Use != nil || r.NapCat.File != "" || r.NapCat.Source != ""
	w.NoQQ = r.QQ.Use != nil || r.QQ.File != "" || r.QQ.Source != ""
	return w
}
