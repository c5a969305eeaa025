package script

import (
	"math"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Limits bound one plugin. The zero value of a field stands for its default.
type Limits struct {
	Memory int64         // bytes of its engine
	CPU    time.Duration // that one event may take in the engine, with all that follows from it
	Queue  int           // events, calls' ends and timers that may wait
	Calls  int           // calls that may be on their way
	Timers int           // that may be set
	Setup  time.Duration // until it must be ready
	Unload time.Duration // for what is going on and onUnload when it ends
	// Absence is how long its file may be gone until it ends: some who save or upload
	// one take away the old one first.
	Absence time.Duration
}

// The defaults of [Limits].
const (
	DefaultMemory  = 64 << 20
	DefaultCPU     = time.Second
	DefaultQueue   = 1024
	DefaultCalls   = 64
	DefaultTimers  = 1024
	DefaultSetup   = 10 * time.Second
	DefaultUnload  = 3 * time.Second
	DefaultAbsence = 500 * time.Millisecond
)

// txBudget is what a transaction's function may take, during which the stores of
// all plugins wait.
const txBudget = 100 * time.Millisecond

func (l Limits) withDefaults() Limits {
	set(&l.Memory, DefaultMemory)
	set(&l.CPU, DefaultCPU)
	set(&l.Queue, DefaultQueue)
	set(&l.Calls, DefaultCalls)
	set(&l.Timers, DefaultTimers)
	set(&l.Setup, DefaultSetup)
	set(&l.Unload, DefaultUnload)
	set(&l.Absence, DefaultAbsence)
	return l
}

func set[T int | int64 | time.Duration](p *T, def T) {
	if *p <= 0 {
		*p = def
	}
}

// limitError says which limit a plugin is over.
type limitError struct {
	limit string // memory, cpu, queue, calls, timers, size
	fault api.Fault
}

func overLimit(limit string, f api.Fault) *limitError { return &limitError{limit, f} }

func (e *limitError) Error() string { return english(e.fault) }

func (e *limitError) told() api.Fault { return e.fault }

// What counts how much against a plugin. At scoreLimit it is switched off. A
// failure that repeats every few seconds gets there, one an hour never does.
const (
	scoreKilled   = 1.0
	scoreOver     = 0.5 // a limit that ended a call, a timer or an event, but not the machine
	scoreFailed   = 0.1 // a handler that threw
	scoreLimit    = 5.0
	scoreHalfLife = time.Minute
)

// score is a failure score that decays, as that of processes does.
type score struct {
	mu    sync.Mutex // guards the fields below
	value float64
	at    time.Time
}

// add adds n and reports whether the score is over its limit, which takes it back
// to nothing.
func (s *score) add(n float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.value = s.value*math.Exp2(-float64(now.Sub(s.at))/float64(scoreHalfLife)) + n
	s.at = now
	if s.value < scoreLimit {
		return false
	}
	s.value = 0
	return true
}
