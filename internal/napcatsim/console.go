package napcatsim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// replayed is how many records the live log of the WebUI repeats to a new
// reader.
const replayed = 100

// levels in the order of their weight, with their colours.
var (
	levels       = []string{"debug", "info", "warn", "error", "fatal"}
	levelColours = map[string]string{"debug": "34", "info": "32", "warn": "33", "error": "31", "fatal": "31"}
)

// ansi finds what NapCat strips from a message: escape sequences and control
// characters other than the line feed.
var ansi = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|[\x00-\x09\x0b-\x1f\x7f]")

// record is one line, or many, of NapCat's log.
type record struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

// console is NapCat's log: stdout, the log file and the live log. Safe for
// concurrent use; records come out whole.
type console struct {
	write func([]byte) error

	mu       sync.Mutex
	nick     string
	silent   bool   // consoleLog is false
	level    string // least level on stdout
	file     *os.File
	fileName string
	fileMin  string
	recent   []record
	readers  map[chan record]struct{}
	broken   func(error) // called once, when stdout has no reader any more
}

func newConsole(write func([]byte) error) *console {
	return &console{write: write, level: "debug", readers: map[chan record]struct{}{}}
}

func (c *console) debug(msg string) { c.log("debug", msg) }
func (c *console) info(msg string)  { c.log("info", msg) }
func (c *console) warn(msg string)  { c.log("warn", msg) }
func (c *console) error(msg string) { c.log("error", msg) }

// log writes one record.
func (c *console) log(level, msg string) {
	msg = ansi.ReplaceAllString(msg, "")
	c.mu.Lock()
	defer c.mu.Unlock()
	r := record{level, maskToken(msg)}
	c.recent = append(c.recent, r)
	if len(c.recent) > replayed {
		c.recent = slices.Delete(c.recent, 0, len(c.recent)-replayed)
	}
	for ch := range c.readers {
		select {
		case ch <- r:
		default: // a reader that cannot follow misses records
		}
	}
	prefix := ""
	if c.nick != "" {
		prefix = c.nick + " | "
	}
	now := time.Now().Format("01-02 15:04:05")
	if c.file != nil && weight(level) >= weight(c.fileMin) {
		_, _ = fmt.Fprintf(c.file, "%s [%s] %s%s\n", now, level, prefix, msg) // a full disk does not stop NapCat
	}
	if !c.silent && weight(level) >= weight(c.level) {
		c.put(fmt.Sprintf("%s [\x1b[%sm%s\x1b[39m] %s%s\n", now, levelColours[level], level, prefix, msg))
	}
}

// raw writes a line without time and level.
func (c *console) raw(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(line + "\n")
}

// block writes whole lines that are formatted already.
func (c *console) block(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putBytes(b)
}

func (c *console) put(s string) { c.putBytes([]byte(s)) }

func (c *console) putBytes(b []byte) {
	if err := c.write(b); err != nil && c.broken != nil {
		go c.broken(err) // it wants to know of it, and may log
		c.broken = nil
	}
}

func weight(level string) int { return slices.Index(levels, level) }

var tokenPattern = regexp.MustCompile(`(?i)(token=)[^\s&]+`)

// maskToken hides tokens from the live log, as NapCat does.
func maskToken(s string) string { return tokenPattern.ReplaceAllString(s, "${1}***") }

// loggedIn applies the account's nick and log settings.
func (c *console) loggedIn(nick string, cfg logConfig, dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nick, c.silent = nick, !cfg.consoleLog
	if weight(cfg.consoleLevel) >= 0 {
		c.level = cfg.consoleLevel
	}
	c.fileMin = cfg.fileLevel
	if !cfg.fileLog || c.file != nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c.fileName = time.Now().Format("2006-01-02_15-04-05.000")
	f, err := os.OpenFile(filepath.Join(dir, c.fileName+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	c.file = f
	return err
}

// follow returns the last records and a channel of those to come, which end
// ends.
func (c *console) follow() (past []record, live <-chan record, end func()) {
	ch := make(chan record, 256)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers[ch] = struct{}{}
	return slices.Clone(c.recent), ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.readers, ch)
	}
}

// logFiles lists the log files in dir without their extension.
func logFiles(dir string) []string {
	out := []string{}
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return out
	}
	for _, n := range names {
		out = append(out, strings.TrimSuffix(filepath.Base(n), ".log"))
	}
	return out
}
