//go:build e2e && linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

// past is an installation that something else made: a folder that is also the
// HOME of who runs it, with the login of an account on the simulator.
type past struct {
	t        *testing.T
	work     string
	root     string // of the installation
	qq       string // a QQ folder with a ticket
	uin      int64
	ws, http int // ports of the adapters
	token    string
	env      []string
}

// pasts counts installations: a QQ that runs for the account of one would be seen
// by the import of another that has the same.
var pasts atomic.Int64

func newPast(t *testing.T) *past {
	t.Helper()
	p := &past{t: t, work: t.TempDir(), uin: napcatsim.DefaultUIN + pasts.Add(1), token: "token-of-the-past"}
	t.Cleanup(func() { killLeft(t, p.work) })
	p.env = []string{"HOME=" + p.work, "PATH=" + os.Getenv("PATH"), "NCATD_LANG=en", "TMPDIR=" + p.work}
	if err := napcatsim.WriteOptions(napcatsim.AccountHome(p.dir("sim"), "main"), napcatsim.Options{UIN: p.uin}); err != nil {
		t.Fatal(err)
	}
	p.run(0, "--home", p.dir("sim"), "start", "-d", "--sim", "--scan-after", "0s")
	p.run(0, "--home", p.dir("sim"), "stop")
	p.qq = p.dir("sim", "accounts", "main", "home", ".config", "QQ")
	p.run(0, "--home", p.dir("sim"), "sim", "pack", p.dir("packages"))
	p.env = append(p.env, "NCATD_NAPCAT_SOURCE="+p.dir("packages", napcatsim.NapCatPackageName), "NCATD_NAPCAT_QQ_SOURCE="+p.dir("packages", napcatsim.QQPackageName), "NCATD_NAPCAT_UPDATE=off")
	p.ws, p.http = spare(t), spare(t)
	return p
}

// spare is a port that nobody has.
func spare(t *testing.T) int {
	t.Helper()
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (p *past) dir(words ...string) string {
	return filepath.Join(append([]string{p.work}, words...)...)
}

func (p *past) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = p.env
	return cmd
}

func (p *past) run(want int, args ...string) string {
	p.t.Helper()
	cmd := p.command(args...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		p.t.Fatalf("%s: exit %d, want %d, %v: %s", args, got, want, err, out)
	}
	return string(out)
}

