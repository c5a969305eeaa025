package cli

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

// explainInstall words the errors of package install, each of the two packages
// by itself when both could not be had. ok is false for other errors.
func (a *app) explainInstall(err error) (msg, hint string, ok bool) {
	var both interface{ Unwrap() []error }
	// The first that holds several errors may be what one source after another
	// said of a single package; only above the packages it is what both say.
	if !errors.As(err, &both) || !errors.As(both.(error), new(*install.ProductError)) {
		return a.explainPackage(err)
	}
	var msgs, hints []string
	for _, e := range both.Unwrap() {
		m, h, known := a.explainPackage(e)
		if !known {
			m = e.Error()
		}
		msgs = append(msgs, m)
		if h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
		ok = ok || known
	}
	return strings.Join(msgs, "\n"), strings.Join(hints, "\n"), ok
}

// explainPackage is explainInstall for one package.
func (a *app) explainPackage(err error) (msg, hint string, ok bool) {
	var product *install.ProductError
	flag, name := "napcat", ""
	if errors.As(err, &product) {
		flag, name = string(product.Product), productName(product.Product)
	}
	var all *fetch.Error
	var unknown *catalogue.UnknownError
	var inUse *install.InUseError
	var arch *install.ArchError
	var refused *unpack.RefusedError
	var digest *install.DigestError
	var layout *install.LayoutError
	var cat *install.CatalogueError
	// said puts words in the user's language before what the package's error says.
	said := func(code, hint string) (string, string, bool) {
		return a.t(code, name, printable(product.Err.Error())), hint, true
	}
	switch {
	case errors.As(err, &all):
		msg, hint = a.explainFetch(all, flag)
		return msg, hint, true
	case install.IsDiskFull(err):
		return err.Error(), a.t("hint.disk_full"), true
	case errors.Is(err, install.ErrBusy):
		return a.t("err.install_busy"), a.t("hint.install_busy"), true
	case errors.Is(err, install.ErrNoPrevious):
		return a.t("err.no_previous"), "", true
	case errors.Is(err, install.ErrNotInstalled):
		return a.t("err.not_installed"), a.t("hint.install"), true
	case errors.As(err, &unknown):
		return err.Error(), a.t("hint.unknown_qq"), true
	case errors.As(err, &inUse):
		return a.t("err.in_use", strings.Join(inUse.Paths, ", ")), a.t("hint.stop_first"), true
	case errors.As(err, &cat) && cat.Copy:
		return a.t("err.catalogue", cat.Source, cat.Err), a.t("hint.catalogue_copy"), true
	case errors.As(err, &cat):
		return a.t("err.catalogue", cat.Source, cat.Err), a.t("hint.catalogue"), true
	case product == nil:
		return "", "", false
	case errors.As(err, &arch):
		return said("err.package_arch", a.t("hint.arch", arch.Machine))
	case errors.As(err, &digest):
		return said("err.package_digest", a.t("hint.wrong_digest", digestKey(flag))+"\n"+a.t("hint.other_version", versionFlag(flag)))
	case errors.As(err, &layout):
		return said("err.package_other", a.t("hint.package_other"))
	case errors.As(err, &refused):
		return said("err.package_refused", a.t("hint.package_refused"))
	case errors.Is(err, unpack.ErrHTML), errors.Is(err, unpack.ErrFormat):
		return said("err.package_format", a.t("hint.local_damaged"))
	case errors.Is(err, unpack.ErrDamaged):
		return said("err.package_damaged", a.t("hint.local_damaged"))
	case errors.Is(err, install.ErrNoFile), errors.Is(err, fs.ErrNotExist):
		return said("err.package_missing", a.t("hint.package_missing", flag))
	}
	return "", "", false
}

// explainFetch names every source with its cause, and the way that needs none.
func (a *app) explainFetch(e *fetch.Error, flag string) (msg, hint string) {
	head := "err.fetch"
	if e.Dead() {
		head = "err.fetch_dead"
	}
	var b strings.Builder
	b.WriteString(a.t(head, e.Name))
	url := ""
	for _, p := range e.Places {
		b.WriteString("\n  " + printable(p.Place.Via) + ": " + a.cause(p))
		if p.Place.Trusted {
			url = p.Place.URL
		}
	}
	if hint = a.t("hint.by_hand_any", flag); url != "" {
		hint = a.t("hint.by_hand", url, flag)
	}
	if e.Has(fetch.CauseNoDigest) {
		hint = a.t("hint.no_digest", digestKey(flag)) + "\n" + hint
	}
	if e.Has(fetch.CauseDigest) {
		hint = a.t("hint.wrong_digest", digestKey(flag)) + "\n" + hint
	}
	return b.String(), hint
}

// versionFlag is the flag that names the version of a product.
func versionFlag(product string) string {
	if product == string(install.QQ) {
		return "--qq-version"
	}
	return "--napcat-version (upgrade: --to)"
}

// digestKey is the config's key for the digest of a product.
func digestKey(product string) string {
	if product == string(install.QQ) {
		return "napcat.qq_sha256"
	}
	return "napcat.sha256"
}

// cause words why a source was given up.
func (a *app) cause(p *fetch.PlaceError) string {
	code := "cause." + string(p.Cause)
	if !text.Has(code) {
		return printable(p.Err.Error())
	}
	return a.t(code) + " (" + printable(p.Err.Error()) + ")"
}
