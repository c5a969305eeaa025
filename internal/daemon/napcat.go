package daemon

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/health"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// offlineFactor times the start timeout is how long an account may be offline
// before its process is replaced: QQ mostly comes back by itself.
const offlineFactor = 2

// napCatConfig is what a [napCat] is made of.
type napCatConfig struct {
	Account     config.Account
	OwnMessages bool     // an app asks for the messages that the account itself sends
	ExtraArgs   []string // for qq
	Supervisor  config.Supervisor
	// Dir is the account's folder; it has the folders napcat and home and
	// state.json.
	Dir string
	// LogFile is where NapCat's output is kept for people.
	LogFile          string
	LogSize, LogsAll int64 // bytes; see logfile.NewWriter
	WebUIToken       config.Secret
	OneBotToken      config.Secret
	// Environ is ncatd's own environment, from which the children's is made.
	Environ []string
}

// napCatDeps are what a [napCat] uses of the daemon. Functions must not block
// unless they take a context; all but Pair may be nil.
type napCatDeps struct {
	Logger  *slog.Logger
	Display *launch.Display
	Sampler *proc.Sampler
	Ports   *Ports
	Health  *health.Registry
	// Pair returns the installed pair to run, installing it if need be; then it
	// tells installing how that goes.
	Pair func(ctx context.Context, installing func(api.Fault)) (install.Pair, error)
	// Online is told that an account came online with a pair.
	Online func(install.Pair)
	// NewTokens makes new tokens, but for those that somebody chose, and keeps them.
	NewTokens func() (tokens, error)
	// NotOnline is told that a process ended by a fault before the account was
	// ever online with this pair's process. It may roll back; then it returns
	// true, and the next start is not delayed.
	NotOnline func(p install.Pair, why supervisor.Cause) bool
	Log       func(r api.LogRecord)
}

// napCat runs NapCat for one account. It implements [account.Host].
type napCat struct {
	c      napCatConfig
	d      napCatDeps
	log    *slog.Logger
	memory *webui.Memory
	logs   *logfile.Writer
	store  *account.Store
	web    *webui.Client  // one for all processes: NapCat limits logins
	bg     sync.WaitGroup // ends of processes being dealt with

	mu     sync.Mutex
	tokens tokens
	state  napCatState
	fresh  bool // no process was looked for yet: the first spawn may adopt
	life   *life
	pair   install.Pair // of the last process
}

var _ account.Host = (*napCat)(nil)

// tokens are what NapCat's servers ask for.
type tokens struct{ webUI, oneBot config.Secret }

// napCatState is the NapCat's part of accounts/NAME/state.json.
type napCatState struct {
	// Marker is in the environment of every process of the account. It is
	// written before the first of them starts.
	Marker string `json:"marker"`
	// Process is the master that runs, zero for none.
	Process proc.Identity `json:"process"`
	Started time.Time     `json:"started"`
	// Output is how far the master's output was read.
	Output     int64 `json:"output"`
	WebUIPort  int   `json:"webui_port"`
	WebUIKnown bool  `json:"webui_known"` // NapCat said that it listens there
	// WebUITLS is the certificate that the WebUI shows, nil when it speaks plain
	// HTTP. The file may hold another by now.
	WebUITLS   *webui.Pin `json:"webui_tls,omitempty"`
	OneBotPort int        `json:"onebot_port"`
	// Main is the NapCat that the master runs, with the versions of the pair.
	Main   string `json:"main"`
	NapCat string `json:"napcat"`
	QQ     string `json:"qq"`
	// Quick says that the master was started for a quick login of the account.
	Quick bool `json:"quick,omitempty"`
	// SigningKey signs the WebUI credentials of this process.
	SigningKey string `json:"signing_key"`
	// Stranger says that another program listened on a port of this process, and
	// may have been told its tokens: the next process has new ones.
	Stranger bool     `json:"stranger,omitempty"`
	Networks []string `json:"networks,omitempty"` // adapters taken from the config
}

// newNapCat returns a NapCat that does not run yet. An earlier ncatd's state that
// cannot be read is told and begun anew.
func newNapCat(c napCatConfig, d napCatDeps) *napCat {
	n := &napCat{c: c, d: d, log: d.Logger.With("account", c.Account.Name), memory: new(webui.Memory), fresh: true}
	n.logs = logfile.NewWriter(c.LogFile, c.LogSize, c.LogsAll, logfile.LostPlain)
	var state napCatState
	var err error
	if n.store, err = account.OpenStore(filepath.Join(c.Dir, "state.json"), &state, n.saved, n.savedState); err != nil {
		n.log.Warn("account state not read, beginning anew", "err", err)
		state = napCatState{}
	}
	if state.Marker == "" {
		state.Marker = rand.Text()
	}
	n.state, n.tokens = state, tokens{webUI: c.WebUIToken, oneBot: c.OneBotToken}
	n.web = webui.New("http://127.0.0.1:1", c.WebUIToken.Reveal(), webui.Options{
		Timeout: c.Supervisor.Health.ProbeTimeout.D(), SigningKey: state.SigningKey, TOTPSecret: n.totpSecret, Token: n.webUIToken, Trust: n.trust, Logger: n.log,
	})
	return n
}

