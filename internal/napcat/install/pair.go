package install

import (
	"errors"
	"time"
)

// Product is one of the two packages of a pair.
type Product string

// The products.
const (
	NapCat Product = "napcat"
	QQ     Product = "qq"
)

// Release is one installed version of one product.
type Release struct {
	Version string `json:"version"` // as the package itself says
	// Dir is the absolute folder of the release. In the pointer file it is
	// relative to releases/.
	Dir    string `json:"dir"`
	SHA256 string `json:"sha256,omitempty"` // of the package file, lower-case hex
	Source string `json:"source,omitempty"` // URL or path that the package came from
}

// PairState says how far a pair is trusted.
type PairState string

// The states of a pair.
const (
	// Trial is a pair that has not been online yet; [Store.RollBack] may leave it.
	Trial PairState = "trial"
	// Good is a pair that was online, see [Store.Confirm].
	Good PairState = "good"
	// Bad is a pair that was left because it did not come online.
	Bad PairState = "bad"
)

// Pair is a release of NapCat and a release of QQ that run together.
type Pair struct {
	NapCat Release   `json:"napcat"`
	QQ     Release   `json:"qq"`
	State  PairState `json:"state"`
	Since  time.Time `json:"since"` // when it became the current one

	// QQExe is the absolute path of the qq executable, NapCatMain that of
	// napcat.mjs, for $NCATD_NAPCAT_MAIN. Both exist when [Store.Current]
	// returns them.
	QQExe      string `json:"-"`
	NapCatMain string `json:"-"`
}

// Same reports whether p and q are made of the same two releases.
func (p Pair) Same(q Pair) bool {
	return p.NapCat.Version == q.NapCat.Version && p.QQ.Version == q.QQ.Version &&
		p.NapCat.Dir == q.NapCat.Dir && p.QQ.Dir == q.QQ.Dir
}

// String names the pair by its versions.
func (p Pair) String() string { return "NapCat " + p.NapCat.Version + " with QQ " + p.QQ.Version }

// The errors a caller decides by.
var (
	// ErrNotInstalled is returned by [Store.Current] when there is no pair.
	ErrNotInstalled = errors.New("nothing is installed")
	// ErrNoPrevious is returned when there is no pair to go back to.
	ErrNoPrevious = errors.New("no earlier pair to go back to")
	// ErrBusy is returned when another process installs in the same home.
	ErrBusy = errors.New("another install is running in this home")
)
