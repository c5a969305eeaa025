package install

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

// Name returns the name that people know p by.
func (p Product) Name() string {
	if p == QQ {
		return "QQ"
	}
	return "NapCat"
}

// Fault says without a language why an install failed: a fault for each of the
// two packages that could not be had, those of its sources behind it.
// [api.CodeInstallError] holds the words of what it does not know.
func Fault(err error) api.Fault {
	var both interface{ Unwrap() []error }
	// The first that holds several errors may be what one source after another
	// said of a single package; only above the packages it is what both say.
	if !errors.As(err, &both) || !errors.As(both.(error), new(*ProductError)) {
		return packageFault(err)
	}
	var faults []api.Fault
	for _, e := range both.Unwrap() {
		faults = append(faults, packageFault(e))
	}
	return faults[0].With(faults[1:]...)
}

// packageFault is Fault for one package.
func packageFault(err error) api.Fault {
	var product *ProductError
	name := ""
	if errors.As(err, &product) {
		name = product.Product.Name()
	}
	var all *fetch.Error
	var space *SpaceError
	var unknown *catalogue.UnknownError
	var cat *CatalogueError
	var arch *ArchError
	var digest *DigestError
	var layout *LayoutError
	var refused *unpack.RefusedError
	switch {
	case errors.As(err, &all):
		return fetchFault(all)
	case errors.As(err, &space):
		return api.Because(api.CodeNoSpace, space.Path, space.Need>>20, space.Free>>20)
	case errors.Is(err, ErrBusy):
		return api.Because(api.CodeInstallBusy)
	case errors.As(err, &unknown) && len(unknown.Known) == 0:
		return api.Because(api.CodePackageNone, unknown.Arch)
	case errors.As(err, &unknown):
		return api.Because(api.CodePackageUnlisted, unknown.QQ, unknown.Arch, strings.Join(unknown.Known, ", "))
	case errors.As(err, &cat):
		return api.Because(api.CodeCatalogueBroken, cat.Source, cat.Err)
	case product == nil:
	case errors.As(err, &arch):
		return api.Because(api.CodePackageArch, name, arch.Package, arch.Machine)
	case errors.As(err, &digest):
		return api.Because(api.CodePackageDigest, name, digest.Got, digest.Want)
	case errors.As(err, &layout):
		return api.Because(api.CodePackageOther, name, layout.Lacks)
	case errors.As(err, &refused):
		return api.Because(api.CodePackageRefused, name, fmt.Sprintf("%q, %s", refused.Entry, refused.Reason))
	case errors.Is(err, unpack.ErrHTML), errors.Is(err, unpack.ErrFormat):
		return api.Because(api.CodePackageFormat, name, where(product.Err, unpack.ErrHTML, unpack.ErrFormat))
	case errors.Is(err, unpack.ErrDamaged):
		return api.Because(api.CodePackageDamaged, name, product.Err)
	case errors.Is(err, ErrNoFile), errors.Is(err, fs.ErrNotExist):
		return api.Because(api.CodePackageMissing, name, product.Err)
	}
	return api.Because(api.CodeInstallError, err)
}

func fetchFault(e *fetch.Error) api.Fault {
	f := api.Because(api.CodeNotFetched, e.Name)
	if e.Dead() {
		f = api.Because(api.CodeFetchDead, e.Name)
	}
	var tried, unused []api.Fault
	for _, p := range e.Places {
		if p.Cause == fetch.CauseNoDigest {
			unused = gathered(unused, p)
		} else {
			tried = gathered(tried, p)
		}
	}
	for _, u := range unused {
		u.Args[0] = some(u.Args[0])
		tried = append(tried, u)
	}
	return f.With(tried...)
}

// gathered adds what one source did wrong, which others may have done before it.
func gathered(faults []api.Fault, p *fetch.PlaceError) []api.Fault {
	one := sourceFault(p)
	for _, f := range faults {
		if f.Code == one.Code && f.Args[1] == one.Args[1] {
			f.Args[0] += ", " + one.Args[0]
			return faults
		}
	}
	return append(faults, one)
}

// sourceFault says what one source did wrong.
func sourceFault(p *fetch.PlaceError) api.Fault {
	more := p.Detail()
	if more != "" {
		more = " (" + more + ")"
	}
	return api.Fault{Code: api.Code("source_" + string(p.Cause)), Args: []string{p.Place.Via, more}}
}

// some shortens a list of sources that were not even asked.
func some(list string) string {
	names := strings.Split(list, ", ")
	if len(names) <= 3 {
		return list
	}
	return fmt.Sprintf("%s, … (%d)", strings.Join(names[:2], ", "), len(names))
}

// where is the file that err speaks of, if it ends in one of the reasons.
func where(err error, reasons ...error) string {
	file := err.Error()
	for _, r := range reasons {
		file = strings.TrimSuffix(file, ": "+r.Error())
	}
	return strings.TrimPrefix(file, "unpack ")
}
