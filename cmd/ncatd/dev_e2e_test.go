//go:build e2e && linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
)

// buildLimit bounds a wait that includes the build of a program.
const buildLimit = 4 * time.Minute

// devSource is a bot that says which edit it is, and breaks on request.
const devSource = `package main

import (
	"context"
	"log"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"

	"mybot/words"
)

func main() {
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		if m.Msg().Text() == "poison" && !m.Msg().Redelivered {
			go breaks()
			return nil
		}
		return b.Reply(ctx, m, words.Edit+" "+m.Msg().Text())
	})
	log.Fatal(ncatd.Main(b))
}

func breaks() { panic("an edge case") }
`

// devBot is a bot in a folder of its own, as an author has it.
type devBot struct {
	t          *testing.T
	work, home string
	env        []string
	out        lockedBuffer
	cmd        *exec.Cmd
}

// lockedBuffer is what a program prints, read while it runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// writeBot writes a bot into a folder, as an author has it.
func writeBot(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(mod), "\n")
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module mybot\n"+rest+"\nrequire github.com/ncatd/ncatd v0.0.0\nreplace github.com/ncatd/ncatd => "+root+"\n")
	write("go.sum", string(sum))
	write("main.go", devSource)
	write("words/words.go", "package words\n\nconst Edit = \"e\"\n")
}

// goEnv is what the go command needs to build as these tests were built, out of
// another home and without the network.
func goEnv(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	dirs := strings.Fields(string(out))
	if err != nil || len(dirs) != 2 {
		t.Fatal(err, dirs)
	}
	return []string{"GOCACHE=" + dirs[0], "GOMODCACHE=" + dirs[1], "GOFLAGS=-trimpath -mod=mod", "GOPROXY=off", "CGO_ENABLED=0"}
}

func newDevBot(t *testing.T) *devBot {
	t.Helper()
	d := &devBot{t: t, work: t.TempDir()}
	d.home = filepath.Join(d.work, "n")
	d.env = slices.Concat(os.Environ(), goEnv(t), []string{"NCATD_HOME=" + d.home, "NCATD_LANG=en"})
	writeBot(t, filepath.Join(d.work, "bot"))
	d.edit("e0")
	d.write("n/ncatd.yaml", "display: none\n")
	t.Cleanup(func() {
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(d.home, "logs", "ncatd.log"))
			t.Logf("printed:\n%s\nncatd.log:\n%s", d.out.String(), b[max(0, len(b)-8000):])
		}
		killLeft(t, d.work)
	})
	return d
}

// write replaces a file in one go, as editors do.
func (d *devBot) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.work, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path+"~", []byte(text), 0o600)
	}
	if err == nil {
		err = os.Rename(path+"~", path)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *devBot) edit(word string) {
	d.t.Helper()
	d.write("bot/words/words.go", fmt.Sprintf("// Package words is linked in.\npackage words\n\nconst Edit = %q\n", word))
}

func (d *devBot) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = filepath.Join(d.work, "bot")
	cmd.Env = d.env
	return cmd
}

func (d *devBot) ncatd(args ...string) string {
	out, _ := d.command(args...).CombinedOutput() // what it printed counts
	return string(out)
}

func (d *devBot) start() {
	d.t.Helper()
	d.cmd = d.command("dev", "--sim", "--scan-after", "0s")
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
}

// answers waits until the bot answers a message with a text in it.
func (d *devBot) answers(say, want string) {
	d.t.Helper()
	await.True(d.t, buildLimit, "the answer "+want, func() bool {
		return strings.Contains(d.ncatd("sim", "say", "--user", "3001000001", say), want)
	})
}

func (d *devBot) prints(want string) {
	d.t.Helper()
	await.True(d.t, buildLimit, "the text "+want, func() bool { return strings.Contains(d.out.String(), want) })
}

