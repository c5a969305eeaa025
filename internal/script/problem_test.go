package script

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

// TestProblemsInChinese: what a check finds is told in Chinese, but for the words of
// others, with its place and what helps.
func TestProblemsInChinese(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"syntax":         {"a/main.ts", "on(", "main.ts:1:4: Unexpected end of file"},
		"missing import": {"a/main.ts", `import { x } from "./nothing"; x();`, `main.ts:1:19: Could not resolve "./nothing"（请检查文件名和路径：插件导入的是自己文件夹里的文件，如 "./util"）`},
		"of Node":        {"a/main.ts", `import p from "process"; p();`, `main.ts:1:15: Could not resolve "process"（process 是 Node 的模块，插件不在 Node 里运行；设置请从 config 读取）`},
		"of Node's web":  {"a/main.ts", `import p from "node:http"; p();`, `main.ts:1:15: 不能导入 "node:http"：插件只能导入自己文件夹里的文件（http 是 Node 的模块，插件不在 Node 里运行；请用 fetch）`},
		"GBK":            {"a/main.ts", "// \xc4\xe3", "main.ts: 文件不是 UTF-8 编码（请用编辑器另存为 UTF-8）"},
		"NUL":            {"a/main.ts", "\x00", "main.ts: 文件里有 NUL 字节，不是文本（请用编辑器另存为 UTF-8）"},
		"10 MiB":         {"a/main.ts", strings.Repeat(" ", 10<<20), "main.ts: 文件有 10485760 字节，上限是 4 MiB（请去掉用不到的内容）"},
		"in an import":   {"a/main.ts", `import x from "./b.txt"; x();`, "b.txt:1:1: 文件不是 UTF-8 编码（请用编辑器另存为 UTF-8）"},
		"no main":        {"a/index.ts", "", "main.ts: 没有这个文件（请创建它，或在 plugin.yaml 的 main 里写上别的文件）"},
		"extension":      {"a.tsx", "", "a.tsx: 插件不能是 .tsx 文件（请改名为 a.ts）"},
		"key":            {"a/plugin.yaml", "permissions: {fetsh: []}\n", `plugin.yaml:1:1: 未知的键 "fetsh"（可用的键：fetch, files）`},
		"value":          {"a/plugin.yaml", "\nneeds: x\n", "plugin.yaml:2:1: 这里应该是 [a, b]，而不是 x"},
		"kind":           {"a/plugin.yaml", "- id\n", "plugin.yaml:1:1: 这里应该是 key: value，而不是 [a, b]"},
		"yaml":           {"a/plugin.yaml", "id: [\n", "plugin.yaml:1:1: did not find expected node content"},
		"host":           {"a/plugin.yaml", "permissions: {fetch: [\"https://x\"]}\n", `plugin.yaml: permissions.fetch："https://x" 不是主机名，应写成 api.example.com 这样`},
		"id":             {"a/plugin.yaml", "id: 签到\n", `"签到" 不能作插件的 id（请用字母、数字、点和短横线；没有 plugin.yaml 时，文件或文件夹的名字就是 id）`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"a/b.txt": "\xff", c.file: c.text} {
				if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755), os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			path, _, _ := strings.Cut(c.file, "/")
			list, err := Check(filepath.Join(dir, path), nil)
			if err != nil || len(list) != 1 {
				t.Fatalf("problems %v, %v", list, err)
			}
			if got := text.Fault(text.Chinese, list[0].Fault()); got != c.want {
				t.Errorf("said %s, want %s", got, c.want)
			}
		})
	}
}

