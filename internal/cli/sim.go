package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/napcatsim/simcmd"
)

// newSim mounts the commands of the simulator and maps their errors to ours.
func newSim(a *app) *cobra.Command {
	c := simcmd.New()
	c.Short = a.t("cmd.sim.short")
	c.Example = indent(a.t("cmd.sim.example"))
	for _, s := range c.Commands() {
		if code := "cmd.sim." + s.Name() + ".short"; text.Has(code) {
			s.Short = a.t(code)
		}
	}
	a.mapErrors(c)
	return c
}

func (a *app) mapErrors(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			var usage *simcmd.UsageError
			var exit *simcmd.ExitError
			switch {
			case errors.As(err, &usage):
				return &flagError{text: usage.Message, path: c.CommandPath()}
			case errors.As(err, &exit):
				return quiet(exit.Code)
			}
			return err
		}
	}
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, s []string) error {
			if err := args(c, s); err != nil {
				return &flagError{text: err.Error(), path: c.CommandPath()}
			}
			return nil
		}
	}
	for _, s := range c.Commands() {
		a.mapErrors(s)
	}
}
