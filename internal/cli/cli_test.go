package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// run carries out one command line without a terminal, in a home of its own.
func run(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env = append([]string{"HOME=" + t.TempDir(), "NCATD_LANG=en"}, env...)
	code = Run(context.Background(), args, Deps{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: env, Version: "1.2.3"})
	return code, out.String(), errs.String()
}

// tree returns the root command in a language and all commands below it.
func tree(lang text.Lang) (*app, []*cobra.Command) {
	a := &app{Deps: Deps{Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}, lang: lang, priv: ownPrivileges()}
	a.out = newOutput(a.Stdout, a.Stderr, lang, a.getenv)
	a.root = a.newRoot()
	var all []*cobra.Command
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		all = append(all, c)
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk(a.root)
	return a, all
}

// TestEveryCommandHasHelp holds that each command says what it does and gives
// examples, in both languages, and that each flag is explained.
func TestEveryCommandHasHelp(t *testing.T) {
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		_, all := tree(lang)
		if len(all) < 40 {
			t.Errorf("only %d commands", len(all))
		}
		for _, c := range all {
			if c.Hidden || c.Name() == "help" {
				continue
			}
			if lang == text.Chinese && (!hasHan(c.Short) || c.Long != "" && !hasHan(c.Long)) {
				t.Errorf("%s: not in Chinese: %q %q", c.CommandPath(), c.Short, c.Long)
			}
			if c.Short == "" || strings.Contains(c.Short, "cmd.") {
				t.Errorf("%s, %s: no description (%q)", lang, c.CommandPath(), c.Short)
			}
			if !strings.Contains(c.Example, "ncatd") || strings.Contains(c.Example, "cmd.") {
				t.Errorf("%s, %s: no example (%q)", lang, c.CommandPath(), c.Example)
			}
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if f.Usage == "" || strings.HasPrefix(f.Usage, "flag.") {
					t.Errorf("%s, %s: --%s is not explained (%q)", lang, c.CommandPath(), f.Name, f.Usage)
				}
				if lang == text.Chinese && !hasHan(f.Usage) && f.Name != "json" {
					t.Errorf("%s: --%s is not in Chinese: %q", c.CommandPath(), f.Name, f.Usage)
				}
			})
		}
	}
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// TestExamplesAreTheSame holds that the command lines of the examples are the
// same in both languages; comments may differ.
func TestExamplesAreTheSame(t *testing.T) {
	_, en := tree(text.English)
	_, zh := tree(text.Chinese)
	bare := func(s string) string { return regexp.MustCompile(`(?m)\s*#.*$`).ReplaceAllString(s, "") }
	for i, c := range en {
		if bare(c.Example) != bare(zh[i].Example) {
			t.Errorf("%s: %q is in Chinese %q", c.CommandPath(), c.Example, zh[i].Example)
		}
	}
}

// TestSimulatorWordsInChinese holds that every mode and deed of the simulator
// is explained in Chinese.
func TestSimulatorWordsInChinese(t *testing.T) {
	for name, words := range map[string]map[string]string{"drop": napcatsim.DropModes, "act": napcatsim.Deeds} {
		for w, about := range words {
			if got := text.Sim(text.Chinese, name+"."+w, about); !hasHan(got) {
				t.Errorf("sim %s %s: %q", name, w, got)
			}
		}
	}
}

// TestExamplesAreRight holds that every command line in an example finds a
// command, has only flags that it knows, and arguments that it takes.
func TestExamplesAreRight(t *testing.T) {
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		a, all := tree(lang)
		n := 0
		for _, c := range all {
			for line := range strings.Lines(c.Example) {
				words, ok := shellWords(line)
				if !ok || c.Name() == "help" {
					continue
				}
				n++
				cmd, rest, err := a.root.Find(words)
				if err != nil || cmd == a.root {
					t.Errorf("%s: %q finds no command: %v", c.CommandPath(), line, err)
					continue
				}
				if cmd.DisableFlagParsing {
					continue
				}
				if err := cmd.ParseFlags(rest); err != nil {
					t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
					continue
				}
				if cmd.Args != nil {
					if err := cmd.Args(cmd, cmd.Flags().Args()); err != nil {
						t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
					}
				}
			}
		}
		if n < 40 {
			t.Errorf("only %d examples", n)
		}
	}
}

