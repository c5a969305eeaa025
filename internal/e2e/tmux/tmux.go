// Package tmux shows end-to-end tests what a person sees: it runs a program in a
// real terminal of a given size (tmux's), takes what stands on its screen,
// renders that to a picture, and reads QR codes off the picture with zbarimg.
// The central type is [Pane]. Only tests import it; tmux and zbarimg must be
// installed.
package tmux

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// Pane is a terminal with one program in it. It ends with the test.
type Pane struct {
	t      testing.TB
	socket string
	dir    string
}

// New runs argv in a terminal of cols by rows cells. env is added to the
// environment. The terminal stays when the program ends, so that its last words
// can be read.
func New(t testing.TB, cols, rows int, env []string, argv ...string) *Pane {
	t.Helper()
	p := &Pane{t: t, dir: t.TempDir()}
	p.socket = filepath.Join(p.dir, "s")
	conf := filepath.Join(p.dir, "conf")
	if err := os.WriteFile(conf, []byte("set -g remain-on-exit on\nset -g status off\nset -g history-limit 5000\nset -g exit-empty off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-f", conf, "new-session", "-d", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows)}
	for _, kv := range env {
		args = append(args, "-e", kv)
	}
	// tmux 3.3 loses an exit code now and then, so a shell notes it.
	args = append(args, "--", "sh", "-c", `trap : INT QUIT; "$@"; echo $? >"$0"; exec sleep 1000000`, p.exit())
	if out, err := p.tmux(append(args, argv...)...); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	t.Cleanup(func() { _, _ = p.tmux("kill-server") })
	return p
}

func (p *Pane) exit() string { return filepath.Join(p.dir, "exit") }

func (p *Pane) tmux(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-u", "-S", p.socket}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Text returns the screen without colours; with history, what scrolled out of
// it as well.
func (p *Pane) Text(history bool) string {
	p.t.Helper()
	return p.capture(history, "-p")
}

// Cells returns the screen with its colours as SGR sequences.
func (p *Pane) Cells(history bool) string {
	p.t.Helper()
	return p.capture(history, "-p", "-e")
}

func (p *Pane) capture(history bool, args ...string) string {
	p.t.Helper()
	args = append([]string{"capture-pane"}, args...)
	if history {
		args = append(args, "-S", "-")
	}
	out, err := p.tmux(args...)
	if err != nil {
		p.t.Fatalf("tmux capture-pane: %v\n%s", err, out)
	}
	return out
}

// Send types text, as it is.
func (p *Pane) Send(text string) {
	p.t.Helper()
	if out, err := p.tmux("send-keys", "-l", "--", text); err != nil {
		p.t.Fatalf("tmux send-keys: %v\n%s", err, out)
	}
}

// Key presses a key by tmux's name for it, such as Enter or C-c.
func (p *Pane) Key(name string) {
	p.t.Helper()
	if out, err := p.tmux("send-keys", name); err != nil {
		p.t.Fatalf("tmux send-keys: %v\n%s", err, out)
	}
}

// Resize gives the terminal another size.
func (p *Pane) Resize(cols, rows int) {
	p.t.Helper()
	if out, err := p.tmux("resize-window", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows)); err != nil {
		p.t.Fatalf("tmux resize-window: %v\n%s", err, out)
	}
}

// Until waits until ok says yes of the screen's text.
func (p *Pane) Until(what string, limit time.Duration, ok func(screen string) bool) {
	p.t.Helper()
	var s string
	if !await.Poll(limit, func() bool { s = p.Text(false); return ok(s) }) {
		p.t.Fatalf("the screen never %s:\n%s", what, s)
	}
}

// Exit waits for the program's end and returns its exit code.
func (p *Pane) Exit(limit time.Duration) int {
	p.t.Helper()
	var b []byte
	if !await.Poll(limit, func() bool {
		b, _ = os.ReadFile(p.exit()) // not there yet
		return bytes.HasSuffix(b, []byte("\n"))
	}) {
		p.t.Fatalf("the program never ended:\n%s", p.Text(true))
	}
	code, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		p.t.Fatal(err)
	}
	return code
}

// Decode renders a screen with the given default colours and returns the texts
// of the QR codes on it.
func Decode(t testing.TB, cells string, theme Theme) []string {
	t.Helper()
	return DecodeImage(t, Render(cells, theme))
}

// DecodeImage returns the texts of the QR codes on a picture.
func DecodeImage(t testing.TB, img image.Image) []string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "screen.png")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	texts := DecodeFile(t, file)
	if dir := os.Getenv("NCATD_E2E_PICTURES"); dir != "" {
		name := strings.Map(func(r rune) rune {
			if strings.ContainsRune("/ :,", r) {
				return '_'
			}
			return r
		}, t.Name())
		_ = os.WriteFile(filepath.Join(dir, name+".png"), b.Bytes(), 0o600) // only for the eyes
	}
	return texts
}

// DecodeFile returns the texts of the QR codes in a picture file.
func DecodeFile(t testing.TB, file string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var ee *exec.ExitError
	if errors.As(err, &ee) && ee.ExitCode() == 4 {
		return nil // no code found
	}
	if err != nil {
		t.Fatalf("zbarimg: %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
}
