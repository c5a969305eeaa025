package daemon

import (
	"cmp"
	"strconv"
	"syscall"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// say words a fault for the log and for people who read JSON.
func say(f api.Fault) string { return text.Fault(text.English, f) }

// causes say what the facts that explain an end mean. The fact's text is the arg
// of a sentence that has one.
var causes = map[output.Kind]struct {
	reason supervisor.Reason
	code   api.Code
	arg    bool
}{
	output.KindMissingLib:  {account.ReasonMissingLib, api.CodeMissingLibrary, true},
	output.KindOldLibrary:  {account.ReasonMissingLib, api.CodeOldLibrary, true},
	output.KindSandbox:     {account.ReasonCrash, api.CodeSandbox, true},
	output.KindSmallShm:    {account.ReasonCrash, api.CodeSmallShm, false},
	output.KindBadOption:   {account.ReasonBadConfig, api.CodeBadOption, true},
	output.KindNoDisplay:   {account.ReasonNoDisplay, api.CodeNoDisplay, false},
	output.KindLimit:       {account.ReasonCrash, api.CodeLimit, true},
	output.KindDiskFull:    {account.ReasonDiskFull, api.CodeDiskFull, false},
	output.KindReadOnly:    {account.ReasonDiskFull, api.CodeReadOnly, true},
	output.KindNoMemory:    {account.ReasonMemory, api.CodeOutOfMemory, false},
	output.KindIllegal:     {account.ReasonCrash, api.CodeIllegal, false},
	output.KindNotNapCat:   {account.ReasonNotNapCat, api.CodeNotNapCat, false},
	output.KindStartFailed: {account.ReasonCrash, api.CodeStartFailed, true},
	output.KindKicked:      {account.ReasonKicked, api.CodeKicked, true},
	output.KindBadConfig:   {account.ReasonBadConfig, api.CodeNapCatConfig, true},
	output.KindDenied:      {account.ReasonCrash, api.CodeDenied, true},
}

// diagnose explains the end of a process by its exit and its last lines. Without
// a code or a line that tells it guesses nothing.
func diagnose(exit proc.Exit, lines []output.Line) *supervisor.Fault {
	e := output.Explain(lines)
	how, last := howEnded(exit), lastWords(e.Telling)
	end := func(r supervisor.Reason, why api.Fault, behind ...api.Fault) *supervisor.Fault {
		return &supervisor.Fault{Cause: supervisor.Cause{Reason: r, Why: why.With(behind...)}, Weight: 1}
	}
	if e.Cause != nil && e.Cause.Kind == output.KindPortBusy {
		return end(account.ReasonPortBusy, api.Because(api.CodePortInUse, e.Cause.Port), how, last)
	}
	if e.Cause != nil {
		c := causes[e.Cause.Kind]
		why := api.Fault{Code: c.code}
		if c.arg {
			why.Args = []string{cmp.Or(e.Cause.Text, "?")}
		}
		return end(c.reason, why, how, last)
	}
	switch {
	case ended(exit, e, syscall.SIGSEGV) && e.Unsupported:
		return end(account.ReasonUnsupportedQQ, api.Because(api.CodeCrashedOldModule), how, last)
	case ended(exit, e, syscall.SIGSEGV):
		return end(account.ReasonCrash, api.Because(api.CodeCrashedModule), how, last)
	case ended(exit, e, syscall.SIGILL):
		return end(account.ReasonCrash, api.Because(api.CodeIllegal), how, last)
	case exit.Signal == syscall.SIGKILL || exit.Code == 128+int(syscall.SIGKILL):
		return end(account.ReasonCrash, api.Because(api.CodeKilled), last)
	case e.Worker && e.WorkerCode >= 0:
		return end(account.ReasonCrash, api.Because(api.CodeWorkerDied, strconv.Itoa(e.WorkerCode)+signalHint(e.WorkerCode)), how, last)
	case e.Worker:
		return end(account.ReasonCrash, api.Because(api.CodeWorkerDiedUnknown), how, last)
	case e.Unsupported:
		return end(account.ReasonUnsupportedQQ, api.Because(api.CodeUnsupportedQQ), how, last)
	case e.NoNetwork:
		return end(account.ReasonNoNetwork, api.Because(api.CodeNoNetworkEnded), how)
	}
	return end(account.ReasonCrash, how, last)
}

// ended reports whether a signal ended the master or the worker.
func ended(exit proc.Exit, e output.End, s syscall.Signal) bool {
	n := int(s)
	return exit.Signal == s || exit.Code == 128+n || e.Worker && (e.WorkerCode == n || e.WorkerCode == 128+n)
}

// howEnded says how the master itself ended.
func howEnded(exit proc.Exit) api.Fault {
	switch {
	case exit.Unknown:
		return api.Because(api.CodeProcessEnded)
	case exit.Signal != 0:
		return api.Because(api.CodeSignal, strconv.Itoa(int(exit.Signal))+" ("+exit.Signal.String()+")")
	}
	return api.Because(api.CodeExit, exit.Code)
}

// signalHint names the signal that the exit code of a worker stands for.
func signalHint(code int) string {
	switch code {
	case int(syscall.SIGSEGV), 128 + int(syscall.SIGSEGV):
		return " (SIGSEGV)"
	case int(syscall.SIGABRT), 128 + int(syscall.SIGABRT):
		return " (SIGABRT)"
	case 128 + int(syscall.SIGKILL): // 9 alone is node's own for an option it does not know
		return " (SIGKILL)"
	}
	return ""
}

// lastWords returns the telling line for a detail, the zero Fault without any.
func lastWords(s string) api.Fault {
	if s == "" {
		return api.Fault{}
	}
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return api.Because(api.CodeLastLine, s)
}