// shellWords splits an example's line, up to a comment, pipe or redirection.
func shellWords(line string) ([]string, bool) {
	var words []string
	var cur strings.Builder
	in, quote := false, rune(0)
	flush := func() {
		if in {
			words = append(words, cur.String())
		}
		cur.Reset()
		in = false
	}
loop:
	for _, r := range strings.TrimSpace(line) {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				cur.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ':
			flush()
		case !in && strings.ContainsRune("#|>&;", r):
			break loop
		default:
			cur.WriteRune(r)
			in = true
		}
	}
	flush()
	i := slices.Index(words, "ncatd")
	if i < 0 {
		return nil, false
	}
	return words[i+1:], len(words) > i+1
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{&flagError{}, 2},
		{fmt.Errorf("w: %w", &config.Error{}), 2},
		{fmt.Errorf("w: %w", client.ErrNotRunning), 3},
		{&api.Error{Code: "login_required"}, 4},
		{&api.Error{Code: "napcat_failed"}, 5},
		{fmt.Errorf("w: %w", &home.LockedError{PID: 3}), 6},
		{&api.Error{Code: "no_account"}, 2},
		{errInterrupted, 130},
		{context.DeadlineExceeded, 1},
		{quiet(4), 4},
		{fail(5, client.ErrNotRunning, ""), 5},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("exitCode(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestHelpInBothLanguages(t *testing.T) {
	code, out, errs := run(t, nil, "--help")
	if code != 0 || errs != "" || !strings.Contains(out, "Usage:") || !strings.Contains(out, "  status") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	code, out, _ = run(t, nil, "--lang", "zh", "status", "--help")
	if code != 0 || !strings.Contains(out, "用法：") || !strings.Contains(out, "查看账号状况") || strings.Contains(out, "Usage") {
		t.Errorf("%d %q", code, out)
	}
	code, out, _ = run(t, nil, "help", "config", "set")
	if code != 0 || !strings.Contains(out, "ncatd config set KEY VALUE") {
		t.Errorf("%d %q", code, out)
	}
	if code, _, _ := run(t, nil, "help", "nosuch"); code != 2 {
		t.Errorf("help of no command ends with %d", code)
	}
}

// fakeDaemon listens nowhere; it is what a program without NapCat would run.
func fakeDaemon(body func(ctx context.Context, o DaemonOptions) error) func(context.Context, DaemonOptions) error {
	return body
}

