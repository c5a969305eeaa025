// Package catalogue knows which releases of NapCat and QQ there are, where their
// publishers keep them, which belong together and which pairs have a flaw
// (contract A.1 to A.3).
//
// The central type is [Catalogue], read by [Parse] from JSON: the one embedded
// in the program, or a newer copy of it. [Catalogue.Choose] is a pure function of
// the catalogue and what the user wishes. The package neither reads files nor
// asks the network.
package catalogue

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

// Schema is the newest form of a catalogue that this program understands.
const Schema = 1

// maxBytes bounds a catalogue that comes from somewhere else.
const maxBytes = 1 << 20

// Catalogue is what is known about releases.
type Catalogue struct {
	Schema  int    `json:"schema"`
	Updated string `json:"updated"` // a date, the newer catalogue wins

	// NapCatURL is where a NapCat release lies that the catalogue does not list;
	// {version} stands for its version. NapCatAPI answers GitHub's description of
	// a release, NapCatLatest that of the newest one.
	NapCatURL    string `json:"napcat_url"`
	NapCatAPI    string `json:"napcat_api"`
	NapCatLatest string `json:"napcat_latest"`
	NapCatAsset  string `json:"napcat_asset"`

	// Mirrors are URL prefixes for files on MirroredHosts.
	Mirrors       []string `json:"mirrors"`
	MirroredHosts []string `json:"mirrored_hosts"`

	// MinimumQQBuild is the oldest QQ that current NapCat releases accept.
	MinimumQQBuild int `json:"minimum_qq_build"`

	NapCat []NapCat `json:"napcat"` // newest first
	QQ     []QQ     `json:"qq"`     // newest first
	Notes  []Note   `json:"notes"`
}

// NapCat is a release of NapCat.
type NapCat struct {
	Version string   `json:"version"`
	URL     string   `json:"url,omitempty"` // empty: by NapCatURL
	SHA256  string   `json:"sha256,omitempty"`
	Size    int64    `json:"size,omitempty"`
	QQ      []string `json:"qq"` // builds it knows, the best first
}

// QQ is a build of QQ.
type QQ struct {
	Version  string    `json:"version"`
	Packages []Package `json:"packages"`
}

// Package is a build's file for one processor.
type Package struct {
	Arch   string `json:"arch"`   // amd64, arm64
	Format string `json:"format"` // deb; others are passed over
	URL    string `json:"url"`
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
}

// Severity says what a [Note] means for a pair.
type Severity string

// The severities.
const (
	Warning Severity = "warning" // runs, something is missing
	Broken  Severity = "error"   // is not chosen by itself
)

// Note is something to know about a pair. "*" or nothing matches everything.
type Note struct {
	NapCat   string   `json:"napcat"`
	QQ       string   `json:"qq"`
	Arch     string   `json:"arch"`
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	EN       string   `json:"en"`
	ZH       string   `json:"zh"`
}

// Parse reads and checks a catalogue.
func Parse(b []byte) (*Catalogue, error) {
	if len(b) > maxBytes {
		return nil, fmt.Errorf("catalogue has %d bytes, more than %d", len(b), maxBytes)
	}
	var c Catalogue
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("catalogue: more than one document")
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return &c, nil
}

func (c *Catalogue) check() error {
	if c.Schema < 1 || c.Schema > Schema {
		return fmt.Errorf("schema %d, this program understands %d", c.Schema, Schema)
	}
	var errs []error
	link := func(what, u string, empty bool) {
		if u == "" && empty {
			return
		}
		p, err := url.Parse(u)
		if err != nil || p.Scheme != "https" && p.Scheme != "http" || p.Host == "" {
			errs = append(errs, fmt.Errorf("%s: %q is no http address", what, u))
		}
	}
	digest := func(what, s string) {
		if b, err := hex.DecodeString(s); s != "" && (err != nil || len(b) != 32) {
			errs = append(errs, fmt.Errorf("%s: %q is no SHA-256", what, s))
		}
	}
	link("napcat_url", c.NapCatURL, false)
	link("napcat_api", c.NapCatAPI, true)
	link("napcat_latest", c.NapCatLatest, true)
	for _, m := range c.Mirrors {
		link("mirror", m, false)
	}
	for _, n := range c.NapCat {
		if !IsVersion(n.Version) {
			errs = append(errs, fmt.Errorf("a NapCat release whose version %.80q is no name", n.Version))
		}
		link("napcat "+n.Version, n.URL, true)
		digest("napcat "+n.Version, n.SHA256)
	}
	for _, q := range c.QQ {
		if !IsVersion(q.Version) {
			errs = append(errs, fmt.Errorf("a QQ build whose version %.80q is no name", q.Version))
		}
		for _, p := range q.Packages {
			link("qq "+q.Version, p.URL, false)
			digest("qq "+q.Version, p.SHA256)
		}
	}
	if len(c.NapCat) == 0 || len(c.QQ) == 0 {
		errs = append(errs, errors.New("lists no releases"))
	}
	return errors.Join(errs...)
}

