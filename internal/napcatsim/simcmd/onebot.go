package simcmd

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

// onebotCommand serves a bare OneBot endpoint, for authors of bots and clients
// in any language.
func onebotCommand() *cobra.Command {
	var o napcatsim.EndpointOptions
	var file string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "onebot",
		Short: "Serve NapCat's OneBot side alone, without QQ and login",
		Long: "Serve NapCat's OneBot 11 side over a little QQ with friends and groups, without QQ's processes, login and WebUI: " +
			"something to connect a bot or a client library to.\n\n" +
			"It speaks JSON lines. The first line of output says where it listens; each message that the bot sends is a line {\"sent\":…}. " +
			"Lines of input let the world act: {\"say\":{\"user\":3001000001,\"text\":\"hi\"}}, {\"say\":{\"group\":700000001,\"text\":\"/ping\"}}, " +
			"{\"act\":{\"deed\":\"poke\",\"user\":3001000001}}, {\"drop\":{\"mode\":\"close\"}}, {\"faults\":{\"shuffle\":true}}, {\"online\":false}, {\"config\":{…}}. " +
			"Each is answered by {\"done\":…} or {\"error\":…}.",
		Example: "  ncatd sim onebot --port 3001 --token secret\n" +
			"  echo '{\"say\":{\"user\":3001000001,\"text\":\"hi\"}}' | ncatd sim onebot --port 3001",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				b, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				o.Config = string(b)
			}
			if o.Port < 0 || o.Port > 65535 {
				return usage("no_port", "sim onebot: there is no port %d", o.Port)
			}
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
			return napcatsim.RunEndpoint(cmd.Context(), o, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&o.Port, "port", 3001, "port of the WebSocket server; 0 takes a free one")
	f.StringVar(&o.Token, "token", "", "access token; without one everybody may connect")
	f.StringVar(&file, "config", "", "onebot11.json to use in place of host, port and token")
	f.Int64Var(&o.UIN, "uin", 0, "the bot's account (default 3889001001)")
	f.StringVar(&o.Nick, "nick", "", "the bot's name")
	f.StringVar(&o.Version, "napcat-version", napcatsim.DefaultNapCatVersion, "version that get_version_info tells")
	f.BoolVarP(&verbose, "verbose", "v", false, "print what the adapters log to stderr")
	return cmd
}
