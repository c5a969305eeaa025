package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/ncatd/ncatd/internal/control/api"
)

// maxPassword bounds what --password-stdin reads; QQ's passwords have at most
// 16 characters.
const maxPassword = 4096

// readPassword reads a password, without echo if it is typed, and returns its
// MD5, which is all that QQ's login takes. The password itself goes nowhere.
func (a *app) readPassword(ctx context.Context) (string, error) {
	line, err := a.readSecret(ctx, "login.password_prompt")
	if err != nil {
		return "", err
	}
	if len(line) == 0 {
		return "", usagef(a, "err.password_empty")
	}
	sum := md5.Sum(line)
	clear(line)
	return hex.EncodeToString(sum[:]), nil
}

// readSecret reads one line, without echo if it is typed after the prompt of
// that code.
func (a *app) readSecret(ctx context.Context, prompt string) ([]byte, error) {
	var line []byte
	if f, ok := a.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		var err error
		if line, err = a.typePassword(ctx, int(f.Fd()), prompt); err != nil {
			return nil, err
		}
	} else {
		all, err := io.ReadAll(io.LimitReader(a.Stdin, maxPassword+1))
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		line, _, _ = bytes.Cut(all, []byte("\n"))
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) > maxPassword {
		return nil, usagef(a, "err.password_empty")
	}
	return line, nil
}

// typePassword asks for a password on the terminal.
func (a *app) typePassword(ctx context.Context, fd int, prompt string) ([]byte, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	// What is typed as soon as the prompt stands there must not show.
	restore, err := echoOff(fd)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	defer restore()
	fmt.Fprint(a.Stderr, "ncatd: "+a.t(prompt))
	defer fmt.Fprintln(a.Stderr)
	type answer struct {
		line []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() { // ends with its line, or with the process
		line, err := term.ReadPassword(fd)
		got <- answer{line, err}
	}()
	select {
	case x := <-got:
		if x.err != nil && !errors.Is(x.err, io.EOF) {
			return nil, fmt.Errorf("read the password: %w", x.err)
		}
		return x.line, nil
	case <-ctx.Done():
		_ = term.Restore(fd, state) // the echo; a terminal that is gone needs none
		return nil, context.Cause(ctx)
	}
}

// prompter reads lines that a person types at a terminal while a login goes on.
type prompter struct {
	file *os.File // the terminal
	own  bool     // opened by us: closing it ends a read

	once  sync.Once
	lines chan string
	wg    sync.WaitGroup
	done  chan struct{}
	a     *app
}

// newPrompter returns nil if nobody can be asked.
func newPrompter(a *app) *prompter {
	if !a.out.outTTY && !a.out.errTTY {
		return nil
	}
	p := &prompter{a: a, lines: make(chan string), done: make(chan struct{})}
	// The terminal, even where stdin is a pipe with a password in it. A file of
	// our own can be closed under a read.
	if f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		p.file, p.own = f, true
		return p
	}
	if f, ok := a.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.file = f
		return p
	}
	return nil
}

// close ends a read under way.
func (p *prompter) close() {
	close(p.done)
	if p.own {
		p.file.Close()
		p.wg.Wait()
	}
}

// line returns the next line that is typed, io.EOF when there will be none.
func (p *prompter) line(ctx context.Context) (string, error) {
	p.once.Do(func() {
		p.wg.Go(func() {
			defer close(p.lines)
			sc := bufio.NewScanner(p.file)
			sc.Buffer(nil, 64<<10) // a captcha ticket has a few hundred characters
			for sc.Scan() {
				select {
				case p.lines <- sc.Text():
				case <-p.done:
					return
				}
			}
		})
	})
	select {
	case l, ok := <-p.lines:
		if !ok {
			return "", io.EOF
		}
		return l, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// errBadAnswer says that what was typed is no answer to a captcha.
var errBadAnswer = errors.New("no captcha answer")

// captcha reads ticket and randstr: on one line, on two, or as the JSON object
// that the captcha's page hands to its callback.
func (p *prompter) captcha(ctx context.Context) (api.CaptchaRequest, error) {
	l, err := p.line(ctx)
	if err != nil {
		return api.CaptchaRequest{}, err
	}
	r, whole, err := parseCaptcha(l)
	if err != nil || whole {
		return r, err
	}
	fmt.Fprint(p.a.Stderr, "randstr: ")
	if l, err = p.line(ctx); err != nil {
		return r, err
	}
	if r.RandStr = strings.Trim(l, " \t\""); r.RandStr == "" {
		return r, errBadAnswer
	}
	return r, nil
}

// parseCaptcha reads one line; whole is false if the randstr is missing.
func parseCaptcha(line string) (r api.CaptchaRequest, whole bool, err error) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "{") {
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Ticket == "" || r.RandStr == "" {
			return api.CaptchaRequest{}, false, errBadAnswer
		}
		return r, true, nil
	}
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == '"' })
	switch len(words) {
	case 1:
		return api.CaptchaRequest{Ticket: words[0]}, false, nil
	case 2:
		return api.CaptchaRequest{Ticket: words[0], RandStr: words[1]}, true, nil
	case 3:
		return api.CaptchaRequest{Ticket: words[0], RandStr: words[1], SID: words[2]}, true, nil
	}
	return api.CaptchaRequest{}, false, errBadAnswer
}
