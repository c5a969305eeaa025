package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/logfile"
)

// recipe is how one framework is connected. What its own config needs is a text of
// the catalogue (app.recipe.NAME).
type recipe struct {
	name  string
	url   string   // where the framework waits for a reverse WebSocket, "" for forward
	allow []string // beyond the default
}

// recipes are the frameworks that `app add` knows, and generic for any other.
func recipes() []recipe {
	return []recipe{
		{name: "nonebot", url: "ws://127.0.0.1:8080/onebot/v11/ws"},
		{name: "koishi"},
		{name: "astrbot", url: "ws://127.0.0.1:6199/ws"},
		{name: "ncatbot", allow: []string{"read", "send", "manage", "files"}},
		{name: "maibot", url: "ws://127.0.0.1:8095"},
		{name: "zerobot"},
		{name: "karin", url: "ws://127.0.0.1:7777/onebot/v11/ws"},
		{name: "sealdice"},
		{name: "alemonjs"},
		{name: "generic"},
	}
}

func newApp(a *app) *cobra.Command {
	return a.group("app", "app", newAppAdd(a), newAppList(a), newAppShow(a), newAppRemove(a), newAppRestart(a), newAppToken(a), newAppLog(a))
}

// section is what `app add` writes.
type section struct {
	Name       string       `yaml:"name"`
	Accounts   []string     `yaml:"accounts,flow,omitempty"`
	Transports []string     `yaml:"transports,flow"`
	Listen     *listenPart  `yaml:"listen,flow,omitempty"`
	Reverse    *reversePart `yaml:"reverse,flow,omitempty"`
	Allow      []string     `yaml:"allow,flow"`
	Run        *runPart     `yaml:"run,omitempty"`
}

type listenPart struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"`
}

type reversePart struct {
	URL string `yaml:"url"`
}

type runPart struct {
	Command string `yaml:"command"`
	Dir     string `yaml:"dir,omitempty"`
}

// addition is what `app add` is asked for.
type addition struct {
	account, url, command, dir string
	port                       int
}

// section returns what is written of an app, and where it is reached.
func (d addition) section(r recipe, name string, cfg *config.Config) (s section, where string) {
	s = section{Name: name, Transports: []string{config.TransportForward}, Allow: []string{"read", "send"}}
	if d.account != "" {
		s.Accounts = []string{d.account}
	}
	if len(r.allow) > 0 {
		s.Allow = r.allow
	}
	if d.command != "" {
		s.Run = &runPart{d.command, d.dir}
	}
	where = d.url
	if where == "" {
		where = r.url
	}
	if where != "" { // it waits for us
		s.Transports, s.Reverse = []string{config.TransportReverse}, &reversePart{where}
		return s, where
	}
	port := d.port
	if port == 0 {
		port = freePort(cfg)
	}
	s.Listen = &listenPart{"127.0.0.1", port}
	where = "ws://127.0.0.1:" + strconv.Itoa(port)
	if d.account == "" && len(cfg.Accounts) > 1 { // each has a path of its own
		where += "/" + cfg.Accounts[0].Name + "/"
	}
	return s, where
}

// fits refuses an address on the wrong side: a framework either waits for ncatd or
// connects to it. Of generic nobody knows which.
func (d addition) fits(a *app, r recipe) error {
	generic := r.name == "generic"
	switch {
	case d.url != "" && r.url == "" && !generic:
		return usagef(a, "err.app_url", r.name)
	case d.port != 0 && (r.url != "" || d.url != ""):
		return usagef(a, "err.app_port", r.name)
	}
	return nil
}

// waiting returns the host and the port at which a framework has to wait for url.
func waiting(where string) (host, port string) {
	u, err := url.Parse(where)
	if err != nil {
		return "", "" // the config has refused it
	}
	host, port = "0.0.0.0", u.Port()
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" {
		host = "127.0.0.1"
	} else if ip != nil && ip.IsLoopback() {
		host = ip.String()
	}
	switch {
	case port != "":
	case u.Scheme == "wss":
		port = "443"
	default:
		port = "80"
	}
	return host, port
}

