package onebot

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotSent says that the request certainly never left this process: the link
// was down or the context had ended. Repeating the call is safe.
var ErrNotSent = errors.New("not sent")

// ErrUnknownOutcome says that the request was written (at least in part) and
// the link was lost, or time ran out, before its answer came. It may have been
// carried out; repeating a send may deliver the message twice.
var ErrUnknownOutcome = errors.New("outcome unknown")

// Error is the answer to a call that OneBot refused, or that it called done
// although the answer itself shows that QQ refused.
type Error struct {
	Action  string
	RetCode int    // contract E.2 (WebSocket) or E.5 (HTTP)
	Message string // NapCat's or QQ's text, often Chinese
	Wording string // NapCat repeats Message here
	// Raw is the whole answer as it came.
	Raw json.RawMessage
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: refused (retcode %d): %s", e.Action, e.RetCode, e.Message)
}
