package script

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// thrown is what a script threw.
type thrown struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
	Null    bool   `json:"null"` // it was null, which the engine throws where there is no memory left for an error
	// Fault is what the host told the script, if it threw that on.
	Fault api.Fault `json:"fault"`
}

func (e *thrown) Error() string {
	said := e.Name + ": " + e.Message
	if e.Name == "thrown" {
		said = "threw " + e.Message
		if e.Stack != "" {
			said += ", which is no Error and knows no place; its handler is"
		}
	}
	if e.Stack != "" {
		said += "\n" + e.Stack
	}
	return said
}

// told is the place of what was thrown and the script's words, or, as long as it
// did not change them, the host's.
func (e *thrown) told() api.Fault {
	f := api.Because(api.CodeScriptSaid, e.Name+": "+e.Message)
	switch {
	case e.Name == "thrown":
		f = api.Because(api.CodeScriptThrew, e.Message)
	case e.Fault.Code != "" && english(e.Fault) == e.Message:
		f = api.Because(api.CodeScriptAt, e.Name).With(e.Fault)
	}
	first, _, _ := strings.Cut(e.Stack, "\n")
	if place, _, _ := strings.Cut(strings.TrimPrefix(first, "    at "), " in "); place != first {
		return api.Because(api.CodeScriptAt, place).With(f)
	}
	return f
}

// fillRate is faster than a script fills its memory with objects, in bytes a second.
const fillRate = 512 << 20

// outOfMemory reports whether the engine threw it for want of memory, having run
// for so long with at most limit bytes. Where there is no memory left for an error
// it throws null, but not before the memory can have been filled.
func (e *thrown) outOfMemory(ran time.Duration, limit int64) bool {
	if e.Null {
		return ran.Seconds() >= float64(limit)/fillRate
	}
	return e.Name == "InternalError" && strings.Contains(e.Message, "out of memory")
}

// fault is an error on its way into a script: the name of its class there and
// its fields.
type fault struct {
	Class     string `json:"class"`
	Message   string `json:"message"`
	Action    string `json:"action,omitempty"`
	RetCode   *int   `json:"retcode,omitempty"`
	Wording   string `json:"wording,omitempty"`
	Verdict   int    `json:"verdict,omitempty"`
	Cause     string `json:"cause,omitempty"`
	MaybeDone bool   `json:"maybeDone,omitempty"`
	Limit     string `json:"limit,omitempty"`
	// Fault is what it says, without a language.
	Fault api.Fault `json:"fault,omitzero"`
}

func faultOf(err error) string {
	f := fault{Class: "NcatError", Message: err.Error(), MaybeDone: onebot.MaybeDone(err)}
	var refused *onebot.Error
	var over *limitError
	var denied *deniedError
	var bad *argumentError
	f.Fault, _ = Told(err)
	switch {
	case errors.As(err, &over):
		f.Class, f.Limit = "LimitError", over.limit
	case errors.As(err, &denied):
		f.Class = "DeniedError"
	case errors.As(err, &bad):
		f.Class = "ArgumentError"
	case errors.As(err, &refused):
		f.Class = refusalClass(err)
		f.Action, f.RetCode, f.Wording, f.Verdict, f.Cause = refused.Action, &refused.RetCode, refused.Wording, refused.Verdict, refused.Cause().String()
	default:
		f.Class = sentinelClass(err)
	}
	b, _ := json.Marshal(f) // of strings and numbers
	return string(b)
}

func refusalClass(err error) string {
	switch {
	case onebot.IsMuted(err):
		return "MutedError"
	case onebot.IsNotMember(err):
		return "NotMemberError"
	case onebot.IsNoPacket(err):
		return "NoPacketError"
	case onebot.IsUnconfirmed(err):
		return "UnconfirmedError"
	case onebot.IsUnsupported(err):
		return "UnsupportedError"
	case onebot.IsBadParams(err):
		return "BadParamsError"
	}
	return "RefusedError"
}

// sentinelClass names the errors of the Go packages that are values. The more
// telling ones come first, since they wrap the others.
func sentinelClass(err error) string {
	for _, c := range []struct {
		err   error
		class string
	}{
		{ncat.ErrNoAnswer, "NoAnswerError"}, {ncat.ErrCancelled, "CancelledError"}, {ncat.ErrTooFast, "TooFastError"},
		{ncat.ErrTooLarge, "TooLargeError"}, {ncat.ErrLocalAddress, "LocalAddressError"}, {ncat.ErrContentType, "ContentTypeError"},
		{ncat.ErrNoAttachment, "NoAttachmentError"}, {ncat.ErrNoAccount, "NoAccountError"}, {ncat.ErrBadAddress, "BadAddressError"},
		{ncat.ErrHandlerDeadline, "HandlerDeadlineError"}, {errUnloaded, "UnloadedError"}, {errReplaced, "UnloadedError"},
		{onebot.ErrUnknownOutcome, "UnknownOutcomeError"}, {onebot.ErrNotSent, "NotSentError"},
	} {
		if errors.Is(err, c.err) {
			return c.class
		}
	}
	return "NcatError"
}

// deniedError refuses what a plugin was not granted.
type deniedError struct{ fault api.Fault }

func denied(f api.Fault) error { return &deniedError{f} }

func (e *deniedError) Error() string { return english(e.fault) }

func (e *deniedError) told() api.Fault { return e.fault }

// argumentError refuses what a script asked for.
type argumentError struct {
	text  string
	fault api.Fault // in place of text
}

func unfit(f api.Fault) error { return &argumentError{fault: f} }

func (e *argumentError) Error() string {
	if e.fault.Code != "" {
		return english(e.fault)
	}
	return e.text
}

func (e *argumentError) told() api.Fault {
	if e.fault.Code != "" {
		return e.fault
	}
	return api.Because(api.CodeScriptSaid, e.text)
}
