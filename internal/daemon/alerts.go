package daemon

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/alert"
	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/qrterm"
	"github.com/ncatd/ncatd/onebot"
)

// offlineHoldOff is how long an account is offline before that is told where the
// config has no rules: it mends itself most of the time.
const offlineHoldOff = 3 * time.Minute

// alertSpace is the owner of what alerts keep.
const alertSpace = "alerts"

// alerts runs the alerter that the config asks for; none without channels.
type alerts struct {
	d *Daemon
	// store is a file of its own, so that a broken store of the bot can be told.
	store *store.Lazy
	kept  *alert.Store       // over store, from one configuration to the next
	next  chan config.Alerts // capacity 1: what the newest reload wants
	now   atomic.Pointer[alert.Alerter]

	server *control.Server // makes links into the console; set before run
}

func newAlerts(d *Daemon) *alerts {
	file := store.NewLazy(d.o.Home.Join("data", "alerts.db"), store.Options{Log: d.log, Present: []string{alertSpace}})
	return &alerts{d: d, store: file, kept: alert.NewStore(file.Space(alertSpace), d.log), next: make(chan config.Alerts, 1)}
}

// run runs one alerter after the other until ctx ends.
func (a *alerts) run(ctx context.Context) {
	c := a.d.config().Alerts
	for ctx.Err() == nil {
		actx, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if alerter := a.make(c); alerter != nil {
			a.now.Store(alerter)
			wg.Go(func() {
				if err := alerter.Run(actx); err != nil {
					a.d.log.Error("alerts ended badly", "err", err)
				}
			})
		}
		select {
		case <-ctx.Done():
		case c = <-a.next:
		}
		a.now.Store(nil)
		stop()
		wg.Wait()
	}
	if err := a.store.Close(); err != nil {
		a.d.log.Error("the alerts' store did not close", "err", err)
	}
}

// configure takes what a reload wants. It does not wait.
func (a *alerts) configure(c config.Alerts) {
	select {
	case <-a.next:
	default:
	}
	a.next <- c
}

func (a *alerts) make(c config.Alerts) *alert.Alerter {
	if len(c.Channels) == 0 {
		return nil
	}
	lang, _ := text.Detect(c.Language, func(key string) string { return environ(a.d.o.Environ, key) })
	o := alert.Options{
		Rules: alertRules(c), Store: a.kept, Status: a.d.Status, Words: words{lang},
		QR: func(s string) ([]byte, error) {
			code, err := qrterm.New(s)
			if err != nil {
				return nil, err
			}
			return code.PNG()
		},
		Caller: func(account string) (onebot.Caller, error) {
			s, err := a.d.slotOf(account)
			if err != nil {
				return nil, err
			}
			return s.acc.Link(), nil
		},
		Logger: a.d.log,
	}
	if c.Console {
		o.Link = a.link
	}
	for _, ch := range c.Channels {
		o.Channels = append(o.Channels, alert.ChannelConfig{Name: ch.Name, Kind: ch.Kind, Fields: ch.Fields})
	}
	alerter, err := alert.New(o)
	if err != nil {
		a.d.log.Error("no alerts", "err", err)
		return nil
	}
	return alerter
}

// link implements [alert.Options.Link].
func (a *alerts) link(ctx context.Context) string {
	link, err := a.server.Link(ctx)
	if err != nil {
		a.d.log.Warn("an alert goes without a link into the console", "err", err)
	}
	return link
}

// alertRules returns the rules of the config; without any, all is told through
// all channels.
func alertRules(c config.Alerts) []alert.Rule {
	list := c.Rules
	if len(list) == 0 {
		all := config.DefaultAlertRule()
		for _, ch := range c.Channels {
			all.Channels = append(all.Channels, ch.Name)
		}
		offline := all
		offline.Kinds, offline.HoldOff = []string{string(alert.KindOffline)}, config.Duration(offlineHoldOff)
		list = []config.AlertRule{offline, all}
	}
	rules := make([]alert.Rule, len(list))
	for i, r := range list {
		rules[i] = alert.Rule{
			Accounts: r.Accounts, Channels: r.Channels, HoldOff: r.HoldOff.D(), Settle: r.Settle.D(),
			Repeat: r.Repeat.D(), RepeatMax: r.RepeatMax.D(), Quiet: quietHours(r.Quiet),
		}
		for _, k := range r.Kinds {
			rules[i].Kinds = append(rules[i].Kinds, alert.Kind(k))
		}
	}
	return rules
}

// quietHours reads what the config has checked.
func quietHours(q config.AlertQuiet) alert.Quiet {
	from, err1 := config.TimeOfDay(q.From)
	to, err2 := config.TimeOfDay(q.To)
	name := q.Zone
	if name == "" {
		name = "Local"
	}
	zone, err3 := time.LoadLocation(name)
	if errors.Join(err1, err2, err3) != nil {
		return alert.Quiet{}
	}
	return alert.Quiet{From: from, To: to, Zone: zone}
}

// words is the catalogue for alerts.
type words struct{ lang text.Lang }

// T implements [alert.Words]: a code without a text is "".
func (w words) T(code string, args ...any) string {
	if !text.Has(code) {
		return ""
	}
	return text.T(w.lang, code, args...)
}

// Fault implements [alert.Words].
func (w words) Fault(f api.Fault) string {
	if !text.Has("fault." + string(f.Code)) {
		return ""
	}
	return text.Fault(w.lang, f)
}

// changed says that the status may have changed.
func (a *alerts) changed() {
	if alerter := a.now.Load(); alerter != nil {
		alerter.Changed()
	}
}

// status returns the channels for the daemon's status.
func (a *alerts) status() []api.AlertChannel {
	if alerter := a.now.Load(); alerter != nil {
		return apiChannels(alerter.States())
	}
	return nil
}

func apiChannels(list []alert.ChannelStatus) []api.AlertChannel {
	out := make([]api.AlertChannel, 0, len(list))
	for _, c := range list {
		out = append(out, api.AlertChannel{Name: c.Name, Kind: c.Kind, Waiting: c.Waiting, Failing: c.Failing.Fault(), Since: c.Since})
	}
	return out
}

// alerter returns the alerter, or why there is none.
func (a *alerts) alerter() (*alert.Alerter, error) {
	alerter := a.now.Load()
	if alerter == nil {
		return nil, control.Refuse(control.CodeConflict, api.Because(api.CodeNoAlerts))
	}
	return alerter, nil
}

// Alerts implements [control.Backend].
func (d *Daemon) Alerts(ctx context.Context) (api.Alerts, error) {
	out := api.Alerts{Channels: []api.AlertChannel{}, Open: []api.AlertOpen{}, Silenced: []api.AlertSilence{}}
	alerter := d.alerts.now.Load()
	if alerter == nil {
		return out, nil
	}
	channels, err := alerter.Channels(ctx)
	if err != nil {
		return out, err
	}
	out.Channels = apiChannels(channels)
	open, silenced := alerter.Open()
	for _, o := range open {
		c := o.Condition
		out.Open = append(out.Open, api.AlertOpen{Kind: string(c.Kind), Account: c.Account, Subject: c.Subject,
			Fault: c.Fault(), Since: c.Since, Gone: o.Gone, Told: o.Told})
	}
	for _, account := range slices.Sorted(maps.Keys(silenced)) {
		if until := silenced[account]; until.After(time.Now()) {
			out.Silenced = append(out.Silenced, api.AlertSilence{Account: account, Until: until})
		}
	}
	return out, nil
}

// AlertLog implements [control.Backend].
func (d *Daemon) AlertLog(ctx context.Context) ([]api.AlertLogEntry, error) {
	alerter := d.alerts.now.Load()
	if alerter == nil {
		return nil, nil
	}
	entries, err := alerter.Log(ctx)
	out := make([]api.AlertLogEntry, 0, len(entries))
	for _, e := range entries {
		entry := api.AlertLogEntry{Time: e.Time, Channel: e.Channel, Tries: e.Tries, Items: []api.AlertItem{}, Failed: e.Failed.Fault()}
		for _, it := range e.Items {
			entry.Items = append(entry.Items, api.AlertItem{Phase: string(it.Phase), Kind: string(it.Kind), Account: it.Account, Subject: it.Subject,
				Fault: it.Fault(), Since: it.Since, Seconds: it.Lasted.Seconds()})
		}
		out = append(out, entry)
	}
	return out, err
}

// AlertTest implements [control.Backend]. All channels are tried at once.
func (d *Daemon) AlertTest(ctx context.Context, channel string) ([]api.AlertTest, error) {
	alerter, err := d.alerts.alerter()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range alerter.States() {
		if channel == "" || c.Name == channel {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		var all []string
		for _, c := range alerter.States() {
			all = append(all, c.Name)
		}
		return nil, control.Refuse(control.CodeNoChannel, api.Because(api.CodeNoChannel, channel, strings.Join(all, ", ")))
	}
	out := make([]api.AlertTest, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			began := time.Now()
			failed := alerter.Test(ctx, name)
			out[i] = api.AlertTest{Channel: name, Seconds: time.Since(began).Seconds(), Failed: failed.Fault()}
		})
	}
	wg.Wait()
	return out, nil
}

// AlertSilence implements [control.Backend].
func (d *Daemon) AlertSilence(ctx context.Context, account string, dur time.Duration) error {
	alerter, err := d.alerts.alerter()
	if err != nil {
		return err
	}
	if account != "" {
		if _, err := d.slotOf(account); err != nil {
			return err
		}
	}
	return alerter.Silence(ctx, account, time.Now().Add(dur))
}

// reloadAlerts hands changed alerts to the alerter.
func (d *Daemon) reloadAlerts(old, cfg config.Alerts, r *api.ReloadResponse) {
	if !reflect.DeepEqual(old, cfg) {
		d.alerts.configure(cfg)
		r.Applied = append(r.Applied, "alerts")
	}
}
