//go:build unix

package script

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// TestOddSources checks plugins whose files are not what a bundler hopes for: each
// is named by its file, or runs.
func TestOddSources(t *testing.T) {
	const ok = `import { onMessage } from "ncat"; onMessage(() => {});`
	outside := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(outside, []byte(`{"secret":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string // in the problem; "" for none
	}{
		"byte order mark":           {map[string]string{"main.ts": "\ufeff" + ok}, ""},
		"CRLF":                      {map[string]string{"main.ts": "// one\r\n" + ok + "\r\n", "plugin.yaml": "id: odd\r\nversion: \"1\"\r\n"}, ""},
		"manifest with a mark":      {map[string]string{"main.ts": ok, "plugin.yaml": "\ufeffid: odd\n"}, ""},
		"UTF-16":                    {map[string]string{"main.ts": "\xff\xfei\x00m\x00"}, "main.ts: the file is not UTF-8 (save it as UTF-8)"},
		"UTF-16 without a mark":     {map[string]string{"main.ts": "i\x00m\x00"}, "NUL byte and is no text (save it as UTF-8)"},
		"GBK":                       {map[string]string{"main.ts": "// \xc4\xe3\xba\xc3\n" + ok}, "the file is not UTF-8"},
		"empty":                     {map[string]string{"main.ts": ""}, ""},
		"a comment":                 {map[string]string{"main.ts": "// later"}, ""},
		"another main file":         {map[string]string{"index.ts": ok}, "main.ts: the file does not exist (write it, or name another under main in plugin.yaml)"},
		"main leads out":            {map[string]string{"main.ts": ok, "plugin.yaml": "main: ../x.ts\n"}, "leads out of the plugin's folder"},
		"unknown key":               {map[string]string{"main.ts": ok, "plugin.yaml": "id: odd\nauthor: me\n"}, "plugin.yaml:2:1: unknown key \"author\" (the keys are id, "},
		"two documents":             {map[string]string{"main.ts": ok, "plugin.yaml": "id: odd\n---\nid: other\n"}, ""},
		"manifest of a list":        {map[string]string{"main.ts": ok, "plugin.yaml": "- id\n"}, "plugin.yaml:1:1: [a, b] does not fit: key: value is wanted here"},
		"Chinese id":                {map[string]string{"main.ts": ok, "plugin.yaml": "id: 签到\n"}, "is no id for a plugin"},
		"spaces and Chinese inside": {map[string]string{"main.ts": `import { x } from "./我的 文件"; console.log(x);`, "我的 文件.ts": "export const x = 1;"}, ""},
		"absolute import":           {map[string]string{"main.ts": `import x from "` + outside + `"; console.log(x);`}, "the file lies outside of the plugin's folder"},
		"import that climbs":        {map[string]string{"main.ts": `import x from "../secret.json"; console.log(x);`, "../secret.json": "{}"}, "the file lies outside of the plugin's folder"},
		"import by a link":          {map[string]string{"main.ts": `import x from "./linked.json"; console.log(x);`, "linked.json": "->" + outside}, "the file lies outside of the plugin's folder"},
		"import of a pipe":          {map[string]string{"main.ts": `import x from "./pipe.txt"; console.log(x);`, "pipe.txt": "|"}, "this is no regular file"},
		"main is a pipe":            {map[string]string{"main.ts": "|"}, "this is no regular file"},
		"manifest is a pipe":        {map[string]string{"main.ts": ok, "plugin.yaml": "|"}, "this is no regular file"},
		"manifest without end":      {map[string]string{"main.ts": ok, "plugin.yaml": "->/dev/zero"}, "this is no regular file"},
		"import of a device":        {map[string]string{"main.ts": `import x from "./zero.txt"; console.log(x);`, "zero.txt": "->/dev/zero"}, "the file lies outside of the plugin's folder"},
		"import of a file URL":      {map[string]string{"main.ts": `import x from "file://` + outside + `"; console.log(x);`}, "Could not resolve"},
		"import of a web page":      {map[string]string{"main.ts": `import x from "https://example.org/x.js"; console.log(x);`}, "Could not resolve \"https://example.org/x.js\""},
		"import of a page later":    {map[string]string{"main.ts": `const x = await import("http://example.org/x.js"); console.log(x);`}, "Could not resolve"},
		"import without a scheme":   {map[string]string{"main.ts": `import "//example.org/x.js";`}, "Could not resolve"},
		"import of a blob":          {map[string]string{"main.ts": `export * from "blob:x";`}, "Could not resolve"},
		"import of Node's":          {map[string]string{"main.ts": `import fs from "node:fs"; console.log(fs);`}, "main.ts:1:16: Could not resolve \"node:fs\": a plugin imports files of its own folder only (fs is a module of Node, in which a plugin does not run: it keeps data in store"},
		"import of Node's, bare":    {map[string]string{"main.ts": `import fs from "fs"; console.log(fs);`}, "main.ts:1:16: Could not resolve \"fs\" (fs is a module of Node, in which a plugin does not run: it keeps data in store"},
		"import of a part of it":    {map[string]string{"main.ts": `import { readFile } from "fs/promises"; console.log(readFile);`}, "(fs/promises is a module of Node, in which a plugin does not run: it keeps data in store"},
		"import of Node's later":    {map[string]string{"main.ts": `const fs = await import("fs"); console.log(fs);`}, "main.ts:1:25: Could not resolve \"fs\" (fs is a module of Node"},
		"require of Node's":         {map[string]string{"main.ts": `declare const require: any; const p = require("path"); console.log(p);`}, "(path is a module of Node, in which a plugin does not run: what there is instead is in docs/guide/scripts)"},
		"import of a package":       {map[string]string{"main.ts": `import _ from "lodash"; console.log(_);`}, "main.ts:1:15: Could not resolve \"lodash\" (a plugin imports \"ncat\", its own files by \"./name\", and what lies in its own node_modules)"},
		"package named like Node's": {map[string]string{"main.ts": `import e from "events"; console.log(e);`, "node_modules/events/index.js": "export default 1;", "node_modules/events/package.json": `{"name":"events","main":"index.js"}`}, ""},
		"package that needs Node":   {map[string]string{"main.ts": `import x from "x"; console.log(x);`, "node_modules/x/index.js": `import os from "os"; export default os;`}, "node_modules/x/index.js:1:16: Could not resolve \"os\" (os is a module of Node, in which a plugin does not run: it knows nothing of the machine)"},
		"import of the engine's":    {map[string]string{"main.ts": `import * as std from "std"; console.log(std);`}, "Could not resolve"},
		"a cycle":                   {map[string]string{"main.ts": `import { a } from "./a"; console.log(a);`, "a.ts": `import "./main"; export const a = 1;`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "odd")
			for file, text := range c.files {
				putOdd(t, filepath.Join(dir, file), text)
			}
			type result struct {
				list []Problem
				err  error
			}
			done := make(chan result, 1)
			go func() {
				list, err := Check(dir, nil)
				done <- result{list, err}
			}()
			var r result
			select {
			case r = <-done:
			case <-time.After(30 * time.Second):
				t.Fatal("the check does not end")
			}
			said := []string{}
			for _, p := range r.list {
				said = append(said, p.String())
			}
			if r.err != nil {
				said = append(said, r.err.Error())
			}
			got := strings.Join(said, "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("said %q, want %q", got, c.want)
			}
			if strings.Contains(got, "secret\"") {
				t.Errorf("said %q, which is of another's file", got)
			}
		})
	}
}

// putOdd writes a file, "->TARGET" a link, "|" a pipe.
func putOdd(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		switch target, link := strings.CutPrefix(text, "->"); {
		case link:
			err = os.Symlink(target, path)
		case text == "|":
			err = syscall.Mkfifo(path, 0o644)
		default:
			err = os.WriteFile(path, []byte(text), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFetchOfThisMachine asks this machine by every name and number that leads to
// it, all of them granted as hosts of the internet are: none gets through, but
// the one address and port that is granted by number.
func TestFetchOfThisMachine(t *testing.T) {
	var asked atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }() // until it is closed
	defer srv.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost.", "LOCALHOST.", "ip6-localhost", "0"}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	grants := Grants{Fetch: []string{"127.0.0.1:9", "localhost:9", "[::1]:9", "127.0.0.2:" + port}} // another port, another address
	for _, n := range names {
		grants.Fetch = append(grants.Fetch, n+":"+port)
	}
	get := func(host string) error {
		client := &http.Client{Transport: transportFor(grants), Timeout: 20 * time.Second}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+":"+port+"/", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	for _, host := range append(names, "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.0.0.3", "[::]", "[::1%25lo]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]") {
		if err := get(host); err == nil || asked.Load() != 0 {
			t.Errorf("%s: this machine was asked (%v)", host, err)
			asked.Store(0)
		}
	}
	grants.Fetch = []string{"127.0.0.1:" + port}
	if err := get("localhost"); err != nil || asked.Load() != 1 { // the name was granted before it was resolved
		t.Errorf("the granted address was asked %d times: %v", asked.Load(), err)
	}
}

// A folder whose main file has another name is named, not passed over, and runs
// once the file is there.
func TestFolderWithoutMain(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("half/index.ts", `export {};`)
		b.write("data/list.json", `[]`)
	})
	st.until("it is named", func() bool { return st.state("half") == ncat.PluginFailed })
	for _, p := range st.bot.Plugins() {
		if p.ID == "data" || p.ID == "half" && !strings.Contains(p.Error, "main.ts: the file does not exist") {
			t.Errorf("%s: %q", p.ID, p.Error)
		}
	}
	st.write("half/main.ts", `import { onPrivate, textIs } from "ncat"; onPrivate(textIs("alive?"), (m) => m.reply("alive"));`)
	st.until("it answers", func() bool { st.say("alive?"); return st.count("alive") > 0 })
}

// A plugin's folder may be a link to where it is worked on.
func TestLinkedFolder(t *testing.T) {
	real := t.TempDir()
	put := func(word string) {
		if err := os.MkdirAll(filepath.Join(real, "lib"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(real, "main.ts"), []byte(`import { onPrivate, textIs } from "ncat"; import { word } from "./lib/word"; onPrivate(textIs("hi"), (m) => m.reply(word));`), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(real, "lib", "word.ts"), []byte("export const word = \""+word+"\";"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	st := newStage(t, func(b *bench) {
		if err := os.Symlink(real, filepath.Join(b.dir, "linked")); err != nil {
			t.Fatal(err)
		}
	})
	st.answers("one")
	put("two")
	st.answers("two")
}
