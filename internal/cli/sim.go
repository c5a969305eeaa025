package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/napcatsim/simcmd"
)

// newSim mounts the commands of the simulator, in the user's language, and maps
// their errors to ours.
func newSim(a *app) *cobra.Command {
	c := simcmd.New()
	c.Short = a.t("cmd.sim.short")
	c.Example = indent(a.t("cmd.sim.example"))
	a.simTexts(c, "sim")
	for _, s := range c.Commands() {
		s.Short = text.Sim(a.lang, s.Name()+".short", s.Short)
		a.simTexts(s, s.Name())
	}
	for _, s := range c.Commands() {
		if !s.Hidden { // what plays QQ itself says what QQ would say
			s.SetOut(escapingWriter{a.Stdout})
			s.SetErr(escapingWriter{a.Stderr})
		}
	}
	a.mapErrors(c)
	return c
}

// simTexts words the long help and the flags of a command of the simulator.
func (a *app) simTexts(c *cobra.Command, name string) {
	if c.Long != "" {
		c.Long = text.Sim(a.lang, name+".long", c.Long)
	}
	if words := map[string]map[string]string{"drop": napcatsim.DropModes, "act": napcatsim.Deeds}[name]; words != nil && a.lang == text.Chinese {
		for _, w := range c.ValidArgs {
			c.Long += "\n  " + pad(w, 14) + text.Sim(a.lang, name+"."+w, words[w])
		}
	}
	word := func(f *pflag.Flag) {
		if f.Name == "home" {
			f.Usage = a.t("flag.sim_home")
			return
		}
		f.Usage = text.Sim(a.lang, name+".--"+f.Name, f.Usage)
	}
	c.LocalNonPersistentFlags().VisitAll(word)
	c.PersistentFlags().VisitAll(word)
}

// badArgs says which argument is missing or too many.
func (a *app) badArgs(c *cobra.Command, args cobra.PositionalArgs, s []string) string {
	for n := len(s) - 1; n >= 0; n-- {
		if args(c, s[:n]) == nil {
			return a.t("err.too_many_args", s[n])
		}
	}
	words := strings.Fields(c.Use)
	return a.t("err.missing_arg", strings.TrimSuffix(words[len(words)-1], "..."))
}

func (a *app) mapErrors(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			var usage *simcmd.UsageError
			var exit *simcmd.ExitError
			switch {
			case errors.As(err, &usage):
				return &flagError{text: fmt.Sprintf(text.Sim(a.lang, "usage."+usage.Code, usage.Format), usage.Args...), path: c.CommandPath()}
			case errors.As(err, &exit):
				return quiet(exit.Code)
			}
			return err
		}
	}
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, s []string) error {
			if args(c, s) == nil {
				return nil
			}
			return &flagError{text: a.badArgs(c, args, s), path: c.CommandPath()}
		}
	}
	for _, s := range c.Commands() {
		a.mapErrors(s)
	}
}
