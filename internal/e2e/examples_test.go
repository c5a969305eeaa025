//go:build e2e && linux

package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

// program is one of the examples, built, with a home of its own.
type program struct {
	t    *testing.T
	path string
	env  []string
}

// buildExample builds examples/name as its reader would, with a home below dir.
func buildExample(t *testing.T, name, dir string) *program {
	t.Helper()
	p := &program{t: t, path: filepath.Join(dir, name)}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", p.path, "github.com/ncatd/ncatd/examples/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	home := filepath.Join(dir, "h")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "HOME="+home, "NCATD_LANG=en", "TMPDIR="+dir)
	return p
}

// run runs the program and returns what it printed, both streams.
func (p *program) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for a command that has to succeed.
func (p *program) must(args ...string) string {
	p.t.Helper()
	out, err := p.run(args...)
	if err != nil {
		log, _ := p.run("logs")
		p.t.Fatalf("%s %s: %v\n%s\n%s", filepath.Base(p.path), strings.Join(args, " "), err, out, log)
	}
	return out
}

// start starts the program as a daemon on the simulator. It must be stopped.
func (p *program) start(args ...string) {
	p.t.Helper()
	p.must(append([]string{"start", "--sim", "-d"}, args...)...)
}

func (p *program) stop() {
	if out, err := p.run("stop"); err != nil && !strings.Contains(out, "not running") {
		p.t.Errorf("stop: %v\n%s", err, out)
	}
}

// TestHello is the first thing a newcomer does: his own program, which is a whole
// ncatd, on the simulator; 测试 is answered.
func TestHello(t *testing.T) {
	p := buildExample(t, "hello", t.TempDir())
	for _, command := range []string{"init", "install", "start", "stop", "status", "login", "call", "send", "events", "config", "plugin", "service", "doctor", "sim", "version", "completion"} {
		if out := p.must(command, "--help"); !strings.Contains(out, "Usage:") {
			t.Errorf("hello %s --help says %q", command, out)
		}
	}
	defer p.stop()
	p.start()
	if out := p.must("status"); !strings.Contains(out, "online") {
		t.Errorf("status: %s", out)
	}
	if got := strings.TrimSpace(p.must("sim", "say", "--user", "3001000001", "测试")); got != "NcatBot 测试成功喵~" {
		t.Errorf("测试 was answered with %q", got)
	}
	if out, err := p.run("sim", "say", "--user", "3001000001", "--wait", "500ms", "你好"); err == nil {
		t.Errorf("你好 was answered with %q", out)
	}
	if sent := strings.Count(p.must("sim", "sent"), "测试成功"); sent != 1 {
		t.Errorf("%d messages were sent, want 1", sent)
	}
}

// said is something that somebody says and what the bot says to it, a part of
// each message.
type said struct {
	group, user string // of the simulator's usual world; alice in private if both are empty
	text        string
	want        []string
}

const alice = "3001000001"

func (p *program) hold(say said) {
	p.t.Helper()
	args := []string{"sim", "say", say.text}
	if say.group != "" {
		args = append(args, "--group", say.group)
	}
	if say.user != "" || say.group == "" {
		args = append(args, "--user", cmp.Or(say.user, alice))
	}
	if len(say.want) == 0 {
		args = append(args, "--wait", "300ms")
		if out, err := p.run(args...); err == nil {
			p.t.Errorf("%s was answered with %q", say.text, out)
		}
		return
	}
	out := p.must(args...)
	rest := out
	for _, part := range say.want {
		i := strings.Index(rest, part)
		if i < 0 {
			p.t.Errorf("%s was answered with %q, want %q in it, in this order", say.text, out, say.want)
			return
		}
		rest = rest[i+len(part):]
	}
}

