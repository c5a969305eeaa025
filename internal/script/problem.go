package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

// Error is what is wrong with a plugin. Its text is English, as logs and scripts
// have it; [Fault] is for people.
type Error struct {
	fault api.Fault
	err   error
}

// Fail returns the error that f tells. err, which may be nil, is what it stands on
// for package errors and is not told.
func Fail(f api.Fault, err error) *Error { return &Error{f, err} }

// Error implements error.
func (e *Error) Error() string { return english(e.fault) }

// Unwrap returns what e stands on.
func (e *Error) Unwrap() error { return e.err }

func (e *Error) told() api.Fault { return e.fault }

// teller is an error that can be told without a language.
type teller interface{ told() api.Fault }

// Fault says without a language what is wrong with a plugin. An error of others is
// told in its own words.
func Fault(err error) api.Fault {
	if err == nil {
		return api.Fault{}
	}
	var t teller
	if errors.As(err, &t) {
		return t.told()
	}
	return api.Because(api.CodeScriptSaid, err)
}

// Told returns what [Fault] does of an error of this package or above it, false for
// any other.
func Told(err error) (api.Fault, bool) {
	if errors.As(err, new(teller)) {
		return Fault(err), true
	}
	return api.Fault{}, false
}

// Problem is one mistake in a plugin, where it is and what helps.
type Problem struct {
	File         string // as the plugin's folder sees it; "" if it is in no file
	Line, Column int    // from 1; 0 if the file has no such place
	What         api.Fault
	Hint         api.Fault
}

// Fault returns all of p.
func (p Problem) Fault() api.Fault {
	f := p.What.With(p.Hint)
	switch {
	case p.File == "":
		return f
	case p.Line == 0:
		return api.Because(api.CodeScriptAt, p.File).With(f)
	}
	return api.Because(api.CodeScriptAt, fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)).With(f)
}

// String returns p in English.
func (p Problem) String() string { return english(p.Fault()) }

// buildError is what is wrong with a plugin's source, with the place.
type buildError struct {
	list []Problem
}

// mostTold is how many mistakes are told at once, a line each.
const mostTold = 5

func (e *buildError) Error() string {
	lines := make([]string, 0, len(e.list))
	for _, f := range e.parts(mostTold) {
		lines = append(lines, english(f))
	}
	return strings.Join(lines, "\n")
}

// parts tells most of the mistakes.
func (e *buildError) parts(most int) []api.Fault {
	var all []api.Fault
	for i, p := range e.list {
		if i == most {
			return append(all, api.Because(api.CodeScriptMore, len(e.list)-i))
		}
		all = append(all, p.Fault())
	}
	return all
}

func (e *buildError) told() api.Fault {
	all := e.parts(2) // in one sentence
	return all[0].With(all[1:]...)
}

// placed is an error with where in the script it happened.
type placed struct {
	where api.Fault
	err   error
}

func (e *placed) Error() string { return english(e.where) + ": " + e.err.Error() }

func (e *placed) Unwrap() error { return e.err }

func (e *placed) told() api.Fault { return e.where.With(Fault(e.err)) }

// english is what logs have of a fault.
func english(f api.Fault) string { return text.Fault(text.English, f) }
