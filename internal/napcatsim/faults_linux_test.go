package napcatsim

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func rss(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(string(bytes.Fields(b)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n * int64(os.Getpagesize())
}

func TestFaultsWhileItRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	p := r.start()
	p.expect(onebotReady, 1)
	fault := func(key string, v any) {
		t.Helper()
		if err := r.control().Fault(t.Context(), map[string]any{key: v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.control().Fault(t.Context(), map[string]any{"no_such_fault": 1}); err == nil {
		t.Error("an unknown fault was accepted")
	}
	const flood = 4 << 20
	before := len(p.text())
	fault("stdout_flood", flood)
	eventually(t, "a flood", func() bool { return len(p.text())-before >= flood })
	fault("stdout_flood", nil)

	pid := r.state().PID
	fault("memory_limit", 64<<20)
	was := rss(t, pid)
	fault("memory_growth", 500<<20)
	eventually(t, "growth", func() bool { return rss(t, pid)-was > 40<<20 })
	fault("memory_growth", nil)

	fault("kick_after", "1ms")
	p.expect("[KickedOffLine] ", 1)
	fault("kick_after", nil)

	fault("crash_code", 5)
	fault("crash_after", "10ms") // and every worker after this one
	if code := p.exit(); code != 1 || strings.Count(p.text(), "退出码: 5") != 3 {
		t.Errorf("exit code %d", code)
	}
	o, err := ReadOptions(r.home)
	if err != nil || o.CrashAfter == nil || o.StdoutFlood != 0 || o.MemoryGrowth != 0 || o.KickAfter != nil || *o.ScanAfter != 0 {
		t.Errorf("option file %+v %v", o, err)
	}
}

func TestFaultsFromTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	webuiBusy := Options{ScanAfter: dur(0), QRDelay: dur(0), LoginDelay: dur(0), OneBotDelay: dur(0), WebUIBusy: true, OneBotBusy: true, HangAfter: dur(0)}
	r.options(webuiBusy)
	port := freePort(t)
	r.write("onebot11.json", onebotJSON(port))
	p := r.start()
	p.expect("[OneBot] [WebSocket Server] Server Error: listen EADDRINUSE", 1)
	eventually(t, "it hangs", func() bool { return r.state().Hanging })
	st := r.state()
	if strings.HasSuffix(st.WebUIURL, ":"+strconv.Itoa(r.port)) {
		t.Errorf("WebUI at its own port %s", st.WebUIURL)
	}
	if len(st.Adapters) != 1 || st.Adapters[0].Up || !st.Adapters[0].Enabled {
		t.Errorf("adapters %+v", st.Adapters)
	}
}
