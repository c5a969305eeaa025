//go:build e2e && linux

package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// exampleUIN is the account that the examples of the help speak of.
const exampleUIN = 10001

// example is one command line of the help, as a scene runs it.
type example struct {
	line string
	exit []int // the exit codes it may end with; none: 0
	// shows, if set, is what it prints at last before it is interrupted, which
	// then is how it ends (130, unless exit says otherwise).
	shows *regexp.Regexp
	// meanwhile runs while it waits for shows to come.
	meanwhile string
	answer    string // typed on a terminal of its own
	then      string // the account's state to wait for afterwards
	builds    bool   // a program first, of packages that nobody may have built yet
}

// scene is one home in which examples run one after another. A line that begins
// with "+ " stands in no help: it makes the next ones possible.
type scene struct {
	options  napcatsim.Options
	noConfig bool
	bot      bool // a program lies in the folder mybot
	examples []example
}

func plain(lines ...string) []example {
	out := make([]example, len(lines))
	for i, l := range lines {
		out[i].line = l
	}
	return out
}

var (
	scanOff  = napcatsim.Off
	scanSoon = napcatsim.Duration(0)
	machine  = []int{0, 1} // doctor speaks of the machine it runs on
)

// scenes run every example of the help but those of elsewhere.
var scenes = map[string]scene{
	"a daemon that runs": {options: napcatsim.Options{ScanAfter: &scanSoon}, examples: slices.Concat(
		[]example{{line: "ncatd start -d", then: "online"}},
		plain("ncatd status", "ncatd status --json", "ncatd login", "ncatd login --list", "ncatd logs", "ncatd logs --level warn --since 1h",
			"ncatd call get_login_info", "ncatd call send_group_msg group_id=700000001 message=hello", `ncatd call get_group_list --params '{"no_cache":true}'`,
			"ncatd send --user 3001000001 hello", "ncatd send --group 700000001 '[CQ:face,id=14] good morning'", "ncatd send --group 700000001 --image cat.png look", "+ seq 3000 >notes.txt", `ncatd send --group 700000001 --forward "$(cat notes.txt)"`,
			"ncatd console", "ncatd console --viewer", "ncatd console sessions", "ncatd console revoke all",
			"echo a long password | ncatd console password", "ncatd console password --off",
			"ncatd plugin list", "ncatd plugin list --json", "ncatd plugin disable demo", "ncatd plugin enable demo",
			`+ printf 'alerts: {channels: [{name: phone, kind: exec, command: cat}]}\n' >>n/ncatd.yaml`, "+ ncatd reload",
			"ncatd alert list", "ncatd alert list --json", "ncatd alert test", "ncatd alert test phone", "ncatd alert log", "ncatd alert log -n 100 --json",
			"ncatd alert silence main 2h", "ncatd alert silence all 0",
			"ncatd plugin new hello", "ncatd plugin check hello", "ncatd plugin check hello --json", "ncatd plugin test hello", "ncatd plugin test hello --only answers --json",
			"ncatd plugin reload hello", "ncatd plugin info hello", "ncatd plugin info hello --json", "ncatd plugin log hello",
			"ncatd backup ncatd-backup.db", "ncatd backup --force --json ncatd-backup.db",
			"ncatd sim say --user 3001000001 测试", "ncatd sim say --group 700000001 '[CQ:at,qq=3889001001] hello' --wait 0s",
			"ncatd sim sent", "ncatd sim sent --json", "ncatd sim state", "ncatd sim state --json", "ncatd sim world",
			"ncatd sim act poke --user 3001000001", "ncatd sim act ban --group 700000001 --user 3001000003 --seconds 60",
			"ncatd sim mute --group 700000001", "ncatd sim unmute --group 700000001", "ncatd sim mute --group 700000001 --all", "ncatd sim unmute --group 700000001 --all",
			"ncatd sim refuse --count 1", "ncatd sim refuse --code 110 --text 你不在该群中", "ncatd sim refuse --off",
			"ncatd sim fault scan_after=off", "ncatd sim fault scan_after=null", "ncatd versions", "ncatd versions --json", "ncatd versions --refresh",
			"ncatd config set log.level debug", "ncatd reload", "ncatd config get log.level"),
		[]example{
			{line: "ncatd status --watch", shows: regexp.MustCompile(`main`)},
			{line: "ncatd logs -f main", shows: regexp.MustCompile(`/ping`), meanwhile: "ncatd sim say --user 3001000001 /ping"},
			{line: "ncatd plugin log hello -f", shows: regexp.MustCompile(`plugin stopped`), meanwhile: "ncatd plugin disable hello"},
			{line: "ncatd plugin install hello.zip --yes", exit: []int{1}}, // that file is no archive
			{line: "ncatd events", shows: regexp.MustCompile(`user=3001000001.*/ping`), meanwhile: "ncatd sim say --user 3001000001 /ping"},
			{line: "ncatd events --type message --json", shows: regexp.MustCompile(`"raw_message":"/ping"`), meanwhile: "ncatd sim say --user 3001000001 /ping"},
			{line: "ncatd app add koishi mybot"},
			{line: "ncatd app add nonebot nb --url ws://127.0.0.1:8080/onebot/v11/ws"},
			{line: "ncatd app add generic runs --run 'sleep 1000'"},
			{line: "ncatd app list"},
			{line: "ncatd app list --json"},
			{line: "ncatd app show mybot"},
			{line: "ncatd app token mybot"},
			{line: "ncatd app log runs", exit: machine},
			{line: "ncatd app log mybot --calls", exit: machine},
			{line: "ncatd app restart runs"},
			{line: "ncatd app remove mybot"},
			{line: "ncatd sim drop slow --delay 2s"},
			{line: "ncatd sim drop heal"},
			{line: "ncatd sim freeze"},
			{line: "ncatd sim freeze --off", then: "online"},
			{line: "ncatd sim freeze --for 45s"},
			{line: "ncatd sim freeze --off", then: "online"},
			{line: "ncatd sim offline", then: "offline"},
			{line: "ncatd sim online", then: "online"},
			{line: "ncatd sim drop", then: "online"},
			{line: "ncatd stop"},
			{line: "ncatd restore ncatd-backup.db", answer: "y\n"},
			{line: "ncatd restore --yes --json ncatd-backup.db"},
			{line: "+ printf 'correct horse\\n' >passphrase.txt"},
			{line: "ncatd backup --all --encrypt ncatd.age"},
			{line: "ncatd restore --yes --passphrase-file passphrase.txt ncatd.age"},
		})},
	"an account that waits": {options: napcatsim.Options{ScanAfter: &scanOff}, examples: []example{
		{line: "+ ncatd start -d"},
		{line: "ncatd sim qr-expire"},
		{line: "ncatd sim scan", then: "online"},
		{line: "ncatd sim kick", then: "login_required"},
		{line: "ncatd sim scan --uin 10001", then: "online"},
		{line: "ncatd sim kick --keep-ticket", then: "online"},
		{line: "ncatd sim crash", then: "online"},
		{line: "ncatd sim crash --master", then: "online"},
		{line: "ncatd restart", then: "online"},
		{line: "ncatd restart main", then: "online"},
		{line: "ncatd stop --keep-napcat"},
		{line: "+ ncatd start -d"},
		{line: "+ ncatd stop"},
	}},
	"in the foreground": {bot: true, options: napcatsim.Options{ScanAfter: &scanSoon}, examples: []example{
		{line: "ncatd start", shows: regexp.MustCompile(`online as`)},
		{line: "ncatd start --sim", shows: regexp.MustCompile(`online as`)},
		{line: "ncatd dev", shows: regexp.MustCompile(`online as`)},
		{line: "+ mkdir scripts"},
		{line: "ncatd dev ./scripts --sim", shows: regexp.MustCompile(`online as`)},
		{line: "ncatd dev ./mybot --sim", shows: regexp.MustCompile(`online as`), builds: true},
	}},
	"without a daemon": {options: napcatsim.Options{ScanAfter: &scanSoon}, examples: slices.Concat(
		plain("ncatd install", "ncatd install --mirror https://ghfast.top/",
			"ncatd install --napcat-package NapCat.Shell.zip --qq-package linuxqq_3.2.30-50969_amd64.deb",
			"ncatd upgrade --check", "ncatd upgrade --to 4.18.19", "ncatd rollback", "ncatd upgrade",
			"+ ncatd login", "ncatd login main --qr png=qr.png", "ncatd login --quick 10001",
			`echo "$PASSWORD" | ncatd login --password-stdin`, "ncatd logout main --yes"),
		[]example{
			{line: "ncatd logout", answer: "y\n"},
			{line: "ncatd doctor", exit: machine},
			{line: "ncatd doctor --json", exit: machine},
			{line: "ncatd doctor --offline", exit: machine},
		},
		plain("ncatd config check", "ncatd config check other.yaml", "ncatd config show", "ncatd config show --json", "ncatd config path", "ncatd config path --json",
			"ncatd config get accounts.main.uin", "ncatd config set accounts.main.uin 10001", "ncatd config set bot.prefixes '/,!'",
			"ncatd uninstall"),
		[]example{{line: "ncatd uninstall --purge", answer: "y\n"}})},
	"an installation that exists": {noConfig: true, examples: slices.Concat(
		plain("+ mkdir -p ~/Napcat/config", "+ touch ~/Napcat/napcat.mjs", "+ echo '{}' > ~/Napcat/config/onebot11_10001.json",
			`+ printf 'services:\n  napcat:\n    image: mlikiowa/napcat-docker\n    volumes:\n      - ./config:/app/napcat/config\n' > docker-compose.yml`, "+ cp -r ~/Napcat/config .",
			"ncatd import --dry-run", "ncatd import --dry-run docker-compose.yml"),
		[]example{{line: "ncatd import ~/Napcat", answer: "n\n", exit: []int{1}}})},
	// Where nothing is published; TestSelfUpgrade has one that is.
	"no releases": {noConfig: true, examples: []example{
		{line: "ncatd self upgrade", exit: []int{1}}, {line: "ncatd self upgrade --check", exit: []int{1}}, {line: "ncatd self upgrade --version 1.2.3", exit: []int{1}},
		{line: "ncatd self upgrade --channel beta --check --json", exit: []int{1}}, {line: "ncatd self rollback", exit: []int{1}},
	}},
	"an empty home": {noConfig: true, examples: slices.Concat(
		plain("ncatd init", "+ rm n/ncatd.yaml", "ncatd init --uin 10001", "ncatd version", "ncatd version --json",
			"ncatd completion bash > /etc/bash_completion.d/ncatd", `ncatd completion zsh > "${fpath[1]}/_ncatd"`, "ncatd completion fish > ~/.config/fish/completions/ncatd.fish",
			"ncatd service unit", "ncatd service unit --user", "ncatd sim pack /tmp/packages", "ncatd sim pack /tmp/packages --napcat-version 4.18.19 --json"),
		[]example{
			{line: "ncatd sim onebot --port 3001 --token secret", shows: regexp.MustCompile(`"listening"`), exit: []int{0, 130}},
			{line: `echo '{"say":{"user":3001000001,"text":"hi"}}' | ncatd sim onebot --port 3001`, shows: regexp.MustCompile(`"done"`), exit: []int{0, 130}},
		})},
}

