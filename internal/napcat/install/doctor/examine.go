package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

// Wanted is what the config wants of this machine.
type Wanted struct {
	Ports []Port // that must be free
	// Holder names the program that has a port, "" if that is not known; nil: never.
	Holder func(port int) string
	// BadZones are what variables TZ hold that is no time zone.
	BadZones []string
}

// Unreadable is what of the home is there and cannot be used.
type Unreadable struct {
	// CatalogueProblem is why the catalogue at CatalogueSource, which Catalogue
	// stands in for, cannot be read; nil if nothing is wrong.
	CatalogueProblem error
	CatalogueSource  string
	Files            []File
}

// Options say what to look at.
type Options struct {
	Home string
	// QQExe is the qq executable whose libraries are looked up, and QQDir the
	// folder with everything that belongs to it. Without them the libraries that
	// a QQ is known to need are looked up.
	QQExe, QQDir string
	// PatchProblem is what is wrong with the patch of the installed QQ, nil if
	// nothing is.
	PatchProblem             error
	NapCatVersion, QQVersion string // installed, may be empty

	Display string // of the config: auto, none or :N
	Wanted
	Unreadable
	Publisher []string // hosts that packages come from
	Optional  []string // hosts that only say more about them
	Mirrors   []string
	Catalogue *catalogue.Catalogue

	Getenv func(string) string
	// Client asks hosts; it must verify TLS. Nil: no network is looked at.
	Client *http.Client
	// Root is where the file system is looked at, "/" when empty. UID is the user
	// whose rights count, Arch the machine's architecture.
	Root string
	UID  int
	Arch string
	// Now is the time; nil is time.Now.
	Now func() time.Time
}

// File is a file or folder of the home that holds what was never written into it.
type File struct {
	Path, Why string
	Severity  Severity
	Fix       string // a command that mends it; empty: the usual words
}

// Port is an address that something will listen on.
type Port struct {
	Addr string
	For  string // webui, onebot, control
	// Replaced says that another one takes its place if it is taken.
	Replaced bool
}

// What is needed at least, and what is comfortable.
const (
	diskError   = 512 << 20  // a running pair fills less in days
	diskInstall = 2500 << 20 // both packages, packed and unpacked, twice
	memError    = 400 << 20
	memWarning  = 900 << 20
	shmWarning  = 100 << 20 // Chromium keeps its bitmaps there; containers have 64 MiB
	clockWarn   = 30 * time.Second
	clockError  = 5 * time.Minute
	hostTimeout = 6 * time.Second
)

// Examine looks at everything. It returns an error only when ctx ends.
func Examine(ctx context.Context, o Options) (Report, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	x := &examination{o: o, distro: readDistro(o.Root)}
	x.distro.isRoot = o.UID == 0
	x.system()
	if runtime.GOOS == "linux" {
		if err := x.libraries(ctx); err != nil {
			return Report{}, err
		}
		x.xvfb()
		x.fonts()
		x.memory()
		x.shm()
	}
	for _, z := range o.BadZones {
		x.add(CodeZone, Warning, z)
	}
	x.homeFolder()
	for _, f := range o.Files {
		x.report.Findings = append(x.report.Findings, Finding{Code: CodeFile, Severity: f.Severity, Args: []any{f.Path, f.Why}, Fix: f.Fix})
	}
	x.disk()
	x.root()
	x.ports(ctx)
	x.pair()
	if o.CatalogueProblem != nil {
		s := Error
		if o.QQExe != "" {
			s = Warning
		}
		x.add(CodeCatalogue, s, o.CatalogueSource, o.CatalogueProblem.Error())
	}
	x.hosts(ctx)
	x.packages()
	return x.report, ctx.Err()
}

type examination struct {
	o      Options
	distro distro
	report Report
	needs  []need
	script bool // QQ is no program of its own, as a simulated one: it draws nothing
}

func (x *examination) add(c Code, s Severity, args ...any) {
	x.report.Findings = append(x.report.Findings, Finding{Code: c, Severity: s, Args: args})
}

