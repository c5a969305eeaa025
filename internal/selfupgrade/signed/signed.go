// Package signed says what a release of ncatd consists of and proves who made
// it. A release has a manifest of a few lines, [Manifest], signed with a signing
// key; the signing key is signed with a root key, whose public half is in the
// program. All keys and signatures have minisign's format, so that a person can
// check them with that program too:
//
//	minisign -V -p ncatd-root-1.pub -m ncatd-signing.pub
//	minisign -V -p ncatd-signing.pub -m ncatd-release.txt
//
// The package reads and judges; it fetches nothing.
package signed

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aead.dev/minisign"
	"golang.org/x/mod/semver"
)

// The names of the files beside the packages of a release.
const (
	ManifestName  = "ncatd-release.txt"
	KeyName       = "ncatd-signing.pub"
	CatalogueName = "catalogue.json"
	Suffix        = ".minisig"
)

// MaxBytes bounds each of these files.
const MaxBytes = 1 << 20

// File is one file of a release.
type File struct {
	Name     string
	Platform string // os/arch, with v7 behind 32-bit ARM; "any" for what has none
	SHA256   string // in hex
	Size     int64
}

// Manifest is what a release consists of.
type Manifest struct {
	Version string // such as 1.2.3, without a v
	Channel string // stable, beta
	Date    string // 2026-11-28
	Files   []File
}

const firstLine = "ncatd release 1"

// Text is the form that is signed: a line for each fact, readable by a shell.
func (m Manifest) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nversion %s\nchannel %s\ndate %s\n", firstLine, m.Version, m.Channel, m.Date)
	for _, f := range m.Files {
		fmt.Fprintf(&b, "file %s %d %s %s\n", f.SHA256, f.Size, f.Platform, f.Name)
	}
	return b.Bytes()
}

// Find returns the file with this name.
func (m Manifest) Find(name string) (File, bool) {
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return File{}, false
	}
	return m.Files[i], true
}

