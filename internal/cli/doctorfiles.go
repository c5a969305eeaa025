package cli

import (
	"errors"
	"os"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/install/doctor"
	"github.com/ncatd/ncatd/internal/script"
)

// damagedFiles are the files of a home with which no daemon starts, and those
// without which it does less than it should. What mends itself is none of them.
func (a *app) damagedFiles(h home.Dir) []doctor.File {
	var out []doctor.File
	add := func(path, why string) {
		out = append(out, doctor.File{Path: path, Why: why, Severity: doctor.Error, Fix: "mv " + shellQuote(path) + " " + shellQuote(path+".damaged")})
	}
	for _, name := range []string{"run", "logs", "data", "accounts", "downloads", "releases", "plugins"} {
		if fi, err := os.Stat(h.Join(name)); err == nil && !fi.IsDir() {
			add(h.Join(name), a.t("doctor.file.no_folder"))
		}
	}
	if fi, err := os.Stat(h.LockFile()); err == nil && !fi.Mode().IsRegular() {
		add(h.LockFile(), a.t("doctor.file.no_file"))
	}
	if d, ok := atomicfile.Damaged(config.CheckSecrets(h.Secrets())); ok {
		add(d.Path, d.Err.Error())
	}
	if _, err := script.ReadLock(h.Join("plugins")); err != nil && !errors.Is(err, os.ErrPermission) {
		out = append(out, doctor.File{Path: script.LockPath(h.Join("plugins")), Why: errors.Unwrap(err).Error(), Severity: doctor.Warning})
	}
	return out
}
