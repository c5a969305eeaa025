package doctor

import (
	"bufio"
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// electronNeeds are the libraries that an Electron program such as QQ asks for,
// looked for as long as no QQ is installed whose own files could be read.
var electronNeeds = []string{
	"libX11.so.6", "libXcomposite.so.1", "libXdamage.so.1", "libXext.so.6", "libXfixes.so.3", "libXrandr.so.2",
	"libasound.so.2", "libatk-1.0.so.0", "libatk-bridge-2.0.so.0", "libatspi.so.0", "libc.so.6", "libcairo.so.2",
	"libcups.so.2", "libdbus-1.so.3", "libdrm.so.2", "libexpat.so.1", "libgbm.so.1", "libgcc_s.so.1", "libgio-2.0.so.0",
	"libglib-2.0.so.0", "libgobject-2.0.so.0", "libgtk-3.so.0", "libm.so.6", "libnspr4.so", "libnss3.so",
	"libnssutil3.so", "libpango-1.0.so.0", "libsmime3.so", "libstdc++.so.6", "libxcb.so.1", "libxkbcommon.so.0",
}

// maxConfDepth bounds how deep ld.so.conf files may include one another.
const maxConfDepth = 8

// loader looks for libraries as the dynamic linker does (ld.so(8)).
type loader struct {
	root    string // "/" but in tests
	machine elf.Machine
	class   elf.Class
	env     []string // LD_LIBRARY_PATH
	dirs    []string // ld.so.conf and the defaults

	own      map[string]string // files of the program's own tree, by name
	objects  map[string]*object
	missing  map[string][]string // soname -> the files that need it
	versions map[versionNeed]string
}

// object is an ELF file that is or would be loaded.
type object struct {
	path    string
	needed  []string
	rpath   []string
	runpath []string
	needs   []elf.DynamicVersionNeed
	defines map[string]bool
}

// versionNeed is a symbol version that a library must define.
type versionNeed struct{ library, version string }

func newLoader(root string, arch string, ldLibraryPath string) *loader {
	l := &loader{
		root: root, class: elf.ELFCLASS64, machine: elf.EM_X86_64, own: map[string]string{},
		objects: map[string]*object{}, missing: map[string][]string{}, versions: map[versionNeed]string{},
	}
	triplet := "x86_64-linux-gnu"
	if arch == "arm64" {
		l.machine, triplet = elf.EM_AARCH64, "aarch64-linux-gnu"
	}
	for d := range strings.SplitSeq(ldLibraryPath, ":") {
		if d != "" {
			l.env = append(l.env, d)
		}
	}
	l.dirs = l.conf("/etc/ld.so.conf", 0)
	for _, d := range []string{"/lib/" + triplet, "/usr/lib/" + triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		if !slices.Contains(l.dirs, d) {
			l.dirs = append(l.dirs, d)
		}
	}
	return l
}

// conf reads the folders of an ld.so.conf and of what it includes.
func (l *loader) conf(path string, depth int) []string {
	if depth > maxConfDepth {
		return nil
	}
	f, err := os.Open(filepath.Join(l.root, path))
	if err != nil {
		return nil
	}
	defer f.Close()
	var dirs []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		line, _, _ := strings.Cut(s.Text(), "#")
		line = strings.TrimSpace(line)
		if pattern, ok := strings.CutPrefix(line, "include "); ok {
			pattern = strings.TrimSpace(pattern)
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(filepath.Dir(path), pattern)
			}
			found, _ := filepath.Glob(filepath.Join(l.root, pattern)) // a bad pattern names nothing
			for _, p := range found {
				if rel, err := filepath.Rel(l.root, p); err == nil {
					dirs = append(dirs, l.conf("/"+rel, depth+1)...)
				}
			}
			continue
		}
		if filepath.IsAbs(line) {
			dirs = append(dirs, filepath.Clean(line))
		}
	}
	return dirs
}

// open reads what the linker would read of an ELF file, and remembers it. It
// returns nil for what is no ELF file of this machine.
func (l *loader) open(path string) *object {
	if o, ok := l.objects[path]; ok {
		return o
	}
	l.objects[path] = nil
	f, err := elf.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if f.Class != l.class || f.Machine != l.machine {
		return nil
	}
	o := &object{path: path, defines: map[string]bool{}}
	// An object without the one or the other simply asks for nothing.
	o.needed, _ = f.DynString(elf.DT_NEEDED)
	o.rpath = l.runpath(f, elf.DT_RPATH, path)
	o.runpath = l.runpath(f, elf.DT_RUNPATH, path)
	o.needs, _ = f.DynamicVersionNeeds()
	if defined, err := f.DynamicVersions(); err == nil {
		for _, v := range defined {
			o.defines[v.Name] = true
		}
	}
	l.objects[path] = o
	return o
}