// policy is what the account is judged by.
func (c napCatConfig) policy() account.Policy {
	s := c.Supervisor
	return account.Policy{
		UIN: c.Account.UIN,
		Supervisor: supervisor.Policy{
			Initial: s.Restart.Initial.D(), Max: s.Restart.Max.D(), Jitter: s.Restart.Jitter,
			ScoreLimit: s.Restart.ScoreLimit, ScoreHalfLife: s.Restart.ScoreHalfLife.D(), HealthyAfter: s.Restart.HealthyAfter.D(),
			StartTimeout: s.Health.StartTimeout.D(), OfflineTimeout: offlineFactor * s.Health.StartTimeout.D(),
		},
		Heartbeat: c.Account.OneBot.Heartbeat.D(), HeartbeatMisses: s.Health.HeartbeatMisses, OfflineSamples: s.Health.OfflineSamples,
		ProbeInterval: s.Health.ProbeInterval.D(), MemoryLimit: uint64(max(0, s.MemoryLimit)),
	}
}

// saved returns what state.json shall hold, with how far the output was read.
func (n *napCat) saved() any {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.life; l != nil && l.proc.Identity() == n.state.Process {
		n.state.Output = l.proc.Offset()
	}
	return n.state
}

// savedState shows whether state.json can be written.
func (n *napCat) savedState(err error) {
	if err == nil {
		n.d.Health.Clear(n.name(), api.CodeStateWrite)
		return
	}
	n.d.Health.Set(n.name(), api.CodeStateWrite, err.Error())
}

// tend looks again at what failed.
func (n *napCat) tend() {
	n.store.Retry()
	if lost := n.logs.Lost(); lost > 0 {
		n.d.Health.Set(n.name(), api.CodeLogLost, napcatLog, strconv.Itoa(lost))
	} else {
		n.d.Health.Clear(n.name(), api.CodeLogLost, napcatLog)
	}
}

// update changes the state and saves it. A failed save is returned; the change
// holds in memory all the same.
func (n *napCat) update(f func(*napCatState)) error {
	n.mu.Lock()
	f(&n.state)
	n.mu.Unlock()
	return n.store.Save()
}

// note is update for changes that are not worth failing for.
func (n *napCat) note(f func(*napCatState)) {
	_ = n.update(f) // the store tells of what fails
}

func (n *napCat) name() string    { return n.c.Account.Name }
func (n *napCat) home() string    { return filepath.Join(n.c.Dir, "home") }
func (n *napCat) workDir() string { return filepath.Join(n.c.Dir, "napcat") }

// present returns the life of the process that runs, nil if none does.
func (n *napCat) present() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life
}

// Look implements [account.Host].
func (n *napCat) Look() {
	if l := n.present(); l != nil {
		l.wake()
	}
}

// Forget implements [account.Host].
func (n *napCat) Forget() { n.memory.Forget() }

// Online implements [account.Host].
func (n *napCat) Online() {
	if l := n.present(); l != nil && n.d.Online != nil {
		n.d.Online(l.pair)
	}
}

// NotOnline implements [account.Host]: the daemon may roll a new pair back, and
// then the fault is no reason to wait.
func (n *napCat) NotOnline(f *supervisor.Fault) *supervisor.Fault {
	n.mu.Lock()
	pair := n.pair
	n.mu.Unlock()
	if n.d.NotOnline == nil || !n.d.NotOnline(pair, f.Cause) {
		return f
	}
	g := *f
	g.Weight, g.Permanent = 0, false
	return &g
}

// Stop implements [account.Host].
func (n *napCat) Stop(ctx context.Context, timeout time.Duration) error {
	if l := n.present(); l != nil {
		return l.finish(ctx, timeout)
	}
	return nil
}

// Release implements [account.Host]. How far the output was read is written down.
func (n *napCat) Release() error {
	l := n.present()
	if l == nil {
		return nil
	}
	l.end()
	l.proc.Release()
	return n.store.Save()
}

// Close waits for what is still being dealt with and closes the log. The account
// has ended.
func (n *napCat) Close() error {
	n.bg.Wait()
	return n.logs.Close()
}
