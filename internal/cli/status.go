package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	var asJSON, watch bool
	c := a.command("status", "status", noArgs, func(c *cobra.Command, _ []string) error {
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
		return statusExit(st)
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().BoolVarP(&watch, "watch", "w", false, a.t("flag.watch"))
	return c
}

// statusExit turns a status into the exit code that scripts want.
func statusExit(st api.Status) error {
	code := exitOK
	for _, acc := range st.Accounts {
		switch acc.State {
		case api.StateOnline, api.StateStopped:
		case api.StateFailed:
			return quiet(exitNapCatFailed)
		case api.StateLoginRequired:
			code = exitLoginRequired
		default:
			if code == exitOK {
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
		a.out.print("%s", a.t("versions.rolled_back", r.NapCat, r.QQ, r.Time.Local().Format(time.DateTime), printable(r.Reason)))
	}
	for _, acc := range st.Accounts {
		switch acc.State {
		case api.StateLoginRequired:
			if acc.QR != nil {
				a.printCode(acc)
			}
			a.out.hint(a.t("hint.login_required", acc.Name))
		case api.StateFailed:
			a.out.hint(a.t("hint.doctor"))
		}
	}
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
			acc.Name, qq, a.t("state." + string(acc.State)), age(time.Since(acc.Since)),
			strconv.Itoa(acc.Restarts), bytesText(acc.RSSBytes), fmt.Sprintf("%.1f%%", acc.CPUPercent),
			strconv.FormatUint(acc.Events, 10), a.detail(acc),
		})
	}
	paint := func(row, col int, s string) string {
		if row == 0 {
			return a.out.paint("1", s)
		}
		if col == stateColumn {
			return a.out.paint(stateColour(st.Accounts[row-1].State), s)
		}
		return s
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
		a.out.table(stacked, func(row, col int, s string) string {
			switch {
			case col == 0:
				return paint(0, row, s)
			case stacked[row][0] == head[stateColumn]:
				return paint(i+1, stateColumn, s)
			}
			return s
		})
	}
}

// detail is the sentence that explains an account's state.
func (a *app) detail(acc api.Account) string {
	switch acc.State {
	case api.StateOnline:
		return ""
	case api.StateFailed, api.StateBackoff, api.StateOffline:
		return a.reason(acc.Reason, acc.Detail, true)
	}
	return a.reason(acc.Reason, acc.Detail, false)
}

// reason words a reason: in English the daemon's own sentence, else the
// catalogue's, with the daemon's behind it if every particular counts.
func (a *app) reason(reason, detail string, particulars bool) string {
	detail = printable(detail)
	code := "reason." + reason
	switch {
	case reason == "" || !text.Has(code):
		return detail
	case detail == "":
		return a.t(code)
	case a.lang == text.English:
		return detail
	case particulars:
		return a.t(code) + "：" + detail
	}
	return a.t(code)
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
// for its ages, memory and counts.
const watchEvery = 2 * time.Second

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

// printable takes what would move a terminal's cursor out of a text that comes
// from strangers, and makes it one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}
