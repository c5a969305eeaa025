// Package simcmd has the commands of "ncatd sim": packing a simulated
// installation, playing the world around a running one, and the hidden role in
// which the packed qq runs this program. It only translates between command
// lines and package napcatsim.
package simcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

// ExitError ends the program with Code and prints nothing: the role of QQ has
// said all it had to say on its own stdout.
type ExitError struct{ Code int }

// Error implements error.
func (e *ExitError) Error() string { return "exit status " + strconv.Itoa(e.Code) }

// ExitCode returns Code.
func (e *ExitError) ExitCode() int { return e.Code }

// NoAnswerError says that the bot did not answer for so long.
type NoAnswerError struct{ Wait time.Duration }

// Error implements error.
func (e *NoAnswerError) Error() string { return "the bot did not answer within " + e.Wait.String() }

// UsageError is a command line that does not make sense.
type UsageError struct {
	Code   string // names the sentence
	Format string // it in English
	Args   []any
}

// Error implements error.
func (e *UsageError) Error() string { return fmt.Sprintf(e.Format, e.Args...) }

func usage(code, format string, args ...any) error { return &UsageError{code, format, args} }

// target finds the simulator that a command speaks to.
type target struct {
	home     string
	account  string
	patience time.Duration
}

// control returns the control of the chosen account; without --account it is
// the only account, or else main.
func (t *target) control(cmd *cobra.Command) (*napcatsim.Control, error) {
	home := t.home
	if f := cmd.Flag("home"); home == "" && f != nil { // a program-wide --home
		home = f.Value.String()
	}
	if home == "" {
		home = os.Getenv("NCATD_HOME")
	}
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the home directory: %w", err)
		}
		home = filepath.Join(user, ".ncatd-sim")
	}
	account := t.account
	if account == "" {
		account = "main"
		dirs, err := filepath.Glob(filepath.Join(home, "accounts", "*", "home", ".config", "QQ", "sim"))
		if err == nil && len(dirs) == 1 {
			account = filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(dirs[0])))))
		}
	}
	c := napcatsim.NewControl(napcatsim.AccountHome(home, account))
	// A daemon is there, so that a simulator is on its way.
	if _, err := os.Stat(filepath.Join(home, "run", "ncatd.sock")); err == nil {
		c.Patience = t.patience
	}
	return c, nil
}

// New returns the sim command. The program that mounts it may have a --home
// flag of its own; else the command brings one.
func New() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Play the world around the simulator",
		Long: "Play the people, phones and servers around a simulated NapCat (ncatd start --sim), " +
			"and make it fail in the ways the real one does.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&t.home, "home", "", "ncatd's home directory (default $NCATD_HOME or ~/.ncatd-sim)")
	cmd.PersistentFlags().StringVarP(&t.account, "account", "a", "", "the account, by its name in the config (default: the only one, or main)")
	cmd.PersistentFlags().DurationVar(&t.patience, "patience", 15*time.Second, "how long to wait while the simulator is not yet as far as the command needs")
	cmd.AddCommand(
		packCommand(), qqCommand(), onebotCommand(),
		t.say(), t.sent(), t.act(), t.scan(), t.simple("qr-expire", "Let the code on screen expire", (*napcatsim.Control).ExpireQR),
		t.kick(), t.online("offline", "Play QQ's status 20: offline without an event", false), t.online("online", "End QQ's status 20", true),
		t.crash(), t.freeze(), t.drop(), t.mute("mute", "Mute the bot, or somebody, in a group", false), t.mute("unmute", "Let the bot, or somebody, speak again", true), t.refuse(), t.fault(), t.state(), t.world(),
	)
	for _, c := range cmd.Commands() {
		for i, e := range examples[c.Name()] {
			if i > 0 {
				c.Example += "\n"
			}
			c.Example += "  ncatd sim " + e
		}
	}
	return cmd
}