// elsewhere has the examples that need a systemd of their own; what runs them
// is internal/e2e/systemd/inside.sh, which this test looks at.
var elsewhere = []string{"sudo ncatd service install", "ncatd service install --user", "sudo ncatd service uninstall", "sudo ncatd service uninstall --purge --yes", "ncatd service status", "ncatd service status --json"}

// inFleet has the examples that need a fleet, which internal/e2e/fleet runs.
var inFleet = []string{"ncatd fleet dead list", "ncatd fleet dead retry 17 18", "ncatd fleet dead drop 17", "ncatd account take main --host-is-gone", "ncatd account move main --to beijing2"}

// rewrites keep examples from meeting what is on this machine.
var rewrites = strings.NewReplacer(
	"/etc/bash_completion.d/", "$HOME/", "${fpath[1]}", "$HOME", "~/.config/fish/completions/", "~/", "--port 3001", "--port 0", "/tmp/packages", "$HOME/packages")

// TestExamples runs every command line that the help shows as an example. That
// all commands have one, and that none is left out, is part of it.
func TestExamples(t *testing.T) {
	packages := t.TempDir()
	packExamples(t, packages)
	ran := map[string]bool{}
	for name, s := range scenes {
		for _, e := range s.examples {
			if !strings.HasPrefix(e.line, "+ ") {
				ran[e.line] = true
			}
		}
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			runScene(t, s, packages)
		})
	}
	inside, err := os.ReadFile("../../internal/e2e/systemd/inside.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range elsewhere {
		ran[line] = true
		if want := "example '" + line + "'"; !strings.Contains(string(inside), want) {
			t.Errorf("the tests under systemd lack: %s", want)
		}
	}
	fleet, err := os.ReadFile("../../internal/e2e/fleet/fleet_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range inFleet {
		ran[line] = true
		if want := `example("` + line + `"`; !strings.Contains(string(fleet), want) {
			t.Errorf("the tests of a fleet lack: %s", want)
		}
	}
	shown := map[string]bool{}
	helpExamples(t, nil, shown)
	for line := range shown {
		if !ran[line] {
			t.Errorf("no scene runs %q", line)
		}
	}
	for line := range ran {
		if !shown[line] {
			t.Errorf("no help shows %q", line)
		}
	}
}

