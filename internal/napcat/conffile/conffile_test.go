package conffile

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var settings = Settings{
	UIN:    10001,
	WebUI:  WebUI{Host: "127.0.0.1", Port: 6101, Token: "tokentokentoken1"},
	OneBot: Server{Host: "127.0.0.1", Port: 3101, Token: "onebottoken12345", Heartbeat: 30 * time.Second},
}

func write(t *testing.T, path, s string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) Object {
	t.Helper()
	o, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// names returns the names of the adapters of a kind.
func names(t *testing.T, o Object, kind string) []string {
	t.Helper()
	var out []string
	list, ok := o["network"].(Object)[kind].([]any)
	if !ok {
		t.Fatalf("%s is %T", kind, o["network"].(Object)[kind])
	}
	for _, v := range list {
		out = append(out, v.(Object)["name"].(string))
	}
	return out
}

func TestApplyToAnEmptyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	r, err := Apply(dir, settings)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"webui.json", "onebot11.json", "onebot11_10001.json"}; !reflect.DeepEqual(r.Changed, want) {
		t.Errorf("changed %v", r.Changed)
	}
	w := read(t, filepath.Join(dir, "webui.json"))
	if w["host"] != "127.0.0.1" || w["port"] != json.Number("6101") || w["token"] != "tokentokentoken1" || w["loginRate"] != json.Number("10") {
		t.Errorf("webui.json %v", w)
	}
	for _, n := range []string{"onebot11.json", "onebot11_10001.json"} {
		o := read(t, filepath.Join(dir, n))
		s := o["network"].(Object)["websocketServers"].([]any)[0].(Object)
		want := Object{"name": "ncatd", "enable": true, "host": "127.0.0.1", "port": json.Number("3101"), "token": "onebottoken12345",
			"messagePostFormat": "array", "reportSelfMessage": false, "heartInterval": json.Number("30000"), "debug": false, "enableForcePushEvent": true}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("%s: %v", n, s)
		}
		st, err := os.Stat(filepath.Join(dir, n))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", n, st.Mode(), err)
		}
	}
	// A second time nothing changes.
	if r, err := Apply(dir, settings); err != nil || len(r.Changed) != 0 {
		t.Errorf("again: %+v, %v", r, err)
	}
}

func TestApplyKeepsWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "webui.json"), `{"host":"::","port":6099,"token":"old","loginRate":3,"autoLoginAccount":"10002","theme":{"dark":{"--x":"1"}},"big":12345678901234567890}`)
	write(t, filepath.Join(dir, "onebot11.json"), "// written by hand\n{network: {websocketClients: [{name: 'koishi', url: 'ws://localhost:5140/onebot', enable: true,},],}, musicSignUrl: 'https://x/', future: {a: [1, null]}}\n")
	write(t, filepath.Join(dir, "onebot11_10001.json"), `{"network":{"httpServers":[{"name":"ncatd","port":1}],"websocketServers":[{"name":"astrbot","port":3009,"verifyCertificate":false},{"name":"ncatd","port":1,"debug":true,"extra":7}]},"parseMultMsg":true}`)
	write(t, filepath.Join(dir, "onebot11_10002.json"), `{"network":{}}`)
	if _, err := Apply(dir, settings); err != nil {
		t.Fatal(err)
	}
	w := read(t, filepath.Join(dir, "webui.json"))
	if w["loginRate"] != json.Number("3") || w["autoLoginAccount"] != "" || w["big"] != json.Number("12345678901234567890") || w["theme"].(Object)["dark"].(Object)["--x"] != "1" {
		t.Errorf("webui.json %v", w)
	}
	o := read(t, filepath.Join(dir, "onebot11.json"))
	if o["musicSignUrl"] != "https://x/" || o["future"] == nil || !reflect.DeepEqual(names(t, o, "websocketClients"), []string{"koishi"}) {
		t.Errorf("onebot11.json %v", o)
	}
	o = read(t, filepath.Join(dir, "onebot11_10001.json"))
	if !reflect.DeepEqual(names(t, o, "websocketServers"), []string{"ncatd", "astrbot"}) || len(names(t, o, "httpServers")) != 0 || o["parseMultMsg"] != true {
		t.Errorf("onebot11_10001.json %v", o)
	}
	servers := o["network"].(Object)["websocketServers"].([]any)
	if s := servers[0].(Object); s["debug"] != true || s["extra"] != json.Number("7") || s["port"] != json.Number("3101") {
		t.Errorf("our entry %v", s)
	}
	if s := servers[1].(Object); s["verifyCertificate"] != false {
		t.Errorf("their entry %v", s)
	}
	if o := read(t, filepath.Join(dir, "onebot11_10002.json")); !reflect.DeepEqual(names(t, o, "websocketServers"), []string{"ncatd"}) {
		t.Errorf("onebot11_10002.json %v", o)
	}
}

