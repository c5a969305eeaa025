package cli

import (
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// localize puts cobra's own words into the user's language, for all commands.
func (a *app) localize(root *cobra.Command) {
	root.SetUsageFunc(func(c *cobra.Command) error {
		_, err := c.OutOrStderr().Write([]byte(a.usage(c)))
		return err
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		about := c.Long
		if about == "" {
			about = c.Short
		}
		a.out.raw([]byte(strings.TrimSpace(about) + "\n\n" + a.usage(c)))
	})
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: a.t("help.help_short"),
		RunE: func(c *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || cmd == root && len(rest) > 0 {
				return unknownCommand(a, root, strings.Join(args, " "))
			}
			return cmd.Help()
		},
	})
	root.SetFlagErrorFunc(a.flagProblem)
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		if f := c.Flags().Lookup("help"); f != nil {
			f.Usage = a.t("flag.help")
		}
		for _, s := range c.Commands() {
			each(s)
		}
	}
	each(root)
}

// usage is what follows the description in a command's help.
func (a *app) usage(c *cobra.Command) string {
	var b strings.Builder
	b.WriteString(a.t("help.usage") + "\n")
	if c.Runnable() && !c.HasAvailableSubCommands() {
		b.WriteString("  " + strings.TrimSuffix(c.UseLine(), "[flags]") + a.t("help.options") + "\n")
	} else {
		b.WriteString("  " + c.CommandPath() + " " + a.t("help.command") + "\n")
	}
	section := func(head, body string) {
		if body = strings.TrimRight(body, "\n"); body != "" {
			b.WriteString("\n" + a.t(head) + "\n" + body + "\n")
		}
	}
	section("help.aliases", aliases(c))
	section("help.examples", c.Example)
	if c.HasAvailableSubCommands() {
		var list strings.Builder
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() || s.Name() == "help" {
				list.WriteString("  " + pad(s.Name(), 13) + s.Short + "\n")
			}
		}
		section("help.commands", list.String())
	}
	section("help.flags", a.flagUsages(c.LocalNonPersistentFlags(), c.PersistentFlags()))
	section("help.global", a.flagUsages(c.InheritedFlags()))
	if c.HasAvailableSubCommands() {
		b.WriteString("\n" + a.t("help.more", c.CommandPath()) + "\n")
	}
	return b.String()
}

func aliases(c *cobra.Command) string {
	if len(c.Aliases) == 0 {
		return ""
	}
	return "  " + strings.Join(c.Aliases, ", ")
}

// flagUsages lists the flags in columns, as pflag does, which takes a Chinese
// character for three columns.
func (a *app) flagUsages(sets ...*pflag.FlagSet) string {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, s := range sets {
		all.AddFlagSet(s)
	}
	type row struct{ left, right string }
	var rows []row
	width := 0
	all.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		left := "      --" + f.Name
		if f.Shorthand != "" {
			left = "  -" + f.Shorthand + ", --" + f.Name
		}
		if name != "" {
			left += " " + name
		}
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			usage += a.t("help.default", f.DefValue)
		}
		rows = append(rows, row{left, usage})
		width = max(width, runewidth.StringWidth(left))
	})
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(runewidth.FillRight(r.left, width+3) + r.right + "\n")
	}
	return b.String()
}

func pad(s string, n int) string {
	if len(s) >= n {
		return s + " "
	}
	return s + strings.Repeat(" ", n-len(s))
}
