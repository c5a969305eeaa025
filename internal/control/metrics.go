package control

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

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
	reg        *prometheus.Registry
	restarts   *prometheus.CounterVec
	events     *prometheus.CounterVec
	calls      *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	handlers   *prometheus.HistogramVec
	appCalls   *prometheus.CounterVec
	appLatency *prometheus.HistogramVec
	dropped    *prometheus.CounterVec
	depth      *prometheus.GaugeVec

	mu   sync.Mutex
	seen map[string]map[string]bool // label -> values
}

// NewMetrics returns empty counters, with Go's and the process's own besides.
func NewMetrics() *Metrics {
	m := &Metrics{
		reg: prometheus.NewRegistry(),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ncatd_restarts_total", Help: "Restarts of an account's NapCat, by reason."}, []string{"account", "reason"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ncatd_events_total", Help: "Events received from OneBot, by type."}, []string{"account", "type"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ncatd_calls_total", Help: "OneBot calls, by action and retcode (not_sent and unknown_outcome where no answer came)."}, []string{"account", "action", "retcode"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ncatd_call_duration_seconds", Help: "Time from sending a OneBot call to its answer.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10}}, []string{"account"}),
		appCalls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ncatd_app_calls_total", Help: "Calls that apps made, by action and retcode."}, []string{"app", "action", "retcode"}),
		appLatency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ncatd_app_call_duration_seconds", Help: "Time from an app's call to its answer.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10}}, []string{"app"}),
		handlers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ncatd_handler_duration_seconds", Help: "Time an event spent in the bot's handlers.",
			Buckets: []float64{.001, .01, .1, 1, 10}}, []string{"account"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ncatd_events_dropped_total", Help: "Events dropped because a chat's queue was full."}, []string{"account"}),
		depth: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ncatd_event_queue_length", Help: "Events waiting for a handler, all chats together."}, []string{"account"}),
		seen: map[string]map[string]bool{},
	}
	m.reg.MustRegister(m.restarts, m.events, m.calls, m.latency, m.appCalls, m.appLatency, m.handlers, m.dropped, m.depth,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Restart counts one restart of the account's NapCat.
func (m *Metrics) Restart(account, reason string) {
	if m != nil {
		m.restarts.WithLabelValues(account, m.bounded("reason", reason)).Inc()
	}
}

// Event counts one event; typ is its post_type and second type, such as
// "message.group".
func (m *Metrics) Event(account, typ string) {
	if m != nil {
		m.events.WithLabelValues(account, m.bounded("type", typ)).Inc()
	}
}

// Call counts one call that took d. result is the answer's retcode in decimal,
// or "not_sent", or "unknown_outcome".
func (m *Metrics) Call(account, action, result string, d time.Duration) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(account, m.bounded("action", action), m.bounded("retcode", result)).Inc()
	m.latency.WithLabelValues(account).Observe(d.Seconds())
}

// AppCall counts one call of an app that took d.
func (m *Metrics) AppCall(app, action string, retcode int, d time.Duration) {
	if m == nil {
		return
	}
	m.appCalls.WithLabelValues(m.bounded("app", app), m.bounded("action", action), m.bounded("retcode", strconv.Itoa(retcode))).Inc()
	m.appLatency.WithLabelValues(m.bounded("app", app)).Observe(d.Seconds())
}

// Handled observes how long the handlers of one event took.
func (m *Metrics) Handled(account string, d time.Duration) {
	if m != nil {
		m.handlers.WithLabelValues(account).Observe(d.Seconds())
	}
}

// Dropped counts n events lost to a full queue.
func (m *Metrics) Dropped(account string, n int) {
	if m != nil {
		m.dropped.WithLabelValues(account).Add(float64(n))
	}
}

// QueueLength sets how many events wait for a handler.
func (m *Metrics) QueueLength(account string, n int) {
	if m != nil {
		m.depth.WithLabelValues(account).Set(float64(n))
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

// attach adds the collector that reads the backend's status.
func (m *Metrics) attach(b Backend, h *Hub) {
	m.reg.MustRegister(&statusCollector{b: b, h: h})
}

// Handler serves the metrics.
func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{})
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	s.metrics.handler().ServeHTTP(w, r)
	return nil
}

var allStates = []api.State{
	api.StateStopped, api.StateInstalling, api.StateStarting, api.StateLoginRequired, api.StateConnecting,
	api.StateOnline, api.StateOffline, api.StateBackoff, api.StateFailed, api.StateStopping,
}

var (
	descBuild = prometheus.NewDesc("ncatd_build_info", "Always 1; the version of ncatd.", []string{"version"}, nil)
	descInfo  = prometheus.NewDesc("ncatd_account_info", "Always 1; the account and what it runs.",
		[]string{"account", "uin", "napcat_version", "qq_version"}, nil)
	descState    = prometheus.NewDesc("ncatd_account_state", "1 for the state the account is in, 0 for all others.", []string{"account", "state"}, nil)
	descSince    = prometheus.NewDesc("ncatd_account_state_since_timestamp_seconds", "When the account entered its state.", []string{"account"}, nil)
	descRSS      = prometheus.NewDesc("ncatd_napcat_resident_memory_bytes", "Resident memory of the account's process tree.", []string{"account"}, nil)
	descCPU      = prometheus.NewDesc("ncatd_napcat_cpu_usage_ratio", "Processor use of the account's process tree; 1 is one core.", []string{"account"}, nil)
	descDegraded = prometheus.NewDesc("ncatd_account_degraded", "1 for each reason why an account does less than it should although it is online.", []string{"account", "code"}, nil)
	descFailed   = prometheus.NewDesc("ncatd_sends_failed_total", "Sends that failed.", []string{"account"}, nil)
	descApp      = prometheus.NewDesc("ncatd_app_connected", "1 while the app has a link.", []string{"app"}, nil)
	descAppEvent = prometheus.NewDesc("ncatd_app_events_total", "Events that an app got.", []string{"app"}, nil)
	descAppCut   = prometheus.NewDesc("ncatd_app_cut_off_total", "How often an app was cut off for reading too slowly.", []string{"app"}, nil)
	descAppQueue = prometheus.NewDesc("ncatd_app_queue_bytes", "Bytes that wait for an app.", []string{"app"}, nil)
	descWatcher  = prometheus.NewDesc("ncatd_control_watchers", "Readers of watch and event streams.", nil, nil)
)

type statusCollector struct {
	b Backend
	h *Hub
}

// Describe implements prometheus.Collector.
func (c *statusCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBuild, descInfo, descState, descSince, descRSS, descCPU, descFailed, descWatcher, descDegraded, descApp, descAppEvent, descAppCut, descAppQueue} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *statusCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	st := c.b.Status()
	gauge(descBuild, 1, st.Version)
	gauge(descWatcher, float64(c.h.Len()))
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, a := range st.Apps {
		gauge(descApp, float64(min(a.Links, 1)), a.Name)
		gauge(descAppQueue, float64(a.Queue), a.Name)
		counter(descAppEvent, a.Events, a.Name)
		counter(descAppCut, a.CutOff, a.Name)
	}
	for _, a := range st.Accounts {
		gauge(descInfo, 1, a.Name, strconv.FormatInt(a.UIN, 10), label(a.NapCat), label(a.QQ))
		codes := map[api.Code]bool{} // one code may have several reports
		for _, d := range a.Degraded {
			if !codes[d.Code] {
				codes[d.Code] = true
				gauge(descDegraded, 1, a.Name, label(string(d.Code)))
			}
		}
		for _, s := range allStates {
			v := 0.0
			if s == a.State {
				v = 1
			}
			gauge(descState, v, a.Name, string(s))
		}
		gauge(descSince, float64(a.Since.UnixMilli())/1000, a.Name)
		gauge(descRSS, float64(a.RSSBytes), a.Name)
		gauge(descCPU, a.CPUPercent/100, a.Name)
		ch <- prometheus.MustNewConstMetric(descFailed, prometheus.CounterValue, float64(a.SendsFailed), a.Name)
	}
}
