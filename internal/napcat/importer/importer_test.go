package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/config"
)

const oneBot = `{"network":{"websocketServers":[{"name":"ws","enable":true,"host":"0.0.0.0","port":3001,"token":"abcdefghijklmnop","messagePostFormat":"array"},{"name":"off","enable":false,"port":3002}],
"websocketClients":[{"name":"koishi","enable":true,"url":"ws://127.0.0.1:5140/onebot","token":"t  t","reconnectInterval":5000}], // a comment, as JSON5 allows
"httpServers":[],"httpClients":[],"plugins":[]},"musicSignUrl":""}`

const webUI = `{"host":"::","port":6100,"token":"webui-token-of-old","loginRate":3,"autoLoginAccount":"10001"}`

// build makes a tree of files; a name that ends in / is a folder.
func build(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range files {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// digest is one number for a whole tree.
func digest(t *testing.T, root string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		h.Write([]byte(p + fi.Mode().String()))
		if d.Type().IsRegular() {
			b, err := os.ReadFile(p)
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

func napcatAt(dir string) map[string]string {
	return map[string]string{
		dir + "/napcat.mjs": `const napCatVersion = (typeof x, "4.18.13");`, dir + "/config/onebot11_10001.json": oneBot,
		dir + "/config/webui.json": webUI, dir + "/config/napcat.json": `{}`, dir + "/plugins/p/index.mjs": "export{}",
	}
}

func qqAt(dir string) map[string]string {
	return map[string]string{
		dir + "/nt_qq/global/nt_data/Login/tickets.json": `[{"uin":10001}]`, dir + "/nt_qq/global/nt_data/msf/machine-info": "mac",
		dir + "/Cache/big": "cache", dir + "/SingletonLock": "x",
	}
}

func merge(all ...map[string]string) map[string]string {
	m := map[string]string{}
	for _, x := range all {
		for k, v := range x {
			m[k] = v
		}
	}
	return m
}

// TestLayouts takes every layout from a made fixture.
func TestLayouts(t *testing.T) {
	compose := "services:\n  napcat:\n    image: mlikiowa/napcat-docker:latest\n    container_name: bot\n    environment: [ACCOUNT=10001]\n    ports: ['127.0.0.1:13001:3001', '16099:6100']\n    volumes:\n      - ./napcat/config:/app/napcat/config\n      - ./ntqq:/app/.config/QQ\n"
	app := map[string]string{"opt/QQ/resources/app/package.json": `{"version":"3.2.30-50969"}`}
	inApp := "opt/QQ/resources/app/app_launcher/napcat"
	for _, tt := range []struct {
		name   string
		files  map[string]string
		path   string // below the root
		layout Layout
		port   string // of the WebSocket server
		napcat string
		noQQ   bool // no ticket
	}{
		{name: "shell rootless", files: merge(napcatAt("Napcat/"+inApp), qqAt(".config/QQ"), map[string]string{"Napcat/opt/QQ/resources/app/package.json": `{"version":"3.2.30-50969"}`}), path: "Napcat", layout: Shell, port: "0.0.0.0:3001", napcat: "4.18.13"},
		{name: "shell rootful", files: merge(napcatAt(inApp), qqAt(".config/QQ"), app), path: "opt/QQ", layout: Shell, port: "0.0.0.0:3001", napcat: "4.18.13"},
		{name: "compose", files: merge(map[string]string{"docker-compose.yml": compose, "napcat/config/onebot11_10001.json": oneBot, "napcat/config/webui.json": webUI}, qqAt("ntqq")), layout: Docker, port: "127.0.0.1:13001"},
		{name: "volumes", files: merge(map[string]string{"config/onebot11_10001.json": oneBot, "config/webui.json": webUI}, qqAt("QQ")), layout: Docker, port: "0.0.0.0:3001"},
		{name: "appimage", files: merge(map[string]string{"QQ-50969_NapCat-4.18.13-amd64.AppImage": "ELF", "config/onebot11_10001.json": oneBot, "config/webui.json": webUI}, qqAt(".config/QQ")), layout: AppImage, port: "0.0.0.0:3001"},
		{name: "desktop", files: merge(napcatAt("runtime/NapCatQQ"), qqAt(".config/QQ"), map[string]string{"runtime/config/bot.json": "[]"}), layout: Desktop, port: "0.0.0.0:3001", napcat: "4.18.13"},
		{name: "ncatbot 3", files: merge(map[string]string{"bot/config.yaml": "bt_uin: '10001'\nws_uri: ws://localhost:3001\nws_token: abcdefghijklmnop\nroot: '20002'\n"}, napcatAt("bot/napcat"), qqAt(".config/QQ")), path: "bot", layout: NcatBot, port: "0.0.0.0:3001", napcat: "4.18.13"},
		{name: "ncatbot 4", files: merge(map[string]string{"bot/config.yaml": "bt_uin: 10001\nroot: 20002\nnapcat:\n  ws_uri: ws://127.0.0.1:3009\n  ws_token: abcdefghijklmnop\n"}, qqAt(".config/QQ")), path: "bot", layout: NcatBot, port: "127.0.0.1:3009"},
		{name: "ncatbot 5", files: merge(map[string]string{"bot/config.yaml": "bot_uin: '10001'\nroot: '20002'\nadapters:\n- type: napcat\n  platform: qq\n  config:\n    ws_uri: ws://localhost:3001\n    ws_token: abcdefghijklmnop\n"}, qqAt(".config/QQ")), path: "bot/config.yaml", layout: NcatBot, port: "127.0.0.1:3001"},
		{name: "go-cqhttp", files: map[string]string{"config.yml": "account:\n  uin: 10001\n  password: ''\ndefault-middlewares: &default\n  access-token: abcdefghijklmnop\nservers:\n  - http:\n      address: 127.0.0.1:5700\n      middlewares:\n        <<: *default\n  - ws:\n      address: 0.0.0.0:3001\n      middlewares:\n        <<: *default\n  - ws-reverse:\n      universal: ws://127.0.0.1:8080/onebot\n"}, layout: GoCQHTTP, port: "0.0.0.0:3001", noQQ: true},
		{name: "bare", files: merge(napcatAt("NapCat.Shell"), qqAt(".config/QQ")), path: "NapCat.Shell", layout: Bare, port: "0.0.0.0:3001", napcat: "4.18.13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := build(t, tt.files)
			before := digest(t, root)
			p, err := Find(filepath.Join(root, filepath.FromSlash(tt.path)), root)
			if err != nil {
				t.Fatal(err)
			}
			if p.Layout != tt.layout || p.NapCatVersion != tt.napcat || len(p.Accounts) != 1 || p.Accounts[0].UIN != 10001 || p.Accounts[0].Ticket == tt.noQQ {
				t.Fatalf("plan %+v", p)
			}
			found := false
			for _, a := range p.Accounts[0].Adapters {
				found = found || a.Kind == "websocketServers" && a.Where == tt.port && a.Token
				if a.Name == "off" {
					t.Error("an adapter that was off is taken")
				}
			}
			if !found {
				t.Errorf("adapters %+v", p.Accounts[0].Adapters)
			}
			home := filepath.Join(t.TempDir(), "home")
			undo, err := p.Apply(t.Context(), home)
			if err != nil {
				t.Fatal(err)
			}
			if digest(t, root) != before {
				t.Error("the source was changed")
			}
			c, err := config.Load(filepath.Join(home, "ncatd.yaml"), nil, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, p.Config())
			}
			if c.Accounts[0].UIN != 10001 || len(c.Accounts[0].Networks) == 0 {
				t.Errorf("config\n%s", p.Config())
			}
			if tt.layout == NcatBot && (len(c.Bot.Admins) != 1 || c.Bot.Admins[0] != 20002) {
				t.Errorf("admins %v", c.Bot.Admins)
			}
			qq := filepath.Join(home, "accounts/main/home/.config/QQ")
			if _, err := os.Stat(filepath.Join(qq, "nt_qq/global/nt_data/Login/tickets.json")); (err == nil) == tt.noQQ {
				t.Error("ticket:", err)
			}
			for _, not := range []string{"Cache", "SingletonLock"} {
				if _, err := os.Lstat(filepath.Join(qq, not)); err == nil {
					t.Errorf("%s was copied", not)
				}
			}
			if _, err := p.Apply(t.Context(), home); !errors.Is(err, ErrOccupied) {
				t.Error("again:", err)
			}
			if err := undo(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
				t.Errorf("after undo: %v, %v", left, err)
			}
		})
	}
}

// TestHalf: what is broken or lacking is named and never guessed.
func TestHalf(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		code  string
	}{
		"no login yet":     {map[string]string{"napcat.mjs": "", "config/webui.json": `{"port":6099,"token":"x"}`}, "no_accounts"},
		"broken adapters":  {merge(map[string]string{"config/onebot11_10001.json": `{"network":`}, qqAt(".config/QQ")), "half_config"},
		"no ticket":        {map[string]string{"config/onebot11_10001.json": oneBot}, "no_ticket"},
		"windows ticket":   {map[string]string{"config/onebot11_10001.json": oneBot, ".config/QQ/nt_qq/x": "", ".config/QQ/Tencent Files/x": ""}, "foreign_ticket"},
		"named volume":     {map[string]string{"compose.yaml": "services: {q: {image: mlikiowa/napcat-docker, environment: {ACCOUNT: 10001}, volumes: ['cfg:/app/napcat/config']}}"}, "named_volume"},
		"unpublished port": {map[string]string{"compose.yaml": "services: {q: {image: mlikiowa/napcat-docker, volumes: ['./c:/app/napcat/config']}}", "c/onebot11_10001.json": oneBot}, "unpublished_port"},
		"container's name": {map[string]string{"compose.yaml": "services: {q: {image: mlikiowa/napcat-docker, volumes: ['./c:/app/napcat/config']}}", "c/onebot11_10001.json": strings.Replace(oneBot, "127.0.0.1:5140", "koishi:5140", 1)}, "container_url"},
		"switched off":     {map[string]string{"config/onebot11_10001.json": oneBot}, "disabled"},
		"guarded webui":    {map[string]string{"config/onebot11_10001.json": oneBot, "config/webui.json": `{"enable2FA":true}`}, "webui_settings"},
		"webui for some":   {map[string]string{"config/onebot11_10001.json": oneBot, "config/webui.json": `{"accessControlMode":"whitelist"}`}, "webui_settings"},
		"webui with https": {map[string]string{"config/onebot11_10001.json": oneBot, "config/webui.json": `{}`, "config/cert.pem": ""}, "webui_settings"},
		"open webui":       {map[string]string{"config/onebot11_10001.json": oneBot, "config/webui.json": webUI}, "webui_host"},
	} {
		root := build(t, tt.files)
		p, err := Find(root, root)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := false
		for _, m := range p.Missing {
			found = found || m.Code == tt.code && m.What != ""
		}
		if !found {
			t.Errorf("%s: missing %+v", name, p.Missing)
		}
	}
	empty := t.TempDir()
	for _, path := range []string{empty, ""} {
		if _, err := Find(path, empty); path != "" && !errors.Is(err, ErrNothing) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// A link in the source leads nowhere: what it points to is not taken.
func TestLinksAreLeft(t *testing.T) {
	root := build(t, merge(napcatAt("NapCat.Shell"), qqAt(".config/QQ")))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{".config/QQ/link", "NapCat.Shell/plugins/link"} {
		if err := os.Symlink(secret, filepath.Join(root, l)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Find(filepath.Join(root, "NapCat.Shell"), root)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if _, err := p.Apply(t.Context(), home); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.Name() == "link" || d.Type()&fs.ModeSymlink != 0) {
			t.Errorf("%s was copied", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestKilledAtTheEnd: accounts that a killed import brought without their config do
// not stand in the way of the next one; those of somebody else do.
func TestKilledAtTheEnd(t *testing.T) {
	root := build(t, merge(napcatAt("NapCat.Shell"), qqAt(".config/QQ")))
	p, err := Find(filepath.Join(root, "NapCat.Shell"), root)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	settings := filepath.Join(home, "accounts", "left", "napcat", "config")
	for _, d := range []string{filepath.Join(home, staging), settings} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(settings, "onebot11_10009.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), home); !errors.Is(err, ErrOccupied) {
		t.Fatalf("somebody's accounts: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(home, staging), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, staging, "ncatd.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), home); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "accounts", "left")); err == nil {
		t.Error("what was killed is mixed with what came after")
	}
}