// examples are the command lines in the help of each command, after "ncatd sim".
var examples = map[string][]string{
	"pack":      {"pack /tmp/packages", "pack /tmp/packages --napcat-version 4.18.19 --json"},
	"say":       {"say --user 3001000001 测试", "say --group 700000001 '[CQ:at,qq=3889001001] hello' --wait 0s"},
	"sent":      {"sent", "sent --json"},
	"act":       {"act poke --user 3001000001", "act ban --group 700000001 --user 3001000003 --seconds 60"},
	"scan":      {"scan", "scan --uin 10001"},
	"qr-expire": {"qr-expire"},
	"kick":      {"kick", "kick --keep-ticket"},
	"offline":   {"offline"},
	"online":    {"online"},
	"crash":     {"crash", "crash --master"},
	"freeze":    {"freeze", "freeze --for 45s", "freeze --off"},
	"mute":      {"mute --group 700000001", "mute --group 700000001 --all"},
	"unmute":    {"unmute --group 700000001", "unmute --group 700000001 --all"},
	"refuse":    {"refuse --count 1", "refuse --code 110 --text 你不在该群中", "refuse --off"},
	"drop":      {"drop", "drop slow --delay 2s", "drop heal"},
	"fault":     {"fault scan_after=off", "fault scan_after=null"},
	"state":     {"state", "state --json"},
	"world":     {"world"},
}

func qqCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "qq PATH [ARG]...",
		Short:              "The role of the packed qq executable",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no_path", "sim qq: want the path of the qq executable")
			}
			if code := napcatsim.QQ(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr()); code != 0 {
				return &ExitError{code}
			}
			return nil
		},
	}
}

func packCommand() *cobra.Command {
	var o napcatsim.PackOptions
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pack DIR",
		Short: "Write a simulated QQ package and NapCat.Shell.zip",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				b, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if o.Options, err = napcatsim.ParseOptions(b); err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			p, err := napcatsim.Pack(args[0], o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, p)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", p.QQ, p.NapCat)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.QQVersion, "qq-version", napcatsim.DefaultQQVersion, "version of the packed QQ")
	f.StringVar(&o.NapCatVersion, "napcat-version", napcatsim.DefaultNapCatVersion, "version of the packed NapCat")
	f.StringVar(&o.Binary, "binary", "", "absolute path of the program that plays QQ (default: this one)")
	f.StringVar(&file, "options", "", "JSON file of simulator options built into the NapCat package")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// simple is a command without arguments or result.
func (t *target) simple(use, short string, do func(*napcatsim.Control, context.Context) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := t.control(cmd)
		if err != nil {
			return err
		}
		return do(c, cmd.Context())
	}}
}

var unescape = strings.NewReplacer("&#91;", "[", "&#93;", "]", "&#44;", ",", "&amp;", "&")

