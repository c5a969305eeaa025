package catalogue

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Wish is what the user asks for. Empty fields are the catalogue's choice.
type Wish struct {
	NapCat string // version
	QQ     string // version
	Arch   string // amd64, arm64
	// NoNapCat and NoQQ say that the product comes from elsewhere, so that its
	// address is not needed.
	NoNapCat, NoQQ bool
}

// Item is one file to fetch.
type Item struct {
	Version string
	URL     string // at the publisher's
	SHA256  string // empty: not known
	Size    int64  // 0: not known
	Name    string // a file name that differs between versions
}

// Choice is the pair that fits a wish.
type Choice struct {
	NapCat Item
	QQ     Item
	Notes  []Note
}

// UnknownError says that the catalogue has no address for a QQ build. There is
// no index of QQ's downloads, so that only listed builds can be fetched.
type UnknownError struct {
	QQ    string
	Arch  string
	Known []string // builds that there are for Arch
}

// Error implements error.
func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no QQ package for %s", e.Arch)
	}
	return fmt.Sprintf("no download address is known for QQ %s on %s; known builds: %s", e.QQ, e.Arch, strings.Join(e.Known, ", "))
}

// Choose finds the pair for a wish: the wished versions, else the newest NapCat
// and the best QQ build that it knows, has a package for the processor and no
// note that calls the pair broken. A NapCat that the catalogue does not list is
// fetched by its version.
func (c *Catalogue) Choose(w Wish) (Choice, error) {
	var ch Choice
	w.NapCat = strings.TrimPrefix(w.NapCat, "v")
	version := w.NapCat
	if version == "" {
		version = c.newest(w)
	}
	entry, known := c.napcat(version)
	if !known {
		entry = NapCat{Version: version, QQ: c.builds(w.Arch)}
	}
	if entry.URL == "" {
		entry.URL = strings.ReplaceAll(c.NapCatURL, "{version}", version)
	}
	ch.NapCat = Item{
		Version: version, URL: entry.URL, SHA256: strings.ToLower(entry.SHA256), Size: entry.Size,
		Name: fmt.Sprintf("NapCat.Shell-%s.zip", version),
	}
	qq := w.QQ
	if qq == "" {
		qq = c.bestQQ(entry, w.Arch)
	}
	p, ok := c.pkg(qq, w.Arch)
	if !ok && !w.NoQQ {
		return Choice{}, &UnknownError{QQ: qq, Arch: w.Arch, Known: c.builds(w.Arch)}
	}
	ch.QQ = Item{Version: qq, URL: p.URL, SHA256: strings.ToLower(p.SHA256), Size: p.Size, Name: path.Base(p.URL)}
	ch.Notes = c.NotesFor(version, qq, w.Arch)
	return ch, nil
}

// newest is the newest NapCat that has a QQ to run with.
func (c *Catalogue) newest(w Wish) string {
	for _, n := range c.NapCat {
		if w.QQ != "" && slices.Contains(n.QQ, w.QQ) || w.QQ == "" && (c.bestQQ(n, w.Arch) != "" || w.NoQQ) {
			return n.Version
		}
	}
	return c.NapCat[0].Version
}

// bestQQ is the first build that a NapCat knows and that can be had and used:
// first without any note, then without one that calls it broken.
func (c *Catalogue) bestQQ(n NapCat, arch string) string {
	flawed := ""
	for _, v := range n.QQ {
		if _, ok := c.pkg(v, arch); !ok {
			continue
		}
		notes := c.NotesFor(n.Version, v, arch)
		if len(notes) == 0 {
			return v
		}
		if flawed == "" && notes[0].Severity != Broken {
			flawed = v
		}
	}
	return flawed
}

// builds are the QQ builds that there is a package of.
func (c *Catalogue) builds(arch string) []string {
	var all []string
	for _, q := range c.QQ {
		if _, ok := c.pkg(q.Version, arch); ok {
			all = append(all, q.Version)
		}
	}
	return all
}
