//go:build e2e && linux

package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/e2e/elfset"
)

// fixture writes ELF files that ask for what a real QQ's ask for: the program
// itself, a library of its own, and what it loads later.
func fixture(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "linuxqq")
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	for name, needed := range map[string][]string{
		"opt/QQ/qq": {
			"libffmpeg.so", "libdl.so.2", "libpthread.so.0", "libgobject-2.0.so.0", "libglib-2.0.so.0", "libgio-2.0.so.0", "libnss3.so", "libnssutil3.so",
			"libsmime3.so", "libnspr4.so", "libatk-1.0.so.0", "libatk-bridge-2.0.so.0", "libcups.so.2", "libdbus-1.so.3", "libdrm.so.2", "libgtk-3.so.0",
			"libpango-1.0.so.0", "libcairo.so.2", "libX11.so.6", "libXcomposite.so.1", "libXdamage.so.1", "libXext.so.6", "libXfixes.so.3", "libXrandr.so.2",
			"libgbm.so.1", "libexpat.so.1", "libxcb.so.1", "libxkbcommon.so.0", "libudev.so.1", "libasound.so.2", "libatspi.so.0", "libm.so.6", "libgcc_s.so.1", "libc.so.6",
		},
		"opt/QQ/libffmpeg.so":                        {"libm.so.6", "libc.so.6"},
		"opt/QQ/libEGL.so":                           {"libc.so.6"},
		"opt/QQ/resources/app/wrapper.node":          {"libstdc++.so.6", "libgnutls.so.30", "libuuid.so.1", "libX11.so.6", "libXtst.so.6", "libXss.so.1", "libc.so.6"},
		"opt/QQ/resources/app/avsdk/libxplatform.so": {"libpulse.so.0", "libX11-xcb.so.1", "libxcb-shm.so.0", "libxcb-randr.so.0", "libssl.so.3", "libcrypto.so.3", "libstdc++.so.6"},
		"opt/QQ/resources/app/libvips-cpp.so":        {"libsecret-1.so.0", "libnotify.so.4", "libgdk_pixbuf-2.0.so.0", "libpng16.so.16", "libcurl.so.4", "libz.so.1"},
	} {
		f := elfset.File{Needed: needed, Machine: machine}
		if name == "opt/QQ/qq" {
			f.RunPath = "$ORIGIN"
		}
		if err := f.Write(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	manifest := []byte(`{"name":"qq-chat","version":"3.2.30-50969","main":"./application.asar/app_launcher/index.js"}`)
	if err := os.WriteFile(filepath.Join(dir, "opt/QQ/resources/app/package.json"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDoctor looks at the libraries of this very machine: what is missing is what
// the dynamic linker does not know either, and one command brings all of it.
func TestDoctor(t *testing.T) {
	t.Parallel()
	r := &releases{t: t, home: filepath.Join(t.TempDir(), "home")}
	out, errs, code := r.run("doctor", "--offline", "--json", "--qq-dir", fixture(t))
	var d struct {
		OK       bool
		Command  string
		Missing  []string `json:"missing_libraries"`
		Findings []struct{ Code, Severity, Message, Meaning, Fix string }
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	if (code == 0) != d.OK || code > 1 {
		t.Errorf("exit %d, ok %v", code, d.OK)
	}
	if slices.Contains(d.Missing, "libffmpeg.so") || slices.Contains(d.Missing, "libc.so.6") {
		t.Errorf("missing %v", d.Missing)
	}
	if len(d.Missing) > 0 != (d.Command != "") && !slices.ContainsFunc(d.Findings, func(f struct{ Code, Severity, Message, Meaning, Fix string }) bool {
		return f.Code == "xvfb" || f.Code == "cjk_fonts"
	}) {
		t.Errorf("missing %v, command %q", d.Missing, d.Command)
	}
	if strings.Contains(d.Command, "\n") {
		t.Errorf("more than one command: %q", d.Command)
	}
	for _, f := range d.Findings {
		if f.Message == "" || f.Severity == "error" && f.Fix == "" {
			t.Errorf("a finding that does not help: %+v", f)
		}
	}
	ldconfig, err := exec.LookPath("ldconfig")
	if err != nil {
		t.Skip("nothing to compare with: ", err)
	}
	known, err := exec.CommandContext(t.Context(), ldconfig, "-p").Output()
	if err != nil {
		t.Skip("nothing to compare with: ", err)
	}
	for _, soname := range d.Missing {
		if bytes.Contains(known, []byte("\t"+soname+" (")) {
			t.Errorf("%s is called missing, the linker knows it", soname)
		}
	}
}

// TestDoctorCommand runs the command that doctor names, in a Debian that has
// nothing but its base, and looks again.
func TestDoctorCommand(t *testing.T) {
	if os.Getenv("E2E_DOCTOR") == "" {
		t.Skip("fetches a Debian and a hundred MiB of packages; `make e2e-doctor` does it")
	}
	cmd := exec.CommandContext(t.Context(), "../../internal/e2e/doctor/run.sh", binary, fixture(t))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 77 {
		t.Skip("cannot be tried here")
	}
	if err != nil {
		t.Error(err)
	}
}