func (l *loader) runpath(f *elf.File, tag elf.DynTag, path string) []string {
	values, err := f.DynString(tag)
	if err != nil {
		return nil
	}
	lib := "lib64"
	if l.machine == elf.EM_AARCH64 {
		lib = "lib"
	}
	expand := strings.NewReplacer("${ORIGIN}", filepath.Dir(path), "$ORIGIN", filepath.Dir(path), "${LIB}", lib, "$LIB", lib)
	var dirs []string
	for _, v := range values {
		for d := range strings.SplitSeq(v, ":") {
			if d != "" {
				dirs = append(dirs, expand.Replace(d))
			}
		}
	}
	return dirs
}

// find looks for a library that the last of chain needs; chain begins with the
// program.
func (l *loader) find(soname string, chain []*object) *object {
	if strings.Contains(soname, "/") {
		return l.open(soname)
	}
	who := chain[len(chain)-1]
	var dirs []string
	if len(who.runpath) == 0 {
		for i := len(chain) - 1; i >= 0; i-- {
			if len(chain[i].runpath) == 0 {
				dirs = append(dirs, chain[i].rpath...)
			}
		}
	}
	dirs = append(dirs, l.env...)
	dirs = append(dirs, who.runpath...)
	for _, d := range dirs {
		if o := l.open(filepath.Join(d, soname)); o != nil {
			return o
		}
	}
	for _, d := range l.dirs {
		if o := l.open(filepath.Join(l.root, d, soname)); o != nil {
			return o
		}
	}
	// A program may load its own libraries by their whole path before anybody
	// asks for them by name.
	if path, ok := l.own[soname]; ok {
		return l.open(path)
	}
	return nil
}

// walk follows what the last of chain needs.
func (l *loader) walk(chain []*object, seen map[*object]bool) {
	who := chain[len(chain)-1]
	if seen[who] {
		return
	}
	seen[who] = true
	libs := map[string]*object{}
	for _, soname := range who.needed {
		o := l.find(soname, chain)
		if o == nil {
			l.missing[soname] = append(l.missing[soname], filepath.Base(who.path))
			continue
		}
		libs[soname] = o
		l.walk(append(slices.Clone(chain), o), seen)
	}
	for _, need := range who.needs {
		o := libs[need.Name]
		if o == nil || len(o.defines) == 0 {
			continue
		}
		for _, dep := range need.Needs {
			if !o.defines[dep.Dep] && dep.Flags&elf.VER_FLG_WEAK == 0 {
				l.versions[versionNeed{need.Name, dep.Dep}] = filepath.Base(who.path)
			}
		}
	}
}

// errNoELF says that a program's tree holds no ELF files, as a simulated QQ's.
var errNoELF = errors.New("no ELF files")

// program walks every ELF file below dir, exe first.
func (l *loader) program(ctx context.Context, exe, dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p != exe && isELF(p) {
			paths = append(paths, p)
			l.own[d.Name()] = p
		}
		return nil
	})
	if err != nil {
		return err
	}
	main := l.open(exe)
	if main == nil {
		return fmt.Errorf("%s: %w", exe, errNoELF)
	}
	seen := map[*object]bool{}
	l.walk([]*object{main}, seen)
	for _, p := range paths {
		if o := l.open(p); o != nil {
			l.walk([]*object{main, o}, seen)
		}
	}
	return nil
}

func isELF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(elf.ELFMAG))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == elf.ELFMAG
}

// known looks for the libraries that an Electron program needs.
func (l *loader) known() {
	program := &object{path: "qq", needed: electronNeeds}
	l.walk([]*object{program}, map[*object]bool{})
}

// glibc returns the version of the C library, empty when there is none.
func (l *loader) glibc() string {
	o := l.find("libc.so.6", []*object{{}})
	if o == nil {
		return ""
	}
	var newest string
	for v := range o.defines {
		if n, ok := strings.CutPrefix(v, "GLIBC_"); ok && newerVersion(n, newest) {
			newest = n
		}
	}
	return newest
}

// newerVersion compares versions of glibc, such as 2.36.
func newerVersion(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.Atoi(as[i])
		y, errY := strconv.Atoi(bs[i])
		if errX != nil || errY != nil {
			return errX == nil
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c > 0
		}
	}
	return len(as) > len(bs)
}
