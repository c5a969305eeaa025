//go:build e2e && linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// waitLimit bounds how long a script waits for something that must come.
const waitLimit = 40 * time.Second

var binary string // the ncatd under test

// TestMain builds the real program, with a version that golden files can name.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ncatd-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "ncatd")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X github.com/ncatd/ncatd.version=0.0.0-test", "-o", binary, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build ncatd: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// TestScript runs every script of testdata/script with the real program and the
// simulator, each in a home of its own.
func TestScript(t *testing.T) {
	examples, err := filepath.Abs("../../examples/scripts")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "h")
			if err := os.MkdirAll(home, 0o700); err != nil {
				return err
			}
			e.Setenv("HOME", home)
			e.Setenv("PATH", filepath.Dir(binary)+":"+os.Getenv("PATH"))
			e.Setenv("NCATD_LANG", "en")
			e.Setenv("TMPDIR", e.WorkDir)
			e.Setenv("EXAMPLES", examples)
			e.Defer(func() { killLeft(t, e.WorkDir) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until":     cmdUntil,
			"killpid":   cmdKillpid,
			"jq":        cmdJQ,
			"normalize": cmdNormalize,
			"nothing":   cmdNothing,
		},
	})
}

// processes returns the pids of all processes that have a path under work in
// their command line or in their environment.
func processes(work string) []int {
	s := work + "/"
	var pids []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if bytes.Contains(line, []byte(s)) || bytes.Contains(env, []byte("="+s)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killLeft ends what a script that failed left running.
func killLeft(t *testing.T, work string) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pids := processes(work)
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig) // it may have ended
		}
		if len(pids) == 0 || await.Gone(5*time.Second, pids...) {
			return
		}
	}
}

// cmdUntil runs a command again and again until it succeeds, with ! until it
// fails: "until COMMAND [ARG]...".
func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: until command [arg]...")
	}
	var out []byte
	var err error
	if !await.Poll(waitLimit, func() bool {
		cmd := exec.Command(args[0], args[1:]...)
		if args[0] == "ncatd" {
			cmd = exec.Command(binary, args[1:]...)
		}
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "NCATD_LANG=" + ts.Getenv("NCATD_LANG"), "NCATD_HOME=" + ts.Getenv("NCATD_HOME")}
		out, err = cmd.CombinedOutput()
		return (err == nil) != neg
	}) {
		ts.Fatalf("still not after %s: %v\n%s", waitLimit, err, out)
	}
	ts.Logf("%s", out)
}

// cmdKillpid sends a signal to the process whose pid a file names:
// "killpid SIGNAL FILE".
func cmdKillpid(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: killpid signal file")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	sigs := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}
	ts.Check(syscall.Kill(pid, sigs[args[0]]))
}

// cmdJQ prints or compares one value of a JSON file: "jq FILE PATH [WANT]", where
// PATH is like accounts.0.state. Without WANT the value goes to the file jq.out.
func cmdJQ(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: jq file path [want]")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for _, k := range strings.Split(args[1], ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[k]
		case []any:
			i, err := strconv.Atoi(k)
			if err != nil || i >= len(x) {
				ts.Fatalf("%s: no element %s", args[1], k)
			}
			v = x[i]
		default:
			v = nil
		}
	}
	got := fmt.Sprint(v)
	if f, ok := v.(float64); ok {
		got = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if len(args) == 2 {
		ts.Check(os.WriteFile(ts.MkAbs("jq.out"), []byte(got+"\n"), 0o600))
		return
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s is %q, want %q", args[1], got, args[2])
	}
}

// volatile are the keys whose scalar values change from run to run or from
// machine to machine.
var volatile = []string{"pid", "master_pid", "started", "since", "time", "issued", "rss_bytes", "cpu_percent", "napcat", "xvfb", "go", "commit", "platform",
	"message_id", "message_seq", "real_id", "real_seq", "detail", "events", "calls", "sha256", "bytes", "installed", "addr", "webui_logins", "seq"}

// everywhere are the findings of doctor that no machine lacks.
var everywhere = []any{"os", "arch", "home"}

var port = regexp.MustCompile(`:\d{4,5}\b`)

// cmdNormalize writes the JSON values of a file anew with what changes from run
// to run replaced: "normalize FROM TO".
func cmdNormalize(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: normalize from to")
	}
	work := ts.Getenv("WORK")
	var walk func(v any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case map[string]any:
			delete(x, "history") // tested by itself
			if list, ok := x["findings"].([]any); ok {
				x["findings"] = slices.DeleteFunc(list, func(f any) bool {
					m, _ := f.(map[string]any)
					if _, ok := m["message"]; ok {
						m["message"] = "<string>"
					}
					return !slices.Contains(everywhere, m["code"])
				})
			}
			for k, e := range x {
				_, object := e.(map[string]any)
				_, list := e.([]any)
				if slices.Contains(volatile, k) && !object && !list {
					x[k] = fmt.Sprintf("<%T>", e)
					continue
				}
				x[k] = walk(e)
			}
		case []any:
			for i := range x {
				x[i] = walk(x[i])
			}
		case string:
			return port.ReplaceAllString(strings.ReplaceAll(x, work, "WORK"), ":PORT")
		}
		return v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		ts.Check(e.Encode(walk(v)))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

// cmdNothing wants that no process of this script runs any more and that no
// socket is left in the home: "nothing HOME".
func cmdNothing(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: nothing home")
	}
	if pids := processes(ts.Getenv("WORK")); !await.Gone(5*time.Second, pids...) {
		var list []string
		for _, pid := range pids {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			list = append(list, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
		ts.Fatalf("still running:\n%s", strings.Join(list, "\n"))
	}
	socks, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "run", "*.sock"))
	ts.Check(err)
	if len(socks) > 0 {
		ts.Fatalf("sockets are left: %v", socks)
	}
}