// TestExamples runs every example as a process of its own, on the simulator. They
// share a home, one after the other, so that QQ is unpacked and logged in once.
func TestExamples(t *testing.T) {
	dir := t.TempDir()
	const group = "700000001" // in which the bot is an administrator
	const second = "700000002"
	for _, x := range []struct {
		name  string
		talk  []said
		again []said   // after a restart
		sent  []string // what was sent elsewhere
	}{
		{name: "echo", talk: []said{
			{text: `/echo a "b"[CQ:face,id=14]`, want: []string{`a "b"`, "[CQ:face,id=14"}},
			{text: "a"},
		}},
		{name: "points", talk: []said{
			{text: "/签到", want: []string{"签到成功，积分 10"}},
			{text: "/roll 100", want: []string{"积分不够"}},
		}, again: []said{
			{text: "/top", want: []string{"排行榜", "1. Alice 10"}},
		}},
		{name: "signin", talk: []said{
			{group: group, user: alice, text: "/签到", want: []string{"连续 1 天，共 1 天"}},
		}, again: []said{
			{group: group, user: alice, text: "/签到", want: []string{"今天已经签到过了，连续 1 天"}},
		}},
		{name: "quiz", talk: []said{
			{text: "/quiz", want: []string{"吉祥物"}},
			{text: "地鼠", want: []string{"字节"}},
			{text: "取消", want: []string{"问答结束"}},
		}},
		{name: "groupadmin", talk: []said{
			{group: group, user: "3001000003", text: "看广告吗", want: []string{"请勿发送违禁内容"}},
			{group: group, user: "3001000003", text: "/votekick 3002000001", want: []string{"权限"}},
			{group: group, user: alice, text: "/votekick 3002000001", want: []string{"移出"}},
			{group: group, user: "3001000002", text: "同意"},
			{group: group, user: "3001000003", text: "同意"},
			{group: group, user: alice, text: "同意", want: []string{"投票通过，已移出"}},
		}},
		{name: "reminder", talk: []said{
			{text: "/remind daily 8:00 早安", want: []string{"好的，到时提醒你"}},
		}, again: []said{
			{text: "/remind list", want: []string{"1. daily 8:00 早安"}},
		}},
		{name: "imagerelay", talk: []said{
			{group: group, user: alice, text: "看 [CQ:image,file=base64://R0lGODlhAQABAAAAACw=]"},
		}, sent: []string{"group " + second, "Alice 发的图", "[CQ:image,", "file_size=14"}},
		{name: "textimage", talk: []said{{text: "/图 春眠不觉晓", want: []string{drawn("春眠不觉晓")}}}},
		{name: "lottery", talk: []said{
			{group: group, user: alice, text: "/抽奖 1s 1 一本书", want: []string{"抽 一本书"}},
			{group: group, user: alice, text: "/添加 早 早上好", want: []string{"记住了"}},
			{group: group, user: "3001000003", text: "早", want: []string{"早上好"}},
			{group: group, user: "3001000003", text: "/删除 早", want: []string{"没有权限"}},
		}, again: []said{{group: group, user: "3001000003", text: "早", want: []string{"早上好"}}}},
		{name: "ported", talk: []said{
			{group: group, text: "吃什么", want: []string{"吃"}},
			{group: group, text: "/减菜 米饭", want: []string{"菜单：面条、饺子"}},
		}, again: []said{{group: group, text: "/加菜 火锅", want: []string{"菜单：面条、饺子、火锅"}}}},
		{name: "relay", talk: []said{
			{group: group, user: alice, text: "大家好"},
		}, sent: []string{"group " + second, "Alice：大家好"}},
		{name: "guard", talk: []said{{group: group, user: alice, text: "/ping", want: []string{"pong"}}}},
		{name: "feed", talk: []said{
			{group: group, user: alice, text: "/订阅列表", want: []string{"没有订阅"}},
			{group: group, user: alice, text: "/订阅 " + feedURL(t), want: []string{"已订阅 新闻"}},
			{group: group, user: alice, text: "/订阅列表", want: []string{"订阅列表"}},
		}},
		{name: "digest", talk: []said{
			{group: group, user: alice, text: "/收藏", want: []string{"请引用"}},
			{group: group, user: alice, text: "/精华", want: []string{"今天还没有收藏"}},
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := buildExample(t, x.name, dir)
			defer p.stop()
			p.start()
			for _, s := range x.talk {
				p.hold(s)
			}
			if x.name == "digest" {
				p.digest(group)
			}
			if x.again != nil {
				p.stop()
				p.start()
				for _, s := range x.again {
					p.hold(s)
				}
			}
			if x.sent != nil {
				p.sent(x.sent...)
			}
		})
	}
}

// drawn is how textimage answers with a text: as a picture, where there is a font
// with Chinese, else as it is.
func drawn(text string) string {
	for _, place := range []string{"/usr/share/fonts/*/noto*/NotoSansCJK-Regular.ttc", "/usr/share/fonts/*/wqy/wqy-zenhei.ttc", "/usr/share/fonts/*/*/DroidSansFallback*.ttf"} {
		if found, err := filepath.Glob(place); err == nil && len(found) > 0 {
			return "[CQ:image,"
		}
	}
	return text
}

