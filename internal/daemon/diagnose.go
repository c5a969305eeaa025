package daemon

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// ringForDiagnosis is how many last lines a diagnosis looks at.
const ringForDiagnosis = 200

// diagnosis is the likely cause of an end, with what to do about it.
type diagnosis struct {
	Reason supervisor.Reason
	Detail string
}

// causes are the lines that explain an end, the most telling first. The detail
// may have one %s for the fact's text.
var causes = []struct {
	kind   output.Kind
	reason supervisor.Reason
	detail string
}{
	{output.KindMissingLib, reasonMissingLib, "QQ lacks the system library %s; install it (on Debian: apt-get install libnss3 libgbm1 libasound2 libgtk-3-0), see ncatd doctor"},
	{output.KindDiskFull, reasonDiskFull, "the disk is full; free some space"},
	{output.KindNoDisplay, reasonNoDisplay, "QQ found no X server; install Xvfb (on Debian: apt-get install xvfb), see ncatd doctor"},
	{output.KindNotNapCat, reasonNotNapCat, "QQ could not load NapCat; run ncatd install again"},
	{output.KindStartFailed, reasonCrash, "NapCat could not start: %s"},
	{output.KindKicked, reasonKicked, "QQ ended the session: %s"},
	{output.KindBadConfig, reasonBadConfig, "a configuration file of NapCat's is broken: %s"},
}

// diagnose explains the end of a process by its exit and its last lines.
func diagnose(exit proc.Exit, tail []string) diagnosis {
	seen := make(map[output.Kind]output.Fact)
	worker := 0
	var p output.Parser
	for _, s := range tail {
		f := p.Parse([]byte(s)).Fact
		if f == nil {
			continue
		}
		if f.Kind == output.KindOneBotReady {
			// Whatever was wrong before was got over.
			clear(seen)
			worker = 0
		}
		seen[f.Kind] = *f
		if f.Kind == output.KindWorkerExit {
			worker = f.Code
		}
	}
	how := "NapCat ended: " + exit.String()
	for _, c := range causes {
		if f, ok := seen[c.kind]; ok {
			detail := c.detail
			if strings.Contains(detail, "%s") {
				detail = fmt.Sprintf(detail, or(f.Text, "?"))
			}
			return diagnosis{c.reason, detail + " (" + how + ")" + lastWords(tail)}
		}
	}
	_, unsupported := seen[output.KindUnsupportedQQ]
	crashed := worker == int(syscall.SIGSEGV) || worker == 128+int(syscall.SIGSEGV) || exit.Signal == syscall.SIGSEGV || exit.Code == 128+int(syscall.SIGSEGV)
	switch {
	case crashed && unsupported:
		return diagnosis{reasonUnsupportedQQ, "QQ's native module crashed (SIGSEGV), and this NapCat does not know this QQ version; run ncatd rollback, or ncatd install with the versions that belong together (" + how + ")" + lastWords(tail)}
	case crashed:
		return diagnosis{reasonCrash, "QQ's native module crashed (SIGSEGV); after an upgrade run ncatd rollback, otherwise set env NAPCAT_DISABLE_BYPASS: \"1\" (" + how + ")" + lastWords(tail)}
	case exit.Signal == syscall.SIGKILL:
		return diagnosis{reasonCrash, "NapCat was killed by signal 9: by somebody, or by the kernel for want of memory" + lastWords(tail)}
	case worker != 0:
		return diagnosis{reasonCrash, fmt.Sprintf("NapCat's worker died with exit code %d%s (%s)", worker, signalHint(worker), how) + lastWords(tail)}
	case unsupported:
		return diagnosis{reasonUnsupportedQQ, "this NapCat does not know this QQ version; run ncatd rollback (" + how + ")" + lastWords(tail)}
	}
	if _, ok := seen[output.KindNetworkWait]; ok {
		if _, up := seen[output.KindNetworkUp]; !up {
			return diagnosis{reasonNoNetwork, "NapCat found no network before it ended (" + how + ")"}
		}
	}
	return diagnosis{reasonCrash, how + lastWords(tail)}
}

// signalHint names the signal that the exit code of a worker stands for.
func signalHint(code int) string {
	switch code {
	case int(syscall.SIGSEGV), 128 + int(syscall.SIGSEGV):
		return " (SIGSEGV)"
	case int(syscall.SIGABRT), 128 + int(syscall.SIGABRT):
		return " (SIGABRT)"
	case int(syscall.SIGKILL), 128 + int(syscall.SIGKILL):
		return " (SIGKILL)"
	}
	return ""
}

// lastWords returns the last line of output for a detail, "" without any.
func lastWords(tail []string) string {
	for i := len(tail) - 1; i >= 0; i-- {
		s := strings.TrimSpace(tail[i])
		if s == "" || strings.HasPrefix(s, "[ncatd:") {
			continue
		}
		if r := []rune(s); len(r) > 200 {
			s = string(r[:200]) + "…"
		}
		return "; last line: " + s
	}
	return ""
}
