package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/config"
)

// adapters are what a plan has of its first account: kind, place, token.
func adapters(p *Plan) (all []string) {
	for _, a := range p.Accounts {
		for _, ad := range a.Adapters {
			all = append(all, fmt.Sprintf("%d %s %s %s %v", a.UIN, ad.Kind, ad.Name, ad.Where, ad.Token))
		}
	}
	return all
}

// missed reports whether the plan names something of this code with this text.
func missed(p *Plan, code, what string) bool {
	return slices.ContainsFunc(p.Missing, func(m Missing) bool { return m.Code == code && strings.Contains(m.What, what) })
}

// take finds and applies, and loads the config that came of it.
func take(t *testing.T, path, home string) (*Plan, *config.Config, string) {
	t.Helper()
	p, err := Find(path, home)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "新 home")
	if _, err := p.Apply(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(filepath.Join(to, "ncatd.yaml"), nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Config())
	}
	return p, c, to
}

// TestAdaptersAsNapCatReadsThem: NapCat converts types, has defaults, and says
// nothing of what it does not know. What it would serve is taken, all else is named.
func TestAdaptersAsNapCatReadsThem(t *testing.T) {
	const file = "\ufeff// a comment\n" + `{network: {
 websocketServers: [{name: "a", enable: "true", port: "3001.0"}, {name: "b", enable: 1, port: "3002", host: "::", token: 123456, tokn: "x", messagePostFormat: "cq"}, {enable: true}, {name: "no", enable: false, port: 3003}, {name: "unset", port: 3004},
   {name: "far", enable: true, port: 70000}, {name: "obj", enable: true, port: {}}, 7, {name: "host", enable: true, port: 3005, host: "a b"}, {name: "again", enable: true, port: 3002}],
 httpServers: [{name: "plugin_manager", enable: true, port: 3010, host: "", enableWebsocket: true}],
 httpSseServers: [{name: "ncatd", enable: true, port: 3011, reportSelfMessage: 1}],
 httpClients: [{name: "b", enable: true, url: "http://127.0.0.1:8080/a?b=c#d"}, {name: "nourl", enable: true}, {name: "off", enable: 0, url: "http://x"}],
 websocketClients: [{name: "w", enable: true, url: "ws://[::1]:8082/ 路", token: null, reconnectInterval: -1}, {name: "ftp", enable: true, url: "ftp://x"}],
 plugins: [{name: "p", enable: true}], odd: [1],
}, musicSignUrl: "https://x.example/", parseMultMsg: true}`
	root := build(t, merge(map[string]string{"config/onebot11_10001.json": file, "config/webui.json": "\ufeff" + webUI, "config/napcat_10001.json": `{"o3HookMode":0}`, "config/plugins/p/config.json": "{}", "config/.env": "A=B"}, qqAt("QQ")))
	p, c, home := take(t, root, root)
	want := []string{
		"10001 httpServers httpServer :3010 false",
		"10001 httpSseServers httpSseServer 127.0.0.1:3011 false",
		"10001 httpClients b http://127.0.0.1:8080/a?b=c#d false",
		"10001 httpClients nourl http://localhost:8080 false",
		"10001 websocketServers a 127.0.0.1:3001 false",
		"10001 websocketServers b-2 :::3002 true",
		"10001 websocketClients w ws://[::1]:8082/ 路 false",
	}
	if got := adapters(p); !slices.Equal(got, want) {
		t.Errorf("adapters\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, m := range []Missing{{"same_port", "websocketServer: 3001"}, {"unknown_key", "tokn"}, {"half_config", "port is 70000"}, {"half_config", "port is map"}, {"half_config", "host is \"a b\""}, {"same_port", "again: 3002"}, {"half_config", "ftp"}, {"env_file", ".env"}} {
		if !missed(p, m.Code, m.What) {
			t.Errorf("%s %s is not named in %+v", m.Code, m.What, p.Missing)
		}
	}
	if p.WebUIPort != 6100 || p.WebUIToken != "webui-token-of-old" || len(c.Accounts) != 1 {
		t.Errorf("plan %+v", p)
	}
	for name, text := range map[string]string{"onebot11_10001.json": "https://x.example/", "napcat_10001.json": "o3HookMode", "plugins/p/config.json": "{}"} {
		b, err := os.ReadFile(filepath.Join(home, "accounts/main/napcat/config", filepath.FromSlash(name)))
		if err != nil || !strings.Contains(string(b), text) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestAdaptersOfATemplate: an account that has no file of its own yet has what
// NapCat would make it from.
func TestAdaptersOfATemplate(t *testing.T) {
	root := build(t, merge(map[string]string{"config/onebot11.json": oneBot, "config/napcat_10002.json": "{}", "config/webui.json": webUI}, qqAt("QQ")))
	p, _, _ := take(t, root, root)
	if got := adapters(p); len(p.Accounts) != 2 || !slices.Contains(got, "10001 websocketServers ws 0.0.0.0:3001 true") {
		t.Errorf("adapters %v", got)
	}
	if !missed(p, "same_port", "10002 ws: 3001") { // they took turns
		t.Errorf("missing %+v", p.Missing)
	}
}

// TestSeveralAccounts: ports and names that accounts shared in turn make no
// config that is refused.
func TestSeveralAccounts(t *testing.T) {
	files := merge(map[string]string{"config/webui.json": `{"port":6099,"token":"x"}`}, qqAt("QQ"))
	for i, port := range []int{3001, 3001, 3002, 6099} {
		files[fmt.Sprintf("config/onebot11_1000%d.json", i)] = strings.ReplaceAll(oneBot, "3001", fmt.Sprint(port))
	}
	root := build(t, files)
	p, c, _ := take(t, root, root)
	if len(c.Accounts) != 4 || c.Accounts[1].Name != "qq10001" || !missed(p, "same_port", "10001 ws: 3001") || !missed(p, "same_port", "10003 ws: 6099") || missed(p, "same_port", "10002") {
		t.Errorf("%+v\n%s", p.Missing, p.Config())
	}
}

// TestMovedFolders: names with blanks and Chinese, and folders that links lead to
// on another disk. A link in a circle ends, one to another's folder is left.
func TestMovedFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are left on Windows")
	}
	root := build(t, merge(napcatAt("我的 机器人/NapCat.Shell"), qqAt("另一块 盘/QQ")))
	disk := filepath.Join(root, "另一块 盘")
	moved := filepath.Join(disk, "config")
	config := filepath.Join(root, "我的 机器人", "NapCat.Shell", "config")
	if err := os.Rename(config, moved); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".config", "QQ"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := func(to, at string) {
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	link(moved, config)
	link(filepath.Join(disk, "QQ", "nt_qq"), filepath.Join(home, ".config", "QQ", "nt_qq"))
	link("..", filepath.Join(disk, "QQ", "nt_qq", "circle"))
	link("/etc", filepath.Join(disk, "QQ", "nt_qq", "etc"))
	short := filepath.Join(t.TempDir(), "bot")
	link(filepath.Join(root, "我的 机器人"), short)
	if os.Geteuid() == 0 { // root's /etc is another's then
		for _, dir := range []string{root, home} {
			err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				return os.Lchown(p, 1234, 1234)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	before := digest(t, root)
	p, _, to := take(t, short, home)
	if p.Layout != Bare || len(p.Accounts) != 1 || !p.Accounts[0].Ticket || len(p.Accounts[0].Adapters) != 2 {
		t.Errorf("plan %+v", p)
	}
	qq := filepath.Join(to, "accounts/main/home/.config/QQ/nt_qq")
	if _, err := os.Stat(filepath.Join(qq, "global/nt_data/Login/tickets.json")); err != nil {
		t.Error("the ticket is not there:", err)
	}
	if _, err := os.Stat(filepath.Join(qq, "etc")); err == nil {
		t.Error("another's folder was copied")
	}
	if digest(t, root) != before {
		t.Error("the source was changed")
	}
}

// TestUnreadableIsNamed: a folder of another user is no folder that is not there.
func TestUnreadableIsNamed(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("everything can be read")
	}
	root := build(t, merge(map[string]string{"config/onebot11_10001.json": oneBot, "docker-compose.yml": "services: {q: {image: napcat, volumes: ['./config:/app/napcat/config']}}"}, qqAt("QQ")))
	secret := filepath.Join(root, "config")
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(secret, 0o700) })
	if p, err := Find(root, root); err != nil || !missed(p, "unreadable", secret) {
		t.Errorf("%+v, %v", p, err)
	}
}

