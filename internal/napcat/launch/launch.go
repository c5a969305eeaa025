package launch

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/proc"
)

// Spec is what QQ is started from. Its Reader is set by [Start] and [Adopt].
type Spec struct {
	proc.Spec
	// OnLine is called for each line by one goroutine of the process, in order.
	// It must not block for long. A line that was left out of the log because
	// there were too many is given only if it has a fact.
	OnLine func(output.Line)
}

// Process is a running QQ with all that descends from it.
type Process struct {
	*proc.Process
	console *console
}

// Start starts QQ; see [proc.Start].
func Start(s Spec) (*Process, error) {
	c := s.reader()
	p, err := proc.Start(s.Spec)
	if err != nil {
		return nil, err
	}
	return &Process{p, c}, nil
}

// Adopt takes over a QQ that an earlier ncatd started; see [proc.Adopt].
func Adopt(s Spec, id proc.Identity, offset int64) (*Process, error) {
	c := s.reader()
	p, err := proc.Adopt(s.Spec, id, offset)
	if err != nil {
		return nil, err
	}
	return &Process{p, c}, nil
}

// Lines returns the last lines as they were understood when they came, oldest
// first, at most some 200. It is safe for concurrent use.
func (p *Process) Lines() []output.Line {
	p.console.mu.Lock()
	defer p.console.mu.Unlock()
	return slices.Clone(p.console.recent)
}

func (s *Spec) reader() *console {
	c := &console{secrets: mask(s.Secrets), onLine: s.OnLine, now: time.Now}
	s.Reader = c
	return c
}

func mask(secrets []string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

const (
	// quiet is how long nothing may have come for the next line not to continue
	// the record before: NapCat writes a record, however many lines it has, in
	// one piece.
	quiet = 500 * time.Millisecond
	// recentLines and recentBytes bound what is remembered for a diagnosis.
	recentLines = 200
	recentBytes = 128 << 10
)

// console is the [proc.Reader] of one QQ.
type console struct {
	parser  output.Parser
	secrets *strings.Replacer
	onLine  func(output.Line)
	now     func() time.Time
	last    time.Time   // when a line was read
	line    output.Line // read last, secrets masked

	mu     sync.Mutex
	recent []output.Line // guarded by mu
	bytes  int
}

// Read implements [proc.Reader].
func (c *console) Read(raw []byte, old bool) (text string, vital bool) {
	now := c.now()
	if !old && now.Sub(c.last) >= quiet {
		c.parser.Pause()
	}
	c.last = now
	l := c.parser.Parse(raw)
	l.Old = old
	if l.Noise || l.Text == "" {
		c.line = output.Line{}
		return "", false
	}
	text = l.Text
	l.Text, l.Message = c.secrets.Replace(l.Text), c.secrets.Replace(l.Message)
	c.line = l
	c.remember(l)
	return text, l.Fact != nil
}

// Tell implements [proc.Reader].
func (c *console) Tell(string) {
	if c.onLine != nil {
		c.onLine(c.line)
	}
}

func (c *console) remember(l output.Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent = append(c.recent, l)
	c.bytes += len(l.Text)
	for len(c.recent) > recentLines || c.bytes > recentBytes && len(c.recent) > 1 {
		c.bytes -= len(c.recent[0].Text)
		c.recent[0] = output.Line{}
		c.recent = c.recent[1:]
	}
}
