//go:build e2e && linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// damaged is where homes with damaged files are tried, as a user for whom a file
// without permissions is one.
type damaged struct {
	t       *testing.T
	work    string
	program []string // ncatd, as that user
	set     []string // where packages come from, whatever the config has come to
}

const nobody = 65534

func newDamaged(t *testing.T) *damaged {
	work, err := os.MkdirTemp("", "ncatd-damaged")
	if err != nil {
		t.Fatal(err)
	}
	d := &damaged{t: t, work: work}
	t.Cleanup(func() {
		killLeft(t, work)
		os.RemoveAll(work)
	})
	program := filepath.Join(work, "ncatd")
	b, err := os.ReadFile(binary)
	if err := errors.Join(err, os.WriteFile(program, b, 0o755)); err != nil {
		t.Fatal(err)
	}
	d.program = []string{program}
	if os.Geteuid() == 0 {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			t.Skip("needs setpriv (Debian: util-linux)")
		}
		if err := errors.Join(os.Chmod(work, 0o755), os.Chown(work, nobody, nobody)); err != nil {
			t.Fatal(err)
		}
		d.program = []string{setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", program}
	}
	options := filepath.Join(work, "options.json")
	if err := os.WriteFile(options, []byte(`{"scan_after": "0s", "login_delay": "0s"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	packages := filepath.Join(work, "packages")
	if out, code := d.run("", "sim", "pack", packages, "--options", options); code != 0 {
		t.Fatalf("sim pack: %d\n%s", code, out)
	}
	for key, ext := range map[string]string{"napcat.source": "*.zip", "napcat.qq_source": "*.deb"} {
		found, err := filepath.Glob(filepath.Join(packages, ext))
		if err != nil || len(found) != 1 {
			t.Fatalf("packages: %v, %v", found, err)
		}
		d.set = append(d.set, "--set", key+"=file://"+found[0])
	}
	d.set = append(d.set, "--set", "display=none", "--set", "napcat.mirrors=direct")
	return d
}

// run carries a command out in a home, "" for none, for at most a minute.
func (d *damaged) run(home string, args ...string) (out string, code int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.program[0], slices.Concat(d.program[1:], args)...)
	cmd.Dir = d.work
	cmd.Env = []string{"HOME=" + d.work, "PATH=" + os.Getenv("PATH"), "NCATD_LANG=en", "TMPDIR=" + d.work}
	if home != "" {
		cmd.Env = append(cmd.Env, "NCATD_HOME="+home)
	}
	cmd.WaitDelay = time.Second
	b, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return string(b) + "\nit did not end", -1
	}
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) && !errors.Is(err, exec.ErrWaitDelay) {
		d.t.Errorf("%v: %v", args, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// template makes a home that has been used: every file is there that a daemon
// leaves, also one that was killed.
func (d *damaged) template() string {
	home := filepath.Join(d.work, "template")
	if out, code := d.run(home, slices.Concat([]string{"start", "-d", "--yes"}, d.set)...); code != 0 {
		d.t.Fatalf("start: %d\n%s", code, out)
	}
	await.True(d.t, waitLimit, "the account to be online", func() bool { _, code := d.run(home, "status"); return code == 0 })
	if out, code := d.run("", "sim", "say", "--home", home, "--user", "3001000001", "/ping"); code != 0 { // now the bot has a store
		d.t.Fatalf("say: %d\n%s", code, out)
	}
	d.kill(home)
	for name, text := range map[string]string{
		"logs/last-crash.json": `{"time":"2026-01-01T00:00:00Z","panic":"panic: x"}`, "logs/crash.txt": "panic: x\n",
		"ncatd.lock":    `{"schema":1,"packages":{}}`,
		"run/xvfb.json": `{"process":{"pid":1},"display":":7"}`, "ncatd.yaml": "log:\n  level: info\naccounts:\n  - name: main\n",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "-R", "--reference="+home, home).CombinedOutput(); err != nil {
		d.t.Fatalf("chown: %v: %s", err, out)
	}
	return home
}

// kill ends what runs in a home as the loss of power does.
func (d *damaged) kill(home string) {
	for range 50 {
		pids := processes(home)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		if len(pids) == 0 || await.Gone(time.Second, pids...) {
			return
		}
	}
	d.t.Errorf("something runs on in %s", home)
}

// damages are what becomes of a file.
var damages = []struct {
	name string
	do   func(path string, was []byte) error
}{
	{"empty", func(p string, _ []byte) error { return os.WriteFile(p, nil, 0o600) }},
	{"zeros", func(p string, was []byte) error { return os.WriteFile(p, make([]byte, max(len(was), 64)), 0o600) }},
	{"random", func(p string, was []byte) error {
		r, b := rand.NewChaCha8([32]byte{byte(len(was))}), make([]byte, 512)
		_, _ = r.Read(b) // never fails
		return os.WriteFile(p, b, 0o600)
	}},
	{"truncated", func(p string, was []byte) error { return os.WriteFile(p, was[:len(was)/2], 0o600) }},
	{"wrong type", func(p string, _ []byte) error { return os.WriteFile(p, []byte("[{\"a\": [1]}, null, \"x\"]\n"), 0o600) }},
	{"a folder", func(p string, _ []byte) error {
		return errors.Join(os.RemoveAll(p), os.Mkdir(p, 0o700), os.WriteFile(filepath.Join(p, "x"), nil, 0o600))
	}},
	{"no permission", func(p string, _ []byte) error { return os.Chmod(p, 0) }},
}

// ownFiles are the files of a home that ncatd reads or writes, but for releases.
func ownFiles(t *testing.T, home string) []string {
	var files []string
	err := filepath.WalkDir(home, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(home, path)
		if err != nil {
			return err
		}
		if e.IsDir() && (name == "releases/napcat" || name == "releases/qq" || name == "accounts/main/home" || name == "accounts/main/napcat/cache") {
			return fs.SkipDir
		}
		if e.Type().IsRegular() || e.Type()&fs.ModeSocket != 0 {
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDamagedHome: whatever became of a file of a home, each command ends with
// what it is for, or with a sentence that names the file and a remedy.
func TestDamagedHome(t *testing.T) {
	if os.Getenv("E2E_DAMAGED") == "" {
		t.Skip("set E2E_DAMAGED: two hundred homes, as make e2e-damaged does")
	}
	d := newDamaged(t)
	home := d.template()
	files := ownFiles(t, home)
	for _, must := range []string{"ncatd.yaml", "secrets.json", "accounts/main/state.json", "releases/current", "run/ncatd.pid", "run/home.json", "data/ncatd.db", "logs/ncatd.log"} {
		if !slices.Contains(files, must) {
			t.Errorf("a used home has no %s: %v", must, files)
		}
	}
	slots := make(chan struct{}, 6)
	for _, file := range files {
		for _, damage := range damages {
			t.Run(file+"/"+damage.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				one := *d
				one.t = t
				one.try(home, file, damage.do)
			})
		}
	}
}

// copied returns a copy of a home with one file damaged.
func (d *damaged) copied(home, file string, do func(string, []byte) error) string {
	d.t.Helper()
	to, err := os.MkdirTemp(d.work, "h")
	if err != nil {
		d.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", home+"/.", to).CombinedOutput(); err != nil {
		d.t.Fatalf("cp: %v: %s", err, out)
	}
	path := filepath.Join(to, file)
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, syscall.ENXIO) { // a socket
		d.t.Fatal(err)
	}
	if err != nil {
		err = os.Remove(path)
	} else {
		err = nil
	}
	if err == nil && was == nil {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err := errors.Join(err, do(path, was)); err != nil {
		d.t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "-R", "-h", fmt.Sprint(nobody, ":", nobody), to).CombinedOutput(); err != nil {
			d.t.Fatalf("chown: %v: %s", err, out)
		}
	}
	return to
}

func (d *damaged) try(home, file string, do func(string, []byte) error) {
	name := filepath.Base(file)
	h := d.copied(home, file, do)
	defer os.RemoveAll(h)
	for _, c := range []struct {
		good []int // without a fault
		args []string
	}{
		{[]int{3}, []string{"status"}},
		{[]int{0, 1}, []string{"doctor"}},
		{[]int{0}, []string{"install", "--yes"}},
	} {
		out, code := d.run(h, slices.Concat(c.args, d.set)...)
		d.judge(c.args[0], name, out, code, c.good)
	}
	h2 := d.copied(home, file, do)
	defer os.RemoveAll(h2)
	defer d.kill(h2)
	out, code := d.run(h2, slices.Concat([]string{"start", "-d", "--yes"}, d.set)...)
	d.judge("start", name, out, code, []int{0})
	if code != 0 {
		return
	}
	if !await.Poll(waitLimit, func() bool { out, code = d.run(h2, "status"); return code == 0 }) {
		log, _ := os.ReadFile(filepath.Join(h2, "logs", "ncatd.log")) // for the eyes
		d.t.Errorf("start went well, but the account is not online: %d\n%s\n%s", code, out, log[max(0, len(log)-2000):])
	}
}

// judge wants a good end, or a sentence that names the file and what helps.
func (d *damaged) judge(command, name, out string, code int, good []int) {
	d.t.Helper()
	if slices.ContainsFunc([]string{"goroutine ", "panic:", "%!", "nil pointer"}, func(s string) bool { return strings.Contains(out, s) && !strings.Contains(out, "panic: x") }) {
		d.t.Errorf("%s broke:\n%s", command, out)
	}
	if slices.Contains(good, code) {
		return
	}
	told := 0
	for line := range bytes.Lines([]byte(out)) {
		if bytes.HasPrefix(line, []byte("ncatd: ")) {
			told++
		}
	}
	if code == -1 || told == 0 || !strings.Contains(out, name) || !strings.Contains(out, "hint: ") {
		d.t.Errorf("%s ended with %d and does not name %s with a remedy:\n%s", command, code, name, out)
	}
}
