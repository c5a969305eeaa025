package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/logfile"
)

func newLogs(a *app) *cobra.Command {
	var asJSON bool
	var level, since string
	q := logfile.Query{}
	c := a.command("logs", "logs [ACCOUNT]", atMost(1), func(c *cobra.Command, args []string) error {
		if level != "" && !slices.Contains(levels, level) {
			return usagef(a, "err.level", level)
		}
		if q.Lines < 0 {
			return usagef(a, "err.lines", q.Lines)
		}
		q.Level = level
		if since != "" {
			t, err := parseSince(since, time.Now())
			if err != nil {
				return usagef(a, "err.since", since)
			}
			q.Since = t
			if !c.Flags().Changed("lines") {
				q.Lines = 0
			}
		}
		// The files are read directly: logs are wanted most when the daemon is not
		// there to serve them.
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			q.Account = args[0]
			if !slices.Contains(a.accountNames(c.Context()), q.Account) {
				if _, err := os.Stat(h.Account(q.Account)); err != nil {
					return fail(exitUsage, errString(a.t("err.no_account", q.Account)), a.t("hint.api.no_account"))
				}
			}
		}
		if _, err := os.Stat(h.Logs()); errors.Is(err, os.ErrNotExist) {
			a.out.say("%s", a.t("logs.none", h.Logs()))
			return nil
		}
		err = logfile.NewReader(string(h)).Read(c.Context(), q, func(r api.LogRecord) error {
			if asJSON {
				return a.out.json(r, true)
			}
			a.printLog(r)
			return nil
		})
		if errors.Is(err, context.Canceled) {
			return context.Cause(c.Context())
		}
		return err
	})
	f := c.Flags()
	f.BoolVarP(&q.Follow, "follow", "f", false, a.t("flag.follow"))
	f.IntVarP(&q.Lines, "lines", "n", 200, a.t("flag.lines"))
	f.StringVar(&level, "level", "", a.t("flag.level"))
	f.StringVar(&since, "since", "", a.t("flag.since"))
	f.BoolVar(&asJSON, "json", false, a.t("flag.json"))
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(levels, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = a.completeAccounts
	a.hostFlag(c)
	return c
}

var levels = []string{"debug", "info", "warn", "error"}

func (a *app) printLog(r api.LogRecord) {
	colour := ""
	switch r.Level {
	case "error":
		colour = "31"
	case "warn":
		colour = "33"
	case "debug":
		colour = "2"
	}
	who := r.Source
	if r.Account != "" {
		who = r.Account
		if r.Source == "napcat" {
			who += "/napcat"
		}
	}
	line := r.Time.Local().Format("2006-01-02 15:04:05 ") + pad(r.Level, 6) + pad(who, 12) + printable(r.Message)
	if r.Attrs != "" {
		line += "  " + printable(r.Attrs)
	}
	a.out.print("%s", a.out.paint(colour, line))
}

// parseSince reads how far back: a duration, or a local time.
func parseSince(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("15:04", s, time.Local); err == nil {
		y, m, d := now.Date()
		return time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, time.Local), nil
	}
	return time.Time{}, errors.New("no time")
}