func TestApplyFollowsNetworks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "onebot11_10001.json")
	write(t, path, `{"network":{"httpServers":[{"name":"mine","port":3000}]}}`)
	s := settings
	s.Networks = map[string]any{
		"httpServers":      []any{map[string]any{"name": "mine", "port": 3333, "enable": true}, map[string]any{"port": 1}},
		"websocketClients": []any{map[string]any{"name": "ncatd", "url": "ws://x"}, map[string]any{"name": "a"}, map[string]any{"name": "a"}},
	}
	r, err := Apply(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	o := read(t, path)
	if got := names(t, o, "httpServers"); !reflect.DeepEqual(got, []string{"mine", "httpServers-2"}) {
		t.Errorf("httpServers %v", got)
	}
	if got := names(t, o, "websocketClients"); !reflect.DeepEqual(got, []string{"ncatd-2", "a", "a-2"}) {
		t.Errorf("websocketClients %v", got)
	}
	if r2, err := Apply(dir, withManaged(s, r.Managed)); err != nil || len(r2.Changed) != 0 {
		t.Errorf("again: %+v, %v", r2, err)
	}
	// What is no longer in the config goes, what the user made in the WebUI stays.
	o["network"].(Object)["httpClients"] = []any{Object{"name": "webhook"}}
	if err := Write(path, o); err != nil {
		t.Fatal(err)
	}
	s.Networks = nil
	if _, err := Apply(dir, withManaged(s, r.Managed)); err != nil {
		t.Fatal(err)
	}
	o = read(t, path)
	if len(names(t, o, "httpServers")) != 0 || len(names(t, o, "websocketClients")) != 0 || !reflect.DeepEqual(names(t, o, "httpClients"), []string{"webhook"}) {
		t.Errorf("after: %v", o["network"])
	}
}

func withManaged(s Settings, names []string) Settings {
	s.Managed = names
	return s
}

func TestApplyPutsBrokenFilesAside(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "onebot11_10001.json"), `{"network": {`)
	write(t, filepath.Join(dir, "webui.json"), `[1,2]`)
	r, err := Apply(dir, settings)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Aside) != 2 {
		t.Fatalf("aside %+v", r.Aside)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "onebot11_10001.json.bad")); err != nil || string(b) != `{"network": {` {
		t.Errorf("kept %q, %v", b, err)
	}
	if got := names(t, read(t, filepath.Join(dir, "onebot11_10001.json")), "websocketServers"); !reflect.DeepEqual(got, []string{"ncatd"}) {
		t.Errorf("servers %v", got)
	}
}

// TestApplyLeavesPlainWebUIJSON: NapCat reads webui.json as strict JSON, so one
// that says the right things with a comment or a byte order mark is no good.
func TestApplyLeavesPlainWebUIJSON(t *testing.T) {
	const good = `{"host":"127.0.0.1","port":6101,"token":"tokentokentoken1","loginRate":10}`
	for _, text := range []string{good, "// mine\n" + good, "\ufeff" + good, strings.Replace(good, `10}`, `10,}`, 1)} {
		dir := t.TempDir()
		path := filepath.Join(dir, "webui.json")
		write(t, path, text)
		if _, err := Apply(dir, settings); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) || read(t, path)["host"] != "127.0.0.1" {
			t.Errorf("%q became %q", text, b)
		}
		if text == good && string(b) != good {
			t.Errorf("rewritten without need: %q", b)
		}
	}
}

func TestNapCatJSONIsCopiedOnce(t *testing.T) {
	dir := t.TempDir()
	shipped := filepath.Join(t.TempDir(), "napcat.json")
	write(t, shipped, `{"o3HookMode":1}`)
	s := settings
	s.NapCat = shipped
	if _, err := Apply(dir, s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "napcat.json")
	if o := read(t, path); o["o3HookMode"] != json.Number("1") {
		t.Errorf("%v", o)
	}
	write(t, path, `{"o3HookMode":0}`)
	if _, err := Apply(dir, s); err != nil {
		t.Fatal(err)
	}
	if o := read(t, path); o["o3HookMode"] != json.Number("0") {
		t.Errorf("the user's file was replaced: %v", o)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	for _, bad := range []string{"", "null", "[]", "5", `"x"`, "{", `{"a":1}}`, "{a:}", "/*", "//", strings.Repeat("[", 200)} {
		path := filepath.Join(dir, "bad")
		write(t, path, bad)
		var e *SyntaxError
		if o, err := Read(path); !errors.As(err, &e) {
			t.Errorf("%q: %v, %v", bad, o, err)
		}
	}
	for _, good := range []string{"{}", "\xef\xbb\xbf{}", "{/* c */ a: 'b', }", "{a: .5, b: +1, c: 0x10, d: Infinity}"} {
		if _, err := Parse([]byte(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"{}", "{a:1,}", `{"a":[{"b":null}]}`, "// x\n{}", "/*", "{'a':'\\x41'}", "{a:-Infinity,b:NaN}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		if o == nil {
			t.Fatal("neither object nor error")
		}
		// Whatever was read can be patched without a panic.
		Network(o, settings.OneBot, map[string]any{"httpServers": []any{map[string]any{}}}, []string{"x"})
		webui(o, settings.WebUI, 1)
	})
}