// TestFaults: so is what an error says that ended a plugin.
func TestFaults(t *testing.T) {
	late := api.Because(api.CodeScriptInCommand, "ping").With(api.Because(api.CodeScriptCPU, time.Second))
	refused := denied(api.Because(api.CodeScriptUngranted, "x.org", "a"))
	stack := "    at main.ts:3:5 in f\n    at main.ts:9:1"
	many := &buildError{}
	for range 4 {
		many.list = append(many.list, Problem{File: "a.ts", Line: 1, Column: 2, What: api.Because(api.CodeScriptSaid, "x")})
	}
	for _, c := range []struct {
		err    error
		en, zh string
	}{
		{overLimit("cpu", late), "command ping: took more than 1s and was ended (scripts.limits.cpu)", "命令 ping：占用引擎超过 1s，已被结束（上限由 scripts.limits.cpu 设置）"},
		{Fail(api.Because(api.CodeScriptOff, "a").With(late), errCPU), "switched off, because it fails all the time (when it is mended: ncatd plugin enable a): command ping: took more than 1s and was ended (scripts.limits.cpu)",
			"一直出错，已停用（改好后运行 ncatd plugin enable a）：命令 ping：占用引擎超过 1s，已被结束（上限由 scripts.limits.cpu 设置）"},
		{&placed{inExport("onLoad"), &thrown{Name: "TypeError", Message: "not a function", Stack: stack}}, "onLoad: main.ts:3:5: TypeError: not a function", "onLoad：main.ts:3:5: TypeError: not a function"},
		{&thrown{Name: "thrown", Message: `"no"`}, `threw "no", which is no Error and knows no place: throw an Error`, `抛出了 "no"，它不是 Error，查不到出处；请改用 throw new Error(…)`},
		{&thrown{Name: "DeniedError", Message: refused.Error(), Stack: stack, Fault: Fault(refused)}, "main.ts:3:5: DeniedError: " + refused.Error(), "main.ts:3:5: DeniedError: fetch：还没有授权访问 x.org；请在 ncatd.yaml 的 scripts.grants.a 里授权"},
		// The script's own words, although it says whose they were.
		{&thrown{Name: "DeniedError", Message: "not today", Stack: stack, Fault: Fault(refused)}, "main.ts:3:5: DeniedError: not today", "main.ts:3:5: DeniedError: not today"},
		{many, "a.ts:1:2: x; a.ts:1:2: x; and 2 more: ncatd plugin check", "a.ts:1:2: x；a.ts:1:2: x；还有 2 处：ncatd plugin check"},
		{errors.New("a disk failed"), "a disk failed", "a disk failed"},
	} {
		f := Fault(c.err)
		if en, zh := text.Fault(text.English, f), text.Fault(text.Chinese, f); en != c.en || zh != c.zh {
			t.Errorf("%v:\n%s, want\n%s;\n%s, want\n%s", c.err, en, c.en, zh, c.zh)
		}
	}
	if f, ok := Told(errors.New("a disk failed")); ok {
		t.Errorf("told %+v of others' error", f)
	}
	if err := Fail(late, errCPU); !errors.Is(err, errCPU) {
		t.Error("what an error stands on is lost")
	}
}

// TestThrownOn: what the host refuses is told in the reader's language after it went
// through the script, which sees English.
func TestThrownOn(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.write("a.ts", `import { on, DeniedError } from "ncat";
try { await fetch("https://x.org/"); } catch (e) { if (!(e instanceof DeniedError) || !e.message.includes("names no hosts")) throw "another"; }
on("message.grup" as any, () => {});`)
		b.write("b.ts", `await fetch("https://x.org/");`)
		b.write("c.ts", "import { command } from \"ncat\";\ncommand(\"x\", () => {}); command(\"y\", () => {}, { alias: \"X\" });")
		b.write("d.ts", "import { schedule } from \"ncat\";\nschedule(\"s\", \"whenever\", () => {});")
		b.write("e.ts", `try { await fetch("https://x.org/"); } catch (e) { e.message = "mine"; throw e; }`)
		b.write("h.ts", "import { onGroup } from \"ncat\";\nonGroup(undefined as any);")
		b.write("i.ts", "import { onGroup } from \"ncat\";\nonGroup({} as any, () => {});")
		b.write("j.ts", "import { command } from \"ncat\";\ncommand(\"x\", 5 as any);")
		b.write("k.ts", "import { command } from \"ncat\";\ncommand(\"x\", { n: 5 as any }, () => {});")
		b.write("l.ts", "export const onLoad = 5;")
		b.write("m/main.ts", `await fetch("https://x.org/");`)
		b.write("签到.ts", "export {};")
		b.write("f/plugin.yaml", "needs: [absent]\n")
		b.write("f/main.ts", "export {};")
		b.write("g/plugin.yaml", "needs: [a]\n")
		b.write("g/main.ts", "export {};")
	})
	for id, want := range map[string]string{
		"a":  `a.ts:3:1: ArgumentError: 没有类型为 "message.grup" 的事件；可用的有：`,
		"b":  "b.ts:1:7: DeniedError: fetch：单文件插件不能访问网络；请改成文件夹，并在 plugin.yaml 的 permissions.fetch 里写上 x.org",
		"c":  "c.ts:2:25: ArgumentError: 命令 y：名字或别名已被命令 x 占用",
		"d":  `d.ts:2:1: ArgumentError: 定时任务 s："whenever" 不是时间表；正确的写法如 `,
		"e":  "e.ts:1:13: DeniedError: mine",
		"h":  `h.ts:2:1: ArgumentError: on("message.group")：处理函数应该是一个函数`,
		"i":  "i.ts:2:1: ArgumentError: 过滤器要用 textIs、inGroup 等生成",
		"j":  "j.ts:2:1: ArgumentError: command x：处理函数应该是一个函数",
		"k":  "k.ts:2:1: ArgumentError: 命令 x：参数 n 要用 arg.text()、arg.int() 等生成",
		"l":  "ArgumentError: 导出了 onLoad，但它不是函数",
		"签到": `"签到" 不能作插件的 id（请用字母、`,
		"f":  "需要插件 absent，但没有这个插件（请安装它，或从 plugin.yaml 的 needs 里去掉）",
		"g":  "需要插件 a，但它没有运行；请先让它运行",
		"m":  "main.ts:1:7: DeniedError: fetch：plugin.yaml 的 permissions.fetch 里没有写 x.org，请补上",
	} {
		if got := text.Fault(text.Chinese, Fault(st.m.Problems()[id])); !strings.HasPrefix(got, want) {
			t.Errorf("%s: said %s, want %s", id, got, want)
		}
	}
}
