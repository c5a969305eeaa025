package output

import (
	"regexp"
	"slices"
	"strings"
)

// End is what the last lines of a process tell of its end.
type End struct {
	Cause *Fact // the likely one; nil: none that is known
	// Worker says that a worker died after the last one began, with WorkerCode; -1
	// where no code was given.
	Worker      bool
	WorkerCode  int
	Unsupported bool // NapCat does not know this QQ version
	NoNetwork   bool // it waited for a network until the end
	// Telling is the line that tells most, "" for none: that of the cause, else the
	// last that speaks of an error, else the last that is neither a chat message
	// nor part of a stack.
	Telling string
}

// fatal are the kinds that explain an end, the most telling first.
var fatal = []Kind{KindMissingLib, KindOldLibrary, KindSandbox, KindBadOption, KindSmallShm, KindNoDisplay, KindLimit, KindDiskFull, KindReadOnly,
	KindNoMemory, KindIllegal, KindNotNapCat, KindPortBusy, KindStartFailed, KindKicked, KindBadConfig, KindDenied}

// Explain reads the last lines of a process that ended, as they were understood
// when they came. What a worker said counts until the next one begins or is
// ready: then it was got over.
func Explain(lines []Line) End {
	e := End{WorkerCode: -1}
	seen := make(map[Kind]Line)
	for _, l := range lines {
		f := l.Fact
		if f == nil {
			continue
		}
		switch f.Kind {
		case KindLoading, KindOneBotReady:
			e = End{WorkerCode: -1}
			clear(seen)
		case KindWorkerExit:
			e.Worker, e.WorkerCode = true, f.Code
		case KindWorkerAgain:
			e.Worker = true
		case KindUnsupportedQQ:
			e.Unsupported = true
		case KindNetworkWait:
			e.NoNetwork = true
		case KindNetworkUp:
			e.NoNetwork = false
		case KindPortBusy:
			if f.Text != "" {
				continue // without OneBot's or the WebUI's port NapCat goes on
			}
		}
		if _, ok := seen[f.Kind]; !ok { // the first of its kind: the others follow from it
			seen[f.Kind] = l
		}
	}
	for _, k := range fatal {
		if l, ok := seen[k]; ok {
			e.Cause, e.Telling = l.Fact, strings.TrimSpace(chromium.ReplaceAllString(l.Message, ""))
			return e
		}
	}
	e.Telling = telling(lines)
	return e
}

var (
	// frame matches a line of a stack, a caret under code, and what else surrounds
	// an error without telling anything.
	frame = regexp.MustCompile(`^(?:\s+at |\s*at \S+ \(|\s*at (?:async |new )|#\d+ |\s*\^+\s*$|Node\.js v\d|node:internal|\s*[{}\]]+[,;]?\s*$|\(EE\)\s*$|\(EE\) Fatal server error:\s*$|\[ncatd:|\[end of stack trace\])`)
	// speaks matches a line that speaks of an error.
	speaks = regexp.MustCompile(`(?i)\b\w*(?:error|exception)\b|fatal|panic|abort|terminate called|assert|failed|失败|错误|异常`)
)

// telling returns the line of lines that tells most of an end.
func telling(lines []Line) string {
	const back = 40 // an error and its stack, no more
	last := ""
	for i, l := range slices.Backward(lines) {
		text := chromium.ReplaceAllString(l.Message, "")
		if l.Chat || strings.TrimSpace(text) == "" || frame.MatchString(text) {
			continue
		}
		if l.Level == "error" || !l.Record && speaks.MatchString(text) {
			return strings.TrimSpace(text)
		}
		if last == "" {
			last = strings.TrimSpace(text)
		}
		if len(lines)-i > back || l.Fact != nil && (l.Fact.Kind == KindLoading || l.Fact.Kind == KindOneBotReady) {
			break
		}
	}
	return last
}
