//go:build !windows

package napcatsim

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/blakesmith/ar"
	"github.com/ulikunitz/xz"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// TestMain lets the test binary play QQ: the packed qq runs it as
// "<test binary> sim qq PATH ARGS".
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "sim" && os.Args[2] == "qq" {
		os.Exit(QQ(context.Background(), os.Args[3:], os.Stdout, os.Stderr))
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they mostly wait
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(packs.dir) // nothing if nothing was packed
	os.Exit(code)
}

// patience is how long a test waits for what ought to happen.
const patience = time.Minute

// rig is one installation and the HOME of one account.
type rig struct {
	t      *testing.T
	dir    string
	home   string // of the account's QQ
	work   string
	qq     string // executable
	napcat string // napcat.mjs
	port   int    // of the WebUI
	env    []string
}

// newRig packs, installs and prepares an account whose WebUI token is testToken.
func newRig(t *testing.T, o PackOptions) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, dir: dir, home: filepath.Join(dir, "accounts", "main", "home"), work: filepath.Join(dir, "work"), port: freePort(t)}
	p := packed(t, o)
	unpackDeb(t, p.QQ, filepath.Join(dir, "qq"))
	unpackZip(t, p.NapCat, filepath.Join(dir, "napcat"))
	r.qq = filepath.Join(dir, "qq", "opt", "QQ", "qq")
	r.napcat = filepath.Join(dir, "napcat", "napcat.mjs")
	r.patch(`(async () => {await import(process.env.NCATD_NAPCAT_MAIN);})();`)
	for _, d := range []string{r.home, filepath.Join(r.work, "config")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.write("webui.json", fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"token":"%s","loginRate":1000}`, r.port, testToken))
	r.options(Options{ScanAfter: dur(0), QRDelay: dur(0), LoginDelay: dur(0), OneBotDelay: dur(0)})
	return r
}

// packs holds what was packed already, by its options: packing is the slowest
// part of a rig.
var packs = struct {
	mu  sync.Mutex
	dir string // removed by TestMain
	by  map[string]Packages
}{by: map[string]Packages{}}

func packed(t *testing.T, o PackOptions) Packages {
	t.Helper()
	packs.mu.Lock()
	defer packs.mu.Unlock()
	key := string(jsonLine(o))
	if p, ok := packs.by[key]; ok {
		return p
	}
	if packs.dir == "" {
		dir, err := os.MkdirTemp("", "napcatsim-packs-")
		if err != nil {
			t.Fatal(err)
		}
		packs.dir = dir
	}
	p, err := Pack(filepath.Join(packs.dir, strconv.Itoa(len(packs.by))), o)
	if err != nil {
		t.Fatal(err)
	}
	packs.by[key] = p
	return p
}

const testToken = "tok123456"

func dur(d time.Duration) *Duration { v := Duration(d); return &v }

func offDur() *Duration { v := Off; return &v }

// patch makes QQ load src.
func (r *rig) patch(src string) {
	r.t.Helper()
	app := filepath.Join(filepath.Dir(r.qq), "resources", "app")
	var pkg map[string]any
	if err := readJSON(filepath.Join(app, "package.json"), &pkg); err != nil {
		r.t.Fatal(err)
	}
	pkg["main"] = "./loadNapCat.js"
	if err := saveJSON(filepath.Join(app, "package.json"), pkg); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "loadNapCat.js"), []byte(src), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.work, "config", name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) options(o Options) {
	r.t.Helper()
	if err := WriteOptions(r.home, o); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) control() *Control { return NewControl(r.home) }

func (r *rig) state() State {
	r.t.Helper()
	s, err := r.control().State(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// proc is a started QQ.
type proc struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	out  bytes.Buffer
	more chan struct{}
	done chan struct{}
	err  error
}

// start runs the packed qq in a process group of its own.
func (r *rig) start(args ...string) *proc {
	r.t.Helper()
	p := &proc{t: r.t, more: make(chan struct{}), done: make(chan struct{})}
	p.cmd = exec.Command(r.qq, append([]string{"--no-sandbox"}, args...)...)
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "NAPCAT_WORKDIR=" + r.work, "NCATD_NAPCAT_MAIN=" + r.napcat,
	}, r.env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	r.t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // ended already in most tests
		<-p.done
		if r.t.Failed() {
			r.t.Logf("output of QQ:\n%s", p.text())
		}
	})
	return p
}

// Write collects output.
func (p *proc) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	close(p.more)
	p.more = make(chan struct{})
	return len(b), nil
}

func (p *proc) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// expect waits until the output holds n times text.
func (p *proc) expect(text string, n int) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		have, more := strings.Count(p.out.String(), text), p.more
		p.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-more:
		case <-limit:
			p.t.Fatalf("output lacks %q (%d times)", text, n)
		}
	}
}

// exit waits for the end and returns the exit code, minus the signal's number
// if one ended it.
func (p *proc) exit() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("QQ does not end")
	}
	var ee *exec.ExitError
	if errors.As(p.err, &ee) {
		if ws := ee.Sys().(syscall.WaitStatus); ws.Signaled() {
			return -int(ws.Signal())
		}
		return ee.ExitCode()
	}
	if p.err != nil && !errors.Is(p.err, exec.ErrWaitDelay) {
		p.t.Fatal(p.err)
	}
	return 0
}

func (p *proc) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// eventually waits until ok is true. It asks again and again: there is nothing
// to listen to at the other end.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	await.True(t, patience, what, ok)
}

const onebotReady = "[AdapterManager] OneBot11 适配器初始化完成"

// ui is a client of the WebUI.
type ui struct {
	t    *testing.T
	base string
	cred string
}

// login opens the WebUI on a port.
func (r *rig) login(port int) *ui {
	r.t.Helper()
	u := &ui{t: r.t, base: fmt.Sprintf("http://127.0.0.1:%d", port)}
	eventually(r.t, "WebUI answers", func() bool {
		_, body, err := u.try("POST", "/api/auth/login", fmt.Sprintf(`{"hash":"%s"}`, hashToken(testToken)))
		if err != nil {
			return false
		}
		var reply struct{ Data struct{ Credential string } }
		if err := json.Unmarshal([]byte(body), &reply); err != nil {
			r.t.Fatal(err, body)
		}
		u.cred = reply.Data.Credential
		return u.cred != ""
	})
	return u
}

func (u *ui) try(method, path, body string) (int, string, error) {
	return u.tryFor(u.t.Context(), method, path, body)
}

// tryFor is try that gives up when ctx ends.
func (u *ui) tryFor(ctx context.Context, method, path, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.base+path, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if u.cred != "" {
		req.Header.Set("Authorization", "Bearer "+u.cred)
	}
	resp, err := (&http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// do is one request that must be answered.
func (u *ui) do(method, path, body string) (int, string) {
	u.t.Helper()
	code, text, err := u.try(method, path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	return code, text
}

// post returns the body of the answer to a POST.
func (u *ui) post(path, body string) string {
	u.t.Helper()
	_, text := u.do("POST", "/api/"+path, body)
	return text
}

// status is CheckLoginStatus.
func (u *ui) status() (s struct {
	IsLogin    bool
	IsOffline  bool
	QRCodeURL  string
	LoginError string
}) {
	u.t.Helper()
	u.data("QQLogin/CheckLoginStatus", "{}", &s)
	return s
}

// data decodes the data of a successful answer.
func (u *ui) data(path, body string, v any) {
	u.t.Helper()
	text := u.post(path, body)
	var reply struct {
		Code int
		Data json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &reply); err != nil || reply.Code != 0 {
		u.t.Fatalf("%s: %s (%v)", path, text, err)
	}
	if err := json.Unmarshal(reply.Data, v); err != nil {
		u.t.Fatalf("%s: %v", text, err)
	}
}

var lastPort atomic.Int32

// freePort returns a port that nobody has: one below those that the system
// gives to outgoing connections, and never the same twice.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 10000 + (os.Getpid()*61+int(lastPort.Add(3)))%20000
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		_ = l.Close() // only its number matters
		return port
	}
}

// debFiles reads a Debian package: the names in the ar, and the tar in it.
func debFiles(t *testing.T, path string, each func(h *tar.Header, r io.Reader)) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	var names []string
	rd := ar.NewReader(f)
	for {
		h, err := rd.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimRight(h.Name, "/")
		names = append(names, name)
		var x io.Reader
		switch name {
		case "control.tar.gz":
			x, err = gzip.NewReader(rd)
		case "data.tar.xz":
			x, err = xz.NewReader(rd)
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		tr := tar.NewReader(x)
		for {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			each(h, tr)
		}
	}
}

func unpackDeb(t *testing.T, path, dir string) {
	t.Helper()
	debFiles(t, path, func(h *tar.Header, r io.Reader) {
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
		case tar.TypeReg:
			b, err := io.ReadAll(r)
			if err == nil {
				err = os.WriteFile(to, b, os.FileMode(h.Mode)&0o777)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func unpackZip(t *testing.T, path, dir string) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }() // read only
	for _, f := range z.File {
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
