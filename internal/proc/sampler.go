package proc

import (
	"sync"
	"time"
)

// Usage is what the process tree of an account uses.
type Usage struct {
	Processes int
	Zombies   int // children that were not waited for
	Halted    int // pid of a process that a signal stopped (SIGSTOP); 0: none
	RSS       uint64
	CPU       float64 // seconds of CPU time of those that live
}

// Sampler measures process trees. One table of processes serves all accounts
// for a second. It is safe for concurrent use.
type Sampler struct {
	mu   sync.Mutex
	at   time.Time
	list []Info
	err  error
}

// NewSampler returns a Sampler.
func NewSampler() *Sampler { return new(Sampler) }

func (s *Sampler) table() ([]Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.at.IsZero() || now.Sub(s.at) >= time.Second {
		s.list, s.err = system().table()
		s.at = now
	}
	return s.list, s.err
}

// Sample measures the tree of p, such as a [Process].
func (s *Sampler) Sample(p interface{ Identity() Identity }) (Usage, error) {
	list, err := s.table()
	if err != nil {
		return Usage{}, err
	}
	id := p.Identity()
	var u Usage
	tree, err := system().survivors(list, id, "")
	if err != nil {
		return Usage{}, err
	}
	for _, q := range tree {
		u.Processes++
		u.RSS += q.RSS
		u.CPU += q.CPU
		if q.State == 'T' && u.Halted == 0 {
			u.Halted = q.PID
		}
	}
	for _, q := range list {
		if q.State == 'Z' && (q.Session == id.PID || q.PPID == id.PID) {
			u.Zombies++
		}
	}
	return u, nil
}