// A folder of QQ's that belongs to another user, as after a start as root, is named
// by the plan, and in full by the copy.
func TestUnreadableTickets(t *testing.T) {
	if err := at("/home/bob/.config/QQ/nt_qq", &fs.PathError{Op: "openat", Path: "nt_qq", Err: fs.ErrPermission}); !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(err.Error(), "copy /home/bob/.config/QQ/nt_qq: ") {
		t.Error(err)
	}
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("everything can be read")
	}
	for _, dir := range []string{"nt_qq", "nt_qq/global/nt_data/Login"} {
		root := build(t, merge(napcatAt("NapCat.Shell"), qqAt(".config/QQ")))
		secret := filepath.Join(root, ".config/QQ", dir)
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(secret, 0o700) })
		p, err := Find(root, root)
		if err != nil || !missed(p, "unreadable", secret) {
			t.Fatalf("%+v, %v", p, err)
		}
		var denied *fs.PathError
		if _, err := p.Apply(t.Context(), t.TempDir()); !errors.As(err, &denied) || denied.Op != OpCopy || denied.Path != secret {
			t.Errorf("%v, want %s", err, secret)
		}
	}
}

// TestReadOnlySource: what cannot be written to is read as well.
func TestReadOnlySource(t *testing.T) {
	root := build(t, merge(napcatAt("NapCat.Shell"), qqAt("NapCat.Shell/QQ")))
	var dirs []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, p)
			return nil
		}
		return os.Chmod(p, 0o444)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(d, 0o755) })
	}
	_, _, home := take(t, filepath.Join(root, "NapCat.Shell"), root)
	if err := os.WriteFile(filepath.Join(home, "accounts/main/home/.config/QQ/nt_qq/global/nt_data/Login/tickets.json"), nil, 0o600); err != nil {
		t.Error("the copy cannot be written to:", err)
	}
}

