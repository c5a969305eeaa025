package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// sendTimeout bounds one try to tell something.
const sendTimeout = 30 * time.Second

// Text is one message as a channel gets it, in the reader's language.
type Text struct {
	Title string
	Body  string // lines
	// Image is a PNG of the QR to scan, nil if there is none.
	Image []byte
	// Message is what Title and Body say.
	Message Message
	// Told says that the words were taken by an earlier try, and only the image was
	// not; see [Error.Told].
	Told bool
}

// Channel tells a message. It returns nil when the other side has taken it, an
// [*Error] where more is known, and ends with ctx. Only one call is made at a
// time.
type Channel interface {
	Send(ctx context.Context, t Text) error
}

// Problem is one word for why a channel did not take a message. The catalogue
// has a sentence (fault.alert_WORD) and what helps (hint.fault.alert_WORD).
type Problem string

// The problems of channels.
const (
	ProblemToken       Problem = "token"       // 401, 403: the secret is wrong
	ProblemAddress     Problem = "address"     // 404, 410: no such robot, topic or page
	ProblemRefused     Problem = "refused"     // any other no, with the service's words
	ProblemBusy        Problem = "busy"        // 429
	ProblemServer      Problem = "server"      // 5xx
	ProblemTimeout     Problem = "timeout"     //
	ProblemCertificate Problem = "certificate" // not valid, or of another name
	ProblemUnreachable Problem = "unreachable" // no route, no name, refused connection
	ProblemAnswer      Problem = "answer"      // what came back is not the service's
	ProblemConfig      Problem = "config"      // a secret or program that is not there
)

// Error is why a channel did not take a message. It holds no secret.
type Error struct {
	Problem Problem `json:"problem"`
	Detail  string  `json:"detail"`
	// After is how long the service asks to wait; 0 is nothing said.
	After time.Duration `json:"after_ns,omitempty"`
	// Told says that a service that takes the image by itself has the words.
	Told bool `json:"told,omitempty"`
}

// Fault returns e for the catalogue.
func (e *Error) Fault() api.Fault {
	if e == nil {
		return api.Fault{}
	}
	return api.Fault{Code: api.Code("alert_" + e.Problem), Args: []string{e.Detail}}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Problem)
	}
	return fmt.Sprintf("%s: %s", e.Problem, e.Detail)
}

// problem makes an [*Error] of any error.
func problem(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Problem: ProblemTimeout, Detail: fmt.Sprintf("no answer within %s", sendTimeout)}
	default:
		return &Error{Problem: ProblemRefused, Detail: err.Error()}
	}
}