// addNeed is add for what a package of the distribution mends.
func (x *examination) addNeed(n need, c Code, s Severity, args ...any) {
	x.needs = append(x.needs, n)
	x.add(c, s, args...)
}

func (x *examination) path(p string) string { return filepath.Join(x.o.Root, p) }

func (x *examination) system() {
	if runtime.GOOS != "linux" {
		x.add(CodeOS, Error, runtime.GOOS)
		return
	}
	name := x.distro.name
	if name == "" {
		name = "Linux"
	}
	x.add(CodeOS, OK, name)
	switch x.o.Arch {
	case "amd64", "arm64":
		x.add(CodeArch, OK, x.o.Arch)
	default:
		x.add(CodeArch, Error, x.o.Arch)
	}
	if found, _ := filepath.Glob(x.path("/lib/ld-musl-*")); len(found) > 0 && x.distro.manager == "apk" {
		x.add(CodeMusl, Error, name)
	}
}

func (x *examination) libraries(ctx context.Context) error {
	l := newLoader(x.o.Root, x.o.Arch, x.o.Getenv("LD_LIBRARY_PATH"))
	if x.o.QQExe == "" {
		l.known()
	} else if err := l.program(ctx, x.o.QQExe, x.o.QQDir); err != nil {
		if ctx.Err() != nil {
			return err
		}
		if errors.Is(err, errNoELF) {
			x.script = true
			x.add(CodeLibrariesSkip, Info, x.o.QQExe)
		} else {
			x.add(CodeLibrariesSkip, Warning, err.Error())
		}
		return nil
	}
	have := l.glibc()
	if have != "" {
		want := ""
		for v := range l.versions {
			if n, ok := strings.CutPrefix(v.version, "GLIBC_"); ok && newerVersion(n, want) {
				want = n
			}
		}
		if want != "" {
			x.add(CodeGlibc, Error, have, want)
		} else {
			x.add(CodeGlibc, OK, have)
		}
	}
	versions := slices.Collect(maps.Keys(l.versions))
	sort.Slice(versions, func(i, j int) bool {
		return versions[i].library+versions[i].version < versions[j].library+versions[j].version
	})
	for _, v := range versions {
		if !strings.HasPrefix(v.version, "GLIBC_") {
			x.add(CodeLibraryOld, Error, v.library, v.version)
		}
	}
	missing := slices.Sorted(maps.Keys(l.missing))
	x.report.Missing = missing
	if len(missing) == 0 {
		x.add(CodeLibraries, OK, 0, "")
		return nil
	}
	for _, soname := range missing {
		x.needs = append(x.needs, need{soname: soname})
	}
	x.add(CodeLibraries, Error, len(missing), strings.Join(missing, ", "))
	return nil
}

// xvfb looks for an X server: one that runs, or the program to start one.
func (x *examination) xvfb() {
	display := x.o.Display
	if display == "" || display == "auto" {
		display = x.o.Getenv("DISPLAY")
	}
	if display != "" && display != "none" {
		x.add(CodeXvfb, Info, display)
		return
	}
	if x.o.Display == "none" {
		return
	}
	if p := x.lookPath("Xvfb"); p != "" {
		x.add(CodeXvfb, OK, p)
		return
	}
	if x.script {
		return
	}
	x.addNeed(need{tool: "xvfb"}, CodeXvfb, Error, "")
}

