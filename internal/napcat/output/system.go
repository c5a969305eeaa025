package output

import (
	"regexp"
	"strings"
)

// library matches what the loader says of a C or C++ library that is too old.
var library = regexp.MustCompile(`version .?((?:GLIBC|GLIBCXX|CXXABI)_[0-9.]+).? not found`)

// option matches what node says of an option that it does not know.
var option = regexp.MustCompile(`(?:^|: )bad option: (\S+)`)

// phrases are what the loader, Node, Electron and the C library say when QQ cannot
// start or go on. The first that fits counts, so what is particular comes first.
var phrases = []struct {
	kind Kind
	any  []string
}{
	{KindSandbox, []string{"Running as root without --no-sandbox", "The SUID sandbox helper binary was found", "No usable sandbox!"}},
	{KindSmallShm, []string{"Creating shared memory in /dev/shm", "/dev/shm/.org.chromium", "Unable to access(W_OK|X_OK) /dev/shm"}},
	{KindNoDisplay, []string{"Missing X server or $DISPLAY", "The platform failed to initialize", "cannot open display", "Unable to open X display", "Authorization required, but no authorization protocol specified"}},
	{KindLimit, []string{"file watchers reached", "EMFILE", "ENFILE", "Too many open files", "too many open files", "pthread_create", "Failed to create thread", "EAGAIN: resource temporarily unavailable, fork"}},
	{KindDiskFull, []string{"No space left on device", "ENOSPC", "Disk quota exceeded", "EDQUOT"}},
	{KindReadOnly, []string{"EROFS", "Read-only file system"}},
	{KindNoMemory, []string{"JavaScript heap out of memory", "Allocation failed", "std::bad_alloc", "Cannot allocate memory", "ENOMEM", "Out of memory"}},
	{KindIllegal, []string{"Illegal instruction", "illegal instruction"}},
	{KindNotNapCat, []string{"Cannot find module", "ERR_MODULE_NOT_FOUND"}},
	{KindDenied, []string{"EACCES: permission denied", "EPERM: operation not permitted", "Permission denied (13)"}},
}

// system reads what the loader, Node, Electron and the C library say when QQ
// cannot start at all.
func system(s string) *Fact {
	if _, lib, ok := strings.Cut(s, "error while loading shared libraries:"); ok {
		lib, _, _ = strings.Cut(strings.TrimSpace(lib), ":")
		return &Fact{Kind: KindMissingLib, Text: lib}
	}
	if m := library.FindStringSubmatch(s); m != nil {
		return &Fact{Kind: KindOldLibrary, Text: m[1]}
	}
	if m := option.FindStringSubmatch(s); m != nil {
		return &Fact{Kind: KindBadOption, Text: m[1]}
	}
	if strings.Contains(s, "EADDRINUSE") {
		return busy("", s)
	}
	if strings.Contains(s, "/dev/shm") && strings.Contains(s, "Permission denied") { // which no size mends
		return &Fact{Kind: KindDenied, Text: strings.TrimSpace(s)}
	}
	for _, p := range phrases {
		for _, phrase := range p.any {
			if strings.Contains(s, phrase) {
				return &Fact{Kind: p.kind, Text: strings.TrimSpace(s)}
			}
		}
	}
	return nil
}
