package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("version", "version", noArgs, func(*cobra.Command, []string) error {
		v := struct {
			Version  string `json:"version"`
			Commit   string `json:"commit"`
			Go       string `json:"go"`
			Platform string `json:"platform"`
		}{Version: a.Version, Commit: a.Commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if bi, ok := debug.ReadBuildInfo(); ok {
			for _, s := range bi.Settings {
				if s.Key == "vcs.revision" && v.Commit == "" {
					v.Commit = s.Value
				}
			}
		}
		if asJSON {
			return a.out.json(v, false)
		}
		a.out.print("ncatd %s (%s, %s)", v.Version, v.Go, v.Platform)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}