func (x *examination) lookPath(name string) string {
	if x.o.Root == "/" {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/usr/libexec", "/usr/X11R6/bin"} {
		if fi, err := os.Stat(x.path(filepath.Join(dir, name))); err == nil && fi.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// cjkFonts are parts of the file names of fonts that have Chinese.
var cjkFonts = []string{
	"wqy", "wenquan", "cjk", "sourcehan", "source-han", "droidsansfallback", "simsun", "simhei", "msyh", "uming", "ukai",
	"harmonyos", "alibaba", "misans", "lxgw", "unifont", "sarasa", "notosanssc", "notoserifsc", "pingfang", "hanazono",
}

func (x *examination) fonts() {
	dirs := []string{"/usr/share/fonts", "/usr/local/share/fonts"}
	if h := x.o.Getenv("HOME"); h != "" {
		dirs = append(dirs, filepath.Join(h, ".fonts"), filepath.Join(h, ".local/share/fonts"))
	}
	for _, dir := range dirs {
		found := ""
		_ = filepath.WalkDir(x.path(dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // what cannot be read holds no font for us
			}
			name := strings.ToLower(d.Name())
			if !d.IsDir() && slices.ContainsFunc(cjkFonts, func(part string) bool { return strings.Contains(name, part) }) {
				found = p
				return fs.SkipAll
			}
			return nil
		}) // the walk itself never fails
		if found != "" {
			x.add(CodeFonts, OK, filepath.Base(found))
			return
		}
	}
	x.addNeed(need{tool: "cjk_fonts"}, CodeFonts, Warning, "")
}

// homeFolder tries to write where everything will be written.
func (x *examination) homeFolder() {
	dir := x.o.Home
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".ncatd-doctor-*")
	if err != nil {
		x.add(CodeHome, Error, x.o.Home, err.Error())
		return
	}
	_, err = f.WriteString("ncatd")
	err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	if err != nil {
		x.add(CodeHome, Error, x.o.Home, err.Error())
		return
	}
	x.add(CodeHome, OK, x.o.Home, "")
}

func (x *examination) disk() {
	dir := x.o.Home
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := freeBytes(dir)
	if err != nil {
		return
	}
	want, s := int64(diskError), OK
	if x.o.QQExe == "" {
		want = diskInstall
	}
	switch {
	case free < diskError:
		s = Error
	case free < want:
		s = Warning
	}
	x.add(CodeDisk, s, free>>20, want>>20, dir)
}

func (x *examination) shm() {
	if size, err := totalBytes(x.path("/dev/shm")); err == nil && size > 0 && size < shmWarning {
		x.add(CodeShm, Warning, size>>20)
	}
}

func (x *examination) root() {
	if x.o.UID == 0 {
		x.add(CodeRoot, Warning)
	} else if x.o.UID > 0 {
		x.add(CodeRoot, OK)
	}
}

func (x *examination) ports(ctx context.Context) {
	for _, p := range x.o.Ports {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Addr)
		var dns *net.DNSError
		switch {
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.As(err, &dns):
			x.add(CodeHost, Error, p.Addr, p.For)
			continue
		case err != nil && p.Replaced:
			x.add(CodePort, Warning, p.Addr, p.For, x.holder(p.Addr))
			continue
		case err != nil:
			x.add(CodePort, Error, p.Addr, p.For, x.holder(p.Addr))
			continue
		}
		l.Close()
		if !strings.HasSuffix(p.Addr, ":0") { // any port is no finding
			x.add(CodePort, OK, p.Addr, p.For)
		}
	}
}

// holder names the program that has a port.
func (x *examination) holder(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	if port, err := strconv.Atoi(p); err == nil && x.o.Holder != nil {
		if who := x.o.Holder(port); who != "" {
			return who
		}
	}
	return "?"
}

func (x *examination) pair() {
	o := x.o
	if o.NapCatVersion == "" || o.QQVersion == "" {
		x.add(CodeInstalled, Info)
		return
	}
	if o.PatchProblem != nil {
		x.add(CodePatch, Error, o.QQVersion, o.PatchProblem.Error())
	} else {
		x.add(CodePatch, OK, o.QQVersion, "")
	}
	var notes []catalogue.Note
	if o.Catalogue != nil {
		notes = o.Catalogue.NotesFor(o.NapCatVersion, o.QQVersion, o.Arch)
	}
	for _, n := range notes {
		s := Warning
		if n.Severity == catalogue.Broken {
			s = Error
		}
		x.report.Findings = append(x.report.Findings, Finding{
			Code: CodePair, Severity: s, Args: []any{o.NapCatVersion, o.QQVersion, n.Code}, EN: n.EN, ZH: n.ZH,
		})
	}
	if len(notes) == 0 {
		x.add(CodePair, OK, o.NapCatVersion, o.QQVersion, "")
	}
}