// helpExamples collects the examples in the help of a command and those below.
func helpExamples(t *testing.T, path []string, into map[string]bool) {
	t.Helper()
	cmd := exec.Command(binary, append(slices.Clone(path), "--help")...)
	cmd.Env = append(os.Environ(), "NCATD_LANG=en")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ncatd %v --help: %v", path, err)
	}
	n, part := 0, ""
	for line := range strings.Lines(string(out)) {
		text := strings.TrimSpace(line)
		switch {
		case line == text+"\n" && strings.HasSuffix(text, ":"):
			part = text
		case text == "":
			part = ""
		case part == "Examples:":
			text, _, _ = strings.Cut(text, "  #")
			into[strings.TrimSpace(text)] = true
			n++
		case part == "Commands:":
			helpExamples(t, append(slices.Clone(path), strings.Fields(text)[0]), into)
		}
	}
	if n == 0 && !slices.Equal(path, []string{"help"}) {
		t.Errorf("the help of ncatd %v has no example", path)
	}
}

// packExamples makes the packages that the examples install.
func packExamples(t *testing.T, dir string) {
	t.Helper()
	for _, v := range []string{"4.18.13", "4.18.19"} {
		if _, err := napcatsim.Pack(filepath.Join(dir, v), napcatsim.PackOptions{NapCatVersion: v, QQVersion: napcatsim.DefaultQQVersion, Binary: binary}); err != nil {
			t.Fatal(err)
		}
	}
	catalogue := `{"schema": 1, "updated": "2026-01-01", "napcat_url": "https://127.0.0.1:1/{version}.zip",
 "napcat": [{"version": "4.18.13", "qq": ["3.2.30-50969"]}, {"version": "4.18.19", "qq": ["3.2.30-50969"]}],
 "qq": [{"version": "3.2.30-50969", "packages": [{"arch": "amd64", "format": "deb", "url": "https://127.0.0.1:1/a.deb"}, {"arch": "arm64", "format": "deb", "url": "https://127.0.0.1:1/b.deb"}]}]}`
	if err := os.WriteFile(filepath.Join(dir, "catalogue.json"), []byte(catalogue), 0o600); err != nil {
		t.Fatal(err)
	}
}

