//go:build e2e && linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

const (
	metricsUIN    = 3889001001
	metricsGroups = 10_000
	metricsFriend = 3001000001
)

// TestMetrics lets 10,000 groups write to the bot of a running daemon and gives
// what /metrics says, before and after, to Prometheus's own checker: it must
// find nothing, and the groups must not have become series.
func TestMetrics(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool (Debian: apt-get install prometheus)")
	}
	t.Parallel()
	work := t.TempDir()
	h := home.Dir(filepath.Join(work, "n"))
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Config(), []byte("display: none\nlog: {events: off}\naccounts: [{name: main}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	simHome := napcatsim.AccountHome(string(h), "main")
	if err := napcatsim.WriteOptions(simHome, napcatsim.Options{UIN: metricsUIN}); err != nil {
		t.Fatal(err)
	}
	writeWorld(t, filepath.Join(napcatsim.Dir(simHome), fmt.Sprintf("world_%d.json", metricsUIN)))

	cmd := exec.Command(binary, "start", "--sim", "--home", string(h), "--scan-after", "0s")
	cmd.Env = append(os.Environ(), "HOME="+work, "NCATD_LANG=en")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("ncatd: %v\n%s", err, out.Bytes())
		}
		killLeft(t, work)
	})
	c := client.New(h.Socket())
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	events := func() uint64 {
		st, err := c.Status(ctx)
		if err != nil || len(st.Accounts) != 1 || st.Accounts[0].State != "online" {
			return 0
		}
		return st.Accounts[0].Events
	}
	await.True(t, waitLimit, "the account to be online", func() bool { return events() > 0 })

	sim := napcatsim.NewControl(simHome)
	say := func(r napcatsim.SayRequest) {
		t.Helper()
		if _, err := sim.Say(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	say(napcatsim.SayRequest{User: metricsFriend, Text: "/ping", Wait: napcatsim.Duration(10 * time.Second)})
	say(napcatsim.SayRequest{User: metricsFriend, Group: groupID(0), Text: "hello"})
	first := checkMetrics(ctx, t, promtool, h.Socket())
	was := events()
	for i := range metricsGroups {
		say(napcatsim.SayRequest{User: metricsFriend, Group: groupID(i), Text: "hello"})
	}
	for i := range 400 { // names that a caller makes up
		_, _ = c.Call(ctx, "main", fmt.Sprintf("made_up_%d", i), json.RawMessage("{}")) // refused, and counted
	}
	await.True(t, waitLimit, "all events", func() bool { return events() >= was+metricsGroups })
	last := checkMetrics(ctx, t, promtool, h.Socket())
	t.Logf("%d series before, %d after %d groups and 400 made-up actions", series(first), series(last), metricsGroups)
	if grown := series(last) - series(first); grown > 260 { // 256 actions and "other", and what else came for the first time
		t.Errorf("%d more series", grown)
	}
	for _, id := range []string{fmt.Sprint(groupID(0)), fmt.Sprint(groupID(metricsGroups - 1)), fmt.Sprint(metricsFriend)} {
		if strings.Contains(last, id) {
			t.Errorf("/metrics names %s", id)
		}
	}
}

func groupID(i int) int64 { return 800_000_000 + int64(i) }

// writeWorld puts the groups where the simulated QQ finds them.
func writeWorld(t *testing.T, path string) {
	t.Helper()
	w := world.New(world.Options{UIN: metricsUIN})
	for i := range metricsGroups {
		w.AddGroup(groupID(i), "g", map[int64]world.Role{metricsFriend: world.Owner, metricsUIN: world.Plain})
	}
	var b bytes.Buffer
	if err := w.Save(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkMetrics reads /metrics and has promtool check it.
func checkMetrics(ctx context.Context, t *testing.T, promtool, socket string) string {
	t.Helper()
	hc := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	defer hc.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ncatd/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v: %s", resp.Status, err, body)
	}
	cmd := exec.CommandContext(ctx, promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	return string(body)
}

// series counts the samples of a text exposition.
func series(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if line != "\n" && line[0] != '#' {
			n++
		}
	}
	return n
}
