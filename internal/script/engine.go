package script

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"modernc.org/quickjs"

	"github.com/ncatd/ncatd/internal/control/api"
)

// engine is one JavaScript realm. It belongs to one goroutine, but for
// Interrupt.
type engine interface {
	// Load runs the module source, which is called name in stacks. What the
	// module exports is handed to the prelude when it has run, which may be later.
	Load(name, source string, budget time.Duration) (spent time.Duration, err error)
	// Enter calls one of the prelude's entries with args and runs whatever became
	// due by it, for at most budget.
	Enter(budget time.Duration, entry string, args ...any) (result any, spent time.Duration, err error)
	// Call is Enter without what becomes due by it.
	Call(budget time.Duration, entry string, args ...any) (result any, spent time.Duration, err error)
	// Interrupt ends what runs now.
	Interrupt()
	Close() error
}

// The ways in which a machine ends by itself.
var (
	errCPU    = errors.New("over its time")
	errMemory = errors.New("out of memory")
	errBroken = errors.New("the engine failed")
	errStuck  = Fail(api.Because(api.CodeScriptStuck), nil)
)

// hostFunc answers what the script asks of Go, on the engine's goroutine.
type hostFunc func(args []any) (any, error)

// callFunc begins a call, as what it returns says. It might be a hostFunc, but a
// function of few arguments costs half of that. Without an op it is the answer to the
// message of the turn with a text, which is what most are.
type callFunc func(id, op, params any) any

// stackSlots bounds how deep calls nest: the Go stack that they take stays below
// 16 MiB.
const stackSlots = 2500

type quickEngine struct {
	vm      *quickjs.VM
	prelude quickjs.Value            // holds the entries
	entries map[string]quickjs.Value // those that were called so far
	loaded  map[string]string
	lost    bool // it may only be dropped
}

// compile returns the engine's own form of a prelude, which saves a new engine
// nine tenths of its start.
func compile(prelude string) ([]byte, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	code, err := vm.Compile(prelude, quickjs.EvalGlobal)
	return code, errors.Join(err, vm.Close())
}

// newEngine returns an engine in which the compiled prelude has run. It belongs to the
// goroutine that made it.
func newEngine(memory int64, prelude func() ([]byte, error), host hostFunc, call callFunc) (*quickEngine, error) {
	debug.SetPanicOnFault(true) // of this goroutine: the engine manages its memory itself
	code, err := prelude()
	if err != nil {
		return nil, fmt.Errorf("prelude: %w", err)
	}
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	q := &quickEngine{vm: vm, entries: map[string]quickjs.Value{}, loaded: map[string]string{}}
	vm.SetMemoryLimit(uintptr(memory))
	vm.SetMaxStackSize(stackSlots)
	vm.SetGCThreshold(1 << 20)
	vm.SetCanBlock(false)
	vm.SetModuleLoader(func(_ *quickjs.VM, name string) (string, error) {
		if src, ok := q.loaded[name]; ok {
			return src, nil
		}
		return "", errors.New(noModule(name))
	}, func(_ *quickjs.VM, _, name string) (string, error) { return name, nil })
	err = vm.RegisterHostFunc("__host", quickjs.HostFunc(host))
	if err == nil && call != nil {
		err = vm.RegisterFunc("__call", call, false)
	}
	if err == nil {
		q.prelude, err = vm.EvalBytecodeValue(code)
	}
	if err == nil && q.prelude.IsUndefined() {
		err = errors.New("the prelude has no entries")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prelude: %w", err), vm.Close())
	}
	return q, nil
}

func (q *quickEngine) Load(name, source string, budget time.Duration) (time.Duration, error) {
	q.loaded[name] = source
	defer delete(q.loaded, name)
	_, spent, err := q.Enter(budget, "load", name)
	return spent, err
}

func (q *quickEngine) Call(budget time.Duration, entry string, args ...any) (any, time.Duration, error) {
	return q.enter(budget, false, entry, args)
}

func (q *quickEngine) Enter(budget time.Duration, entry string, args ...any) (any, time.Duration, error) {
	return q.enter(budget, true, entry, args)
}

// entry returns an entry by its name.
func (q *quickEngine) entry(name string) (quickjs.Value, error) {
	f, ok := q.entries[name]
	if !ok {
		atom, err := q.vm.NewAtom(name)
		if err == nil {
			f, err = q.prelude.GetPropertyValue(atom)
		}
		if err != nil {
			return f, err
		}
		q.entries[name] = f
	}
	return f, nil
}

func (q *quickEngine) enter(budget time.Duration, due bool, entry string, args []any) (result any, spent time.Duration, err error) {
	if q.lost {
		return nil, 0, errBroken
	}
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			q.lost = true
			err = Fail(api.Because(api.CodeScriptBroken, v), errBroken)
		}
		spent = time.Since(start)
		if spent >= budget {
			err = errCPU
		}
	}()
	if err := q.vm.SetEvalTimeout(budget); err != nil {
		return nil, 0, err
	}
	f, err := q.entry(entry)
	if err != nil {
		return nil, 0, engineError(err)
	}
	result, err = f.Call(quickjs.UndefinedValue, args...)
	if err != nil {
		return nil, 0, engineError(err)
	}
	for due {
		left := budget - time.Since(start)
		if left <= 0 {
			return nil, 0, errCPU
		}
		if err := q.vm.SetEvalTimeout(left); err != nil {
			return nil, 0, err
		}
		n, err := q.vm.ExecutePendingJobs()
		if err != nil {
			return nil, 0, engineError(err)
		}
		if n < 1<<20 { // so many it runs at once
			return result, 0, nil
		}
	}
	return result, 0, nil
}

// engineError tells what ends a machine from what a script throws. The prelude
// catches what a script throws, so that null is the engine's own: it throws that
// where there is no memory left for an error.
func engineError(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "out of memory") || text == "null":
		return errMemory
	case strings.Contains(text, "InternalError: interrupted"):
		return errCPU
	}
	var e *quickjs.Error
	if errors.As(err, &e) {
		return &thrown{Name: e.Name, Message: e.Message, Stack: e.Stack}
	}
	return err
}

func (q *quickEngine) Interrupt() { q.vm.Interrupt() }

func (q *quickEngine) Close() (err error) {
	defer func() {
		if v := recover(); v != nil { // of one that is lost
			err = Fail(api.Because(api.CodeScriptBroken, v), errBroken)
		}
	}()
	if q.lost {
		return q.vm.Close()
	}
	for _, f := range q.entries {
		f.Free()
	}
	q.prelude.Free()
	return q.vm.Close()
}
