package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
)

// Tree returns all commands with their help in a language ("en", "zh"), for
// pages that are made of them. They are not meant to be run.
func Tree(lang, version string) *cobra.Command {
	a := &app{Deps: Deps{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Version: version}, lang: text.English}
	if l, ok := text.Detect(lang, a.getenv); ok {
		a.lang = l
	}
	a.out = newOutput(a.Stdout, a.Stderr, a.lang, a.getenv)
	a.root = a.newRoot()
	return a.root
}