// put lays files below a new installation; qq, if not "", is where the QQ folder
// goes.
func (p *past) put(files map[string]string, qq string) {
	p.t.Helper()
	p.root = filepath.Join(p.t.TempDir(), "old")
	for name, data := range files {
		path := filepath.Join(p.root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	if qq != "" {
		if err := os.CopyFS(filepath.Join(p.root, filepath.FromSlash(qq)), os.DirFS(p.qq)); err != nil {
			p.t.Fatal(err)
		}
	}
	p.env[0] = "HOME=" + p.root
}

// shell are the files of a NapCat.Shell in a folder.
func (p *past) shell(dir string) map[string]string {
	return map[string]string{
		dir + "/napcat.mjs":                                  `const napCatVersion = (typeof x, "4.18.13");`,
		dir + "/config/napcat.json":                          `{}`,
		dir + "/config/webui.json":                           fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"token":"webui-token-of-old"}`, spare(p.t)),
		dir + fmt.Sprintf("/config/onebot11_%d.json", p.uin): p.oneBot(p.ws, p.http),
	}
}

func (p *past) oneBot(ws, web int) string {
	return fmt.Sprintf(`{"network":{"websocketServers":[{"name":"ws","enable":true,"host":"127.0.0.1","port":%d,"token":%q,"messagePostFormat":"array"}],
"httpServers":[{"name":"http","enable":true,"host":"127.0.0.1","port":%d,"token":%q,"messagePostFormat":"array"}],"websocketClients":[],"httpClients":[],"plugins":[]}}`, ws, p.token, web, p.token)
}

// digest is one number for a whole tree: names, modes, contents.
func digest(t *testing.T, root string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path, fi.Mode(), fi.ModTime().UnixNano())
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			h.Write(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// answers asks the account who it is at its old adapters.
func (p *past) answers(web bool) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	head := http.Header{"Authorization": {"Bearer " + p.token}}
	c, _, err := websocket.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d/", p.ws), &websocket.DialOptions{HTTPHeader: head})
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"action":"get_login_info","params":{},"echo":"e"}`)); err != nil {
		return err
	}
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if strings.Contains(string(b), `"echo":"e"`) || strings.Contains(string(b), `"echo": "e"`) {
			if !strings.Contains(string(b), fmt.Sprint(p.uin)) {
				return fmt.Errorf("the WebSocket server answers %s", b)
			}
			break
		}
	}
	if !web {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/get_login_info", p.http), strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Header = head.Clone()
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			UserID int64 `json:"user_id"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Data.UserID != p.uin {
		return fmt.Errorf("the HTTP server answers %+v, %w", answer, err)
	}
	return nil
}

// TestImportLayouts moves in from every layout: the account comes online by its old
// ticket without a code, its old adapters answer on their old ports, and the old
// installation is as it was.
func TestImportLayouts(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	with := func(files map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	version := `{"version":"3.2.30-50969"}`
	inQQ := "opt/QQ/resources/app/app_launcher/napcat"
	bare := func(config string) map[string]string {
		return map[string]string{config + fmt.Sprintf("/onebot11_%d.json", p.uin): p.oneBot(p.ws, p.http)}
	}
	cqhttp := fmt.Sprintf("account:\n  uin: %d\nservers:\n  - http:\n      address: 127.0.0.1:%d\n      middlewares: &d\n        access-token: %s\n  - ws:\n      address: 127.0.0.1:%d\n      middlewares:\n        <<: *d\n", p.uin, p.http, p.token, p.ws)
	for _, tt := range []struct {
		name, layout string
		files        map[string]string
		qq, path     string
		http         bool // it had an HTTP server too
	}{
		{"shell rootless", "shell", with(p.shell("Napcat/"+inQQ), "Napcat/opt/QQ/resources/app/package.json", version), ".config/QQ", "Napcat", true},
		{"shell rootful", "shell", with(p.shell(inQQ), "opt/QQ/resources/app/package.json", version), ".config/QQ", "opt/QQ", true},
		{"compose", "docker", map[string]string{
			"docker-compose.yml": fmt.Sprintf("services:\n  napcat:\n    image: mlikiowa/napcat-docker:latest\n    environment: [ACCOUNT=%d]\n    ports: ['127.0.0.1:%d:3001', '127.0.0.1:%d:3000']\n    volumes: ['./napcat/config:/app/napcat/config', './ntqq:/app/.config/QQ']\n", p.uin, p.ws, p.http),
			fmt.Sprintf("napcat/config/onebot11_%d.json", p.uin): strings.ReplaceAll(p.oneBot(3001, 3000), "127.0.0.1", "0.0.0.0"),
		}, "ntqq", "docker-compose.yml", true},
		{"volumes", "docker", bare("config"), "QQ", "", true},
		{"appimage", "appimage", with(bare("config"), "QQ-50969_NapCat-4.18.13-amd64.AppImage", "ELF"), ".config/QQ", "", true},
		{"desktop", "desktop", with(p.shell("runtime/NapCatQQ"), "runtime/config/bot.json", "[]"), ".config/QQ", "", true},
		{"ncatbot 3", "ncatbot", with(p.shell("bot/napcat"), "bot/config.yaml", fmt.Sprintf("bt_uin: '%d'\nws_uri: ws://localhost:%d\nws_token: %s\nroot: '20002'\n", p.uin, p.ws, p.token)), ".config/QQ", "bot", true},
		{"ncatbot 4", "ncatbot", map[string]string{"bot/config.yaml": fmt.Sprintf("bt_uin: %d\nroot: 20002\nnapcat:\n  ws_uri: ws://127.0.0.1:%d\n  ws_token: %s\n", p.uin, p.ws, p.token)}, ".config/QQ", "bot", false},
		{"ncatbot 5", "ncatbot", map[string]string{"bot/config.yaml": fmt.Sprintf("bot_uin: '%d'\nroot: '20002'\nadapters:\n- type: napcat\n  platform: qq\n  config:\n    ws_uri: ws://localhost:%d\n    ws_token: %s\n", p.uin, p.ws, p.token)}, ".config/QQ", "bot/config.yaml", false},
		{"go-cqhttp", "gocqhttp", map[string]string{"config.yml": cqhttp}, "", "", true},
		{"bare", "bare", p.shell("NapCat.Shell"), ".config/QQ", "NapCat.Shell", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			p.put(tt.files, tt.qq)
			before := digest(t, p.root)
			home := filepath.Join(t.TempDir(), "n")
			path := filepath.Join(p.root, filepath.FromSlash(tt.path))
			if plan := p.run(0, "--home", home, "import", "--dry-run", "--json", path); !strings.Contains(strings.ReplaceAll(plan, " ", ""), `"layout":"`+tt.layout+`"`) {
				t.Errorf("plan %s", plan)
			}
			args := []string{"--home", home, "import", "--yes", path}
			if tt.qq == "" { // a login of go-cqhttp's is none of NapCat's: the phone scans
				args = append(args, "--no-start")
			}
			p.run(0, args...)
			if tt.qq != "" {
				p.run(0, "--home", home, "status")
				if log, err := os.ReadFile(filepath.Join(home, "logs", "ncatd.log")); err != nil || strings.Contains(string(log), "qr_login") || strings.Contains(string(log), "login_qr") {
					t.Errorf("a code was needed: %v\n%s", err, log)
				}
				if err := p.answers(tt.http); err != nil {
					t.Error(err)
				}
				p.run(0, "--home", home, "stop")
			}
			p.run(0, "--home", home, "config", "check")
			if digest(t, p.root) != before {
				t.Error("the old installation was changed")
			}
		})
	}
}

// TestImportKilled kills `import` with -9 at random moments, E2E_KILLS (5) times: the
// old installation is as it was each time, another import gets through, and
// the old account comes online where it was.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	p.put(p.shell("NapCat.Shell"), ".config/QQ")
	before := digest(t, p.root)
	source := filepath.Join(p.root, "NapCat.Shell")
	began := time.Now()
	home := filepath.Join(p.work, "first")
	p.run(0, "--home", home, "import", "--yes", "--no-start", source)
	took := time.Since(began)
	home = filepath.Join(p.work, "n")
	finished := 0
	for i := range kills(t) {
		cmd := p.command("--home", home, "import", "--yes", "--no-start", source)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(rand.N(took * 5 / 4)) // any moment of its life
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		if digest(t, p.root) != before {
			t.Fatalf("kill %d: the old installation was changed", i)
		}
		if _, err := os.Stat(filepath.Join(home, "ncatd.yaml")); err == nil { // it was faster
			finished++
			if err := os.RemoveAll(home); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("an import takes %s; %d of %d were through before the kill", took, finished, kills(t))
	p.run(0, "--home", home, "import", "--yes", source)
	p.run(0, "--home", home, "status")
	if err := p.answers(true); err != nil {
		t.Error(err)
	}
	p.run(0, "--home", home, "stop")
	if digest(t, p.root) != before {
		t.Error("the old installation was changed")
	}
	p.run(0, "--home", p.dir("sim"), "start", "-d", "--sim", "--scan-after", "0s")
	p.run(0, "--home", p.dir("sim"), "stop")
}

// TestImportWhileItRuns: an old NapCat that runs, by its program or only by a port
// that is taken, is named and nothing is copied; --stop ends the one that can be.
func TestImportWhileItRuns(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	p.put(p.shell("我的 机器人/NapCat.Shell"), ".config/QQ")
	before := digest(t, p.root)
	home, source := filepath.Join(p.work, "n"), filepath.Join(p.root, "我的 机器人")
	refused := func(text string) {
		t.Helper()
		if out := p.run(1, "--home", home, "import", "--yes", source); !strings.Contains(out, text) {
			t.Errorf("%q is not in %s", text, out)
		}
		for _, name := range []string{"ncatd.yaml", "accounts"} {
			if _, err := os.Lstat(filepath.Join(home, name)); err == nil {
				t.Errorf("%s was made", name)
			}
		}
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.ws))
	if err != nil {
		t.Fatal(err)
	}
	refused(fmt.Sprintf("(%d)", p.ws))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	qq := filepath.Join(t.TempDir(), "qq") // not below the old folder, told its account
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(qq, sh, 0o755); err != nil {
		t.Fatal(err)
	}
	old := exec.Command(qq, "-c", "echo up; read x", "qq", "--no-sandbox", "-q", strconv.FormatInt(p.uin, 10))
	in, err := old.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := old.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil { // it is the shell now
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- old.Wait() }() // ends with the test at the latest, when in is closed
	refused(fmt.Sprintf("(pid %d)", old.Process.Pid))
	p.run(0, "--home", home, "import", "--yes", "--stop", source)
	if err := <-ended; err == nil {
		t.Error("the old one ended by itself")
	}
	p.run(0, "--home", home, "status")
	if err := p.answers(true); err != nil {
		t.Error(err)
	}
	p.run(0, "--home", home, "stop")
	if digest(t, p.root) != before {
		t.Error("the old installation was changed")
	}
}
