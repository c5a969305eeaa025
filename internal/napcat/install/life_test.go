package install

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

func TestSameVersionOtherContent(t *testing.T) {
	s := openTemp(t)
	dir := t.TempDir()
	a := installLocal(t, s, "4.18.13", "3.2.30-50969")
	other := packNapCat(t, filepath.Join(dir, "other"), "4.18.13", "extra.txt", "x")
	b, err := s.Install(t.Context(), localRequest(other, packQQ(t, dir, "3.2.30-50969")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.NapCat.Version != a.NapCat.Version || b.NapCat.Dir == a.NapCat.Dir || b.QQ.Dir != a.QQ.Dir {
		t.Errorf("installed %+v over %+v", b, a)
	}
	// What may have been running is still there.
	if exists(a.NapCatMain) != nil || exists(filepath.Join(b.NapCat.Dir, "extra.txt")) != nil {
		t.Error("the first release was touched, or the second is not whole")
	}
}

func TestNapCatVersion(t *testing.T) {
	for _, tt := range []struct{ name, mjs, manifest, want string }{
		{"published", `const x=1;const napCatVersion = typeof (__vite_import_meta_env__) !== "undefined" && "4.18.19" || "1.0.0-dev";`, `{"version":"0.0.1"}`, "4.18.19"},
		{"published, short", `napCatVersion="v4.18.19-beta.1";`, `{"version":"0.0.1"}`, "4.18.19-beta.1"},
		{"compared only", `if (napCatVersion === "9.9.9") {}`, `{"version":"4.1.0"}`, "4.1.0"},
		{"manifest", "import './x.js'", `{"version":"v4.18.13"}`, "4.18.13"},
		{"neither", "", `{"version":"0.0.1"}`, placeholder},
	} {
		dir := t.TempDir()
		main := writeTemp(t, filepath.Join(dir, "napcat.mjs"), []byte(tt.mjs))
		writeTemp(t, filepath.Join(dir, "package.json"), []byte(tt.manifest))
		if got, err := napcatVersion(main); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	for _, v := range []string{"", "../x", "a/b", ".hidden", "-rf", strings.Repeat("1", 80), "1 2", "版本"} {
		if checkVersion(v) == nil {
			t.Errorf("%q accepted as a version", v)
		}
	}
}

func TestPatch(t *testing.T) {
	for _, manifest := range []string{
		qqManifest("3.2.30-50969"),
		"\ufeff{\n  \"version\": \"3.2.30-50969\",\n  \"main\" : \"./application.asar/x.js\" ,\"nested\":{\"main\":\"no\"},\n \"n\": 12345678901234567890\n}\n",
		`{"main":"./a.js","version":"3.2.30-50969","main":"./b.js"}`,
		`{"version":"3.2.30-50969"}`,
	} {
		dir := t.TempDir()
		appDir := filepath.Join(dir, "opt/QQ/resources/app")
		writeTemp(t, filepath.Join(dir, "opt/QQ/qq"), []byte("#!/bin/sh"))
		path := writeTemp(t, filepath.Join(appDir, "package.json"), []byte(manifest))
		for range 2 {
			if err := Patch(dir); err != nil {
				t.Fatal(err)
			}
			if err := CheckPatch(dir); err != nil {
				t.Error(err)
			}
		}
		var before, after map[string]any
		if err := json.Unmarshal(trimBOM([]byte(manifest)), &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(read(t, path), &after); err != nil {
			t.Fatalf("%s: %v", read(t, path), err)
		}
		for k, v := range before {
			if k != "main" && !reflect.DeepEqual(after[k], v) {
				t.Errorf("%s became %v", k, after[k])
			}
		}
		if after["main"] != "./loadNapCat.js" {
			t.Errorf("main is %v", after["main"])
		}
		for range 2 {
			if err := Unpatch(dir); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(read(t, path)); got != manifest {
			t.Errorf("not undone: %q, was %q", got, manifest)
		}
		if left, _ := os.ReadDir(appDir); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestLoaderUnderNode runs the loader as a program of this kind runs it.
func TestLoaderUnderNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on this machine: ", err)
	}
	s := openTemp(t)
	dir := t.TempDir()
	p, err := s.Install(t.Context(), localRequest(packNapCat(t, dir, "4.18.13"), packQQ(t, dir, "3.2.30-50969",
		"./opt/QQ/resources/app/application.asar/app_launcher/index.js", "console.log('plain QQ')")), nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string]string{"napcat 4.18.13": "NCATD_NAPCAT_MAIN=" + p.NapCatMain, "plain QQ": "X=1"} {
		cmd := exec.CommandContext(t.Context(), node, filepath.Join(filepath.Dir(p.QQExe), "resources/app"))
		cmd.Env = append(os.Environ(), env)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("with %s: %s, %v", env, out, err)
		}
	}
}

func TestPrune(t *testing.T) {
	s := openTemp(t)
	var pairs []Pair
	for _, v := range []string{"4.1.0", "4.2.0", "4.3.0", "4.4.0"} {
		p := installLocal(t, s, v, "3.2.30-50969")
		if err := s.Confirm(p); err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, p)
	}
	gone := func(p Pair) bool { return missing(exists(p.NapCatMain)) }
	if !gone(pairs[0]) || !gone(pairs[1]) || gone(pairs[2]) || gone(pairs[3]) {
		t.Error("other pairs than the last two are there")
	}
	if p, err := s.Previous(); err != nil || !p.Same(pairs[2]) {
		t.Errorf("previous %+v, %v", p, err)
	}
	if exists(pairs[0].QQExe) != nil {
		t.Error("a QQ that the kept pairs share was removed")
	}
	// keep 1, but what runs stays, and a pair on trial keeps its way back.
	removed, err := s.Prune(1, func() []string { return []string{pairs[2].NapCatMain} })
	if err != nil || len(removed) > 0 || gone(pairs[2]) {
		t.Errorf("removed %v, %v", removed, err)
	}
	trial := installLocal(t, s, "4.5.0", "3.2.30-50969")
	if _, err := s.Prune(1, nil); err != nil {
		t.Fatal(err)
	}
	if gone(pairs[3]) || !gone(pairs[2]) {
		t.Error("the pair before the one on trial is gone, or the one before it is not")
	}
	if _, err := s.RollBack(trial, Left{Reason: "not_ready", ByItself: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(1, nil); err != nil || !gone(trial) {
		t.Errorf("the bad pair stayed (%v)", err)
	}
}

// TestPruneKeepsWhatRuns starts a program out of an old release.
func TestPruneKeepsWhatRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are looked at on Linux only")
	}
	s := openTemp(t)
	dir := t.TempDir()
	first, err := s.Install(t.Context(), localRequest(packNapCat(t, dir, "4.1.0"), packQQ(t, dir, "3.2.1-1", "./opt/QQ/wait/qq", "#!/bin/sh\nread x\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(first.QQExe), "wait", "qq"))
	cmd.Env = append(os.Environ(), "NCATD_NAPCAT_MAIN="+first.NapCatMain)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"2", "3"} {
		if err := s.Confirm(installLocal(t, s, "4."+v+".0", "3.2."+v+"-"+v)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Prune(1, nil); err != nil {
		t.Fatal(err)
	}
	if exists(first.QQExe) != nil || exists(first.NapCatMain) != nil {
		t.Error("a running release was removed")
	}
	var inUse *InUseError
	if err := s.Uninstall(false); !errors.As(err, &inUse) {
		t.Errorf("uninstall while it runs: %v", err)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatal(err)
	}
	if _, err := s.Prune(1, nil); err != nil || !missing(exists(first.QQExe)) || !missing(exists(first.NapCatMain)) {
		t.Errorf("it stayed after its end (%v)", err)
	}
}

func TestTwoInstalls(t *testing.T) {
	s := openTemp(t)
	dir := t.TempDir()
	req := localRequest(packNapCat(t, dir, "4.18.13"), packQQ(t, dir, "3.2.30-50969"))
	other, err := Open(s.Home())
	if err != nil {
		t.Fatal(err)
	}
	tried := false
	if _, err := s.Install(t.Context(), req, func(Event) {
		if tried {
			return
		}
		tried = true
		if _, err := other.Install(t.Context(), req, nil); !errors.Is(err, ErrBusy) {
			t.Errorf("a second install at the same time: %v", err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Install(t.Context(), req, nil); err != nil {
		t.Errorf("an install afterwards: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	s := openTemp(t)
	dir := t.TempDir()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := s.Install(ctx, localRequest(packNapCat(t, dir, "4.18.13"), packQQ(t, dir, "3.2.30-50969")), func(e Event) {
		if e.Kind == EventUnpack {
			cancel(stop)
		}
	})
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.releases(), stagingPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := s.Current(); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Current: %v", err)
	}
}

func TestBadPackages(t *testing.T) {
	dir := t.TempDir()
	napcat, qq := packNapCat(t, dir, "4.18.13"), packQQ(t, dir, "3.2.30-50969")
	for name, req := range map[string]Request{
		"swapped":       localRequest(qq, napcat),
		"html":          localRequest(writeTemp(t, filepath.Join(dir, "x.zip"), []byte("<!doctype html><html>")), qq),
		"cut short":     localRequest(writeTemp(t, filepath.Join(dir, "cut.zip"), read(t, napcat)[:200]), qq),
		"missing":       localRequest(filepath.Join(dir, "nothing.zip"), qq),
		"folder":        localRequest(dir, qq),
		"wrong digest":  {NapCat: Package{File: napcat, SHA256: strings.Repeat("0", 64)}, QQ: Package{File: qq}, Log: localRequest("", "").Log},
		"bad version":   localRequest(napcat, packQQ(t, filepath.Join(dir, "v"), "../../evil")),
		"bad manifest":  localRequest(packNapCat(t, filepath.Join(dir, "m"), "4\"", "x", "y"), qq),
		"not a program": localRequest(napcat, writeTemp(t, filepath.Join(dir, "y.deb"), []byte("!<arch>\n"))),
	} {
		s := openTemp(t)
		p, err := s.Install(t.Context(), req, nil)
		if err == nil {
			t.Errorf("%s: installed %+v", name, p)
		}
		if err != nil && strings.Contains(err.Error(), stagingPrefix) {
			t.Errorf("%s: the error names a folder that is gone: %v", name, err)
		}
		switch name {
		case "swapped":
			if !errors.As(err, new(*LayoutError)) {
				t.Errorf("%s: %v", name, err)
			}
		case "bad version":
			if !errors.Is(err, unpack.ErrDamaged) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(s.releases(), stagingPrefix+"*")); len(left) > 0 {
			t.Errorf("%s left behind: %v", name, left)
		}
	}
}

func TestUninstall(t *testing.T) {
	s := openTemp(t)
	p := installLocal(t, s, "4.18.13", "3.2.30-50969")
	mine := writeTemp(t, filepath.Join(s.Home(), "mine.txt"), []byte("not ncatd's"))
	cfg := writeTemp(t, filepath.Join(s.Home(), "ncatd.yaml"), []byte("accounts: []"))
	if err := s.Uninstall(false); err != nil {
		t.Fatal(err)
	}
	if !missing(exists(p.QQExe)) || exists(cfg) != nil {
		t.Error("releases stayed, or the config went")
	}
	if _, err := s.Current(); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Current: %v", err)
	}
	for range 2 {
		if err := s.Uninstall(true); err != nil {
			t.Fatal(err)
		}
	}
	if !missing(exists(cfg)) || exists(mine) != nil {
		t.Error("the config stayed, or somebody else's file went")
	}
}

func TestFixVersionsConfig(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".config", "QQ", "versions", "config.json")
	if changed, err := FixVersionsConfig(home, "3.2.30-50969"); changed || err != nil {
		t.Errorf("without the file: %v %v", changed, err)
	}
	writeTemp(t, path, []byte(`{"baseVersion":"3.2.10-1","curVersion":"3.2.10-1","buildId":"1","prevVersion":"","onErrorVersions":[],"n":12345678901234567890}`))
	for _, want := range []bool{true, false} {
		if changed, err := FixVersionsConfig(home, "3.2.30-50969"); changed != want || err != nil {
			t.Errorf("changed %v, %v, want %v", changed, err, want)
		}
	}
	got := string(read(t, path))
	for _, part := range []string{`"baseVersion": "3.2.30-50969"`, `"curVersion": "3.2.30-50969"`, `"buildId": "50969"`, `"onErrorVersions": []`, "12345678901234567890"} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	writeTemp(t, path, []byte("{half"))
	if changed, err := FixVersionsConfig(home, "3.2.30-50969"); !changed || err != nil || !missing(exists(path)) {
		t.Errorf("damaged file: %v %v", changed, err)
	}
}

func FuzzSetMain(f *testing.F) {
	f.Add(qqManifest("1"))
	f.Add(`{"a":{"main":1},"main":"x"}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, s string) {
		out, err := setMain([]byte(s), loaderMain)
		if err != nil {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(out, &m); err != nil {
			if json.Valid(trimBOM([]byte(s))) {
				t.Errorf("%q became %q: %v", s, out, err)
			}
			return
		}
		if m["main"] != loaderMain {
			t.Errorf("%q became %q", s, out)
		}
	})
}