// IsVersion reports whether v may be the name of a version. It may then be the
// name of a folder too: never a path, an option or a hidden file.
func IsVersion(v string) bool {
	return v != "" && len(v) <= 64 && v[0] != '.' && v[0] != '-' && !strings.ContainsFunc(v, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-+_~", r)
	})
}

// Build is the build number of a QQ version such as "3.2.30-50969", 0 if it has
// none.
func Build(version string) int {
	_, build, _ := strings.Cut(version, "-")
	n, err := strconv.Atoi(build)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Compare orders two versions by their numbers: -1, 0 or 1.
func Compare(a, b string) int {
	split := func(s string) []string {
		return strings.FieldsFunc(strings.TrimPrefix(s, "v"), func(r rune) bool { return r == '.' || r == '-' || r == '+' })
	}
	as, bs := split(a), split(b)
	for i := range max(len(as), len(bs)) {
		var x, y string
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		nx, errX := strconv.ParseUint(x, 10, 64)
		ny, errY := strconv.ParseUint(y, 10, 64)
		switch {
		case errX == nil && errY == nil && nx != ny:
			if nx < ny {
				return -1
			}
			return 1
		case errX == nil && errY == nil:
		case x != y:
			// A word after the numbers is an earlier state: 1.2-beta < 1.2.
			switch {
			case x == "" && errY != nil:
				return 1
			case y == "" && errX != nil:
				return -1
			}
			return strings.Compare(x, y)
		}
	}
	return 0
}

// Mirrored reports whether the default mirrors serve what lies at rawURL.
func (c *Catalogue) Mirrored(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && slices.Contains(c.MirroredHosts, u.Hostname())
}

// napcat returns the entry of a version.
func (c *Catalogue) napcat(version string) (NapCat, bool) {
	i := slices.IndexFunc(c.NapCat, func(n NapCat) bool { return n.Version == version })
	if i < 0 {
		return NapCat{}, false
	}
	return c.NapCat[i], true
}

// pkg returns the package of a QQ build for a processor.
func (c *Catalogue) pkg(version, arch string) (Package, bool) {
	i := slices.IndexFunc(c.QQ, func(q QQ) bool { return q.Version == version })
	if i < 0 {
		return Package{}, false
	}
	j := slices.IndexFunc(c.QQ[i].Packages, func(p Package) bool { return p.Arch == arch && p.Format == "deb" })
	if j < 0 {
		return Package{}, false
	}
	return c.QQ[i].Packages[j], true
}

// NotesFor are the notes on a pair, the severe ones first.
func (c *Catalogue) NotesFor(napcat, qq, arch string) []Note {
	match := func(pattern, s string) bool { return pattern == "" || pattern == "*" || pattern == s }
	var notes []Note
	for _, n := range c.Notes {
		if match(n.NapCat, napcat) && match(n.QQ, qq) && match(n.Arch, arch) {
			notes = append(notes, n)
		}
	}
	if known, ok := c.napcat(napcat); ok && !slices.Contains(known.QQ, qq) {
		notes = append(notes, Note{
			NapCat: napcat, QQ: qq, Severity: Warning, Code: "unknown_pair",
			EN: "this NapCat is not known to support QQ " + qq + "; known builds: " + strings.Join(known.QQ, ", "),
			ZH: "此 NapCat 版本未确认支持 QQ " + qq + "，已知可用版本：" + strings.Join(known.QQ, "、"),
		})
	}
	if b := Build(qq); b > 0 && b < c.MinimumQQBuild {
		notes = append(notes, Note{
			QQ: qq, Severity: Warning, Code: "qq_too_old",
			EN: fmt.Sprintf("QQ build %d is older than NapCat's minimum %d", b, c.MinimumQQBuild),
			ZH: fmt.Sprintf("QQ 构建号 %d 低于 NapCat 要求的最低版本 %d", b, c.MinimumQQBuild),
		})
	}
	sort.SliceStable(notes, func(i, j int) bool { return notes[i].Severity == Broken && notes[j].Severity != Broken })
	return notes
}
