// Package config is ncatd.yaml: one struct, a strict loader that reports every
// problem with its place, the defaults, and the generated secrets. It starts
// nothing and knows no other package of ncatd.
package config

import "time"

// Config is the whole of ncatd.yaml after defaults, file, environment and flags
// were merged.
type Config struct {
	Accounts   []Account  `yaml:"accounts"`
	NapCat     NapCat     `yaml:"napcat"`
	Display    string     `yaml:"display"` // auto, none, or an X display such as ":5"
	Supervisor Supervisor `yaml:"supervisor"`
	Bot        Bot        `yaml:"bot"`
	Alerts     Alerts     `yaml:"alerts"`
	Apps       []App      `yaml:"apps"`
	Scripts    Scripts    `yaml:"scripts"`
	Log        Log        `yaml:"log"`
	Control    Control    `yaml:"control"`
	Bus        Bus        `yaml:"bus"`
}

// Account is one QQ account.
type Account struct {
	Name     string            `yaml:"name"`
	UIN      int64             `yaml:"uin"` // 0: adopt whoever logs in
	WebUI    Endpoint          `yaml:"webui"`
	OneBot   OneBot            `yaml:"onebot"`
	Login    Login             `yaml:"login"`
	Networks map[string]any    `yaml:"networks"` // passed to NapCat untouched
	Env      map[string]string `yaml:"env"`
}

// Endpoint is where something listens; port 0 is a free one.
type Endpoint struct {
	Host  string `yaml:"host"`
	Port  int    `yaml:"port"`
	Token Secret `yaml:"token"` // empty: generated, kept in secrets.json
	// PortBusy says what is done if Port is taken: refuse or replace.
	PortBusy string `yaml:"port_busy"`
}

// OneBot is the forward WebSocket server that ncatd configures in NapCat.
type OneBot struct {
	Endpoint          `yaml:",inline"`
	Heartbeat         Duration `yaml:"heartbeat"`
	ReportSelfMessage bool     `yaml:"report_self_message"`
}

// Login says how an account logs in.
type Login struct {
	Order          []string `yaml:"order"`            // of quick, password, qr
	PasswordMD5Env string   `yaml:"password_md5_env"` // name of the environment variable
	QRTimeout      Duration `yaml:"qr_timeout"`
}

// NapCat says what to install.
type NapCat struct {
	Version   string   `yaml:"version"`
	SHA256    string   `yaml:"sha256"`
	Source    string   `yaml:"source"`  // file path or URL in place of the publisher's
	Mirrors   []string `yaml:"mirrors"` // URL prefixes, or auto
	QQVersion string   `yaml:"qq_version"`
	QQSource  string   `yaml:"qq_source"`
	QQSHA256  string   `yaml:"qq_sha256"`
	Catalogue string   `yaml:"catalogue"` // URL or file in place of the built-in list of releases
	Update    string   `yaml:"update"`    // notify, auto, off
	Keep      int      `yaml:"keep"`
	ExtraArgs []string `yaml:"extra_args"`
}

// Supervisor says when a process is restarted.
type Supervisor struct {
	Restart     Restart  `yaml:"restart"`
	Health      Health   `yaml:"health"`
	StopTimeout Duration `yaml:"stop_timeout"`
	MemoryLimit Size     `yaml:"memory_limit"` // of the process tree; 0: off
	RestartAt   string   `yaml:"restart_at"`   // cron; empty: never
}

// Restart bounds the pauses between restarts.
type Restart struct {
	Initial       Duration `yaml:"initial"`
	Max           Duration `yaml:"max"`
	Jitter        float64  `yaml:"jitter"` // part of the pause, 0 to 1
	ScoreLimit    float64  `yaml:"score_limit"`
	ScoreHalfLife Duration `yaml:"score_half_life"`
	HealthyAfter  Duration `yaml:"healthy_after"`
}

// Health bounds the probes.
type Health struct {
	ProbeInterval   Duration `yaml:"probe_interval"`
	ProbeTimeout    Duration `yaml:"probe_timeout"`
	StartTimeout    Duration `yaml:"start_timeout"`
	HeartbeatMisses int      `yaml:"heartbeat_misses"`
	OfflineSamples  int      `yaml:"offline_samples"`
}

