package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Problem says what is wrong with the value of a parameter.
type Problem string

// The problems that [Param.Check] finds.
const (
	ProblemType  Problem = "type"  // not one of the types
	ProblemNull  Problem = "null"  // null, which NapCat refuses: leave it out
	ProblemEnum  Problem = "enum"  // not one of the texts allowed
	ProblemDigit Problem = "digit" // a number so long that NapCat loses its last digits: write it as text
)

// ValueError says what is wrong with the value of a parameter.
type ValueError struct {
	Param   string
	Problem Problem
	// Want are the types or texts that are allowed.
	Want []string
}

// Error implements error.
func (e *ValueError) Error() string {
	switch e.Problem {
	case ProblemNull:
		return fmt.Sprintf("parameter %s must not be null: leave it out", e.Param)
	case ProblemDigit:
		return fmt.Sprintf("parameter %s is too long for a JSON number: write it as a string", e.Param)
	}
	return fmt.Sprintf("parameter %s must be %s", e.Param, strings.Join(e.Want, " or "))
}

// maxSafe is the largest integer that a JavaScript number holds exactly.
const maxSafe = 1<<53 - 1

// Check returns a [*ValueError] for a value, which must be valid JSON, that
// NapCat would refuse or take for another one, nil for any other. It knows
// NapCat's conversions: a number where a text is wanted, digits in a string, one
// value where a list is wanted.
func (p Param) Check(value json.RawMessage) error {
	value = bytes.TrimSpace(value)
	bad := func(problem Problem, want []string) error { return &ValueError{p.Name, problem, want} }
	if len(p.Types) == 0 {
		return nil
	}
	var text string
	kind := kindOf(value)
	switch kind {
	case "null":
		if !p.takes("null") {
			return bad(ProblemNull, nil)
		}
		return nil
	case "number":
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && (n > maxSafe || n < -maxSafe) {
			return bad(ProblemDigit, nil)
		}
		text = string(value)
	case "boolean":
		text = string(value)
	case "string":
		if err := json.Unmarshal(value, &text); err != nil {
			return bad(ProblemType, p.Types)
		}
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, text) {
		return bad(ProblemEnum, p.Enum)
	}
	if !p.fits(kind, text) {
		return bad(ProblemType, p.Types)
	}
	return nil
}

func (p Param) takes(t string) bool { return slices.Contains(p.Types, t) }

// fits reports whether NapCat can convert a value of that kind.
func (p Param) fits(kind, text string) bool {
	if p.takes("array") || kind == "array" || kind == "object" {
		return p.takes("array") || p.takes(kind)
	}
	_, err := strconv.ParseFloat(text, 64)
	number := err == nil || kind == "boolean"
	truth := kind == "boolean" || text == "true" || text == "false" || text == "0" || text == "1"
	switch {
	case p.takes("boolean") && p.takes("string"):
		// A string other than these words counts as true or false by whim.
		return kind == "number" && truth || text == "true" || text == "false"
	case p.takes("number") && p.takes("string"):
		// Ids may be other than numbers on other hosts.
		return number || strings.HasSuffix(strings.ToLower(p.Name), "id")
	case p.takes("string"):
		return true
	case p.takes("number"):
		return number || truth
	case p.takes("boolean"):
		return truth
	}
	return false
}

// kindOf returns the JSON type of a valid value.
func kindOf(value []byte) string {
	if len(value) == 0 {
		return "null"
	}
	switch value[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}
