package cli

import (
	"bufio"
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
// caller has made sure that there is a terminal.
func (a *app) ask(code string, args ...any) (bool, error) {
	fmt.Fprint(a.Stderr, "ncatd: "+a.t(code, args...)+" [Y/n] ")
	line, err := bufio.NewReader(a.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "", "y", "yes", "是", "好":
		return err == nil, nil
	}
	return false, nil
}
