package doctor

import (
	"context"
	"debug/elf"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/configs"
	"github.com/ncatd/ncatd/internal/e2e/elfset"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

// machine makes the file system of a Debian 12 with a C library, and a QQ whose
// ELF files ask for what the real one does.
func machine(t *testing.T) (root string, o Options) {
	t.Helper()
	root = t.TempDir()
	write(t, filepath.Join(root, "etc/os-release"), "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
	write(t, filepath.Join(root, "etc/ld.so.conf"), "include /etc/ld.so.conf.d/*.conf\n")
	write(t, filepath.Join(root, "etc/ld.so.conf.d/x.conf"), "# comment\n/usr/lib/extra\n")
	write(t, filepath.Join(root, "proc/meminfo"), "MemTotal:       4000000 kB\n")
	lib := filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	writeELF(t, filepath.Join(lib, "libc.so.6"), elfset.File{Defines: []string{"libc.so.6", "GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.36"}})
	writeELF(t, filepath.Join(lib, "libm.so.6"), elfset.File{Needed: []string{"libc.so.6"}})
	qq := filepath.Join(root, "qq/opt/QQ")
	writeELF(t, filepath.Join(qq, "qq"), elfset.File{
		Needed:  []string{"libffmpeg.so", "libgtk-3.so.0", "libnss3.so", "libasound.so.2", "libc.so.6", "libm.so.6"},
		RunPath: "$ORIGIN", Needs: map[string][]string{"libc.so.6": {"GLIBC_2.2.5", "GLIBC_2.9"}},
	})
	writeELF(t, filepath.Join(qq, "libffmpeg.so"), elfset.File{Needed: []string{"libc.so.6"}})
	writeELF(t, filepath.Join(qq, "resources/app/wrapper.node"), elfset.File{Needed: []string{"libbugly.so", "libgbm.so.1", "libXtst.so.6"}})
	writeELF(t, filepath.Join(qq, "resources/app/sub/libbugly.so"), elfset.File{})
	// A file for another processor is not looked at.
	writeELF(t, filepath.Join(qq, "resources/app/arm.node"), elfset.File{Needed: []string{"libnowhere.so.1"}, Machine: elf.EM_AARCH64})
	return root, Options{
		Root: root, Home: t.TempDir(), QQExe: filepath.Join(qq, "qq"), QQDir: qq, UID: 1000, Arch: "amd64",
		Getenv: func(string) string { return "" },
	}
}

func examine(t *testing.T, o Options) Report {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("QQ is launched on Linux only")
	}
	r, err := Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func find(t *testing.T, r Report, c Code) Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Code == c })
	if i < 0 {
		t.Fatalf("no finding %s in %+v", c, r.Findings)
	}
	return r.Findings[i]
}

func TestLibraries(t *testing.T) {
	root, o := machine(t)
	r := examine(t, o)
	want := []string{"libXtst.so.6", "libasound.so.2", "libgbm.so.1", "libgtk-3.so.0", "libnss3.so"}
	if !slices.Equal(r.Missing, want) || !r.Failed() {
		t.Errorf("missing %v, want %v", r.Missing, want)
	}
	const command = "sudo apt-get update && sudo apt-get install -y --no-install-recommends fonts-wqy-zenhei libasound2 libgbm1 libgtk-3-0 libnss3 libxtst6 xvfb"
	if r.Command != command || find(t, r, CodeLibraries).Fix != command {
		t.Errorf("command %q", r.Command)
	}
	// The packages come, in places that the linker looks at.
	for i, soname := range want {
		dir := []string{"usr/lib/x86_64-linux-gnu", "usr/lib/extra", "lib64"}[i%3]
		writeELF(t, filepath.Join(root, dir, soname), elfset.File{Needed: []string{"libc.so.6"}})
	}
	write(t, filepath.Join(root, "usr/bin/Xvfb"), "")
	write(t, filepath.Join(root, "usr/share/fonts/truetype/wqy-zenhei.ttc"), "")
	r = examine(t, o)
	if len(r.Missing) > 0 || r.Command != "" || r.Failed() {
		t.Errorf("afterwards missing %v, command %q, %+v", r.Missing, r.Command, r.Findings)
	}
}

