//go:build !windows

package napcatsim

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := PackOptions{QQVersion: "3.2.31-51234", NapCatVersion: "4.18.99", Binary: "/opt/it's here/ncatd", Options: Options{NeverReady: true}}
	p, err := Pack(filepath.Join(dir, "a"), o)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	modes := map[string]int64{}
	var order []string
	names := debFiles(t, p.QQ, func(h *tar.Header, r io.Reader) {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name], modes[h.Name] = string(b), h.Mode
		order = append(order, h.Name)
	})
	if !slices.Equal(names, []string{"debian-binary", "control.tar.gz", "data.tar.xz"}) {
		t.Errorf("members %v", names)
	}
	if c := files["./control"]; !strings.Contains(c, "\nArchitecture: all\n") { // it is a script
		t.Errorf("control %q", c)
	}
	if qq := files["./opt/QQ/qq"]; modes["./opt/QQ/qq"] != 0o755 || !strings.HasPrefix(qq, "#!/bin/sh\n") ||
		!strings.HasSuffix(qq, `exec '/opt/it'\''s here/ncatd' sim qq "$0" "$@"`+"\n") {
		t.Errorf("qq is %q", qq)
	}
	var pkg struct{ Version, Main, BuildVersion string }
	if err := json.Unmarshal([]byte(files["./opt/QQ/resources/app/package.json"]), &pkg); err != nil || pkg.Version != o.QQVersion || pkg.BuildVersion != "51234" || pkg.Main == "" {
		t.Errorf("package.json %+v %v", pkg, err)
	}
	if i, j := slices.Index(order, "./opt/QQ/"), slices.Index(order, "./opt/QQ/qq"); i < 0 || i > j {
		t.Errorf("a file comes before its directory: %v", order)
	}
	z, err := zip.OpenReader(p.NapCat)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }() // read only
	for _, want := range []string{"napcat.mjs", "package.json", "config/napcat.json", "static/index.html", "sim-options.json", "loadNapCat.js"} {
		if _, err := z.Open(want); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	// The same input gives the same bytes.
	q, err := Pack(filepath.Join(dir, "b"), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{p.QQ, q.QQ}, {p.NapCat, q.NapCat}} {
		a, err := os.ReadFile(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(pair[1])
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from %s (%v)", pair[0], pair[1], err)
		}
	}
	if _, err := Pack(dir, PackOptions{Binary: "relative"}); err == nil {
		t.Error("a relative program was packed")
	}
}

func TestFindInstallation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mjs := put("napcat/napcat.mjs", "export {}")
	put("napcat/package.json", `{"version":"4.18.13"}`)
	spaced := put("nap cat/napcat.mjs", "export {}")
	put("nap cat/package.json", `{"version":"4.18.14"}`)
	broken := put("broken/napcat.mjs", "")
	env := map[string]string{"NCATD_NAPCAT_MAIN": mjs, "AS_URL": "file://" + filepath.Dir(spaced)[:len(dir)] + "/nap%20cat/napcat.mjs", "GONE": filepath.Join(dir, "gone", "napcat.mjs"), "EMPTY": broken}
	for name, tt := range map[string]struct {
		main, loader string
		want         string // napcat.mjs, "plain" or "error"
	}{
		"untouched":      {"./application.asar/app_launcher/index.js", "", "plain"},
		"literal url":    {"./loadNapCat.js", "(async () => {await import('file://" + mjs + "');})();", mjs},
		"literal double": {"./loadNapCat.js", `(async () => {await import("file://` + mjs + `")})()`, mjs},
		"env":            {"./loadNapCat.js", "(async () => {await import(process.env.NCATD_NAPCAT_MAIN);})();", mjs},
		"env index":      {"./loadNapCat.js", "import(require('url').pathToFileURL(process.env['NCATD_NAPCAT_MAIN']).href)", mjs},
		"env url":        {"./loadNapCat.js", "import(process.env.AS_URL)", spaced},
		"relative":       {"./loadNapCat.js", "import('../../../../napcat/napcat.mjs')", mjs},
		"env unset":      {"./loadNapCat.js", "import(process.env.NOBODY_SETS_THIS)", "plain"},
		"gone":           {"./loadNapCat.js", "import(process.env.GONE)", "error"},
		"empty":          {"./loadNapCat.js", "import(process.env.EMPTY)", "error"},
		"no loader":      {"./elsewhere.js", "", "error"},
		"no main":        {"", "", "plain"},
		"other program":  {"./loadNapCat.js", "require('./index.js')", "plain"},
	} {
		t.Run(name, func(t *testing.T) {
			app := filepath.Join(dir, "qq", name, "resources", "app")
			put(filepath.Join("qq", name, "resources", "app", "package.json"), `{"version":"3.2.30-50969","main":"`+tt.main+`"}`)
			if tt.loader != "" {
				put(filepath.Join("qq", name, "resources", "app", "loadNapCat.js"), tt.loader)
			}
			in, err := FindInstallation(filepath.Join(filepath.Dir(filepath.Dir(app)), "qq"), func(k string) string { return env[k] })
			switch {
			case tt.want == "plain":
				if !errors.Is(err, errPlainQQ) {
					t.Errorf("%+v %v", in, err)
				}
			case tt.want == "error":
				if err == nil || errors.Is(err, errPlainQQ) {
					t.Errorf("%+v %v", in, err)
				}
			case err != nil || in.Main != tt.want || in.QQVersion != "3.2.30-50969" || !strings.HasPrefix(in.NapCatVersion, "4.18.1"):
				t.Errorf("%+v %v", in, err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o, err := ParseOptions([]byte(`{"scan_after":"off","qr_lifetime":"1m30s","accounts":[{"uin":1,"captcha":true}],"crash_code":3}`))
	if err != nil || *o.ScanAfter != Off || o.QRLifetime.D().Seconds() != 90 || !o.Accounts[0].Captcha {
		t.Errorf("%+v %v", o, err)
	}
	base := layer{"uin": []byte("1"), "never_ready": []byte("true"), "crash_code": []byte("3"), "scan_after": []byte(`"off"`)}
	m, err := base.over(layer{"uin": []byte("5"), "never_ready": []byte("false"), "crash_code": []byte("null")}).options()
	if err != nil || m.UIN != 5 || m.NeverReady || m.CrashCode != 0 || *m.ScanAfter != Off || string(base["uin"]) != "1" {
		t.Errorf("%+v %v", m, err)
	}
	for _, bad := range []string{`{"scan_afer":"1s"}`, `{"scan_after":"-1s"}`, `{"scan_after":"soon"}`, `{"uin":"x"}`, `[`} {
		if _, err := ParseOptions([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	home := t.TempDir()
	if err := WriteOptions(home, o); err != nil {
		t.Fatal(err)
	}
	back, err := ReadOptions(home)
	if err != nil || back.CrashCode != 3 || *back.ScanAfter != Off {
		t.Errorf("%+v %v", back, err)
	}
}
