package account

import (
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/supervisor"
)

const (
	// haltedSamples is how many samples must find a process stopped by a signal:
	// job control or a debugger may do so for a moment.
	haltedSamples = 2
	// workerDeaths within workerWindow are a crash loop of the worker that
	// NapCat's own supervisor, which only sees 10 s, does not notice.
	workerDeaths = 4
	workerWindow = time.Minute
	// workerTold is how far apart the two lines of one death of a worker may be.
	workerTold = time.Second
	// kickMemory is how long a kick makes the pauses after later ones longer.
	kickMemory = 6 * time.Hour
)

// Began happens when the process numbered Life is about to be brought into
// being. Nothing is known of it.
type Began struct{ Life uint64 }

func (e Began) apply(f *Facts, _ Policy, now time.Time) {
	if e.Life > 1 {
		f.restarted(f.Past.Ending)
	}
	*f = Facts{Past: f.Past, Process: ProcessFacts{State: ProcessSpawning, Life: e.Life}, Login: LoginFacts{At: now}, Link: LinkFacts{At: now}}
}

// Installing happens when what the process runs must be fetched or unpacked, and
// as that goes on.
type Installing struct{ Step api.Fault }

func (e Installing) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Process.State == ProcessSpawning || f.Process.State == ProcessInstalling {
		f.Process.State = ProcessInstalling
		f.Process.Health = supervisor.Health{State: supervisor.StateInstalling, Cause: supervisor.Cause{Reason: ReasonInstall, Why: e.Step}}
	}
}

// Starting happens when what the process runs is there, in these versions.
type Starting struct{ Host, Client string }

func (e Starting) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Process.State == ProcessSpawning || f.Process.State == ProcessInstalling {
		f.Process.State = ProcessSpawning
		f.Process.Health = supervisor.Health{State: supervisor.StateStarting, Cause: supervisor.Because(supervisor.ReasonSpawn, api.CodeStarting, e.Host, e.Client)}
		f.Past.Host, f.Past.Client = e.Host, e.Client
	}
}

// Started happens when the process exists. Adopted is one that an earlier ncatd
// started, at Since.
type Started struct {
	PID, DisplayPID int
	Since           time.Time
	Adopted         bool
}

func (e Started) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Process.State != ProcessSpawning && f.Process.State != ProcessInstalling {
		return
	}
	f.Process.State = ProcessUp
	if e.Adopted {
		f.Process.State = ProcessAdopted
	}
	f.Process.PID, f.Process.DisplayPID, f.Process.Started = e.PID, e.DisplayPID, e.Since
}

// Doomed happens when the process must end because of something that no other
// fact tells.
type Doomed struct{ Fault *supervisor.Fault }

func (e Doomed) apply(f *Facts, _ Policy, _ time.Time) { f.doom(e.Fault) }

// Ended happens when nothing of the process is left.
type Ended struct{ Why supervisor.Reason }

func (e Ended) apply(f *Facts, _ Policy, now time.Time) {
	f.Past.Ending, f.Past.HostURL = e.Why, ""
	*f = Facts{Past: f.Past, Process: ProcessFacts{Life: f.Process.Life, OnlineAt: f.Process.OnlineAt}, Login: LoginFacts{At: now}, Link: LinkFacts{At: now}}
}

// Measured happens when the process tree was looked at. HaltedPID is a process
// that a signal stopped, 0 if none is; Quiet says that nothing was received or
// sent for a while.
type Measured struct {
	RSS       uint64
	CPU       float64 // seconds used since the start
	HaltedPID int
	Quiet     bool
}

// memoryPatience times the limit is what a process may use until a quiet moment.
const memoryPatience = 1.5

func (e Measured) apply(f *Facts, p Policy, now time.Time) {
	if !f.runs() {
		return
	}
	q := &f.Process
	q.HaltedPID = e.HaltedPID
	if e.HaltedPID == 0 {
		q.Halted = 0
	} else if q.Halted++; q.Halted >= haltedSamples {
		f.doom(failure(ReasonHung, api.CodeHung, e.HaltedPID))
	}
	q.CPUPercent = 0
	if d := now.Sub(q.MeasuredAt).Seconds(); !q.MeasuredAt.IsZero() && d > 0 && e.CPU > q.CPU {
		q.CPUPercent = (e.CPU - q.CPU) / d * 100
	}
	q.RSS, q.CPU, q.MeasuredAt = e.RSS, e.CPU, now
	if limit := p.MemoryLimit; limit > 0 && e.RSS > limit && (e.Quiet || float64(e.RSS) >= memoryPatience*float64(limit)) {
		f.doom(&supervisor.Fault{Cause: supervisor.Because(ReasonMemory, api.CodeMemory, e.RSS>>20, limit>>20)})
	}
}

