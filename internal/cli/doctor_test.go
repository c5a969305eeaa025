package cli

import (
	"encoding/json"
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
