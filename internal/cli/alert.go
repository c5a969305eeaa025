package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
)

func newAlert(a *app) *cobra.Command {
	return a.group("alert", "alert", newAlertList(a), newAlertTest(a), newAlertLog(a), newAlertSilence(a))
}

func newAlertList(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("alert_list", "list", noArgs, func(c *cobra.Command, _ []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		list, err := cl.Alerts(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(list, false)
		}
		if len(list.Channels) == 0 {
			a.out.say("%s", a.t("alerts.off"))
			a.out.hint(a.t("hint.alerts_off"))
			return nil
		}
		a.printAlerts(list)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func (a *app) printAlerts(list api.Alerts) {
	rows := [][]string{{a.t("alerts.head.channel"), a.t("alerts.head.kind"), a.t("alerts.head.state")}}
	for _, ch := range list.Channels {
		state := a.t("alerts.fine")
		if ch.Failing.Code != "" {
			state = a.t("alerts.failing", age(time.Since(ch.Since)), text.Fault(a.lang, ch.Failing))
		}
		if ch.Waiting > 0 {
			state = joined(state, a.t("alerts.waiting", ch.Waiting))
		}
		rows = append(rows, []string{ch.Name, ch.Kind, state})
	}
	a.out.table(rows, nil)
	a.out.print("")
	if len(list.Open) == 0 {
		a.out.print("%s", a.t("alerts.nothing"))
	}
	for _, o := range list.Open {
		told := a.t("alerts.untold")
		if !o.Told.IsZero() {
			told = a.t("alerts.told", o.Told.Local().Format(time.DateTime))
		}
		a.out.print("%s", printable(a.t("alerts.open", subject(o.Account, o.Subject, o.Fault), a.t("alert.kind."+o.Kind), age(time.Since(o.Since)), told)))
		if o.Fault.Code != "" {
			a.out.print("  %s", printable(text.Fault(a.lang, o.Fault)))
		}
	}
	for _, s := range list.Silenced {
		name := s.Account
		if name == "" {
			name = a.t("alerts.everyone")
		}
		a.out.print("%s", a.t("alerts.silenced", printable(name), s.Until.Local().Format(time.DateTime)))
	}
}

// subject names what an alert is of. A part of ncatd has no name but the code of what is
// wrong with it, which its sentence says.
func subject(account, what string, why api.Fault) string {
	if account == "" {
		account = "ncatd"
	}
	if what == string(why.Code) {
		what = ""
	}
	return printable(strings.TrimSpace(account + " " + what))
}

func newAlertTest(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("alert_test", "test [CHANNEL]", atMost(1), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		channel := ""
		if len(args) == 1 {
			channel = args[0]
		}
		results, err := cl.AlertTest(c.Context(), channel)
		if err != nil {
			return err
		}
		failed := false
		for _, r := range results {
			failed = failed || r.Failed.Code != ""
		}
		if asJSON {
			err = a.out.json(results, false)
		} else {
			a.printTests(results)
		}
		if err == nil && failed {
			err = quiet(exitFailure)
		}
		return err
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.ValidArgsFunction = func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		cl, _, err := a.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer cl.Close()
		list, err := cl.Alerts(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, ch := range list.Channels {
			names = append(names, ch.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func (a *app) printTests(results []api.AlertTest) {
	for _, r := range results {
		took := time.Duration(r.Seconds * float64(time.Second)).Round(10 * time.Millisecond).String()
		if r.Failed.Code == "" {
			a.out.print("%s", printable(a.t("alerts.test_ok", r.Channel, took)))
			continue
		}
		a.out.print("%s", printable(a.t("alerts.test_failed", r.Channel, text.Fault(a.lang, r.Failed))))
		if h := text.FaultHint(a.lang, r.Failed); h != "" {
			a.out.hint(h)
		}
	}
}

func newAlertLog(a *app) *cobra.Command {
	var asJSON bool
	lines := 20
	c := a.command("alert_log", "log", noArgs, func(c *cobra.Command, _ []string) error {
		if lines < 0 {
			return usagef(a, "err.lines", lines)
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		log, err := cl.AlertLog(c.Context())
		if err != nil {
			return err
		}
		if lines > 0 {
			log = log[max(0, len(log)-lines):]
		}
		if asJSON {
			return a.out.json(log, false)
		}
		if len(log) == 0 {
			a.out.say("%s", a.t("alerts.no_log"))
		}
		for _, e := range log {
			how := a.t("alerts.sent")
			if e.Failed.Code != "" {
				how = a.t("alerts.unsent", e.Tries, text.Fault(a.lang, e.Failed))
			}
			a.out.print("%s  %s  %s", e.Time.Local().Format(time.DateTime), printable(e.Channel), how)
			for _, it := range e.Items {
				a.out.print("  %s", printable(a.t("alert."+it.Phase, subject(it.Account, it.Subject, it.Fault), a.t("alert.kind."+it.Kind))))
				if it.Subject != "" && it.Subject == string(it.Fault.Code) { // else it is not said which part
					a.out.print("    %s", printable(text.Fault(a.lang, it.Fault)))
				}
			}
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().IntVarP(&lines, "lines", "n", lines, a.t("flag.lines"))
	return c
}

func newAlertSilence(a *app) *cobra.Command {
	c := a.command("alert_silence", "silence ACCOUNT DURATION", between(2, 2, "ACCOUNT", "DURATION"), func(c *cobra.Command, args []string) error {
		d, err := config.ParseDuration(args[1])
		if err != nil {
			return usagef(a, "err.duration", args[1])
		}
		if d.D() > api.MaxSilence {
			return usagef(a, "err.silence_long", args[1], int(api.MaxSilence.Hours()/24))
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		name := ""
		if args[0] != "all" {
			acc, err := a.account(c.Context(), cl, args[0])
			if err != nil {
				return err
			}
			name = acc.Name
		}
		if err := cl.AlertSilence(c.Context(), name, d.D()); err != nil {
			return err
		}
		if d == 0 {
			a.out.say("%s", a.t("alerts.heard", args[0]))
		} else {
			a.out.say("%s", a.t("alerts.quiet", args[0], time.Now().Add(d.D()).Format(time.DateTime)))
		}
		return nil
	})
	c.ValidArgsFunction = a.completeAccounts
	return c
}

// printChannels names the channels of alerts that fail.
func (a *app) printChannels(list []api.AlertChannel) {
	for _, ch := range list {
		if ch.Failing.Code != "" {
			a.out.print("%s", printable(a.t("status.channel", ch.Name, age(time.Since(ch.Since)), text.Fault(a.lang, ch.Failing))))
		}
	}
}