func TestRunDaemonHandsOverWhatItShould(t *testing.T) {
	h := home.Dir(t.TempDir())
	if err := os.WriteFile(h.Config(), []byte("log: {level: warn}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{Deps: Deps{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Version: "v"}, lang: text.English}
	a.out = newOutput(a.Stdout, a.Stderr, a.lang, a.getenv)
	a.StartDaemon = fakeDaemon(func(ctx context.Context, o DaemonOptions) error {
		if pid, err := o.Home.Holder(); pid != os.Getpid() || err != nil {
			t.Errorf("the lock is held by %d, %v", pid, err)
		}
		if o.Only != "main" || o.Config.Log.Level != "warn" || o.Secrets.Accounts["main"].WebUI == "" || o.Version != "v" {
			t.Errorf("options %+v", o)
		}
		o.Log.Warn("hello", "token", "hunter2")
		o.Ready()
		<-ctx.Done()
		return nil
	})
	errBody := errors.New("body")
	err := a.runDaemon(t.Context(), daemonRun{
		home: h, only: "main", quiet: true, once: true,
		load: func() (*config.Config, error) { return a.loadConfig(h.Config(), nil) },
		body: func(context.Context, *client.Client) error { return errBody },
	})
	if !errors.Is(err, errBody) {
		t.Errorf("runDaemon = %v", err)
	}
	if pid, err := h.Holder(); pid != 0 || err != nil {
		t.Errorf("afterwards the lock is held by %d, %v", pid, err)
	}
	b, err := os.ReadFile(h.Join("logs", "ncatd.log"))
	if err != nil || !strings.Contains(string(b), `"msg":"hello"`) || strings.Contains(string(b), "hunter2") {
		t.Errorf("log %q, %v", b, err)
	}
	// A daemon that fails to start says why, and body never runs.
	errStart := errors.New("no")
	a.StartDaemon = fakeDaemon(func(context.Context, DaemonOptions) error { return errStart })
	err = a.runDaemon(t.Context(), daemonRun{
		home: h, quiet: true,
		load: func() (*config.Config, error) { return config.Default(), nil },
		body: func(context.Context, *client.Client) error { t.Error("body ran"); return nil },
	})
	if !errors.Is(err, errStart) {
		t.Errorf("runDaemon = %v", err)
	}
}

func TestStatusExit(t *testing.T) {
	st := func(states ...api.State) api.Status {
		var s api.Status
		for _, x := range states {
			s.Accounts = append(s.Accounts, api.Account{State: x})
		}
		return s
	}
	for _, tt := range []struct {
		st   api.Status
		want int
	}{
		{st(), 0},
		{st(api.StateOnline, api.StateStopped), 0},
		{st(api.StateOnline, api.StateStarting), 1},
		{st(api.StateStarting, api.StateLoginRequired), 4},
		{st(api.StateLoginRequired, api.StateBackoff), 4},
		{st(api.StateLoginRequired, api.StateFailed), 5},
	} {
		if got := exitCode(statusExit(tt.st, true)); got != tt.want {
			t.Errorf("%v ends with %d, want %d", tt.st.Accounts, got, tt.want)
		}
	}
	ill := st(api.StateOnline, api.StateOnline)
	ill.Accounts[0].Degraded = []api.Degraded{{Code: api.CodeDiskLow}}
	worse := st(api.StateOnline, api.StateStarting)
	worse.Accounts[0].Degraded = ill.Accounts[0].Degraded
	for _, tt := range []struct {
		st     api.Status
		strict bool
		want   int
	}{{ill, false, 0}, {ill, true, 7}, {worse, true, 1}} {
		if got := exitCode(statusExit(tt.st, tt.strict)); got != tt.want {
			t.Errorf("degraded, strict %v: exit %d, want %d", tt.strict, got, tt.want)
		}
	}
}

func TestCallParams(t *testing.T) {
	a, _ := tree(text.English)
	for _, tt := range []struct {
		action, params string
		args           []string
		want           string
	}{
		{"send_group_msg", "", []string{"group_id=7", "message=a=b"}, `{"group_id":"7","message":"a=b"}`},
		{"send_group_msg", "", []string{"group_id=7", `message=[{"type":"text","data":{"text":"x"}}]`}, `{"group_id":"7","message":[{"type":"text","data":{"text":"x"}}]}`},
		{"send_group_msg", "", []string{"group_id=7", "message=[CQ:face,id=1]"}, `{"group_id":"7","message":"[CQ:face,id=1]"}`},
		{"get_group_list", "", []string{"no_cache=true"}, `{"no_cache":true}`},
		{"get_group_list", "", []string{"no_cache:=false"}, `{"no_cache":false}`},
		{"get_group_list", ` {"no_cache": true} `, nil, `{"no_cache":true}`},
		{"get_group_list_async", "", nil, `{}`},
		{"get_group_msg_history", "", []string{"group_id=7"}, `{"group_id":"7"}`}, // the rest has defaults
		{"_send_group_notice", "", []string{"group_id=7", "content=x"}, `{"content":"x","group_id":"7"}`},
	} {
		got, err := a.callParams(tt.action, tt.args, tt.params, false)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s %v %s = %s, %v; want %s", tt.action, tt.args, tt.params, got, err, tt.want)
		}
	}
	for _, bad := range [][]string{{"nosuch"}, {"get_status", "x=1"}, {"get_status", "x"}, {"get_status", "=1"}, {"get_status", "x:={"}, {"set_group_kick"},
		{"set_group_ban", "group_id=7", "user_id=8", "duration=soon"}, {"get_group_honor_info", "group_id=7", "type=best"}, {"get_msg", "message_id:=null"}} {
		if got, err := a.callParams(bad[0], bad[1:], "", false); exitCode(err) != 2 {
			t.Errorf("%v = %s, %v", bad, got, err)
		}
	}
	if got, err := a.callParams("nosuch", []string{"x=1"}, "", true); err != nil || string(got) != `{"x":"1"}` {
		t.Errorf("unchecked: %s, %v", got, err)
	}
}

func TestSummaryIsOneCleanLine(t *testing.T) {
	got := summary([]byte(`{"time":0,"post_type":"message","message_type":"group","sub_type":"normal","group_id":7,"group_name":"G\u001b[2J","user_id":"8","sender":{"nickname":"n","card":"c\n"},"raw_message":"a\r\nb\u202e"}`))
	if want := "message.group.normal group=7(G\\x1b[2J) user=8(c ): a b\\u202e"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want …%q", got, want)
	}
	if n := len([]rune(summary([]byte(`{"post_type":"message","raw_message":"` + strings.Repeat("长", 5000) + `"}`)))); n > 510 {
		t.Errorf("%d characters", n)
	}
}

