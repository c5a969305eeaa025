package output

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parseAll(text string) []Line {
	var p Parser
	var lines []Line
	for _, s := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if l := p.Parse([]byte(s)); !l.Noise {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestQuitCases reads the last output of QQs that ended.
func TestQuitCases(t *testing.T) {
	want := map[string]struct {
		fact    Fact
		telling string
	}{
		"addrinuse": {Fact{Kind: KindPortBusy, Port: 6099}, "Error: listen EADDRINUSE: address already in use 127.0.0.1:6099"},
		"glibc":     {Fact{Kind: KindOldLibrary, Text: "GLIBC_2.28"}, "/opt/QQ/qq: /lib64/libc.so.6: version `GLIBC_2.28' not found (required by /opt/QQ/qq)"},
		"nodisplay": {Fact{Kind: KindNoDisplay, Text: "Missing X server or $DISPLAY"}, "Missing X server or $DISPLAY"},
		"root":      {Fact{Kind: KindSandbox, Text: "Running as root without --no-sandbox is not supported. See https://crbug.com/638180."}, "Running as root without --no-sandbox is not supported. See https://crbug.com/638180."},
		"shm": {Fact{Kind: KindSmallShm, Text: "Creating shared memory in /dev/shm/.org.chromium.Chromium.abc failed: No space left on device (28)"},
			"Creating shared memory in /dev/shm/.org.chromium.Chromium.abc failed: No space left on device (28)"},
	}
	files, err := filepath.Glob("testdata/quit/*.txt")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		e := Explain(parseAll(string(b)))
		if e.Cause == nil || *e.Cause != want[name].fact || e.Telling != want[name].telling {
			t.Errorf("%s: %+v, %+v", name, e.Cause, e)
		}
	}
}

func TestExplain(t *testing.T) {
	chat := record("info", "小猫 | 接收 <- 群聊 [g(1)] [a(2)] Error: ENOSPC")
	exit := func(code string) string {
		return record("error", "[NapCat] [UtilityProcess] Worker进程退出，退出码: "+code)
	}
	for _, tt := range []struct {
		name, text string
		kind       Kind // "" for no cause
		worker     int
		telling    string
	}{
		{"nothing", "", "", -1, ""},
		{"a new libstdc++", "/opt/QQ/qq: /lib64/libstdc++.so.6: version `GLIBCXX_3.4.25' not found (required by /opt/QQ/qq)", KindOldLibrary, -1, ""},
		{"musl's words", "Error relocating /opt/QQ/qq: x\nqq: version 'GLIBC_2.34' not found", KindOldLibrary, -1, ""},
		{"an unknown option", "/opt/QQ/qq: bad option: --foo", KindBadOption, -1, "/opt/QQ/qq: bad option: --foo"},
		{"heap", "<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n 1: 0xb0", KindNoMemory, -1, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"},
		{"newer Chromium's head", "[12:34:0101/000000.000000:ERROR:ui/ozone/x.cc:246] Missing X server or $DISPLAY", KindNoDisplay, -1, "Missing X server or $DISPLAY"},
		{"sandbox", "[7:0101/000000.000000:FATAL:zygote_host_impl_linux.cc(126)] No usable sandbox! Update your kernel", KindSandbox, -1, "No usable sandbox! Update your kernel"},
		{"Chromium's own words", "[7:0101/000000.000000:FATAL:gpu.cc(1)] GPU process isn't usable. Goodbye.", "", -1, "GPU process isn't usable. Goodbye."},
		{"watchers are no disk", "Error: ENOSPC: System limit for number of file watchers reached, watch '/x'", KindLimit, -1, ""},
		{"shared memory of others", "[7:0101/000000.000000:ERROR:platform_shared_memory_region_posix.cc(56)] Creating shared memory in /dev/shm/.org.chromium.Chromium.x failed: Permission denied (13)\n[7:0101/000000.000000:ERROR:platform_shared_memory_region_posix.cc(59)] Unable to access(W_OK|X_OK) /dev/shm: Permission denied (13)", KindDenied, -1, "Creating shared memory in /dev/shm/.org.chromium.Chromium.x failed: Permission denied (13)"},
		{"shared memory in files", "[7:0101/000000.000000:ERROR:platform_shared_memory_region_posix.cc(56)] Creating shared memory in /tmp/.org.chromium.Chromium.x failed: Permission denied (13)", KindDenied, -1, ""},
		{"the reporter of crashes", "Trace/breakpoint trap\n[0101/000000.000000:ERROR:file_io_posix.cc(145)] open /sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq: No such file or directory (2)", "", -1, "Trace/breakpoint trap"},
		{"an X server", "(EE) Fatal server error:\n(EE) Cannot establish any listening sockets - Make sure an X server isn't already running(EE) \n(EE)", "", -1, "(EE) Cannot establish any listening sockets - Make sure an X server isn't already running(EE)"},
		{"illegal instruction", "qq: Illegal instruction (core dumped)", KindIllegal, -1, ""},
		{"read-only", "Error: EROFS: read-only file system, mkdir '/x'", KindReadOnly, -1, ""},
		{"an error before its stack", "/x/y.js:3\n    throw new Error('boom')\n    ^\n\nError: boom\n    at Object.<anonymous> (/x/y.js:3:9)\n    at Module._compile (node:internal/modules/cjs/loader:1554:14)\n\nNode.js v20.18.0", "", -1, "Error: boom"},
		{"a stranger's message", chat + "\nError: ENOSPC: no space left on device\n11-22 03:20:38 [error] 启动失败", "", -1, ""},
		{"after a chat", chat + "\n" + record("error", "[NapCat] [Process] 启动失败: Error: boom"), KindStartFailed, -1, "[NapCat] [Process] 启动失败: Error: boom"},
		{"a worker with a code", exit("11"), "", 11, ""},
		{"a worker without one", exit("null"), "", -1, ""},
		{"got over", record("error", "[Core] [Config] 操作配置文件格式错误 x") + "\n" + exit("11") + "\nNapCat Shell App Loading...\n" + record("info", "网络已连接"), "", -1, ""},
	} {
		e := Explain(parseAll(tt.text))
		kind := Kind("")
		if e.Cause != nil {
			kind = e.Cause.Kind
		}
		if kind != tt.kind || e.WorkerCode != tt.worker || tt.telling != "" && e.Telling != tt.telling {
			t.Errorf("%s: %s %+v", tt.name, kind, e)
		}
		if strings.Contains(e.Telling, "ENOSPC: no space left on device") || strings.Contains(e.Telling, "接收") {
			t.Errorf("%s: a stranger's words tell: %q", tt.name, e.Telling)
		}
	}
}

// What an end says of the worker and the network holds for the last start only.
func TestExplainKnowsTheLastStart(t *testing.T) {
	exit := record("error", "[NapCat] [UtilityProcess] Worker进程退出，退出码: 7")
	loading := record("info", "NapCat Shell App Loading...")
	for _, tt := range []struct {
		name, text string
		worker     bool
		code       int
	}{
		{"none ended", record("info", "x"), false, -1},
		{"one ended", exit, true, 7},
		{"of an earlier start", exit + "\n" + loading, false, -1},
	} {
		lines := parseAll(tt.text)
		if e := Explain(lines); e.Worker != tt.worker || e.WorkerCode != tt.code {
			t.Errorf("%s: %+v; %+v", tt.name, e, lines)
		}
	}
}

// The line that tells of an end is looked for in the last forty, not further up.
func TestExplainLooksAsFarAsAStackIsLong(t *testing.T) {
	for _, tt := range []struct {
		after int
		want  string
	}{{0, "Error: gone"}, {39, "Error: gone"}, {41, "nothing to see"}, {60, "nothing to see"}} {
		e := Explain(parseAll("Error: gone" + strings.Repeat("\nnothing to see", tt.after)))
		if e.Telling != tt.want {
			t.Errorf("%d lines after it: %q, want %q", tt.after, e.Telling, tt.want)
		}
	}
}

func TestParseCutsAGiantLine(t *testing.T) {
	var p Parser
	for _, n := range []int{1 << 10, 16 << 10, 1 << 20} {
		if l := p.Parse([]byte(strings.Repeat("x", n))); len(l.Text) != min(n, 16<<10) {
			t.Errorf("%d bytes became %d", n, len(l.Text))
		}
	}
}

// TestWhatAnEndSays: each thing that lines say of an end, alone.
func TestWhatAnEndSays(t *testing.T) {
	again, unsupported, wait, up := &Fact{Kind: KindWorkerAgain}, &Fact{Kind: KindUnsupportedQQ}, &Fact{Kind: KindNetworkWait}, &Fact{Kind: KindNetworkUp}
	for _, tt := range []struct {
		name  string
		facts []*Fact
		want  End
	}{
		{"nothing", nil, End{WorkerCode: -1}},
		{"a worker is started again", []*Fact{again}, End{Worker: true, WorkerCode: -1}},
		{"QQ is not supported", []*Fact{unsupported}, End{Unsupported: true, WorkerCode: -1}},
		{"it waited for the network", []*Fact{wait}, End{NoNetwork: true, WorkerCode: -1}},
		{"the network came", []*Fact{wait, up}, End{WorkerCode: -1}},
		{"the network went", []*Fact{up, wait}, End{NoNetwork: true, WorkerCode: -1}},
		{"all of an earlier start", []*Fact{again, unsupported, wait, {Kind: KindLoading}}, End{WorkerCode: -1}},
		{"all before it was ready", []*Fact{again, unsupported, wait, {Kind: KindOneBotReady}}, End{WorkerCode: -1}},
	} {
		lines := []Line{{}}
		for _, f := range tt.facts {
			lines = append(lines, Line{Fact: f})
		}
		if got := Explain(lines); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// TestPortsThatEndNothing: NapCat goes on without OneBot's port and its page's.
func TestPortsThatEndNothing(t *testing.T) {
	for text, ends := range map[string]bool{"": true, "onebot": false, "webui": false} {
		if e := Explain([]Line{{Fact: &Fact{Kind: KindPortBusy, Text: text}}}); (e.Cause != nil) != ends {
			t.Errorf("%q: %+v", text, e)
		}
	}
}

// TestTellingStopsAtTheStart: what was said before the last start, or before OneBot
// was ready, tells nothing of the end.
func TestTellingStopsAtTheStart(t *testing.T) {
	for _, begin := range []string{"NapCat Shell App Loading...", record("info", "[AdapterManager] OneBot11 适配器初始化完成")} {
		e := Explain(parseAll(record("error", "of the past") + "\n" + begin + "\nsomething"))
		if e.Telling != "something" {
			t.Errorf("%q", e.Telling)
		}
	}
	// A record's own level counts, not its words; words count where there is no record.
	for text, want := range map[string]string{
		"first\n" + record("info", "no error found"):                 "no error found",
		"Error: boom\n" + record("info", "no error found"):           "Error: boom",
		record("error", "boom") + "\nlast\n" + record("info", "bye"): "boom",
		"boom failed\nlast": "boom failed",
	} {
		if e := Explain(parseAll(text)); e.Telling != want {
			t.Errorf("%q: %q, want %q", text, e.Telling, want)
		}
	}
}
