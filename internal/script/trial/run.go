package trial

import (
	"errors"
	"flag"
	"io"
	"os"
	"reflect"
	"testing"
	"time"
)

// inTest runs f as a test of package testing, which a bubble of virtual time
// needs, in a program that is none. What that package prints goes nowhere. It
// reports whether f ran and the test did not fail.
func inTest(name string, f func(t *testing.T)) bool {
	testing.Init()
	if !flag.Parsed() {
		_ = flag.CommandLine.Parse(nil) // of no arguments: it cannot fail
	}
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		out, errs := os.Stdout, os.Stderr
		os.Stdout, os.Stderr = null, null
		defer func() {
			os.Stdout, os.Stderr = out, errs
			_ = null.Close() // nothing was written
		}()
	}
	// In a test binary, what go test wants to know of this one is not told twice, and
	// what it is asked to run, and how often, is not meant for f.
	for name, value := range map[string]string{"test.testlogfile": "", "test.skip": "", "test.cpu": "", "test.count": "1"} {
		if f := flag.Lookup(name); f != nil {
			was := f.Value.String()
			_ = f.Value.Set(value) // the values are good
			defer func() { _ = f.Value.Set(was) }()
		}
	}
	ran := false
	code := testing.MainStart(deps{}, []testing.InternalTest{{Name: name, F: func(t *testing.T) {
		ran = true
		f(t)
	}}}, nil, nil, nil).Run()
	return ran && code == 0
}

// deps is what package testing asks of a test binary; of all that only the match
// of names is of use here.
type deps struct{}

type entry = struct {
	Parent     string
	Path       string
	Data       []byte
	Values     []any
	Generation int
	IsSeed     bool
}

var errNoFuzzing = errors.New("scripts have no fuzz tests")

func (deps) ImportPath() string                                 { return "script" }
func (deps) ModulePath() string                                 { return "script" }
func (deps) MatchString(string, string) (bool, error)           { return true, nil }
func (deps) SetPanicOnExit0(bool)                               {}
func (deps) StartCPUProfile(io.Writer) error                    { return nil }
func (deps) StopCPUProfile()                                    {}
func (deps) StartTestLog(io.Writer)                             {}
func (deps) StopTestLog() error                                 { return nil }
func (deps) WriteProfileTo(string, io.Writer, int) error        { return nil }
func (deps) RunFuzzWorker(func(entry) error) error              { return errNoFuzzing }
func (deps) ReadCorpus(string, []reflect.Type) ([]entry, error) { return nil, errNoFuzzing }
func (deps) CheckCorpus([]any, []reflect.Type) error            { return nil }
func (deps) ResetCoverage()                                     {}
func (deps) SnapshotCoverage()                                  {}

func (deps) CoordinateFuzzing(time.Duration, int64, time.Duration, int64, int, []entry, []reflect.Type, string, string) error {
	return errNoFuzzing
}

func (deps) InitRuntimeCoverage() (string, func(string, string) (string, error), func() float64) {
	return "", nil, nil
}
