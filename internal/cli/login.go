package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/client"
)

// qrForm is how login shows a code.
type qrForm string

// The forms of --qr.
const (
	qrTerminal qrForm = "terminal"
	qrASCII    qrForm = "ascii"
	qrPNG      qrForm = "png"
	qrURL      qrForm = "url"
)

type loginOptions struct {
	form     qrForm
	png      string // file, with qrPNG
	quick    int64
	password bool
	list     bool
	json     bool
	timeout  time.Duration
}

func newLogin(a *app) *cobra.Command {
	var o loginOptions
	var qr string
	var fleet bool
	c := a.command("login", "login [ACCOUNT]", atMost(1), func(c *cobra.Command, args []string) error {
		name := ""
		if len(args) == 1 {
			name = args[0]
		}
		var err error
		if o.form, o.png, err = a.parseQR(qr); err != nil {
			return err
		}
		if n := btoi(o.quick != 0) + btoi(o.password) + btoi(o.list); n > 1 {
			return usagef(a, "err.login_ways")
		}
		if o.quick < 0 {
			return usagef(a, "err.login_uin", o.quick)
		}
		if o.timeout < 0 {
			return usagef(a, "err.login_timeout", o.timeout)
		}
		var md5 string
		if o.password {
			if md5, err = a.readPassword(c.Context()); err != nil {
				return err
			}
		}
		if fleet {
			cl, _, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			acc, err := a.accountAnywhere(c.Context(), cl, name)
			if err != nil {
				return err
			}
			name = acc.Name
		}
		return a.login(c.Context(), name, o, md5)
	})
	c.ValidArgsFunction = a.completeAccounts
	a.hostFlag(c)
	f := c.Flags()
	f.StringVar(&qr, "qr", string(qrTerminal), a.t("flag.qr"))
	f.Int64Var(&o.quick, "quick", 0, a.t("flag.quick"))
	f.BoolVar(&o.password, "password-stdin", false, a.t("flag.password_stdin"))
	f.BoolVar(&fleet, "fleet", false, a.t("flag.login_fleet"))
	f.BoolVar(&o.list, "list", false, a.t("flag.list"))
	f.BoolVar(&o.json, "json", false, a.t("flag.login_json"))
	f.DurationVar(&o.timeout, "timeout", 0, a.t("flag.login_timeout"))
	_ = c.RegisterFlagCompletionFunc("qr", cobra.FixedCompletions([]string{"terminal", "ascii", "png=", "url"}, cobra.ShellCompDirectiveNoSpace)) // fails only for a flag that is not there
	return c
}

// parseQR reads --qr.
func (a *app) parseQR(s string) (form qrForm, png string, err error) {
	form = qrForm(s)
	if head, file, ok := strings.Cut(s, "="); ok && head == string(qrPNG) {
		if file == "" {
			return "", "", usagef(a, "err.qr_file")
		}
		// The daemon may be elsewhere, the file is where the user stands.
		if png, err = filepath.Abs(file); err != nil {
			return "", "", err
		}
		return qrPNG, png, nil
	}
	switch form {
	case qrTerminal, qrASCII, qrURL:
		return form, "", nil
	case qrPNG:
		return "", "", usagef(a, "err.qr_file")
	}
	return "", "", usagef(a, "err.qr_form", s)
}

// login logs an account in through the daemon, or runs that account itself when
// there is no daemon.
func (a *app) login(ctx context.Context, name string, o loginOptions, md5 string) error {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, errLoginTimeout)
		defer cancel()
	}
	h, err := a.daemonHome()
	if err != nil {
		return err
	}
	pid, err := h.Holder()
	if err != nil {
		return err
	}
	work := func(ctx context.Context, cl *client.Client, name string, own bool) error {
		if o.list {
			return a.listTickets(ctx, cl, name, o.json)
		}
		s := newLoginSession(a, cl, name, o, own)
		if md5 != "" {
			s.wishPassword(md5)
		} else if o.quick != 0 {
			s.wishQuick(o.quick)
		}
		return s.run(ctx)
	}
	if pid == 0 {
		err = a.loginAlone(ctx, h, name, o, work)
	} else {
		cl := client.New(h.Socket())
		if a.host != "" {
			cl = cl.At(a.host)
		}
		defer cl.Close()
		err = work(ctx, cl, name, false)
	}
	if errors.Is(err, errLoginTimeout) {
		return fail(exitLoginRequired, errString(a.t("err.login_timed_out", o.timeout)), a.t("hint.login_again"))
	}
	return err
}

// errLoginTimeout is the end of --timeout.
var errLoginTimeout = errors.New("login timeout")

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