func TestSettled(t *testing.T) {
	qr := &api.Login{Step: api.StepWaiting, URL: "u"}
	for _, tt := range []struct {
		acc   api.Account
		scans bool
		want  bool
	}{
		{api.Account{State: api.StateOnline}, false, true},
		{api.Account{State: api.StateFailed}, true, true},
		{api.Account{State: api.StateStopped}, false, false},
		{api.Account{State: api.StateLoginRequired, Login: qr}, false, true},
		{api.Account{State: api.StateLoginRequired, Login: qr}, true, false},
		{api.Account{State: api.StateLoginRequired}, false, false},
		{api.Account{State: api.StateBackoff}, false, false},
	} {
		if got := settled(tt.acc, tt.scans); got != tt.want {
			t.Errorf("settled(%+v, %v) = %v", tt.acc, tt.scans, got)
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)
	for s, want := range map[string]time.Time{
		"30m":              now.Add(-30 * time.Minute),
		"2026-01-31":       time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
		"2026-01-31 08:00": time.Date(2026, 1, 31, 8, 0, 0, 0, time.Local),
		"08:30":            time.Date(2026, 3, 4, 8, 30, 0, 0, time.Local),
	} {
		if got, err := parseSince(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, %v", s, got, err)
		}
	}
	if _, err := parseSince("soon", now); err == nil {
		t.Error("soon is a time")
	}
}

func TestUnitFile(t *testing.T) {
	s := &service{home: "/srv/my cat", exe: "/opt/n%d", runAs: "cat", args: []string{"--sim"}}
	got := s.text()
	for _, want := range []string{unitMark, `ExecStart=/opt/n%%d start --yes --sim`, `ExecReload=/opt/n%%d reload`, `Environment="NCATD_HOME=/srv/my cat"`,
		"User=cat", "Group=cat", `ReadWritePaths="/srv/my cat"`, "Type=notify", "KillMode=process", "Environment=GOTRACEBACK=crash", "WatchdogSec=", "WantedBy=multi-user.target"} {
		if !strings.Contains(got, want+"\n") && !strings.Contains(got, want) {
			t.Errorf("the unit lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "StateDirectory=") {
		t.Error("a home elsewhere needs no state directory")
	}
	s.home = `/srv/a "b" 100% $x`
	if home := s.homeOf(s.text()); home != s.home {
		t.Errorf("homeOf = %s", home)
	}
	s = &service{home: systemHome, exe: systemExe, runAs: "ncatd", copied: systemExe, madeUser: true}
	if got := s.text(); marked(got, exeMark) != systemExe || marked(got, userMark) != "ncatd" {
		t.Errorf("no marks:\n%s", got)
	}
	if got := s.text(); !strings.Contains(got, "StateDirectory=ncatd\n") || !strings.Contains(got, exeMark+systemExe+"\n") {
		t.Errorf("system unit:\n%s", got)
	}
	u := &service{user: true, home: "/home/a/.ncatd", exe: "/home/a/bin/ncatd"}
	got = u.text()
	for _, no := range []string{"User=", "Group=", "ProtectSystem=", "network-online", "multi-user", "CapabilityBoundingSet="} {
		if strings.Contains(got, no) {
			t.Errorf("the user's unit has %s:\n%s", no, got)
		}
	}
	if !strings.Contains(got, "WantedBy=default.target") || !strings.Contains(got, "NoNewPrivileges=yes") {
		t.Errorf("user unit:\n%s", got)
	}
	if home := u.homeOf(got); home != "/home/a/.ncatd" {
		t.Errorf("homeOf = %s", home)
	}
}

func TestImageCode(t *testing.T) {
	a := &app{lang: text.English}
	dir := t.TempDir()
	small, big := filepath.Join(dir, "s.png"), filepath.Join(dir, "b, [1].png")
	if err := os.WriteFile(small, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(big, make([]byte, inlineImage+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		small:                "[CQ:image,file=base64://eA==]",
		big:                  "[CQ:image,file=file://" + dir + "/b&#44;%20%5B1%5D.png]",
		"https://x/?a=1&b=,": "[CQ:image,file=https://x/?a=1&amp;b=&#44;]",
	} {
		if got, err := a.imageCode(in); err != nil || got != want {
			t.Errorf("imageCode(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
	for _, none := range []string{filepath.Join(dir, "none"), dir, os.DevNull} { // a FIFO or device may never end
		if _, err := a.imageCode(none); err == nil {
			t.Errorf("%s is taken for a picture", none)
		}
	}
}
