package doctor

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	OK      Severity = "ok"      // looked at and right
	Info    Severity = "info"    // worth knowing
	Warning Severity = "warning" // runs, but not as it should
	Error   Severity = "error"   // does not run
)

// Code is one word for what was found; people script against it.
type Code string

// The codes, each with the severities it comes in and its Args.
const (
	CodeOS            Code = "os"                // ok, error: system
	CodeArch          Code = "arch"              // ok, error: architecture
	CodeMusl          Code = "musl"              // error: distribution
	CodeGlibc         Code = "glibc"             // ok, error: version there, version needed
	CodeLibraries     Code = "libraries"         // ok, error: count, names
	CodeLibraryOld    Code = "library_too_old"   // error: library, version it lacks
	CodeLibrariesSkip Code = "libraries_skipped" // info: the file that is no ELF; warning: why
	CodeXvfb          Code = "xvfb"              // ok, info, error: where it is, or the display in use
	CodeFonts         Code = "cjk_fonts"         // ok, warning: a font
	CodeDisk          Code = "disk"              // ok, warning, error: MiB free, MiB wanted, path
	CodeShm           Code = "shm"               // warning: MiB
	CodeClock         Code = "clock"             // ok, warning, error: seconds off, host
	CodePort          Code = "port"              // ok: address, what it is for; warning, error: with what holds it
	CodeZone          Code = "timezone"          // warning: value of TZ
	CodeHost          Code = "host"              // error: address, what it is for
	CodeHome          Code = "home"              // ok, error: path, why
	CodeFile          Code = "file"              // warning, error: path, what is wrong with it
	CodeRoot          Code = "root"              // ok, warning
	CodeMemory        Code = "memory"            // ok, warning, error: MiB, where the limit is
	CodePublisher     Code = "publisher"         // ok, warning, error: host, why
	CodeAPI           Code = "publisher_api"     // ok, warning: host, why
	CodeMirrors       Code = "mirrors"           // ok, warning: reachable, of how many
	CodePair          Code = "pair"              // ok, warning, error: NapCat version, QQ version, note's code
	CodeCatalogue     Code = "catalogue"         // warning, error: path or address, why
	CodeInstalled     Code = "not_installed"     // info
	CodePatch         Code = "patch"             // ok, error: QQ version
	CodePackages      Code = "unknown_packages"  // info: distribution, names: no command is known
)

// Finding is one thing that was looked at.
type Finding struct {
	Code     Code
	Severity Severity
	Args     []any  // for the words, in the order given at the codes
	Fix      string // a command that mends it, empty if there is none
	EN, ZH   string // words that came from elsewhere, such as a catalogue's note
}

// Report is the whole of an examination.
type Report struct {
	Findings []Finding
	// Command is the one command of the distribution's package manager that
	// brings everything that is missing, empty when nothing is.
	Command string
	// Missing are the sonames of the libraries that QQ needs and that are not
	// there, sorted.
	Missing []string
}

// Failed reports whether anything was found that keeps it from running.
func (r Report) Failed() bool {
	for _, f := range r.Findings {
		if f.Severity == Error {
			return true
		}
	}
	return false
}
