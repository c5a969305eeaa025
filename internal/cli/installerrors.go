package cli

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
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
	var inUse *install.InUseError
	switch {
	case errors.Is(err, install.ErrNoPrevious):
		return a.t("err.no_previous"), "", true
	case errors.Is(err, install.ErrNotInstalled):
		return a.t("err.not_installed"), a.t("hint.install"), true
	case errors.As(err, &inUse):
		return a.t("err.in_use", strings.Join(inUse.Paths, ", ")), a.t("hint.stop_first"), true
	}
	f := install.Fault(err)
	switch {
	case f.Code != api.CodeInstallError:
		return a.faultLines(f), a.installHint(f, err), true
	case install.IsDiskFull(err):
		msg = err.Error()
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			msg = a.t("err.disk_full", pe.Path)
		}
		return msg, a.t("hint.disk_full"), true
	}
	return "", "", false
}

// faultLines words f, and each of its causes on a line of its own.
func (a *app) faultLines(f api.Fault) string {
	var lines []string
	for c := &f; c != nil; c = c.Cause {
		lines = append(lines, printable(text.Fault(a.lang, api.Fault{Code: c.Code, Args: c.Args})))
	}
	return strings.Join(lines, "\n  ")
}

// installHint says what helps against f, which err is.
func (a *app) installHint(f api.Fault, err error) string {
	flag := string(install.NapCat)
	var product *install.ProductError
	if errors.As(err, &product) {
		flag = string(product.Product)
	}
	var cat *install.CatalogueError
	var all *fetch.Error
	switch f.Code {
	case api.CodeNotFetched, api.CodeFetchDead:
		if errors.As(err, &all) {
			return a.fetchHint(all, flag)
		}
	case api.CodeNoSpace:
		return a.t("hint.disk_full")
	case api.CodeInstallBusy:
		return a.t("hint.install_busy")
	case api.CodePackageUnlisted, api.CodePackageNone:
		return a.t("hint.unknown_qq")
	case api.CodeCatalogueBroken:
		if errors.As(err, &cat) && cat.Copy {
			return a.t("hint.catalogue_copy")
		}
		return a.t("hint.catalogue")
	case api.CodePackageArch:
		return a.t("hint.arch", f.Args[2])
	case api.CodePackageDigest:
		return a.t("hint.wrong_digest", digestKey(flag)) + "\n" + a.t("hint.other_version", versionFlag(flag))
	case api.CodePackageOther:
		return a.t("hint.package_other")
	case api.CodePackageRefused:
		return a.t("hint.package_refused")
	case api.CodePackageFormat, api.CodePackageDamaged:
		return a.t("hint.local_damaged")
	case api.CodePackageMissing:
		return a.t("hint.package_missing", flag)
	}
	return ""
}

// fetchHint names the way that needs no source.
func (a *app) fetchHint(e *fetch.Error, flag string) string {
	url := ""
	for _, p := range e.Places {
		if p.Place.Trusted {
			url = p.Place.URL
		}
	}
	hint := a.t("hint.by_hand_any", flag)
	if url != "" {
		hint = a.t("hint.by_hand", url, flag)
	}
	if e.Has(fetch.CauseNoDigest) {
		hint = a.t("hint.no_digest", digestKey(flag)) + "\n" + hint
	}
	if e.Has(fetch.CauseDigest) {
		hint = a.t("hint.wrong_digest", digestKey(flag)) + "\n" + hint
	}
	return hint
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
