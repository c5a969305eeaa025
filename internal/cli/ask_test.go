package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ncatd/ncatd/internal/cli/text"
)

func TestQuestions(t *testing.T) {
	for _, tt := range []struct {
		typed            string
		agrees, toDanger bool
	}{
		{"\n", true, false}, {" \n", true, false},
		{"y\n", true, true}, {"YES\r\n", true, true}, {"是\n", true, true},
		{"n\n", false, false}, {"什么\n", false, false},
		{"", false, false}, {"y", false, false}, // the terminal is gone
	} {
		for _, danger := range []bool{false, true} {
			var errs bytes.Buffer
			a := &app{Deps: Deps{Stdin: strings.NewReader(tt.typed), Stderr: &errs}, lang: text.English}
			ask, want := a.ask, tt.agrees
			if danger {
				ask, want = a.askTwice, tt.toDanger
			}
			if got, err := ask(t.Context(), "ask.go_on"); got != want || err != nil {
				t.Errorf("%q, danger %v: %v, %v", tt.typed, danger, got, err)
			}
		}
	}
	broken := errors.New("broken")
	a := &app{Deps: Deps{Stdin: iotest.ErrReader(broken), Stderr: io.Discard}, lang: text.English}
	if ok, err := a.ask(t.Context(), "ask.go_on"); ok || !errors.Is(err, broken) {
		t.Errorf("%v, %v", ok, err)
	}
}

// TestQuestionInterrupted: Ctrl-C ends a question at once, not with the next
// line.
func TestQuestionInterrupted(t *testing.T) {
	in, typing := io.Pipe()
	defer typing.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	a := &app{Deps: Deps{Stdin: in, Stderr: io.Discard}, lang: text.English}
	if ok, err := a.ask(ctx, "ask.go_on"); ok || !errors.Is(err, errInterrupted) {
		t.Errorf("%v, %v", ok, err)
	}
}