// WorkerDied happens when a worker of the host ended, which the host itself
// starts again; the process lives on.
type WorkerDied struct{ Why api.Fault }

func (e WorkerDied) apply(f *Facts, _ Policy, now time.Time) {
	if !f.runs() {
		return
	}
	f.Process.Deaths, f.Process.DeathWhy = noted(f.Process.Deaths, workerWindow, now), e.Why
	f.Process.Mended = false
	f.restarted(ReasonCrash)
	if len(f.Process.Deaths) >= workerDeaths {
		f.doom(&supervisor.Fault{Cause: supervisor.Cause{Reason: ReasonCrash, Why: api.Because(api.CodeWorkerLoop, workerDeaths, workerWindow).With(e.Why)}, Weight: 1})
	}
}

// WorkerAgain happens when the host says that it starts a worker again. Where the
// worker ended without an error, this is the only word about its death.
type WorkerAgain struct{}

func (WorkerAgain) apply(f *Facts, p Policy, now time.Time) {
	if n := len(f.Process.Deaths); n == 0 || now.Sub(f.Process.Deaths[n-1]) > workerTold {
		WorkerDied{api.Because(api.CodeWorkerDiedUnknown)}.apply(f, p, now)
	}
}

// Versioned happens when the host says its version.
type Versioned struct{ Host string }

func (e Versioned) apply(f *Facts, _ Policy, _ time.Time) {
	if f.runs() && e.Host != "" {
		f.Past.Host = e.Host
	}
}

// PacketBackEnd happens when the host says whether its packet back end works:
// available or missing.
type PacketBackEnd struct{ State api.Packet }

func (e PacketBackEnd) apply(f *Facts, _ Policy, _ time.Time) {
	if f.runs() {
		f.Process.Packet = e.State
	}
}

// Scheduled happens when the config asks for a restart at this time. An account
// that is not logged in has nothing to renew.
type Scheduled struct{}

func (Scheduled) apply(f *Facts, _ Policy, _ time.Time) {
	if f.Login.State >= LoginIn {
		f.doom(&supervisor.Fault{Cause: supervisor.Because(ReasonScheduled, api.CodeScheduled)})
	}
}

// Kicked happens when QQ ended the session. Text has its words; several facts may
// tell of the same kick.
type Kicked struct{ Text string }

func (e Kicked) apply(f *Facts, p Policy, now time.Time) {
	if f.Process.State == ProcessAbsent {
		return
	}
	// One entry for each process, however often and by however many ncatds it is
	// told.
	if n := len(f.Past.Kicks); n == 0 || f.Past.Kicks[n-1].Before(f.Process.Started) {
		f.Past.Kicks = noted(f.Past.Kicks, kickMemory, now)
	}
	why := api.Because(api.CodeKickedQuiet)
	if e.Text != "" {
		why = api.Because(api.CodeKicked, e.Text)
	}
	// Each new login after a kick may draw QQ's risk control.
	f.doom(&supervisor.Fault{Cause: supervisor.Cause{Reason: ReasonKicked, Why: why}, Weight: 1, Pause: p.Supervisor.Pause(len(f.Past.Kicks), 0)})
}

// HeldUp happens when ncatd itself was held up: the machine slept, or had no CPU
// for us. Silence of that time says nothing.
type HeldUp struct{}

func (HeldUp) apply(f *Facts, _ Policy, now time.Time) {
	if !f.Link.BeatAt.IsZero() {
		f.Link.BeatAt = now
	}
	f.Link.ProbesFailed, f.Login.Misses, f.Process.Halted = 0, 0, 0
}

// Looked happens whenever time has passed: what only time tells is entered.
type Looked struct{}

func (Looked) apply(f *Facts, p Policy, now time.Time) {
	if !f.runs() {
		return
	}
	if f.Login.State >= LoginIn && f.Login.Misses >= hostMisses && !f.Link.EverAt.IsZero() && f.silent(p, now) && f.Link.ProbesFailed >= 1 {
		f.doom(failure(ReasonNotResponding, api.CodeNotResponding))
		return
	}
	if f.Process.OnlineAt.IsZero() && f.health(p, now).State == supervisor.StateOnline {
		f.Process.OnlineAt = now
	}
}
