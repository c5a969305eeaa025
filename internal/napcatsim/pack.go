package napcatsim

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/blakesmith/ar"
)

// File names that Pack writes.
const (
	QQPackageName     = "linuxqq_sim_all.deb"
	NapCatPackageName = "NapCat.Shell.zip"
)

// PackOptions say what Pack puts into the packages.
type PackOptions struct {
	QQVersion     string // default DefaultQQVersion
	NapCatVersion string // default DefaultNapCatVersion
	// Binary is the absolute path of the program that the packed qq runs as
	// "Binary sim qq …"; default is the running executable.
	Binary string
	// Options are built into the NapCat package: what everybody who installs
	// this version will meet.
	Options Options
}

// Packages are the absolute paths of what Pack wrote.
type Packages struct {
	QQ     string `json:"qq"`
	NapCat string `json:"napcat"`
	// The versions inside.
	QQVersion     string `json:"qq_version"`
	NapCatVersion string `json:"napcat_version"`
}

// packTime is the time of every packed file, so that packing the same twice
// gives the same bytes and the same digests.
var packTime = time.Date(2026, 8, 14, 0, 0, 0, 0, time.UTC)

// Pack writes QQPackageName and NapCatPackageName into dir, creating it. The
// QQ package is a Debian package for Linux; the qq in it is a shell script.
func Pack(dir string, o PackOptions) (Packages, error) {
	if o.QQVersion == "" {
		o.QQVersion = DefaultQQVersion
	}
	if o.NapCatVersion == "" {
		o.NapCatVersion = DefaultNapCatVersion
	}
	if o.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return Packages{}, fmt.Errorf("find the program to pack: %w", err)
		}
		o.Binary = exe
	}
	if !filepath.IsAbs(o.Binary) {
		return Packages{}, fmt.Errorf("the packed program %q is not an absolute path", o.Binary)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Packages{}, err
	}
	p := Packages{
		QQ: filepath.Join(dir, QQPackageName), NapCat: filepath.Join(dir, NapCatPackageName),
		QQVersion: o.QQVersion, NapCatVersion: o.NapCatVersion,
	}
	deb, err := packQQ(o)
	if err != nil {
		return Packages{}, fmt.Errorf("pack QQ: %w", err)
	}
	if err := writeFile(p.QQ, deb); err != nil {
		return Packages{}, err
	}
	shell, err := packNapCat(o)
	if err != nil {
		return Packages{}, fmt.Errorf("pack NapCat: %w", err)
	}
	return p, writeFile(p.NapCat, shell)
}

// member is one file of an archive; a name ending in / is a directory.
type member struct {
	name string
	mode int64
	body []byte
	link string // target of a symbolic link
}

func text(s string) []byte { return []byte(s) }

// jsonText is v as a file of JSON.
func jsonText(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("napcatsim: %T is not JSON: %v", v, err)) // our own literals only
	}
	return append(b, '\n')
}

