package script

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var apiLine = regexp.MustCompile(`(?m)^    (\w+)\((params\??: (\w+)(?: \| undefined)?)?(, packet[^)]*\) => void)?\): Promise<`)

// TestTypes compiles the declarations with a program that uses each action, the
// examples and the pages' pieces, by TypeScript's compiler: make script-types.
func TestTypes(t *testing.T) {
	tsc := os.Getenv("NCATD_TSC")
	if tsc == "" {
		t.Skip("make script-types runs it with TypeScript's compiler")
	}
	dir := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range Declarations() {
		put("types/"+name, text)
	}
	_, api, _ := strings.Cut(onebotTypes(), "export interface Api {")
	var all strings.Builder
	all.WriteString("import { api } from \"ncat\";\nimport type * as t from \"ncat\";\ndeclare function any<T>(): T;\nexport async function all() {\n")
	n := 0
	for _, m := range apiLine.FindAllStringSubmatch(api, -1) {
		if m[1] == "call" {
			continue
		}
		n++
		var args []string
		if m[3] != "" {
			args = append(args, "any<t."+m[3]+">()")
		}
		if m[4] != "" {
			args = append(args, "(q: t.StreamPacket) => { void q.type; }")
		}
		fmt.Fprintf(&all, "  const %s = await api.%[1]s(%s); void %[1]s;\n", m[1], strings.Join(args, ", "))
	}
	put("all.ts", all.String()+"}\n")
	if n != len(apiMethods) || n < 175 {
		t.Errorf("%d of %d actions are used", n, len(apiMethods))
	}
	for _, page := range []string{"scripts.md", "scripts.zh-CN.md"} {
		text, err := os.ReadFile("../../docs/guide/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range regexp.MustCompile("(?s)```ts\n(.*?)```").FindAllSubmatch(text, -1) {
			put(fmt.Sprintf("docs/%s%d.ts", page, i), string(m[1]))
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS("../../examples/scripts")); err != nil {
		t.Fatal(err)
	}
	put("tsconfig.json", `{"compilerOptions":{"target":"ES2023","lib":["ES2023"],"module":"ESNext","moduleResolution":"Bundler","strict":true,"noEmit":true,"types":[]},"include":["**/*.ts"]}`)
	c := exec.CommandContext(t.Context(), tsc, "-p", dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
