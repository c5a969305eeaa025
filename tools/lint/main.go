// Command lint runs the analysers that staticcheck does not have: errors that
// are dropped, errors that are wrapped or asserted badly, values that are
// assigned and never read. It takes the flags and arguments of
// golang.org/x/tools/go/analysis/multichecker.
package main

import (
	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/kisielk/errcheck/errcheck"
	"golang.org/x/tools/go/analysis/multichecker"
)

func main() {
	multichecker.Main(errcheck.Analyzer, errorlint.NewAnalyzer(), ineffassign.Analyzer)
}