func (t *target) say() *cobra.Command {
	var r napcatsim.SayRequest
	var asJSON bool
	r.Wait, r.Quiet = napcatsim.Duration(3*time.Second), napcatsim.Duration(300*time.Millisecond)
	cmd := &cobra.Command{
		Use:   "say (--user ID | --group ID [--user ID]) TEXT",
		Short: "Write to the bot and print its answers",
		Long: "Write to the bot, as a friend or as a member of a group, and print what it answers in that chat. " +
			"CQ codes in TEXT become segments. Exits with 1 when no answer came within --wait.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.User == 0 && r.Group == 0 {
				return usage("no_chat", "sim say: want --user or --group")
			}
			r.Text = strings.Join(args, " ")
			c, err := t.control(cmd)
			if err != nil {
				return err
			}
			out, err := c.Say(cmd.Context(), r)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, out)
			}
			for _, a := range out.Answers {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), plain(a.Text)); err != nil {
					return err
				}
			}
			if len(out.Answers) == 0 && r.Wait > 0 {
				return &NoAnswerError{r.Wait.D()}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Int64Var(&r.User, "user", 0, "who writes")
	f.Int64Var(&r.Group, "group", 0, "into which group")
	f.Var(&r.Wait, "wait", "how long to wait for an answer; 0s: not at all")
	f.Var(&r.Quiet, "quiet", "how long to wait for more after an answer")
	f.BoolVar(&r.Unheard, "unheard", false, "say it even if no OneBot client would get it")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// plain decodes the escapes of CQ code in the text of a message; its codes stay
// as they are.
func plain(s string) string {
	var b strings.Builder
	for s != "" {
		text, rest := s, ""
		if i := strings.Index(s, "[CQ:"); i >= 0 {
			text, rest = s[:i], s[i:]
		}
		b.WriteString(unescape.Replace(text))
		end := strings.IndexByte(rest, ']') + 1
		if end == 0 {
			end = len(rest) // no code after all
		}
		b.WriteString(rest[:end])
		s = rest[end:]
	}
	return b.String()
}

func (t *target) sent() *cobra.Command {
	var after int
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sent", Short: "Print what the bot has sent", Args: cobra.NoArgs,
		Long: "Print what the bot has sent, and between the messages every other call that the running NapCat got. With --after and --json messages only.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := t.control(cmd)
			if err != nil {
				return err
			}
			list, err := c.Sent(cmd.Context(), after)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, list)
			}
			var calls []napcatsim.Called
			if after == 0 { // the numbers are those of messages
				if calls, err = c.Calls(cmd.Context()); err != nil {
					return err
				}
			}
			return printSent(cmd.OutOrStdout(), list, calls)
		},
	}
	cmd.Flags().IntVar(&after, "after", 0, "only those with a higher number")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printSent prints messages and other calls in the order of their time.