// TestSearchOrder holds the linker's rules for the two kinds of built-in paths.
func TestSearchOrder(t *testing.T) {
	for _, tt := range []struct {
		name       string
		qq, plugin elfset.File
		libIn      string // relative to the program
		env        string
		found      bool
	}{
		{"rpath of the program", elfset.File{RPath: "$ORIGIN/lib"}, elfset.File{}, "lib", "", true},
		{"runpath of the program is not inherited", elfset.File{RunPath: "$ORIGIN/lib"}, elfset.File{}, "lib", "", false},
		{"own runpath", elfset.File{}, elfset.File{RunPath: "${ORIGIN}/../lib"}, "lib", "", true},
		{"own runpath hides the rpath above", elfset.File{RPath: "$ORIGIN/lib"}, elfset.File{RunPath: "/nowhere"}, "lib", "", false},
		{"environment", elfset.File{}, elfset.File{}, "lib", "lib", true},
		{"nothing", elfset.File{}, elfset.File{}, "lib", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, o := machine(t)
			dir := filepath.Join(t.TempDir(), "prog")
			o.QQExe, o.QQDir = filepath.Join(dir, "qq"), filepath.Join(dir, "plugins")
			tt.plugin.Needed = []string{"libsecret-thing.so.1"}
			writeELF(t, o.QQExe, tt.qq)
			writeELF(t, filepath.Join(dir, "plugins/p.node"), tt.plugin)
			writeELF(t, filepath.Join(dir, tt.libIn, "libsecret-thing.so.1"), elfset.File{})
			o.Getenv = func(k string) string {
				if k == "LD_LIBRARY_PATH" && tt.env != "" {
					return "/x:" + filepath.Join(dir, tt.env)
				}
				return ""
			}
			if r := examine(t, o); (len(r.Missing) == 0) != tt.found {
				t.Errorf("missing %v", r.Missing)
			}
		})
	}
}

func TestOldSystem(t *testing.T) {
	root, o := machine(t)
	writeELF(t, o.QQExe, elfset.File{
		Needed: []string{"libc.so.6", "libstdc++.so.6"},
		Needs:  map[string][]string{"libc.so.6": {"GLIBC_2.9", "GLIBC_2.38"}, "libstdc++.so.6": {"GLIBCXX_3.4.32"}},
	})
	writeELF(t, filepath.Join(root, "lib64/libstdc++.so.6"), elfset.File{Defines: []string{"libstdc++.so.6", "GLIBCXX_3.4"}})
	r := examine(t, o)
	if f := find(t, r, CodeGlibc); f.Severity != Error || f.Args[0] != "2.36" || f.Args[1] != "2.38" {
		t.Errorf("%+v", f)
	}
	if f := find(t, r, CodeLibraryOld); f.Args[0] != "libstdc++.so.6" || f.Args[1] != "GLIBCXX_3.4.32" {
		t.Errorf("%+v", f)
	}
}

