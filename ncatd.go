// Package ncatd is the whole of ncatd for a program of your own: a program that
// calls [Main] with its bot has every ncatd command (start, login, status,
// service and so on), with the bot linked in.
//
//	func main() {
//		b := ncat.New()
//		b.OnText("你好", ncat.Say("你好！"))
//		log.Fatal(ncatd.Main(b))
//	}
//
// Run with the arguments "start --sim" it plays on a simulated QQ, which needs
// neither the network nor an account; "start" installs NapCat and QQ, shows the
// QR code to scan and keeps the account online; "help" lists the rest.
//
// The bot is written with package ncat; package onebot has the protocol's
// types.
package ncatd

import (
	"context"
	"os"
	"runtime/debug"
	_ "time/tzdata" // schedules name time zones, and a container may have none

	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/cli"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/daemon"
	"github.com/ncatd/ncatd/ncat"
)

// version and commit are set by the linker (-X).
var version, commit string

// Main is the main function of a program that is a whole ncatd with b linked
// in: it carries out the command line in os.Args and exits the process with
// ncatd's exit codes (0 ok, 1 failure, 2 usage or config, 3 daemon not running,
// 4 login required, 5 NapCat failed, 6 already running, 130 interrupted). It
// never returns; its result is there so that
//
//	log.Fatal(ncatd.Main(b))
//
// reads as what it is. b may be nil: then no bot runs.
func Main(b *ncat.Bot) error {
	os.Exit(Run(b, os.Args[1:]))
	return nil
}

// Run is [Main] for a program that wants the exit code: it carries out the
// command line args, given without the program's name, on the process's
// standard streams and environment.
func Run(b *ncat.Bot, args []string) int {
	env := os.Environ()
	return cli.Run(context.Background(), args, cli.Deps{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: env,
		Version: Version(), Commit: commit,
		Plugins: func() map[string]any {
			if b == nil {
				return nil
			}
			return botlink.Of(b).PluginDefaults()
		},
		StartDaemon: func(ctx context.Context, o cli.DaemonOptions) error {
			return daemon.Run(ctx, daemon.Options{
				Home: o.Home, Scripts: o.Scripts, ConfigPath: o.ConfigPath, Config: o.Config, LoadConfig: o.LoadConfig, Secrets: o.Secrets,
				LoadSecrets: func(c *config.Config) (*config.Secrets, error) {
					return config.EnsureSecrets(o.Home.Secrets(), c, os.Getenv("CREDENTIALS_DIRECTORY"))
				},
				RenewSecrets: func(c *config.Config, account string) (*config.Secrets, error) {
					return config.RenewSecrets(o.Home.Secrets(), c, account, os.Getenv("CREDENTIALS_DIRECTORY"))
				},
				Version: o.Version, Log: o.Log, LogLevel: o.LogLevel, LogLost: o.LogLost, Only: o.Only, Environ: env,
				Bot: b, Ready: o.Ready, Self: daemon.Self{Again: o.Again, Left: o.Left}, Reload: o.Reload, Dump: o.Dump,
			})
		},
		Store: cli.Store{Backup: store.Backup, Restore: store.Restore, Reason: store.Reason},
	})
}

// Version returns the version of ncatd that is linked in, "devel" for one built
// without a version.
func Version() string {
	if version != "" {
		return version
	}
	const module = "github.com/ncatd/ncatd"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && m.Version != "" && m.Version != "(devel)" {
				return m.Version
			}
		}
	}
	return "devel"
}
