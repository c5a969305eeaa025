package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// TestDoctorLooksAtTheAccounts: what keeps a running account from doing all it
// should is found beside what is wrong with the machine.
func TestDoctorLooksAtTheAccounts(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.set(func(a *api.Account) {
		a.State, a.Packet = api.StateOnline, api.PacketMissing
		a.Degraded = []api.Degraded{{Code: api.CodeDiskLow, Args: []string{"/srv", "12"}, Since: time.Now()}}
	})
	r := d.ncatd(t, "", nil, "doctor", "--offline", "--lang", "zh")
	for _, want := range []string{"main：有故障：/srv 所在的磁盘只剩 12 MiB", "发包后端"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("doctor lacks %q:\n%s%s", want, r.out, r.err)
		}
	}
	r = d.ncatd(t, "", nil, "doctor", "--offline", "--json")
	var report doctorReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range report.Findings {
		found[string(f.Code)] = true
	}
	if !found["disk_low"] || !found["no_packet"] {
		t.Errorf("doctor --json lacks them: %s", r.out)
	}
}

// TestDoctorNamesDamagedFiles: each file of a home with which nothing starts is found
// without trying to start, with what helps; what mends itself is not.
func TestDoctorNamesDamagedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		path, content string
		code          int // exit code that it leads to
		want, fix     string
	}{
		"secrets":          {"secrets.json", `{"control":`, exitFailure, "secrets.json is damaged, and ncatd does not start with it: unexpected end of JSON input", "-> mv "},
		"secrets a folder": {"secrets.json/x", "", exitFailure, "not a regular file", "-> mv "},
		"lock a folder":    {"run/ncatd.pid/x", "", exitFailure, "ncatd.pid is damaged", "-> mv "},
		"data a file":      {"data", "x", exitFailure, "it is no folder", "-> mv "},
		"plugins.lock":     {"plugins/plugins.lock", "{", exitOK, "plugins.lock is damaged: unexpected end of JSON input", "-> put a copy"},
		"secrets emptied":  {"secrets.json", "", exitOK, "", ""},
		"state":            {"accounts/main/state.json", "{", exitOK, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := t.TempDir()
			path := filepath.Join(h, filepath.FromSlash(c.path))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, sound, _ := run(t, nil, "doctor", "--offline", "--home", t.TempDir())
			code, out, errs := run(t, nil, "doctor", "--offline", "--home", h)
			if c.code != exitOK && code != c.code || !strings.Contains(out, c.want) || !strings.Contains(out, c.fix) {
				t.Errorf("exit code %d, want %q and %q:\n%s%s", code, c.want, c.fix, out, errs)
			}
			if c.want == "" && strings.Count(out, "\n") != strings.Count(sound, "\n") {
				t.Errorf("something was found that mends itself:\n%s", out)
			}
			if _, out, _ := run(t, nil, "doctor", "--offline", "--json", "--home", h); strings.Contains(out, `"file"`) != (c.want != "") {
				t.Errorf("doctor --json: %s", out)
			}
		})
	}
}
