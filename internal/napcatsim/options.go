package napcatsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Defaults of the simulated account and of the packed versions.
const (
	DefaultUIN           int64 = 3889001001
	DefaultNick                = "模拟机器人"
	DefaultQQVersion           = "3.2.30-50969"
	DefaultNapCatVersion       = "4.18.13"
)

// ScanAfterEnv overrides Options.ScanAfter: a duration, or "off".
const ScanAfterEnv = "NCATD_SIM_SCAN_AFTER"

// Off is the value of a Duration that never comes, written "off".
const Off Duration = -1

// Duration is a time.Duration that is written "2s" in JSON, or "off".
type Duration time.Duration

// D returns d as a time.Duration; Off is negative.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String formats d as it is written.
func (d Duration) String() string {
	if d < 0 {
		return "off"
	}
	return time.Duration(d).String()
}

// Set parses s; it makes *Duration a flag value.
func (d *Duration) Set(s string) error {
	if s == "off" {
		*d = Off
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("want a duration such as 2s, or off: %q", s)
	}
	if v < 0 {
		return fmt.Errorf("negative duration %q", s)
	}
	*d = Duration(v)
	return nil
}

// Type names the flag's type in help texts.
func (d *Duration) Type() string { return "duration|off" }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error { return d.Set(string(b)) }

// Account is one account in the simulated QQ's own database: what its servers
// know of it.
type Account struct {
	UIN         int64  `json:"uin"`
	Nick        string `json:"nick"`
	PasswordMD5 string `json:"password_md5,omitempty"` // empty: no password logs in
	Captcha     bool   `json:"captcha,omitempty"`      // a password login asks for a captcha
	NewDevice   bool   `json:"new_device,omitempty"`   // it asks to confirm a new device, after the captcha if both
}

// Options are the knobs of one simulated installation. The zero value of a
// field means its default, so that a file needs to name only what differs.
type Options struct {
	// UIN is who the phone's owner is. 0: the account that the program was
	// started for (-q, NAPCAT_QUICK_ACCOUNT), else DefaultUIN.
	UIN  int64  `json:"uin,omitempty"`
	Nick string `json:"nick,omitempty"` // default DefaultNick
	// Accounts is QQ's database of passwords. UIN need not be in it.
	Accounts []Account `json:"accounts,omitempty"`

	ScanAfter  *Duration `json:"scan_after,omitempty"`  // from a code's appearance to its scan; default 2s; "off": only `sim scan`
	QRLifetime *Duration `json:"qr_lifetime,omitempty"` // default 2m; "off": codes do not expire
	QRDelay    *Duration `json:"qr_delay,omitempty"`    // from asking QQ for a code to having it; default 150ms
	// QuickFail makes every quick login fail with this text; "-" with no text of QQ's.
	QuickFail string `json:"quick_fail,omitempty"`

	StartDelay  *Duration `json:"start_delay,omitempty"`  // before the worker does anything; default 0
	LoginDelay  *Duration `json:"login_delay,omitempty"`  // from a right credential to QQ's acceptance; default 100ms
	OneBotDelay *Duration `json:"onebot_delay,omitempty"` // from acceptance to OneBot being up; default 200ms

	// NeedDisplay is "on" (like Electron: without an X server it does not
	// start, and it dies with it), "off", or "auto" (the default: it dies with
	// the X server that DISPLAY names, if there is one, and needs none).
	NeedDisplay string `json:"need_display,omitempty"`

	// What goes wrong from the start on.

	ExitAtStart  *int      `json:"exit_at_start,omitempty"` // QQ exits with this code instead of starting
	NeverReady   bool      `json:"never_ready,omitempty"`   // the worker starts and stays silent for ever
	CrashAfter   *Duration `json:"crash_after,omitempty"`   // every worker dies so long after its start
	CrashOnline  *Duration `json:"crash_online,omitempty"`  // every worker dies so long after its account is online
	CrashCode    int       `json:"crash_code,omitempty"`    // with this exit code; default 11
	HangAfter    *Duration `json:"hang_after,omitempty"`    // every worker stops answering so long after its account is online
	DeadAfter    *Duration `json:"dead_after,omitempty"`    // sends time out from then on
	KickAfter    *Duration `json:"kick_after,omitempty"`    // QQ ends the session so long after it began
	WebUIBusy    bool      `json:"webui_busy,omitempty"`    // another program sits on the WebUI port
	OneBotBusy   bool      `json:"onebot_busy,omitempty"`   // another program sits on every OneBot port of the config at start
	MemoryGrowth int64     `json:"memory_growth,omitempty"` // bytes per second
	MemoryLimit  int64     `json:"memory_limit,omitempty"`  // growth ends here; default 1 GiB
	StdoutFlood  int64     `json:"stdout_flood,omitempty"`  // bytes of log written at once after start
	NoPacket     bool      `json:"no_packet,omitempty"`     // NapCat's packet back end is missing, from the next worker on
	PlainForks   bool      `json:"plain_forks,omitempty"`   // the master forks plain processes: a worker's death by signal comes without code
	Versions     []string  `json:"versions,omitempty"`      // the faults above strike only these NapCat versions; none: all
	_            struct{}  // keyed fields only
}

// duration is what p says, or def when it says nothing.
func duration(p *Duration, def time.Duration) time.Duration {
	if p == nil {
		return def
	}
	return p.D()
}

// ParseOptions reads the JSON of an option file. Unknown keys are errors: a
// misspelt fault would otherwise be a test that tests nothing.
func ParseOptions(b []byte) (Options, error) {
	var o Options
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return Options{}, fmt.Errorf("simulator options: %w", err)
	}
	return o, nil
}

// Dir is where the simulator keeps what the real QQ has no place for, under the
// HOME of the QQ process.
func Dir(home string) string { return filepath.Join(home, ".config", "QQ", "sim") }

// WriteOptions writes o as the option file of the QQ whose HOME is home. It is
// read at the next start of a worker.
func WriteOptions(home string, o Options) error {
	b, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("encode simulator options: %w", err)
	}
	return writeFile(filepath.Join(Dir(home), "options.json"), append(b, '\n'))
}

// ReadOptions reads the option file of the QQ whose HOME is home; without one
// it returns no options.
func ReadOptions(home string) (Options, error) {
	m, err := readOptionFile(filepath.Join(Dir(home), "options.json"))
	if err != nil {
		return Options{}, err
	}
	return m.options()
}

// layer is the content of an option file: what it sets, also to zero.
type layer map[string]json.RawMessage

// over puts the keys of next over those of l; null takes one away.
func (l layer) over(next layer) layer {
	out := layer{}
	for k, v := range l {
		out[k] = v
	}
	for k, v := range next {
		if string(v) == "null" {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// options is what the layer says, as a whole.
func (l layer) options() (Options, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return Options{}, err
	}
	return ParseOptions(b)
}

func readOptionFile(path string) (layer, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return layer{}, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := ParseOptions(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var l layer
	return l, json.Unmarshal(b, &l)
}

// writeFile replaces path by a file holding b, at once or not at all.
func writeFile(path string, b []byte) error { return writeMode(path, b, 0o600) }

// writeMode is writeFile with the file's mode.
func writeMode(path string, b []byte, perm os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	if _, err = f.Write(b); err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