var (
	fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,120}$`)
	word     = regexp.MustCompile(`^[a-z0-9][a-z0-9_/]{0,30}$`)
)

// ParseManifest reads a manifest that was verified. It accepts nothing that
// [Manifest.Text] does not write.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if len(b) > MaxBytes {
		return m, errors.New("manifest too large")
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) < 5 || lines[0] != firstLine {
		return m, errors.New("no manifest of a release of ncatd, or one for a newer ncatd")
	}
	for i, key := range []string{"version", "channel", "date"} {
		v, ok := strings.CutPrefix(lines[i+1], key+" ")
		if !ok {
			return m, fmt.Errorf("manifest: line %d has no %s", i+2, key)
		}
		switch key {
		case "version":
			m.Version = v
		case "channel":
			m.Channel = v
		case "date":
			m.Date = v
		}
	}
	for i, line := range lines[4:] {
		f, err := parseFile(line)
		if err != nil {
			return m, fmt.Errorf("manifest: line %d: %w", i+5, err)
		}
		if _, twice := m.Find(f.Name); twice {
			return m, fmt.Errorf("manifest: %s comes twice", f.Name)
		}
		m.Files = append(m.Files, f)
	}
	if !ValidVersion(m.Version) || !word.MatchString(m.Channel) {
		return m, fmt.Errorf("manifest: version %.40q, channel %.40q", m.Version, m.Channel)
	}
	if _, err := time.Parse(time.DateOnly, m.Date); err != nil {
		return m, fmt.Errorf("manifest: date %.40q", m.Date)
	}
	if !bytes.Equal(m.Text(), b) {
		return m, errors.New("manifest: not in its only form")
	}
	return m, nil
}

func parseFile(line string) (File, error) {
	w := strings.Split(line, " ")
	if len(w) != 5 || w[0] != "file" {
		return File{}, errors.New("no file")
	}
	f := File{SHA256: w[1], Platform: w[3], Name: w[4]}
	if sum, err := hex.DecodeString(f.SHA256); err != nil || len(sum) != 32 {
		return f, errors.New("no SHA-256")
	}
	var err error
	if f.Size, err = strconv.ParseInt(w[2], 10, 64); err != nil || f.Size < 0 {
		return f, errors.New("no size")
	}
	if !word.MatchString(f.Platform) || !fileName.MatchString(f.Name) {
		return f, errors.New("unusable name or platform")
	}
	return f, nil
}

// ValidVersion reports whether v is a version of ncatd: 1.2.3 or 1.2.3-beta.1.
func ValidVersion(v string) bool {
	return len(v) <= 64 && semver.IsValid("v"+v) && semver.Canonical("v"+v) == "v"+v
}

// Older reports whether version a comes before b. What is no version, such as
// that of a build from a working folder, comes before every version.
func Older(a, b string) bool {
	return semver.Compare("v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")) < 0
}

//go:embed keys/*.pub
var keys embed.FS

// Roots are the public root keys that are in this program. testKeys, if not
// empty, is set by the linker (-X) in programs that tests build, and takes their
// place: public keys, parted by commas.
func Roots() ([]minisign.PublicKey, error) {
	var texts []string
	if testKeys != "" {
		texts = strings.Split(testKeys, ",")
	} else {
		names, err := fs.Glob(keys, "keys/*.pub")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			b, err := keys.ReadFile(n)
			if err != nil {
				return nil, err
			}
			texts = append(texts, string(b))
		}
	}
	var roots []minisign.PublicKey
	for _, t := range texts {
		var k minisign.PublicKey
		if err := k.UnmarshalText([]byte(strings.TrimSpace(t))); err != nil {
			return nil, fmt.Errorf("root key: %w", err)
		}
		roots = append(roots, k)
	}
	return roots, nil
}

var testKeys string

// TestKeys are the keys that the linker gave this program, "" in one that trusts
// the embedded ones. A maker of releases that was built for a test hands them on.
func TestKeys() string { return testKeys }

// RootFiles are the names and texts of the embedded root keys.
func RootFiles() (map[string][]byte, error) {
	all := map[string][]byte{}
	names, err := fs.Glob(keys, "keys/*.pub")
	for _, n := range names {
		b, e := keys.ReadFile(n)
		err = errors.Join(err, e)
		all[path.Base(n)] = b
	}
	return all, err
}

// Key is a signing key that a root key vouches for.
type Key struct {
	minisign.PublicKey
	// Serial counts the signing keys. A key with a lower one than the highest that
	// was seen was replaced, and is trusted no more.
	Serial int
}

// OldestSerial is the lowest serial of a signing key that is trusted. It is
// raised when a key is replaced (docs/releasing).
const OldestSerial = 1

var keyComment = regexp.MustCompile(`^untrusted comment: ncatd signing key ([1-9][0-9]{0,5})$`)

// KeyText is the text of a signing key's file, which a root key signs whole,
// its comment included.
func KeyText(k minisign.PublicKey, serial int) []byte {
	return fmt.Appendf(nil, "untrusted comment: ncatd signing key %d\n%s\n", serial, k)
}

// ErrSignature is a signature that is not by the key it should be by.
var ErrSignature = errors.New("the signature is wrong")

// VerifyKey reads a signing key's file after checking that one of the roots
// signed it.
func VerifyKey(roots []minisign.PublicKey, text, signature []byte) (Key, error) {
	var k Key
	if !slices.ContainsFunc(roots, func(r minisign.PublicKey) bool { return minisign.Verify(r, text, signature) }) {
		return k, fmt.Errorf("%s: %w", KeyName, ErrSignature)
	}
	line, err := bufio.NewReader(bytes.NewReader(text)).ReadString('\n')
	if err != nil {
		return k, fmt.Errorf("%s: %w", KeyName, err)
	}
	m := keyComment.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
	if m == nil {
		return k, fmt.Errorf("%s: no signing key of ncatd", KeyName)
	}
	if k.Serial, err = strconv.Atoi(m[1]); err != nil {
		return k, err
	}
	return k, k.UnmarshalText(text)
}

// Verify checks that the key signed what is in the file of that name.
func (k Key) Verify(name string, text, signature []byte) error {
	if !minisign.Verify(k.PublicKey, text, signature) {
		return fmt.Errorf("%s: %w", name, ErrSignature)
	}
	return nil
}
