package script

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// thrown is what a script threw.
type thrown struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
	Null    bool   `json:"null"` // it was null, which the engine throws where there is no memory left for an error
}

func (e *thrown) Error() string {
	text := e.Name + ": " + e.Message
	if e.Name == "thrown" {
		text = "threw " + e.Message
		if e.Stack != "" {
			text += ", which is no Error and knows no place; its handler is"
		}
	}
	if e.Stack != "" {
		text += "\n" + e.Stack
	}
	return text
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
}

func faultOf(err error) string {
	f := fault{Class: "NcatError", Message: err.Error(), MaybeDone: onebot.MaybeDone(err)}
	var refused *onebot.Error
	var over *limitError
	var denied *deniedError
	var bad *argumentError
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
type deniedError struct{ text string }

func (e *deniedError) Error() string { return e.text }

// argumentError refuses what a script asked for.
type argumentError struct{ text string }

func (e *argumentError) Error() string { return e.text }