func newAppAdd(a *app) *cobra.Command {
	var d addition
	c := a.command("app_add", "add FRAMEWORK NAME", between(2, 2, "FRAMEWORK", "NAME"), func(c *cobra.Command, args []string) error {
		list := recipes()
		i := slices.IndexFunc(list, func(r recipe) bool { return r.name == args[0] })
		if i < 0 {
			return usagef(a, "err.no_recipe", args[0], strings.Join(recipeNames(), ", "))
		}
		if err := d.fits(a, list[i]); err != nil {
			return err
		}
		path, err := a.configFile()
		if err != nil {
			return err
		}
		cfg, err := a.loadConfig(path, nil)
		if err != nil {
			return err
		}
		s, where := d.section(list[i], args[1], cfg)
		b, err := yaml.Marshal(s)
		if err != nil {
			return fmt.Errorf("encode the section: %w", err)
		}
		if err := config.AddApp(path, string(b)); err != nil {
			return a.notEdited(path, err)
		}
		a.out.say("%s", a.t("app.added", s.Name, path))
		token, err := a.appToken(c.Context(), path, s.Name)
		if err != nil {
			return err
		}
		first := d.account
		if first == "" && len(cfg.Accounts) > 0 {
			first = cfg.Accounts[0].Name
		}
		host, port := waiting(where)
		fill := strings.NewReplacer("{url}", where, "{host}", host, "{port}", port, "{token}", token, "{self}", a.selfOf(c.Context(), cfg, first))
		a.out.print("%s", fill.Replace(a.t("app.recipe."+list[i].name)))
		return nil
	})
	f := c.Flags()
	f.StringVar(&d.url, "url", "", a.t("flag.app_url"))
	f.IntVar(&d.port, "port", 0, a.t("flag.app_port"))
	f.StringVar(&d.command, "run", "", a.t("flag.app_run"))
	f.StringVar(&d.dir, "dir", "", a.t("flag.app_dir"))
	f.StringVar(&d.account, "account", "", a.t("flag.app_account"))
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return recipeNames(), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// notEdited says that the config could not be changed in place.
func (a *app) notEdited(path string, err error) error {
	if errors.Is(err, config.ErrEdit) {
		return fail(exitFailure, errString(a.t("err.set_unsafe", "apps", err)), a.t("hint.edit", path))
	}
	return err
}

// selfOf returns the number of the account that an app uses first: that of the
// config, else what a running daemon knows, else a word in its place.
func (a *app) selfOf(ctx context.Context, cfg *config.Config, account string) string {
	for _, acc := range cfg.Accounts {
		if (account == "" || acc.Name == account) && acc.UIN != 0 {
			return strconv.FormatInt(acc.UIN, 10)
		}
	}
	cl, _, err := a.connect()
	if err != nil {
		return "QQ"
	}
	defer cl.Close()
	st, err := cl.Status(ctx)
	if err != nil {
		return "QQ"
	}
	for _, acc := range st.Accounts {
		if (account == "" || acc.Name == account) && acc.UIN != 0 {
			return strconv.FormatInt(acc.UIN, 10)
		}
	}
	return "QQ"
}

func recipeNames() []string {
	var names []string
	for _, r := range recipes() {
		names = append(names, r.name)
	}
	return names
}

// freePort returns a port for an app: from 6700 on, one that no other app has and
// that nothing listens on.
func freePort(cfg *config.Config) int {
	for port := 6700; port < 6800; port++ {
		if slices.ContainsFunc(cfg.Apps, func(c config.App) bool { return c.Listen.Port == port }) {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // answers at once
		if err == nil {
			l.Close()
			return port
		}
	}
	return 0
}

// appToken returns the token of an app of the config, which a running daemon is
// told of, and which is made now if none runs.
func (a *app) appToken(ctx context.Context, path, name string) (string, error) {
	h, err := a.daemonHome()
	if err != nil {
		return "", err
	}
	if pid, err := h.Holder(); err == nil && pid != 0 {
		cl, _, err := a.connect()
		if err != nil {
			return "", err
		}
		defer cl.Close()
		if _, err := cl.Reload(ctx); err != nil {
			return "", err
		}
		return a.readToken(h, path, name)
	}
	lock, err := h.Acquire()
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Release() }() // the file that tells is ours
	return a.readToken(h, path, name)
}

func (a *app) readToken(h home.Dir, path, name string) (string, error) {
	cfg, err := a.loadConfig(path, nil)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(cfg.Apps, func(c config.App) bool { return c.Name == name }) {
		return "", a.noApp(name)
	}
	s, err := config.EnsureSecrets(h.Secrets(), cfg, a.getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return "", err
	}
	return s.Apps[name].Reveal(), nil
}

func (a *app) noApp(name string) error {
	return fail(exitUsage, errString(a.t("err.no_app", name)), a.t("hint.app_list"))
}

// appStatus returns the apps as they stand; name, if not empty, is the one that is
// meant.
func (a *app) appStatus(ctx context.Context, name string) ([]api.App, error) {
	cl, _, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	st, err := cl.Status(ctx)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return append([]api.App{}, st.Apps...), nil
	}
	for _, v := range st.Apps {
		if v.Name == name {
			return []api.App{v}, nil
		}
	}
	return nil, a.noApp(name)
}