// place is where a scene plays.
type place struct {
	t    *testing.T
	work string
	env  []string
}

func runScene(t *testing.T, s scene, packages string) {
	p := &place{t: t, work: t.TempDir()}
	home := filepath.Join(p.work, "n")
	p.env = []string{"HOME=" + p.work, "NCATD_HOME=" + home, "NCATD_LANG=en", "PASSWORD=secret", "NCATD_PASSPHRASE=correct horse", "TERM=dumb", "TMPDIR=" + p.work,
		"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")}
	t.Cleanup(func() {
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(home, "logs", "ncatd.log"))
			t.Logf("ncatd.log:\n%s", b[max(0, len(b)-4000):])
		}
		killLeft(t, p.work)
	})
	if !s.noConfig {
		s.options.UIN = exampleUIN
		s.options.Accounts = []napcatsim.Account{{UIN: exampleUIN, Nick: "bot", PasswordMD5: fmt.Sprintf("%x", md5.Sum([]byte("secret")))}}
		if err := napcatsim.WriteOptions(napcatsim.AccountHome(home, "main"), s.options); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{
			"cat.png": "not really a picture", "hello.zip": "not really an archive", "other.yaml": "log: {level: warn}\n",
			"n/ncatd.yaml": fmt.Sprintf(`display: none
napcat: {version: 4.18.13, source: "%[1]s/{version}/NapCat.Shell.zip", qq_source: "%[1]s/4.18.13/%[2]s", catalogue: "%[1]s/catalogue.json", update: "off", mirrors: ["http://127.0.0.1:1/"]}
supervisor: {restart: {initial: 50ms, max: 1s, score_limit: 50}, health: {probe_interval: 200ms}}
accounts: [{name: main, uin: %[3]d, onebot: {heartbeat: 1s}}]
log: {level: info}
`, packages, napcatsim.QQPackageName, exampleUIN)}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(p.work, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for link, to := range map[string]string{"NapCat.Shell.zip": napcatsim.NapCatPackageName, "linuxqq_3.2.30-50969_amd64.deb": napcatsim.QQPackageName} {
			if err := os.Symlink(filepath.Join(packages, "4.18.13", to), filepath.Join(p.work, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.bot {
		writeBot(t, filepath.Join(p.work, "mybot"))
		p.env = append(p.env, goEnv(t)...)
	}
	for _, e := range s.examples {
		began := time.Now()
		p.run(e)
		if e.then != "" {
			p.await(e.line, e.then)
		}
		t.Logf("%5d ms  %s", time.Since(began).Milliseconds(), e.line)
		if t.Failed() {
			return
		}
	}
}

func (p *place) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir, cmd.Env = p.work, p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

func (p *place) run(e example) {
	t := p.t
	t.Helper()
	limit := waitLimit
	if e.builds {
		limit = buildLimit
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	line := rewrites.Replace(strings.TrimPrefix(e.line, "+ "))
	if e.answer != "" { // on a terminal
		line = "script -qefc '" + line + "' /dev/null"
	}
	cmd := p.command(ctx, line)
	cmd.Stdin = strings.NewReader(e.answer)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	want := e.exit
	var err error
	if e.shows == nil {
		if want == nil {
			want = []int{0}
		}
		err = cmd.Run()
	} else {
		if want == nil {
			want = []int{130}
		}
		err = p.watch(ctx, cmd, e)
	}
	if !slices.Contains(want, cmd.ProcessState.ExitCode()) {
		t.Fatalf("%s: %v, want %v\n%s", e.line, err, want, out.Bytes())
	}
}

// watch runs a command that goes on for ever until it shows what it should,
// and interrupts it.
func (p *place) watch(ctx context.Context, cmd *exec.Cmd, e example) error {
	t := p.t
	t.Helper()
	cmd.Stdout, cmd.Stderr = nil, nil
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	hold, stdin, err := os.Pipe() // some end when their input does
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	defer stdin.Close()
	cmd.Stdin = hold
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	shown, all := make(chan struct{}), make(chan []byte, 1)
	go func() {
		var seen []byte
		buf := make([]byte, 4096)
		found := false
		for {
			n, err := r.Read(buf)
			seen = append(seen, buf[:n]...)
			if !found && e.shows.Match(seen) {
				found = true
				close(shown)
			}
			if err != nil {
				all <- seen
				return
			}
		}
	}()
	tick := time.NewTicker(300 * time.Millisecond) // poll: nothing says that a follower has begun to follow
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-shown:
			waiting = false
		case seen := <-all:
			t.Fatalf("%s ended: %s", e.line, seen)
		case <-ctx.Done():
			t.Errorf("%s: never showed %s", e.line, e.shows)
			waiting = false
		case <-tick.C:
			if e.meanwhile != "" {
				if out, err := p.command(ctx, e.meanwhile).CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", e.meanwhile, err, out)
				}
			}
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}
	err = cmd.Wait()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) && !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	return err
}

// await waits until the account is in a state for long enough to be in it for
// good: until the daemon says so twice.
func (p *place) await(after, state string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), waitLimit)
	defer cancel()
	last := ""
	await.True(p.t, waitLimit, after+": "+state, func() bool {
		out, _ := p.command(ctx, "ncatd status --json").Output() // its exit code speaks of the state too
		var st struct {
			Accounts []struct{ State, Since string }
		}
		if json.Unmarshal(out, &st) != nil || len(st.Accounts) != 1 {
			return false
		}
		now := st.Accounts[0].State + st.Accounts[0].Since
		same := now == last
		last = now
		return same && st.Accounts[0].State == state
	})
}