// reached is what one host answered.
type reached struct {
	url  string
	err  error
	date time.Time
	rtt  time.Duration
	at   time.Time
}

// hosts asks the publishers and the mirrors, all at the same time. A publisher
// out of reach is an error only if something has to come from him and no mirror
// can stand in.
func (x *examination) hosts(ctx context.Context) {
	if x.o.Client == nil {
		return
	}
	urls := slices.Concat(x.o.Publisher, x.o.Optional, x.o.Mirrors)
	answers := make([]reached, len(urls))
	var g errgroup.Group
	for i, u := range urls {
		g.Go(func() error {
			answers[i] = x.ask(ctx, u)
			return nil
		})
	}
	_ = g.Wait() // none returns an error
	direct := len(x.o.Publisher) + len(x.o.Optional)
	publishers, mirrors := answers[:direct], answers[direct:]
	alive := 0
	for _, m := range mirrors {
		if m.err == nil {
			alive++
		}
	}
	for i, p := range publishers {
		switch {
		case i >= len(x.o.Publisher) && p.err == nil:
			x.add(CodeAPI, OK, hostOf(p.url), "")
		case i >= len(x.o.Publisher):
			x.add(CodeAPI, Warning, hostOf(p.url), p.err.Error())
		case p.err == nil:
			x.add(CodePublisher, OK, hostOf(p.url), "")
		case x.o.QQExe != "" || alive > 0 && x.o.Catalogue != nil && x.o.Catalogue.Mirrored(p.url):
			x.add(CodePublisher, Warning, hostOf(p.url), p.err.Error())
		default:
			x.add(CodePublisher, Error, hostOf(p.url), p.err.Error())
		}
	}
	if len(mirrors) > 0 {
		s := OK
		if alive == 0 {
			s = Warning
		}
		x.add(CodeMirrors, s, alive, len(mirrors))
	}
	x.clock(answers)
}

func (x *examination) ask(ctx context.Context, url string) reached {
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	r := reached{url: url}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		r.err = err
		return r
	}
	req.Header.Set("User-Agent", "ncatd")
	began := x.o.Now()
	resp, err := x.o.Client.Do(req)
	if err != nil {
		var u interface{ Unwrap() error }
		if errors.As(err, &u) && u.Unwrap() != nil {
			err = u.Unwrap() // without the address, which is named beside it
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer in %s", hostTimeout)
		}
		r.err = err
		return r
	}
	resp.Body.Close()
	r.at = x.o.Now()
	r.rtt = r.at.Sub(began)
	// Any answer shows that the host can be reached; only what it serves there
	// could be refused.
	if d, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.date = d
	}
	return r
}

// clock compares this machine's time with what the hosts say: the median, since
// one of them may be wrong itself.
func (x *examination) clock(answers []reached) {
	type offset struct {
		by   time.Duration
		host string
	}
	var all []offset
	for _, a := range answers {
		if a.err == nil && !a.date.IsZero() {
			// The header has whole seconds, and was written half way.
			all = append(all, offset{a.at.Add(-a.rtt / 2).Sub(a.date.Add(500 * time.Millisecond)), hostOf(a.url)})
		}
	}
	if len(all) == 0 {
		return
	}
	sort.Slice(all, func(i, j int) bool { return all[i].by < all[j].by })
	m := all[len(all)/2]
	s := OK
	switch off := m.by.Abs(); {
	case off > clockError:
		s = Error
	case off > clockWarn:
		s = Warning
	}
	x.add(CodeClock, s, int(m.by.Round(time.Second)/time.Second), m.host)
}

func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// packages puts together the command that mends what packages mend.
func (x *examination) packages() {
	if len(x.needs) == 0 {
		return
	}
	command, unknown := x.distro.command(x.needs)
	x.report.Command = command
	if len(unknown) > 0 {
		x.add(CodePackages, Info, x.distro.name, strings.Join(unknown, ", "))
	}
	for i, f := range x.report.Findings {
		if f.Severity != OK && (f.Code == CodeLibraries || f.Code == CodeXvfb || f.Code == CodeFonts) {
			x.report.Findings[i].Fix = command
		}
	}
}