// feedURL serves a feed until the test ends.
func feedURL(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<rss><channel><title>新闻</title></channel></rss>") // the bot says what it read
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestAIChat runs the AI bot against a model that repeats what it is asked.
func TestAIChat(t *testing.T) {
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no key", http.StatusUnauthorized)
			return
		}
		for _, piece := range []string{"你好", "，世界。"} {
			_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", piece)
		}
		_, _ = io.WriteString(w, "data: [DONE]\n\n") // as above
	}))
	defer model.Close()
	dir := t.TempDir()
	p := buildExample(t, "aichat", dir)
	p.env = append(p.env, "OPENAI_API_KEY=secret")
	home := filepath.Join(dir, "h", ".ncatd-sim")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	config := "bot:\n  plugin_config:\n    aichat: {url: \"" + model.URL + "\"}\n"
	if err := os.WriteFile(filepath.Join(home, "ncatd.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	p.start()
	p.hold(said{user: alice, text: "在吗", want: []string{"你好，世界。"}})
	p.hold(said{user: alice, text: "/忘记", want: []string{"从头开始"}})
}

// sent waits until something was sent that has all the parts, as sim sent prints
// it on one line.
func (p *program) sent(parts ...string) {
	p.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond) // another process's work gives no signal
	defer tick.Stop()
	var out string
	for range 100 {
		out = p.must("sim", "sent")
		for line := range strings.Lines(out) {
			if !slices.ContainsFunc(parts, func(s string) bool { return !strings.Contains(line, s) }) {
				return
			}
		}
		<-tick.C
	}
	p.t.Errorf("nothing with %q was sent:\n%s", parts, out)
}

// digest quotes three messages and wants one merged forward of them.
func (p *program) digest(group string) {
	p.t.Helper()
	for _, text := range []string{"一", "二", "三"} {
		out := p.must("send", "--group", group, text)
		p.hold(said{group: group, user: alice, text: "[CQ:reply,id=" + strings.TrimSpace(out) + "]/收藏", want: []string{"已收藏"}})
	}
	before := strings.Count(p.must("sim", "sent"), "[CQ:forward,")
	p.hold(said{group: group, user: alice, text: "/精华", want: []string{"[CQ:forward,id="}})
	if n := strings.Count(p.must("sim", "sent"), "[CQ:forward,") - before; n != 1 {
		p.t.Errorf("%d merged forwards were sent, want one", n)
	}
}

// TestAccounts runs one program on two accounts.
func TestAccounts(t *testing.T) {
	dir := t.TempDir()
	p := buildExample(t, "accounts", dir)
	home := filepath.Join(dir, "h", ".ncatd-sim")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	config := "accounts:\n  - name: main\n  - name: second\nbot: {admins: [" + alice + "]}\n"
	if err := os.WriteFile(filepath.Join(home, "ncatd.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	p.start()
	for _, account := range []string{"main", "second"} {
		out := p.must("sim", "say", "-a", account, "--user", alice, "/账号")
		for line := range strings.Lines(out) {
			if strings.HasSuffix(strings.TrimSpace(line), "（我）") != strings.HasPrefix(line, account+" ") {
				t.Errorf("%s says %q", account, out)
			}
		}
		if !strings.Contains(out, "main ") || !strings.Contains(out, "second ") {
			t.Errorf("%s says %q", account, out)
		}
	}
	if out := p.must("sim", "say", "-a", "main", "--user", alice, "/转告 second 3001000002 你好"); !strings.Contains(out, "已转告") {
		t.Errorf("转告: %s", out)
	}
	if out := p.must("sim", "sent", "-a", "second"); !strings.Contains(out, "user 3001000002  你好") {
		t.Errorf("second sent %s", out)
	}
}

// TestRemote runs a program that is no ncatd against an endpoint elsewhere.
func TestRemote(t *testing.T) {
	p := buildExample(t, "remote", t.TempDir())
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret"})
	cmd := exec.CommandContext(t.Context(), p.path, s.URL())
	cmd.Env = append(p.env, "ONEBOT_TOKEN=secret")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Group(100).From(1).Says("/在哪")
	s.WantLike("10001 在 NapCat.Onebot")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	if out, err := p.run(s.URL()); err == nil || !strings.Contains(out, "the token in ONEBOT_TOKEN is wrong") {
		t.Errorf("without the token: %v, %s", err, out)
	}
}
