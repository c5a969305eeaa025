package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errString is an error that was worded for a person already.
type errString string

// Error implements error.
func (e errString) Error() string { return string(e) }

// ask asks a question on the terminal that an empty answer agrees to. The
// caller has made sure that there is a terminal. It returns context.Cause(ctx)
// when ctx ends before the answer.
func (a *app) ask(ctx context.Context, code string, args ...any) (bool, error) {
	return a.question(ctx, a.t(code, args...)+" [Y/n] ", true)
}

// askTwice is ask for what cannot be undone: an empty answer declines.
func (a *app) askTwice(ctx context.Context, code string, args ...any) (bool, error) {
	return a.question(ctx, a.t(code, args...)+" [y/N] ", false)
}

func (a *app) question(ctx context.Context, words string, empty bool) (bool, error) {
	fmt.Fprint(a.Stderr, "ncatd: "+escape(words))
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // ends with its line, or with the process
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		got <- answer{line, err}
	}()
	var x answer
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.Stderr)
		return false, context.Cause(ctx)
	case x = <-got:
	}
	if x.err != nil {
		fmt.Fprintln(a.Stderr)
		if errors.Is(x.err, io.EOF) { // nobody agreed
			return false, nil
		}
		return false, x.err
	}
	switch strings.ToLower(strings.TrimSpace(x.line)) {
	case "":
		return empty, nil
	case "y", "yes", "是", "好":
		return true, nil
	}
	return false, nil
}
