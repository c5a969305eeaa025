package launch

import (
	"strings"

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
type Process = proc.Process

// Start starts QQ; see [proc.Start].
func Start(s Spec) (*Process, error) { return proc.Start(s.spec()) }

// Adopt takes over a QQ that an earlier ncatd started; see [proc.Adopt].
func Adopt(s Spec, id proc.Identity, offset int64) (*Process, error) {
	return proc.Adopt(s.spec(), id, offset)
}

func (s Spec) spec() proc.Spec {
	s.Reader = &console{secrets: mask(s.Secrets), onLine: s.OnLine}
	return s.Spec
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

// console is the [proc.Reader] of one QQ.
type console struct {
	parser  output.Parser
	secrets *strings.Replacer
	onLine  func(output.Line)
	line    output.Line // read last
}

// Read implements [proc.Reader].
func (c *console) Read(raw []byte, old bool) (text string, vital bool) {
	c.line = c.parser.Parse(raw)
	c.line.Old = old
	if c.line.Noise {
		return "", false
	}
	return c.line.Text, c.line.Fact != nil
}

// Tell implements [proc.Reader].
func (c *console) Tell(text string) {
	if c.onLine == nil {
		return
	}
	l := c.line
	l.Text, l.Message = text, c.secrets.Replace(l.Message)
	c.onLine(l)
}