// Bot configures the embedded runtime.
type Bot struct {
	Prefixes    []string     `yaml:"prefixes"`
	Admins      []int64      `yaml:"admins"`
	Plugins     PluginSwitch `yaml:"plugins"`
	Queue       int          `yaml:"queue"` // events per chat that may wait
	HandlerWarn Duration     `yaml:"handler_warn"`
	TimeZone    string       `yaml:"time_zone"` // such as Asia/Shanghai; "": this machine's
	// HandlerDeadline is how long a handler may keep its chat waiting; 0: for ever.
	HandlerDeadline Duration `yaml:"handler_deadline"`
	SendRate        string   `yaml:"send_rate"`      // such as "20/10s"; empty: unlimited
	SendRateChat    string   `yaml:"send_rate_chat"` // the same for each chat
	SendPolicy      string   `yaml:"send_policy"`    // wait, merge, refuse
	Backfill        Backfill `yaml:"backfill"`
	// PluginConfig has a section for each plugin, by its id, which the plugin
	// itself checks.
	PluginConfig map[string]any `yaml:"plugin_config"`
}

// Backfill says what becomes of messages written while there was no link.
type Backfill struct {
	Mode     string   `yaml:"mode"`     // auto, ask, off
	Messages int      `yaml:"messages"` // of one chat at most
	Chats    int      `yaml:"chats"`
	Age      Duration `yaml:"age"` // older ones are left alone
}

// PluginSwitch chooses plugins by id; "*" is all.
type PluginSwitch struct {
	Enable  []string `yaml:"enable"`
	Disable []string `yaml:"disable"`
}

// Scripts bounds the plugins that lie in the home as scripts.
type Scripts struct {
	Limits     ScriptLimits   `yaml:"limits"`      // of each plugin
	Grants     map[string]any `yaml:"grants"`      // by plugin: what it may do beside answering, see Grant
	TellAdmins bool           `yaml:"tell_admins"` // in private when a plugin fails
}

// ScriptLimits bound one plugin.
type ScriptLimits struct {
	Memory Size     `yaml:"memory"`
	CPU    Duration `yaml:"cpu"` // of one event
	Queue  int      `yaml:"queue"`
	Calls  int      `yaml:"calls"`
	Timers int      `yaml:"timers"`
	Setup  Duration `yaml:"setup"`
	Unload Duration `yaml:"unload"`
}

// ScriptGrant is what the operator gave to a plugin.
type ScriptGrant struct {
	Fetch []string // hosts
	Files bool     // it may name files of NapCat's machine
}

// Grant returns what a plugin was given.
func (s Scripts) Grant(id string) ScriptGrant {
	g, _ := readGrant(s.Grants[id]) // checked when the config was loaded
	return g
}

// readGrant reads one entry of Grants; false if it is none.
func readGrant(v any) (g ScriptGrant, ok bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return g, v == nil
	}
	for key, x := range m {
		switch key {
		case "fetch":
			list, isList := x.([]any)
			ok = ok && isList
			for _, h := range list {
				host, isText := h.(string)
				ok = ok && isText
				g.Fetch = append(g.Fetch, host)
			}
		case "files":
			files, isBool := x.(bool)
			g.Files, ok = files, ok && isBool
		default:
			ok = false
		}
	}
	return g, ok
}

// Log configures ncatd's own log.
type Log struct {
	Level    string `yaml:"level"`  // debug, info, warn, error
	Format   string `yaml:"format"` // auto, text, json
	MaxSize  Size   `yaml:"max_size"`
	MaxTotal Size   `yaml:"max_total"`
	Events   string `yaml:"events"` // off, summary, full
}

// Control configures the control API's TCP side and the web console on it.
type Control struct {
	Listen  string   `yaml:"listen"`  // host:port; empty: unix socket only, until the console is asked for
	TLS     string   `yaml:"tls"`     // off, self (a certificate made here), files (Cert and Key)
	Cert    string   `yaml:"cert"`    // PEM file
	Key     string   `yaml:"key"`     // PEM file
	Hosts   []string `yaml:"hosts"`   // further names by which Listen is reached
	Proxies []string `yaml:"proxies"` // addresses or networks of the proxies before it
	Console bool     `yaml:"console"`
}

// Duration is a time.Duration written as "30s".
type Duration time.Duration

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// Size is a number of bytes written as "1.5GiB".
type Size int64

// Secret is a string that prints as ***.
type Secret string

// String implements fmt.Stringer without the secret.
func (Secret) String() string { return "***" }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }
