package control

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/control/api"
)

// maxLabelValues bounds how many different values of one label are kept; later
// ones are counted as "other". Event types, actions, reasons and retcodes are
// few by nature; this holds whatever a caller makes up.
const maxLabelValues = 256

// maxLabelLen bounds one value, in bytes. NapCat's own are half as long.
const maxLabelLen = 64

// Metrics counts what happens for /metrics. What is a state rather than a
// happening comes from [Backend.Status] at the time of the scrape. Names obey
// Prometheus's conventions; no label holds a group, a user or a text. All
// methods are safe for concurrent use and for a nil Metrics.
type Metrics struct {
	restarts, events, calls, latency, handlers *family
	appCalls, appLatency, dropped, depth       *family
	started                                    time.Time
	backend                                    Backend // nil before attach
	hub                                        *Hub

	mu   sync.Mutex
	seen map[string]map[string]bool // label -> values
}

// NewMetrics returns empty counters.
func NewMetrics() *Metrics {
	return &Metrics{
		restarts:   newFamily(counter, "ncatd_restarts_total", "Restarts of an account's NapCat, by reason.", "account", "reason"),
		events:     newFamily(counter, "ncatd_events_total", "Events received from OneBot, by type.", "account", "type"),
		calls:      newFamily(counter, "ncatd_calls_total", "OneBot calls, by action and retcode (not_sent and unknown_outcome where no answer came).", "account", "action", "retcode"),
		latency:    newHistogram("ncatd_call_duration_seconds", "Time from sending a OneBot call to its answer.", "account", .005, .02, .1, .5, 2, 10),
		appCalls:   newFamily(counter, "ncatd_app_calls_total", "Calls that apps made, by action and retcode.", "app", "action", "retcode"),
		appLatency: newHistogram("ncatd_app_call_duration_seconds", "Time from an app's call to its answer.", "app", .005, .02, .1, .5, 2, 10),
		handlers:   newHistogram("ncatd_handler_duration_seconds", "Time an event spent in the bot's handlers.", "account", .001, .01, .1, 1, 10),
		dropped:    newFamily(counter, "ncatd_events_dropped_total", "Events dropped because a chat's queue was full.", "account"),
		depth:      newFamily(gauge, "ncatd_event_queue_length", "Events waiting for a handler, all chats together.", "account"),
		started:    time.Now(),
		seen:       map[string]map[string]bool{},
	}
}

// Restart counts one restart of the account's NapCat.
func (m *Metrics) Restart(account, reason string) {
	if m != nil {
		m.restarts.add(1, account, m.bounded("reason", reason))
	}
}

// Event counts one event; typ is its post_type and second type, such as
// "message.group".
func (m *Metrics) Event(account, typ string) {
	if m != nil {
		m.events.add(1, account, m.bounded("type", typ))
	}
}

// Call counts one call that took d. result is the answer's retcode in decimal,
// or "not_sent", or "unknown_outcome".
func (m *Metrics) Call(account, action, result string, d time.Duration) {
	if m == nil {
		return
	}
	m.calls.add(1, account, m.bounded("action", action), m.bounded("retcode", result))
	m.latency.observe(d.Seconds(), account)
}

// AppCall counts one call of an app that took d.
func (m *Metrics) AppCall(app, action string, retcode int, d time.Duration) {
	if m == nil {
		return
	}
	m.appCalls.add(1, m.bounded("app", app), m.bounded("action", action), m.bounded("retcode", strconv.Itoa(retcode)))
	m.appLatency.observe(d.Seconds(), m.bounded("app", app))
}

// Handled observes how long the handlers of one event took.
func (m *Metrics) Handled(account string, d time.Duration) {
	if m != nil {
		m.handlers.observe(d.Seconds(), account)
	}
}

// Dropped counts n events lost to a full queue.
func (m *Metrics) Dropped(account string, n int) {
	if m != nil {
		m.dropped.add(float64(n), account)
	}
}

// QueueLength sets how many events wait for a handler.
func (m *Metrics) QueueLength(account string, n int) {
	if m != nil {
		m.depth.set(float64(n), account)
	}
}

