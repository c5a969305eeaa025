package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

// bashWords replaces a function of cobra's script for bash, which needs the
// package bash-completion: without it the words are put together again here
// where bash has cut them at = and :, up to the cursor.
const bashWords = `
__ncatd_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local i word blank rest=$COMP_LINE
    words=()
    cword=-1
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        blank=${rest%%[![:space:]]*}
        rest=${rest#"$blank"}
        if ((i == COMP_CWORD)); then
            word=${COMP_LINE:0:COMP_POINT}
            word=${word:${#COMP_LINE} - ${#rest}}
        fi
        if [[ $cword -lt 0 || -n $blank ]]; then
            words[++cword]=$word
        else
            words[cword]+=$word
        fi
        rest=${rest#"$word"}
    done
    cur=${words[cword]}
    prev=
    if ((cword > 0)); then prev=${words[cword - 1]}; fi
}
`

// newCompletion prints cobra's scripts, which ask this program for everything.
func newCompletion(a *app) *cobra.Command {
	c := a.command("completion", "completion bash|zsh|fish", between(1, 1, "bash|zsh|fish"), func(c *cobra.Command, args []string) error {
		switch args[0] {
		case "bash":
			if err := c.Root().GenBashCompletionV2(a.Stdout, true); err != nil {
				return err
			}
			_, err := io.WriteString(a.Stdout, bashWords)
			return err
		case "zsh":
			return c.Root().GenZshCompletion(a.Stdout)
		case "fish":
			return c.Root().GenFishCompletion(a.Stdout, true)
		}
		return &flagError{text: a.t("err.shell", args[0]), path: c.CommandPath()}
	})
	c.ValidArgs = []string{"bash", "zsh", "fish"}
	return c
}

// completeVersions completes a flag with the versions that the catalogue knows.
func (a *app) completeVersions(c *cobra.Command, flag string, of func(*catalogue.Catalogue) []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		h, err := a.daemonHome()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		store, err := install.Open(string(h))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cat, err := store.Catalogue()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return of(cat), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}) // fails only for a flag that is not there
}

func napcatVersions(cat *catalogue.Catalogue) []string {
	var out []string
	for _, v := range cat.NapCat {
		out = append(out, v.Version)
	}
	return out
}

func qqVersions(cat *catalogue.Catalogue) []string {
	var out []string
	for _, v := range cat.QQ {
		out = append(out, v.Version)
	}
	return out
}
