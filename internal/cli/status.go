package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
)

func newStatus(a *app) *cobra.Command {
	var asJSON, watch, strict, fleet bool
	c := a.command("status", "status", noArgs, func(c *cobra.Command, _ []string) error {
		if fleet {
			return a.fleetStatus(c.Context(), asJSON, strict)
		}
		if watch {
			return a.watchStatus(c.Context(), asJSON)
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		st, err := cl.Status(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			if st.Accounts == nil {
				st.Accounts = []api.Account{}
			}
			err = a.out.json(st, false)
		} else {
			a.printStatus(st)
		}
		if err != nil {
			return err
		}
		return statusExit(st, strict)
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().BoolVar(&strict, "strict", false, a.t("flag.strict"))
	c.Flags().BoolVarP(&watch, "watch", "w", false, a.t("flag.watch"))
	c.Flags().BoolVar(&fleet, "fleet", false, a.t("flag.fleet"))
	c.MarkFlagsMutuallyExclusive("fleet", "watch")
	a.hostFlag(c)
	return c
}

// statusExit turns a status into the exit code that scripts want; strict counts
// what is degraded.
func statusExit(st api.Status, strict bool) error {
	code := exitOK
	for _, acc := range st.Accounts {
		switch acc.State {
		case api.StateOnline:
			if strict && len(acc.Degraded) > 0 && code == exitOK {
				code = exitDegraded
			}
		case api.StateStopped:
		case api.StateFailed:
			return quiet(exitNapCatFailed)
		case api.StateLoginRequired:
			code = exitLoginRequired
		default:
			if code == exitOK || code == exitDegraded {
				code = exitFailure
			}
		}
	}
	if code == exitOK {
		return nil
	}
	return quiet(code)
}

func (a *app) printStatus(st api.Status) {
	a.out.print("%s", a.t("status.daemon", st.Version, st.PID, age(time.Since(st.Started)), st.Home))
	if len(st.Accounts) == 0 {
		a.out.print("%s", a.t("status.none"))
		return
	}
	cols := 0
	if a.out.outTTY {
		cols, _ = terminalSize(a.Stdout)
	}
	a.printAccounts(st, cols)
	if r := st.RolledBack; r != nil {
		a.out.print("%s", a.t("versions.rolled_back", r.NapCat, r.QQ, r.Time.Local().Format(time.DateTime), a.rollbackReason(r.Reason, r.Fault)))
	}
	for _, line := range a.crashText(st.LastCrash) {
		a.out.print("%s", line)
	}
	a.printChannels(st.Alerts)
	if len(st.Apps) > 0 {
		a.out.print("")
		a.printApps(st.Apps)
	}
	for _, n := range st.Newer {
		a.out.print("%s", a.t("fault.new_"+n.Name, printable(n.Version), n.Runs))
	}
	if l := st.LeftVersion; l != nil {
		a.out.print("%s", a.t("status.left_version", l.Version, l.Time.Local().Format(time.DateTime), l.Reason))
	}
	for _, acc := range st.Accounts {
		switch acc.State {
		case api.StateLoginRequired:
			if acc.Login.Code() {
				a.printCode(acc)
			}
			a.out.hint(a.t("hint.login_required", acc.Name))
		case api.StateFailed:
			a.out.hint(a.remedy(acc))
		}
		a.printDegraded(acc)
	}
}

// crashText says how the daemon last ended badly.
func (a *app) crashText(c *api.LastCrash) (lines []string) {
	if c == nil {
		return nil
	}
	what := c.Panic
	if what == "" {
		what = a.t("status.killed")
	}
	lines = append(lines, a.t("status.crash", c.Time.Local().Format(time.DateTime), printable(what)))
	if c.MessageID != "" {
		lines = append(lines, a.t("status.crash_message", printable(c.Account), printable(c.Chat), printable(c.MessageID)))
	}
	return lines
}

// stateColumn is the column of the accounts' table that is painted.
const stateColumn = 2

// printAccounts prints the accounts as a table, or, where cols has no room for
// one (0: there is no end of it), one below the other.
func (a *app) printAccounts(st api.Status, cols int) {
	rows := [][]string{{
		a.t("status.head.account"), a.t("status.head.qq"), a.t("status.head.state"), a.t("status.head.since"),
		a.t("status.head.restart"), a.t("status.head.memory"), a.t("status.head.cpu"), a.t("status.head.events"), a.t("status.head.detail"),
	}}
	for _, acc := range st.Accounts {
		qq := "-"
		if acc.UIN != 0 {
			qq = strconv.FormatInt(acc.UIN, 10)
		}
		if acc.Nickname != "" {
			qq += " " + printable(acc.Nickname)
		}
		rows = append(rows, []string{
			acc.Name, qq, a.stateWord(acc), age(time.Since(acc.Since)),
			strconv.Itoa(acc.Restarts), bytesText(acc.RSSBytes), fmt.Sprintf("%.1f%%", acc.CPUPercent),
			strconv.FormatUint(acc.Events, 10), joined(a.detail(acc), a.nextTry(acc)),
		})
	}
	paint := func(row, col int, s string) painted {
		if row == 0 {
			return a.out.paint("1", s)
		}
		if col == stateColumn {
			return a.out.paint(stateColour(st.Accounts[row-1].State), s)
		}
		return painted(s)
	}
	if cols == 0 || tableWidth(rows) <= cols {
		a.out.table(rows, paint)
		return
	}
	head := rows[0]
	for i, r := range rows[1:] {
		stacked := [][]string{{head[0], r[0]}}
		for c := 1; c < len(r); c++ {
			if r[c] != "" {
				stacked = append(stacked, []string{head[c], r[c]})
			}
		}
		if i > 0 {
			a.out.print("")
		}
		a.out.table(stacked, func(row, col int, s string) painted {
			switch {
			case col == 0:
				return paint(0, row, s)
			case stacked[row][0] == head[stateColumn]:
				return paint(i+1, stateColumn, s)
			}
			return painted(s)
		})
	}
}

// detail is the sentence that explains an account's state, "" where the state
// says it all.
func (a *app) detail(acc api.Account) string {
	if acc.State == api.StateOnline {
		return ""
	}
	return a.why(acc.Fault, acc.Reason, acc.Detail)
}

// why words a fault in the user's language; without one, a reason.
func (a *app) why(f api.Fault, reason, detail string) string {
	switch code := "reason." + reason; {
	case text.Has("fault." + string(f.Code)):
		return printable(text.Fault(a.lang, f))
	case reason == "" || !text.Has(code):
		return printable(detail)
	case a.lang == text.English && detail != "":
		return printable(detail)
	case detail != "":
		return a.t(code) + "：" + printable(detail)
	default:
		return a.t(code)
	}
}

// stateWord is an account's state in the table.
func (a *app) stateWord(acc api.Account) string {
	word := a.t("state." + string(acc.State))
	if acc.State == api.StateOnline && len(acc.Degraded) > 0 {
		return a.t("status.degraded", word)
	}
	return word
}

// printDegraded says why an account does less than it should, or would if it were
// online, and what helps.
func (a *app) printDegraded(acc api.Account) {
	for i, d := range acc.Degraded {
		a.out.print("%s", a.t("status.degraded_line", acc.Name, a.degradedText(d), age(time.Since(d.Since))))
		if i+1 < len(acc.Degraded) && acc.Degraded[i+1].Code == d.Code {
			continue // once for all of a kind
		}
		if h := text.FaultHint(a.lang, api.Fault{Code: d.Code}); h != "" {
			a.out.hint(h)
		}
	}
	if acc.Packet == api.PacketMissing {
		a.out.print("%s", a.t("status.no_packet", acc.Name))
	}
}

// degradedText is one reason in the user's language, with how often it was seen.
func (a *app) degradedText(d api.Degraded) string {
	s := d.Detail
	if text.Has("fault." + string(d.Code)) {
		s = text.Fault(a.lang, d.Fault())
	}
	if d.Count > 1 {
		return a.t("status.times", printable(s), d.Count)
	}
	return printable(s)
}

// joined returns the parts that are not empty with a dot between them.
func joined(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, " · ")
}

// remedy is what helps an account that failed.
func (a *app) remedy(acc api.Account) string {
	if h := text.FaultHint(a.lang, acc.Fault); h != "" {
		return h
	}
	if acc.Reason == "wrong_account" {
		return a.t("hint.wrong_account", acc.Name)
	}
	return a.t("hint.doctor")
}

// nextTry says when a start is tried again, "" if none is due.
func (a *app) nextTry(acc api.Account) string {
	switch acc.State {
	case api.StateBackoff, api.StateFailed:
		if !acc.NextTry.IsZero() {
			return a.t("status.next_try", age(time.Until(acc.NextTry)+time.Second/2))
		}
	}
	return ""
}

// stateColour is the SGR code of a state.
func stateColour(s api.State) string {
	switch s {
	case api.StateOnline:
		return "32"
	case api.StateFailed:
		return "31"
	case api.StateLoginRequired, api.StateOffline, api.StateBackoff:
		return "33"
	case api.StateStopped:
		return "2"
	}
	return "36"
}

// watchEvery is how often a terminal's status is drawn again without a change,
// for its ages, memory, counts and the time until the next try.
const watchEvery = time.Second

// watchStatus draws the status again with every change, and on a terminal every
// [watchEvery]. Without a terminal it prints each change below the last; as JSON
// it prints the stream.
func (a *app) watchStatus(ctx context.Context, asJSON bool) error {
	cl, _, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	if asJSON {
		err = cl.Watch(ctx, "", nil, func(it api.WatchItem) error { return a.out.json(it, true) })
	} else {
		changed := make(chan struct{}, 1)
		g, gctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			return cl.Watch(gctx, "", nil, func(api.WatchItem) error {
				select {
				case changed <- struct{}{}:
				default: // it is drawn anyway
				}
				return nil
			})
		})
		g.Go(func() error { return a.drawStatus(gctx, cl, changed) })
		err = g.Wait()
	}
	if errors.Is(err, io.EOF) {
		return nil // the daemon has stopped
	}
	return err
}

// drawStatus draws the status whenever something comes from changed, until ctx
// ends.
func (a *app) drawStatus(ctx context.Context, cl *client.Client, changed <-chan struct{}) error {
	var again <-chan time.Time
	if a.out.colour {
		t := time.NewTicker(watchEvery)
		defer t.Stop()
		again = t.C
	}
	for {
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return nil // the watch says why
		}
		st, err := cl.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, client.ErrNotRunning) {
			return io.EOF
		}
		if err != nil {
			return err
		}
		if a.out.colour {
			a.out.raw([]byte("\x1b[H\x1b[2J"))
		}
		a.printStatus(st)
	}
}

// age writes a duration with its two largest units.
func age(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// bytesText writes a number of bytes with one unit.
func bytesText(n uint64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<20:
		return fmt.Sprintf("%.0fKiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.0fMiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1fGiB", float64(n)/(1<<30))
}