func TestCommandOfDistributions(t *testing.T) {
	needs := []need{{soname: "libgtk-3.so.0"}, {soname: "libasound.so.2"}, {soname: "libnss3.so"}, {tool: "xvfb"}}
	for _, tt := range []struct{ release, want string }{
		{"ID=debian\nVERSION_ID=12", "sudo apt-get update && sudo apt-get install -y --no-install-recommends libasound2 libgtk-3-0 libnss3 xvfb"},
		{"ID=debian\nVERSION_ID=13", "sudo apt-get update && sudo apt-get install -y --no-install-recommends libasound2t64 libgtk-3-0t64 libnss3 xvfb"},
		{"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"", "sudo apt-get update && sudo apt-get install -y --no-install-recommends libasound2t64 libgtk-3-0t64 libnss3 xvfb"},
		{"ID=ubuntu\nVERSION_ID=22.04", "sudo apt-get update && sudo apt-get install -y --no-install-recommends libasound2 libgtk-3-0 libnss3 xvfb"},
		{"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble", "sudo apt-get update && sudo apt-get install -y --no-install-recommends libasound2t64 libgtk-3-0t64 libnss3 xvfb"},
		{"ID=deepin\nID_LIKE=debian\nVERSION_ID=23", "sudo apt-get update && sudo apt-get install -y --no-install-recommends libasound2 libgtk-3-0 libnss3 xvfb"},
		{"ID=fedora\nVERSION_ID=40", "sudo dnf install -y 'libasound.so.2()(64bit)' 'libgtk-3.so.0()(64bit)' 'libnss3.so()(64bit)' xorg-x11-server-Xvfb"},
		{"ID=openEuler\nID_LIKE=\"rhel\"", "sudo dnf install -y 'libasound.so.2()(64bit)' 'libgtk-3.so.0()(64bit)' 'libnss3.so()(64bit)' xorg-x11-server-Xvfb"},
		{"ID=manjaro\nID_LIKE=arch", "sudo pacman -S --needed alsa-lib gtk3 nss xorg-server-xvfb"},
		{"ID=gentoo", ""},
	} {
		root := t.TempDir()
		write(t, filepath.Join(root, "etc/os-release"), tt.release)
		if got, _ := readDistro(root).command(needs); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.release, got, tt.want)
		}
	}
	// A derivative's own lists know better than its version.
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/os-release"), "ID=deepin\nID_LIKE=debian\nVERSION_ID=25")
	write(t, filepath.Join(root, "var/lib/apt/lists/x_Packages"), "Package: libglib2.0-0t64\n\nPackage: libfoo-bar2-3\n")
	d := readDistro(root)
	if got := d.packageOf(need{soname: "libgtk-3.so.0"}); got != "libgtk-3-0t64" {
		t.Errorf("package %q", got)
	}
	if got := d.packageOf(need{soname: "libfoo_bar2.so.3"}); got != "libfoo-bar2-3" {
		t.Errorf("package %q", got)
	}
}

func TestHosts(t *testing.T) {
	cat, err := catalogue.Parse(configs.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.WriteHeader(http.StatusNotFound)
	}))
	defer up.Close()
	down := httptest.NewServer(nil)
	down.Close()
	for _, tt := range []struct {
		name      string
		ahead     time.Duration
		publisher string
		clock     Severity
		host      Severity
	}{
		{"right", 0, up.URL, OK, OK},
		{"a little off", 2 * time.Minute, up.URL, Warning, OK},
		{"far off", -time.Hour, up.URL, Error, OK},
		{"unreachable", 0, down.URL, OK, Warning},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, o := machine(t)
			o.Catalogue, o.Client = cat, up.Client()
			o.Publisher, o.Mirrors = []string{tt.publisher}, []string{up.URL, down.URL}
			o.Now = func() time.Time { return now.Add(tt.ahead) }
			r := examine(t, o)
			if f := find(t, r, CodeClock); f.Severity != tt.clock {
				t.Errorf("clock %+v", f)
			}
			if f := find(t, r, CodePublisher); f.Severity != tt.host {
				t.Errorf("publisher %+v", f)
			}
			if f := find(t, r, CodeMirrors); f.Args[0] != 1 || f.Args[1] != 2 {
				t.Errorf("mirrors %+v", f)
			}
		})
	}
}