// TestDev edits a bot: a new answer, a version that does not build, one that ends
// in a panic, and the next.
func TestDev(t *testing.T) {
	d := newDevBot(t)
	d.start()
	d.answers("hi", "e0 hi")
	before := d.pids()
	d.edit("e1")
	d.answers("hi", "e1 hi")
	if now := d.pids(); now != before {
		t.Errorf("daemon and NapCat were %s and are %s", before, now)
	}

	d.write("bot/words/words.go", "package words\n\nconst Edit = missing\n")
	d.prints("words/words.go:3:14: undefined: missing")
	d.prints("the version before goes on")
	d.answers("hi", "e1 hi")

	d.ncatd("sim", "say", "--wait", "0s", "--user", "3001000001", "poison")
	d.prints("the program ended: panic: an edge case (main.go:26); saving it starts it again")
	d.ncatd("sim", "say", "--unheard", "--wait", "0s", "--user", "3001000001", "meanwhile")
	d.edit("e2")
	d.prints("the run before ended: panic: an edge case (main.go:26)")
	d.answers("hi", "e2 hi")
	if sent := d.ncatd("sim", "sent"); !strings.Contains(sent, "e2 meanwhile") {
		t.Errorf("a message that came while nothing ran was not answered: %s", sent)
	}
	if now := d.pids(); strings.Fields(now)[1] != strings.Fields(before)[1] {
		t.Errorf("NapCat was %s and is %s", before, now)
	}

	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var ee *exec.ExitError
	if err := d.cmd.Wait(); !errors.As(err, &ee) || ee.ExitCode() != 130 {
		t.Errorf("interrupted: %v", err)
	}
	if pids := processes(d.work); !await.Gone(10*time.Second, pids...) {
		t.Errorf("still running: %v", pids)
	}
}

// pids returns the daemon's and NapCat's.
func (d *devBot) pids() string {
	d.t.Helper()
	s := &self{t: d.t, home: home.Dir(d.home)}
	s.cl = client.New(s.home.Socket())
	defer s.cl.Close()
	st := s.online()
	return fmt.Sprint(st.PID, " ", st.Accounts[0].PIDs.NapCat)
}

// TestDevLosesNothing saves a bot E2E_EDITS (4) times while people write to it in
// two chats: each message is answered once, and at the end by the last edit.
func TestDevLosesNothing(t *testing.T) {
	edits := 4
	if n, err := strconv.Atoi(os.Getenv("E2E_EDITS")); err == nil {
		edits = n
	}
	d := newDevBot(t)
	d.start()
	d.answers("hi", "e0 hi")
	done, told := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-done:
				told <- n
				return
			case <-time.After(50 * time.Millisecond): // people write all the time
			}
			n++
			d.ncatd("sim", "say", "--unheard", "--wait", "0s", "--user", "3001000001", fmt.Sprintf("p%d.", n))
			d.ncatd("sim", "say", "--unheard", "--wait", "0s", "--group", "700000001", "--user", "3001000001", fmt.Sprintf("g%d.", n))
		}
	}()
	var took []time.Duration
	for i := range edits {
		began := time.Now()
		word := fmt.Sprintf("e%d", i+1)
		d.edit(word)
		await.True(t, buildLimit, "an answer of "+word, func() bool { return strings.Contains(d.ncatd("sim", "sent"), word+" ") })
		took = append(took, time.Since(began).Round(10*time.Millisecond))
	}
	close(done)
	said := <-told
	last := fmt.Sprintf("g%d.", said)
	await.True(t, waitLimit, "the last answer", func() bool { return strings.Contains(d.ncatd("sim", "sent"), last) })
	sent := d.ncatd("sim", "sent")
	for n := range said {
		for _, chat := range []string{"p", "g"} {
			text := fmt.Sprintf(" %s%d.", chat, n+1)
			if got := strings.Count(sent, text); got != 1 {
				t.Errorf("%s was answered %d times", text, got)
			}
		}
	}
	t.Logf("%d messages, from save to answer: %v", 2*said, took)
	for line := range strings.Lines(d.out.String()) {
		if strings.Contains(line, "new version runs") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("terminated: %v", err)
	}
}