func newAppList(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("app_list", "list", noArgs, func(c *cobra.Command, _ []string) error {
		list, err := a.appStatus(c.Context(), "")
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(list, false)
		}
		if len(list) == 0 {
			a.out.say("%s", a.t("app.none"))
			return nil
		}
		a.printApps(list)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

// printApps prints apps as a table.
func (a *app) printApps(list []api.App) {
	rows := [][]string{{a.t("app.head.app"), a.t("app.head.state"), a.t("app.head.accounts"), a.t("app.head.events"), a.t("app.head.calls"), a.t("app.head.refused"), a.t("app.head.detail")}}
	for _, v := range list {
		detail := v.LastError
		if v.Fault.Code != "" && v.State != api.StateOnline {
			detail = text.Fault(a.lang, v.Fault)
		}
		if v.Links > 0 {
			detail = ""
		}
		rows = append(rows, []string{
			v.Name, a.appState(v), strings.Join(v.Accounts, ", "), strconv.FormatUint(v.Events, 10), strconv.FormatUint(v.Calls, 10),
			strconv.FormatUint(v.Refused, 10), printable(detail),
		})
	}
	a.out.table(rows, nil)
}

func (a *app) appState(v api.App) string { return a.t("state." + string(v.State)) }

func newAppShow(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("app_show", "show NAME", between(1, 1, "NAME"), func(c *cobra.Command, args []string) error {
		list, err := a.appStatus(c.Context(), args[0])
		if err != nil {
			return err
		}
		v := list[0]
		if asJSON {
			return a.out.json(v, false)
		}
		a.printApps(list)
		a.out.print("%s", a.t("app.where", v.URL, strings.Join(v.Transports, ", "), v.Links))
		if v.PID != 0 {
			a.out.print("%s", a.t("app.process", v.PID, v.Restarts, bytesText(v.RSSBytes)))
		}
		if v.Replayed > 0 || v.CutOff > 0 {
			a.out.print("%s", a.t("app.replayed", v.Replayed, v.CutOff))
		}
		if v.LastError != "" {
			a.out.print("%s", a.t("app.last_error", printable(v.LastError)))
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func newAppRemove(a *app) *cobra.Command {
	return a.command("app_remove", "remove NAME", between(1, 1, "NAME"), func(c *cobra.Command, args []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		if err := config.RemoveApp(path, args[0]); err != nil {
			return a.notEdited(path, err)
		}
		a.out.say("%s", a.t("app.removed", args[0], path))
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		if pid, err := h.Holder(); err != nil || pid == 0 {
			return nil
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		_, err = cl.Reload(c.Context())
		return err
	})
}

func newAppRestart(a *app) *cobra.Command {
	return a.command("app_restart", "restart NAME", between(1, 1, "NAME"), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		if err := cl.RestartApp(c.Context(), args[0]); err != nil {
			return err
		}
		a.out.say("%s", a.t("app.restarting", args[0]))
		return nil
	})
}

func newAppToken(a *app) *cobra.Command {
	return a.command("app_token", "token NAME", between(1, 1, "NAME"), func(c *cobra.Command, args []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		token, err := a.appToken(c.Context(), path, args[0])
		if err != nil {
			return err
		}
		a.out.print("%s", token)
		return nil
	})
}

func newAppLog(a *app) *cobra.Command {
	var calls bool
	var lines int
	c := a.command("app_log", "log NAME", between(1, 1, "NAME"), func(_ *cobra.Command, args []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		name := "app-" + args[0] + ".log"
		if calls {
			name = "app-" + args[0] + ".access.log"
		}
		f, err := os.Open(h.Join("logs", name))
		if errors.Is(err, os.ErrNotExist) {
			return fail(exitFailure, errString(a.t("err.no_app_log", args[0])), a.t("hint.app_log"))
		}
		if err != nil {
			return err
		}
		defer f.Close()
		for _, l := range tail(f, lines) {
			plain, _ := logfile.Plain([]byte(l))
			a.out.print("%s", plain)
		}
		return nil
	})
	c.Flags().BoolVar(&calls, "calls", false, a.t("flag.app_calls"))
	c.Flags().IntVarP(&lines, "lines", "n", 200, a.t("flag.app_lines"))
	return c
}

// tailBytes is how much of the end of a log is looked at.
const tailBytes = 4 << 20

// tail returns the last n lines of a file.
func tail(f *os.File, n int) []string {
	if st, err := f.Stat(); err == nil && st.Size() > tailBytes {
		_, _ = f.Seek(-tailBytes, io.SeekEnd) // else all of it is read
	}
	b, _ := io.ReadAll(f) // what was read is shown
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return lines[max(len(lines)-max(n, 0), 0):]
}