// TestCompose: variables, ranges of ports, named volumes and further services, as
// Docker reads them.
func TestCompose(t *testing.T) {
	const compose = `name: my-bots
services:
  zweiter:
    image: mlikiowa/napcat-docker:latest
    volumes: ['./two:/app/napcat/config']
  bot:
    image: ${IMAGE:-mlikiowa/napcat-docker}:latest
    environment:
      ACCOUNT: ${UIN}
      WEBUI_TOKEN: a$$b
    ports: ["${HOST_IP-127.0.0.1}:13000-13002:3000-3002", "6099"]
    volumes:
      - ${DATA:-./nowhere}/config:/app/napcat/config:ro
      - type: bind
        source: ${DATA}/QQ
        target: /app/.config/QQ/
      - plugins:/app/napcat/plugins
volumes:
  plugins: {}
`
	root := build(t, merge(map[string]string{"compose.yaml": compose, ".env": "# of compose\nexport UIN='10001'\nDATA=\"./我的 数据\"\n", "我的 数据/config/onebot11_10001.json": oneBot, "two/onebot11_10002.json": oneBot}, qqAt("我的 数据/QQ")))
	p, _, _ := take(t, filepath.Join(root, "compose.yaml"), root)
	if got := adapters(p); len(p.Accounts) != 1 || !p.Accounts[0].Ticket || !slices.Contains(got, "10001 websocketServers ws 127.0.0.1:13001 true") {
		t.Errorf("plan %+v, adapters %v", p, got)
	}
	if p.Container != "bot" || p.WebUIToken != "a$b" || !missed(p, "other_service", "zweiter") || !missed(p, "named_volume", "my-bots_plugins") {
		t.Errorf("container %q, token %q, missing %+v", p.Container, p.WebUIToken, p.Missing)
	}
}

// TestPortsTaken: somebody who listens where the old one did is seen.
func TestPortsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	root := build(t, merge(map[string]string{"config/onebot11_10001.json": strings.ReplaceAll(oneBot, "3001", fmt.Sprint(port))}, qqAt("QQ")))
	p, err := Find(root, root)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.PortsTaken(); !slices.Equal(got, []int{port}) {
		t.Errorf("taken %v, want %d", got, port)
	}
}

// FuzzOneBot: whatever a file says, the config that comes of it is one that
// ncatd takes.
func FuzzOneBot(f *testing.F) {
	for _, s := range []string{oneBot, `{"network":{"httpServers":[{"enable":true,"port":1e9,"host":"\u0000"}]}}`, `{network:{websocketClients:[{enable:1,url:"ws://a:b"},{enable:1,name:[]}]}}`, `{"network":{"httpClients":[{"enable":true,"url":"http://%zz","name":"１"}]}}`, `"`, `{"network":{"websocketServers":[{"enable":true,"heartInterval":1e300,"token":"` + "\u2028\u007f\u0086\ufeff\uffff" + `"}]}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := &Plan{Path: "x", Layout: Bare, WebUIPort: 6099}
		path := filepath.Join(t.TempDir(), "onebot11_10001.json")
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		p.oneBot(path, p.account(10001))
		p.finish()
		if _, err := config.Parse("ncatd.yaml", p.Config()); err != nil {
			t.Errorf("%v\n%s", err, p.Config())
		}
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	})
}

// Root moves in what is another user's: the tickets are those of the home that the
// installation lies in, not root's own.
func TestTicketsOfItsUser(t *testing.T) {
	root := build(t, merge(
		napcatAt("home/bob/Napcat/opt/QQ/resources/app/app_launcher/napcat"), qqAt("home/bob/.config/QQ"),
		map[string]string{"home/bob/bot/config.yaml": "bt_uin: '10001'\n", "opt/QQ/resources/app/app_launcher/napcat/config/onebot11_10001.json": oneBot},
		qqAt("root/.config/QQ")))
	bob, own := filepath.Join(root, "home/bob"), filepath.Join(root, "root")
	for _, tt := range []struct {
		path, want string
		homes      []string
	}{
		{"home/bob/Napcat", bob, []string{own}},
		{"home/bob/bot", bob, []string{own}},
		{"opt/QQ", own, []string{own}},
		{"opt/QQ", bob, []string{bob, own}},
		{"", bob, []string{t.TempDir(), bob}}, // the usual places of each home
	} {
		path := tt.path
		if path != "" {
			path = filepath.Join(root, path)
		}
		p, err := Find(path, tt.homes...)
		if err != nil {
			t.Fatal(tt, err)
		}
		if want := filepath.Join(tt.want, ".config", "QQ"); p.QQDir != want || !p.Accounts[0].Ticket {
			t.Errorf("%s of %v: %s, want %s", tt.path, tt.homes, p.QQDir, want)
		}
	}
}