func printSent(to io.Writer, list []napcatsim.Sent, calls []napcatsim.Called) error {
	w := tabwriter.NewWriter(to, 0, 4, 2, ' ', 0)
	for len(list) > 0 || len(calls) > 0 {
		var err error
		if len(list) == 0 || len(calls) > 0 && calls[0].Time.Before(list[0].Time) {
			c := calls[0]
			calls = calls[1:]
			_, err = fmt.Fprintf(w, "-\t%s\tcall\t%s %s\n", c.Time.Format(time.TimeOnly), c.Action, c.Params)
		} else {
			s := list[0]
			list = list[1:]
			where := "user " + strconv.FormatInt(s.User, 10)
			if s.Group != 0 {
				where = "group " + strconv.FormatInt(s.Group, 10)
			}
			_, err = fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", s.Seq, s.Time.Format(time.TimeOnly), where, strings.ReplaceAll(plain(s.Text), "\n", `\n`))
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

func (t *target) scan() *cobra.Command {
	var uin int64
	cmd := t.simple("scan", "Scan the login code and confirm", func(c *napcatsim.Control, ctx context.Context) error { return c.Scan(ctx, uin) })
	cmd.Flags().Int64Var(&uin, "uin", 0, "with this account (default: the phone's owner)")
	return cmd
}

func (t *target) kick() *cobra.Command {
	var title, text string
	var keep bool
	cmd := t.simple("kick", "Log the account out from QQ's side", func(c *napcatsim.Control, ctx context.Context) error {
		return c.Kick(ctx, title, text, keep)
	})
	cmd.Flags().StringVar(&title, "title", "下线通知", "title of the notice")
	cmd.Flags().StringVar(&text, "text", "你的帐号当前登录已失效，请重新登录。", "text of the notice")
	cmd.Flags().BoolVar(&keep, "keep-ticket", false, "a quick login works afterwards")
	return cmd
}

func (t *target) online(use, short string, on bool) *cobra.Command {
	return t.simple(use, short, func(c *napcatsim.Control, ctx context.Context) error { return c.SetOnline(ctx, on) })
}

func (t *target) crash() *cobra.Command {
	r := napcatsim.CrashRequest{}
	cmd := t.simple("crash", "End the worker (or the master) at once", func(c *napcatsim.Control, ctx context.Context) error { return c.Crash(ctx, r) })
	cmd.Flags().IntVar(&r.Code, "code", 11, "exit code; 11 is what a crash of native code looks like")
	cmd.Flags().StringVar(&r.Signal, "signal", "", "die of this signal instead: KILL, TERM, ABRT …")
	cmd.Flags().BoolVar(&r.Master, "master", false, "SIGKILL the master; the worker is orphaned")
	return cmd
}

func (t *target) freeze() *cobra.Command {
	var r napcatsim.FreezeRequest
	cmd := t.simple("freeze", "Freeze the worker: it answers nothing until it thaws, then everything", func(c *napcatsim.Control, ctx context.Context) error {
		return c.Freeze(ctx, r)
	})
	cmd.Aliases = []string{"hang"}
	cmd.Flags().Var(&r.For, "for", "how long (default: until --off)")
	cmd.Flags().BoolVar(&r.Off, "off", false, "let it thaw")
	return cmd
}

func (t *target) mute(use, short string, off bool) *cobra.Command {
	r := napcatsim.MuteRequest{Seconds: 600, Off: off}
	cmd := t.simple(use, short, func(c *napcatsim.Control, ctx context.Context) error {
		if r.Group == 0 {
			return usage("no_group", "sim %s: want --group", use)
		}
		return c.Mute(ctx, r)
	})
	cmd.Flags().Int64Var(&r.Group, "group", 0, "in which group")
	cmd.Flags().Int64Var(&r.User, "user", 0, "who (default: the bot)")
	cmd.Flags().BoolVar(&r.All, "all", false, "all plain members")
	if !off {
		cmd.Flags().Int64Var(&r.Seconds, "seconds", r.Seconds, "how long")
	}
	return cmd
}

func (t *target) refuse() *cobra.Command {
	var r napcatsim.RefuseRequest
	cmd := t.simple("refuse", "Let QQ refuse what the bot sends", func(c *napcatsim.Control, ctx context.Context) error {
		return c.Refuse(ctx, r)
	})
	cmd.Flags().IntVar(&r.Code, "code", -1, "QQ's result: 120 muted, 110 not in the group, -1 rich media")
	cmd.Flags().StringVar(&r.Text, "text", "rich media transfer failed", "QQ's errMsg")
	cmd.Flags().IntVar(&r.Count, "count", 0, "how many messages (default: all from now on)")
	cmd.Flags().BoolVar(&r.Off, "off", false, "refuse no longer")
	return cmd
}

func (t *target) drop() *cobra.Command {
	modes, list := described(napcatsim.DropModes)
	r := napcatsim.DropRequest{Mode: "close"}
	cmd := &cobra.Command{
		Use: "drop [MODE]", Short: "Disturb the OneBot connections",
		Long: "Disturb the OneBot connections. MODE is one of (default: close):\n" + list, Args: cobra.MaximumNArgs(1), ValidArgs: modes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				r.Mode = args[0]
			}
			if _, ok := napcatsim.DropModes[r.Mode]; !ok {
				return usage("no_mode", "sim drop: no mode %q; there are %s", r.Mode, strings.Join(modes, ", "))
			}
			c, err := t.control(cmd)
			if err != nil {
				return err
			}
			return c.Drop(cmd.Context(), r)
		},
	}
	f := cmd.Flags()
	f.IntVar(&r.Count, "count", 1000, "frames of garbage")
	f.IntVar(&r.Size, "size", 49<<20, "bytes of the giant")
	r.Delay = napcatsim.Duration(time.Second)
	f.Var(&r.Delay, "delay", "of slow and shuffle")
	return cmd
}

// described lists the words of a table with what they do.
func described(table map[string]string) (words []string, list string) {
	words = slices.Sorted(maps.Keys(table))
	var b strings.Builder
	for _, w := range words {
		fmt.Fprintf(&b, "\n  %-13s %s", w, table[w])
	}
	return words, b.String()
}

func (t *target) act() *cobra.Command {
	deeds, list := described(napcatsim.Deeds)
	r := napcatsim.ActRequest{}
	cmd := &cobra.Command{
		Use: "act DEED", Short: "Let somebody do something besides writing",
		Long: "Let somebody do something. Capital words are flags. DEED is one of:\n" + list, Args: cobra.ExactArgs(1), ValidArgs: deeds,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Deed = args[0]
			if _, ok := napcatsim.Deeds[r.Deed]; !ok {
				return usage("no_deed", "sim act: no deed %q; there are %s", r.Deed, strings.Join(deeds, ", "))
			}
			c, err := t.control(cmd)
			if err != nil {
				return err
			}
			return c.Act(cmd.Context(), r)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&r.Group, "group", 0, "the group")
	f.Int64Var(&r.User, "user", 0, "whom it is about")
	f.Int64Var(&r.Operator, "operator", 0, "who does it (default: whoever may)")
	f.Int64Var(&r.Message, "message", 0, "the message, by its message_id")
	f.StringVar(&r.Text, "text", "", "words, name or emoji")
	f.Int64Var(&r.Seconds, "seconds", 600, "how long")
	f.BoolVar(&r.Off, "off", false, "the opposite")
	return cmd
}

func (t *target) fault() *cobra.Command {
	return &cobra.Command{
		Use:   "fault KEY=VALUE...",
		Short: "Change simulator options of the running and later workers",
		Long: "Change simulator options: the running worker obeys at once where it can, later ones from their start. " +
			"VALUE is JSON, or a bare word for a string; null takes the option back. `ncatd sim state --json` lists the options in force.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := map[string]any{}
			for _, a := range args {
				k, v, ok := strings.Cut(a, "=")
				if !ok {
					return usage("no_pair", "sim fault: want KEY=VALUE, not %q", a)
				}
				if !json.Valid([]byte(v)) {
					b, err := json.Marshal(v)
					if err != nil {
						return err
					}
					v = string(b)
				}
				m[k] = json.RawMessage(v)
			}
			b, err := json.Marshal(m)
			if err != nil {
				return err
			}
			if _, err := napcatsim.ParseOptions(b); err != nil {
				return usage("bad_option", "sim fault: %v", err)
			}
			c, err := t.control(cmd)
			if err != nil {
				return err
			}
			return c.Fault(cmd.Context(), m)
		},
	}
}

func (t *target) state() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "state", Short: "Print what the simulator is doing", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := t.control(cmd)
		if err != nil {
			return err
		}
		s, err := c.State(cmd.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd, s)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		for _, row := range [][2]string{
			{"phase", s.Phase}, {"account", fmt.Sprintf("%d %s", s.UIN, s.Nick)}, {"online", strconv.FormatBool(s.Online)},
			{"napcat", s.Version}, {"worker", strconv.Itoa(s.PID)}, {"master", strconv.Itoa(s.MasterPID)}, {"webui", s.WebUIURL},
			{"code", s.QR}, {"codes issued", strconv.Itoa(s.QRCount)}, {"webui logins", strconv.Itoa(s.WebUILogins)},
			{"qq logins", fmt.Sprintf("%d (last: %s)", s.Sessions, s.LastMethod)},
		} {
			if _, err := fmt.Fprintf(w, "%s\t%s\n", row[0], row[1]); err != nil {
				return err
			}
		}
		return w.Flush()
	}}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (t *target) world() *cobra.Command {
	return &cobra.Command{Use: "world", Short: "Print the people, groups and messages as JSON", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := t.control(cmd)
		if err != nil {
			return err
		}
		b, err := c.World(cmd.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), string(b))
		return err
	}}
}