func TestOtherFindings(t *testing.T) {
	root, o := machine(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write(t, filepath.Join(root, "proc/self/cgroup"), "0::/a/b\n")
	write(t, filepath.Join(root, "sys/fs/cgroup/a/b/memory.max"), "max\n")
	write(t, filepath.Join(root, "sys/fs/cgroup/a/memory.max"), "536870912\n")
	cat, err := catalogue.Parse(configs.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	o.UID = 0
	o.Ports = []Port{{Addr: l.Addr().String(), For: "main webui"}, {Addr: "127.0.0.1:0", For: "main onebot"}, {Addr: "198.51.100.7:0", For: "other onebot"}}
	o.BadZones = []string{"Mars/Phobos"}
	o.Holder = func(int) string { return "nginx (pid 7)" }
	o.Catalogue, o.NapCatVersion, o.QQVersion, o.Arch = cat, "4.18.19", "3.2.10-20000", "amd64"
	o.PatchProblem = errors.New("main is index.js")
	o.Home = filepath.Join(root, "proc/meminfo/home") // below a file
	r := examine(t, o)
	for c, s := range map[Code]Severity{
		CodeRoot: Warning, CodePort: Error, CodeHost: Error, CodeZone: Warning, CodeMemory: Warning, CodePair: Warning, CodePatch: Error, CodeHome: Error, CodeXvfb: Error, CodeFonts: Warning,
	} {
		if f := find(t, r, c); f.Severity != s {
			t.Errorf("%+v, want %s", f, s)
		}
	}
	if f := find(t, r, CodeMemory); f.Args[0] != int64(512) || f.Args[1] != "/sys/fs/cgroup/a/memory.max" {
		t.Errorf("memory %+v", f)
	}
	o.Arch = "riscv64"
	if f := find(t, examine(t, o), CodeArch); f.Severity != Error {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("examination without time: %v", err)
	}
}

// TestSimulatedQQ: a QQ that is a script needs no libraries and no display.
func TestSimulatedQQ(t *testing.T) {
	_, o := machine(t)
	if f := find(t, examine(t, o), CodeXvfb); f.Severity != Error {
		t.Errorf("a real one: %+v", f)
	}
	write(t, o.QQExe, "#!/bin/sh\n")
	r := examine(t, o)
	if f := find(t, r, CodeLibrariesSkip); f.Severity != Info {
		t.Errorf("%+v", f)
	}
	if i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Code == CodeXvfb }); i >= 0 {
		t.Errorf("%+v", r.Findings[i])
	}
}

// TestAgainstLinker compares the search with that of the real linker, for a
// program of this machine.
func TestAgainstLinker(t *testing.T) {
	ldd, err := exec.LookPath("ldd")
	if err != nil || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("no ldd on this Machine: ", err)
	}
	for _, prog := range []string{"/usr/bin/curl", "/usr/bin/git", "/usr/bin/Xvfb", "/bin/ls", "/usr/bin/ssh"} {
		out, err := exec.CommandContext(t.Context(), ldd, prog).Output()
		if err != nil {
			continue
		}
		if strings.Contains(string(out), "not found") {
			continue
		}
		l := newLoader("/", runtime.GOARCH, "")
		if err := l.program(t.Context(), prog, filepath.Join(t.TempDir())); err != nil {
			t.Fatal(err)
		}
		if len(l.missing) > 0 || len(l.versions) > 0 {
			t.Errorf("%s: missing %v, too old %v, but ldd finds all", prog, l.missing, l.versions)
		}
	}
}

func FuzzELF(f *testing.F) {
	dir := f.TempDir()
	writeELF(f, filepath.Join(dir, "seed"), elfset.File{
		Needed: []string{"libc.so.6"}, RunPath: "$ORIGIN", Needs: map[string][]string{"libc.so.6": {"GLIBC_2.9"}}, Defines: []string{"X_1"},
	})
	b, err := os.ReadFile(filepath.Join(dir, "seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	path := filepath.Join(dir, "fuzzed")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o755); err != nil {
			t.Fatal(err)
		}
		l := newLoader(dir, "amd64", "")
		if o := l.open(path); o != nil {
			l.walk([]*object{o}, map[*object]bool{})
		}
	})
}