// noise is n bytes that do not compress and depend on the seed alone: they
// stand for native code.
func noise(seed string, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	sum := sha256.Sum256([]byte(seed))
	for len(out) < n {
		sum = sha256.Sum256(sum[:])
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// shellQuote is s as one word of a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

const qqScriptHead = "#!/bin/sh\n# Simulated QQ: runs the program that packed it in the role of QQ.\n"

func qqScript(program string) string {
	return qqScriptHead + "exec " + shellQuote(program) + " sim qq \"$0\" \"$@\"\n"
}

// Repoint makes the simulated QQs that are installed in releases run the running
// program: the one that packed them may be gone, as an older clone is.
func Repoint(releases string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to run: %w", err)
	}
	installed, err := filepath.Glob(filepath.Join(releases, "qq", "*", "opt", "QQ", "qq"))
	if err != nil {
		return err
	}
	want := qqScript(exe)
	for _, path := range installed {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if have := string(b); have == want || !strings.HasPrefix(have, qqScriptHead) {
			continue
		}
		if err := writeMode(path, []byte(want), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func packQQ(o PackOptions) ([]byte, error) {
	build := o.QQVersion
	if i := strings.LastIndexByte(build, '-'); i >= 0 {
		build = build[i+1:]
	}
	files := []member{
		{name: "opt/QQ/qq", mode: 0o755, body: text(qqScript(o.Binary))},
		{name: "opt/QQ/chrome-sandbox", mode: 0o4755, body: text("#!/bin/sh\nexit 1\n")},
		{name: "opt/QQ/libffmpeg.so", mode: 0o644, body: noise("libffmpeg.so", 64<<10)},
		{name: "opt/QQ/resources/app/package.json", mode: 0o644, body: jsonText(map[string]any{
			"name": "qq-chat", "version": o.QQVersion, "buildVersion": build, "description": "QQ",
			"productName": "QQ", "main": "./application.asar/app_launcher/index.js",
			"linuxVersion": o.QQVersion, "platform": "linux", "eleArch": "x64", "isPureShell": true,
		})},
		{name: "opt/QQ/resources/app/application.asar", mode: 0o644, body: noise("application.asar", 64<<10)},
		{name: "opt/QQ/resources/app/wrapper.node", mode: 0o644, body: noise("wrapper.node"+o.QQVersion, 256<<10)},
		{name: "opt/QQ/resources/app/major.node", mode: 0o644, body: noise("major.node"+o.QQVersion, 32<<10)},
		{name: "opt/QQ/resources/app/libbugly.so", mode: 0o644, body: noise("libbugly.so", 16<<10)},
		{name: "usr/share/applications/qq.desktop", mode: 0o644, body: text("[Desktop Entry]\nName=QQ\nExec=/opt/QQ/qq %U\nType=Application\nIcon=qq\n")},
		{name: "usr/share/doc/linuxqq/copyright", mode: 0o644, body: text("A simulated package; it holds nothing of anybody's.\n")},
		{name: "usr/share/doc/linuxqq/README", link: "copyright"},
	}
	var data bytes.Buffer
	if err := writeTar(&data, files); err != nil {
		return nil, err
	}
	var control bytes.Buffer
	zw := gzip.NewWriter(&control)
	err := writeTar(zw, []member{{name: "control", mode: 0o644, body: text("Package: linuxqq\nVersion: " + o.QQVersion +
		"\nArchitecture: all\nMaintainer: ncatd simulator <maintainers@users.noreply.ncatd.example>\n" +
		"Section: misc\nPriority: optional\nDescription: simulated QQ\n")}})
	if err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	var deb bytes.Buffer
	aw := ar.NewWriter(&deb)
	if err := aw.WriteGlobalHeader(); err != nil {
		return nil, err
	}
	for _, m := range []member{{name: "debian-binary", body: text("2.0\n")}, {name: "control.tar.gz", body: control.Bytes()}, {name: "data.tar.xz", body: storedXZ(data.Bytes())}} {
		if err := aw.WriteHeader(&ar.Header{Name: m.name, ModTime: packTime, Mode: 0o100644, Size: int64(len(m.body))}); err != nil {
			return nil, err
		}
		if _, err := aw.Write(m.body); err != nil {
			return nil, err
		}
	}
	return deb.Bytes(), nil
}

// writeTar writes files the way dpkg-deb does: names begin with ./ and every
// directory comes before what is in it.
func writeTar(w io.Writer, files []member) error {
	tw := tar.NewWriter(w)
	seen := map[string]bool{}
	dir := func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: packTime, Uname: "root", Gname: "root"})
	}
	for _, f := range files {
		if err := dir("./"); err != nil {
			return err
		}
		parts := strings.Split(path.Dir(f.name), "/")
		for i := range parts {
			if parts[0] == "." {
				break
			}
			if err := dir("./" + strings.Join(parts[:i+1], "/") + "/"); err != nil {
				return err
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: "./" + f.name, Mode: f.mode, Size: int64(len(f.body)), ModTime: packTime, Uname: "root", Gname: "root"}
		if f.link != "" {
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.link, 0o777
		}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(f.body); err != nil {
			return err
		}
	}
	return tw.Close()
}

func packNapCat(o PackOptions) ([]byte, error) {
	files := []member{
		{name: "napcat.mjs", body: text("// Simulated NapCat " + o.NapCatVersion + ": the bundle that a loader imports. Nothing in it is NapCat's.\n" +
			"export const version = '" + o.NapCatVersion + "';\n")},
		{name: "package.json", body: jsonText(map[string]any{
			"name": "napcat", "version": o.NapCatVersion, "type": "module", "main": "napcat.mjs", "private": true,
		})},
		{name: "worker/conoutSocketWorker.mjs", body: text("export {};\n")},
		{name: "config/napcat.json", body: jsonText(shippedNapCatConfig())},
		{name: "static/index.html", body: text("<!doctype html>\n<html lang=\"zh-CN\">\n<head><meta charset=\"utf-8\"><title>NapCat WebUI</title></head>\n<body><div id=\"root\"></div></body>\n</html>\n")},
		{name: "static/assets/index.js", body: text("document.getElementById('root').textContent = 'NapCat WebUI';\n")},
		// Large enough that a check for a truncated or replaced download passes.
		{name: "native/packet/MoeHoo.linux.x64.node", body: noise("packet"+o.NapCatVersion, 1<<20)},
		{name: "native/napi2native/napi2native.linux.x64.node", body: noise("napi2native"+o.NapCatVersion, 128<<10)},
		{name: "native/pty/linux.x64/pty.node", body: noise("pty", 16<<10)},
		{name: "node_modules/express/package.json", body: text("{\"name\":\"express\",\"version\":\"5.0.0\"}\n")},
		{name: "node_modules/ws/package.json", body: text("{\"name\":\"ws\",\"version\":\"8.18.3\"}\n")},
		{name: "launcher.bat", body: text("@echo off\r\n")},
		{name: "loadNapCat.js", body: text("(async () => {await import(\"file:///napcat.mjs\")})()\n")},
		{name: "qqnt.json", body: jsonText(map[string]any{"name": "qq-chat", "version": "9.9.32-50969", "main": "./loadNapCat.js"})},
	}
	if b := jsonText(o.Options); string(b) != "{}\n" {
		files = append(files, member{name: "sim-options.json", body: b})
	}
	sort.SliceStable(files, func(i, j int) bool { return files[i].name < files[j].name })
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range files {
		w, err := zw.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: packTime})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// shippedNapCatConfig is config/napcat.json as it comes in the zip.
func shippedNapCatConfig() map[string]any {
	return map[string]any{
		"fileLog": false, "consoleLog": true, "fileLogLevel": "debug", "consoleLogLevel": "info",
		"packetBackend": "auto", "packetServer": "", "o3HookMode": 1,
		"bypass": map[string]any{"hook": false, "window": false, "module": false, "process": false, "container": false, "js": false},
	}
}
