package daemon

import (
	"strconv"
	"syscall"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// diagnosis is the likely cause of an end, with what to do about it.
type diagnosis struct {
	Reason supervisor.Reason
	Detail string
}

// causes say what the facts that explain an end mean. The fact's text is the arg
// of a sentence that has one.
var causes = map[output.Kind]struct {
	reason supervisor.Reason
	code   api.Code
	arg    bool
}{
	output.KindMissingLib:  {reasonMissingLib, api.CodeMissingLibrary, true},
	output.KindOldLibrary:  {reasonMissingLib, api.CodeOldLibrary, true},
	output.KindSandbox:     {reasonCrash, api.CodeSandbox, true},
	output.KindSmallShm:    {reasonCrash, api.CodeSmallShm, false},
	output.KindBadOption:   {reasonBadConfig, api.CodeBadOption, true},
	output.KindNoDisplay:   {reasonNoDisplay, api.CodeNoDisplay, false},
	output.KindLimit:       {reasonCrash, api.CodeLimit, true},
	output.KindDiskFull:    {reasonDiskFull, api.CodeDiskFull, false},
	output.KindReadOnly:    {reasonDiskFull, api.CodeReadOnly, true},
	output.KindNoMemory:    {reasonMemory, api.CodeOutOfMemory, false},
	output.KindIllegal:     {reasonCrash, api.CodeIllegal, false},
	output.KindNotNapCat:   {reasonNotNapCat, api.CodeNotNapCat, false},
	output.KindStartFailed: {reasonCrash, api.CodeStartFailed, true},
	output.KindKicked:      {reasonKicked, api.CodeKicked, true},
	output.KindBadConfig:   {reasonBadConfig, api.CodeNapCatConfig, true},
	output.KindDenied:      {reasonCrash, api.CodeDenied, true},
}

// diagnose explains the end of a process by its exit and its last lines. Without
// a code or a line that tells it guesses nothing.
func diagnose(exit proc.Exit, lines []output.Line) diagnosis {
	e := output.Explain(lines)
	how, last := howEnded(exit), lastWords(e.Telling)
	end := func(r supervisor.Reason, why api.Fault, behind ...api.Fault) diagnosis {
		why = why.With(behind...)
		d := diagnosis{r, text.Fault(text.English, why)}
		if hint := text.FaultHint(text.English, why); hint != "" {
			d.Detail += "; " + hint
		}
		return d
	}
	if e.Cause != nil && e.Cause.Kind == output.KindPortBusy {
		return end(reasonPortBusy, api.Because(api.CodePortInUse, e.Cause.Port), how, last)
	}
	if e.Cause != nil {
		c := causes[e.Cause.Kind]
		why := api.Fault{Code: c.code}
		if c.arg {
			why.Args = []string{or(e.Cause.Text, "?")}
		}
		return end(c.reason, why, how, last)
	}
	switch {
	case ended(exit, e, syscall.SIGSEGV) && e.Unsupported:
		return end(reasonUnsupportedQQ, api.Because(api.CodeCrashedOldModule), how, last)
	case ended(exit, e, syscall.SIGSEGV):
		return end(reasonCrash, api.Because(api.CodeCrashedModule), how, last)
	case ended(exit, e, syscall.SIGILL):
		return end(reasonCrash, api.Because(api.CodeIllegal), how, last)
	case exit.Signal == syscall.SIGKILL || exit.Code == 128+int(syscall.SIGKILL):
		return end(reasonCrash, api.Because(api.CodeKilled), last)
	case e.Worker && e.WorkerCode >= 0:
		return end(reasonCrash, api.Because(api.CodeWorkerDied, strconv.Itoa(e.WorkerCode)+signalHint(e.WorkerCode)), how, last)
	case e.Worker:
		return end(reasonCrash, api.Because(api.CodeWorkerDiedUnknown), how, last)
	case e.Unsupported:
		return end(reasonUnsupportedQQ, api.Because(api.CodeUnsupportedQQ), how, last)
	case e.NoNetwork:
		return end(reasonNoNetwork, api.Because(api.CodeNoNetworkEnded), how)
	}
	return end(reasonCrash, how, last)
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