// bounded returns v if it is short and among the first values of the label, else
// "other".
func (m *Metrics) bounded(label, v string) string {
	if len(v) > maxLabelLen || !utf8.ValidString(v) {
		return "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.seen[label]
	if s == nil {
		s = map[string]bool{}
		m.seen[label] = s
	}
	switch {
	case s[v]:
		return v
	case len(s) >= maxLabelValues:
		return "other"
	}
	s[v] = true
	return v
}

// label makes a value that comes from outside one that a label may have.
func label(v string) string {
	v = strings.ToValidUTF8(v, "?")
	if len(v) > maxLabelLen {
		return strings.ToValidUTF8(v[:maxLabelLen], "")
	}
	return v
}

// attach sets whose status is read.
func (m *Metrics) attach(b Backend, h *Hub) { m.backend, m.hub = b, h }

// text returns all metrics, with Go's and the process's own besides, in
// Prometheus's text format.
func (m *Metrics) text() []byte {
	all := append([]*family{m.restarts, m.events, m.calls, m.latency, m.handlers, m.appCalls, m.appLatency, m.dropped, m.depth},
		statusFamilies(m.backend.Status(), m.hub.Len())...)
	all = append(all, ownFamilies(m.started)...)
	slices.SortFunc(all, func(a, b *family) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	for _, f := range all {
		f.write(&b)
	}
	return b.Bytes()
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, err := w.Write(s.metrics.text())
	return err
}

var allStates = []api.State{
	api.StateStopped, api.StateInstalling, api.StateStarting, api.StateLoginRequired, api.StateConnecting,
	api.StateOnline, api.StateOffline, api.StateBackoff, api.StateFailed, api.StateStopping,
}

// statusFamilies returns what a status says.
func statusFamilies(st api.Status, watchers int) []*family {
	build := newFamily(gauge, "ncatd_build_info", "Always 1; the version of ncatd.", "version")
	info := newFamily(gauge, "ncatd_account_info", "Always 1; the account and what it runs.", "account", "uin", "napcat_version", "qq_version")
	state := newFamily(gauge, "ncatd_account_state", "1 for the state the account is in, 0 for all others.", "account", "state")
	since := newFamily(gauge, "ncatd_account_state_since_timestamp_seconds", "When the account entered its state.", "account")
	rss := newFamily(gauge, "ncatd_napcat_resident_memory_bytes", "Resident memory of the account's process tree.", "account")
	cpu := newFamily(gauge, "ncatd_napcat_cpu_usage_ratio", "Processor use of the account's process tree; 1 is one core.", "account")
	degraded := newFamily(gauge, "ncatd_account_degraded", "1 for each reason why an account does less than it should although it is online.", "account", "code")
	failed := newFamily(counter, "ncatd_sends_failed_total", "Sends that failed.", "account")
	app := newFamily(gauge, "ncatd_app_connected", "1 while the app has a link.", "app")
	appEvents := newFamily(counter, "ncatd_app_events_total", "Events that an app got.", "app")
	appCut := newFamily(counter, "ncatd_app_cut_off_total", "How often an app was cut off for reading too slowly.", "app")
	appQueue := newFamily(gauge, "ncatd_app_queue_bytes", "Bytes that wait for an app.", "app")
	watching := newFamily(gauge, "ncatd_control_watchers", "Readers of watch and event streams.")

	build.set(1, st.Version)
	watching.set(float64(watchers))
	for _, a := range st.Apps {
		app.set(float64(min(a.Links, 1)), a.Name)
		appQueue.set(float64(a.Queue), a.Name)
		appEvents.set(float64(a.Events), a.Name)
		appCut.set(float64(a.CutOff), a.Name)
	}
	for _, a := range st.Accounts {
		info.set(1, a.Name, strconv.FormatInt(a.UIN, 10), label(a.NapCat), label(a.QQ))
		for _, d := range a.Degraded {
			degraded.set(1, a.Name, label(string(d.Code)))
		}
		for _, s := range allStates {
			state.set(0, a.Name, string(s))
		}
		state.set(1, a.Name, string(a.State))
		since.set(float64(a.Since.UnixMilli())/1000, a.Name)
		rss.set(float64(a.RSSBytes), a.Name)
		cpu.set(a.CPUPercent/100, a.Name)
		failed.set(float64(a.SendsFailed), a.Name)
	}
	return []*family{build, info, state, since, rss, cpu, degraded, failed, app, appEvents, appCut, appQueue, watching}
}
