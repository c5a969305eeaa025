package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

// Cause is one word for why a place was given up.
type Cause string

// The causes.
const (
	CauseStatus    Cause = "http_status"
	CauseHTML      Cause = "html_page"
	CauseFormat    Cause = "not_an_archive"
	CauseTruncated Cause = "truncated"
	CauseDigest    Cause = "wrong_digest"
	CauseSize      Cause = "wrong_size"
	CauseDiffers   Cause = "differs"
	CauseStalled   Cause = "stalled"
	CauseRedirect  Cause = "redirect_loop"
	CauseDowngrade Cause = "insecure_redirect"
	CauseTLS       Cause = "tls"
	CauseDNS       Cause = "dns"
	CauseConnect   Cause = "connect"
	CauseNoDigest  Cause = "no_digest"
	CauseDamaged   Cause = "damaged"
	CauseOther     Cause = "other"
)

// PlaceError is what one place did wrong.
type PlaceError struct {
	Place Place
	Cause Cause
	Err   error
}

// Error implements error.
func (e *PlaceError) Error() string {
	return fmt.Sprintf("%s: %s (%s)", e.Place.Via, e.Err, e.Cause)
}

// Describe words what one place did wrong, with the cause's word and without the
// place.
func Describe(e *PlaceError) string { return fmt.Sprintf("%v (%s)", e.Err, e.Cause) }

// Judge returns what is known of an error of one place.
func Judge(p Place, err error) *PlaceError {
	if e := (*PlaceError)(nil); errors.As(err, &e) {
		return e
	}
	return &PlaceError{Place: p, Cause: causeOf(err), Err: err}
}

// Unwrap returns what went wrong.
func (e *PlaceError) Unwrap() error { return e.Err }

// Detail returns what is known beyond the cause: what the system, the server or the
// archive says, a digest, sizes. It is empty where the cause says all.
func (e *PlaceError) Detail() string {
	var status *StatusError
	var digest *DigestError
	var size *sizeError
	switch {
	case errors.As(e.Err, &status):
		return status.Error()
	case errors.As(e.Err, &digest):
		return "SHA-256 " + digest.Got
	case errors.As(e.Err, &size):
		return fmt.Sprintf("%d != %d", size.got, size.want)
	}
	switch e.Cause {
	case CauseHTML, CauseFormat, CauseTruncated, CauseDiffers, CauseStalled, CauseRedirect, CauseDowngrade, CauseNoDigest:
		return ""
	}
	return e.Err.Error()
}

// Error says that a file could not be had from anywhere.
type Error struct {
	Name   string
	Places []*PlaceError // in the order in which they were given up
}

// Error implements error.
func (e *Error) Error() string {
	parts := make([]string, len(e.Places))
	for i, p := range e.Places {
		parts[i] = p.Error()
	}
	return fmt.Sprintf("%s could not be fetched: %s", e.Name, strings.Join(parts, "; "))
}

// Unwrap returns the places' errors.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Places))
	for i, p := range e.Places {
		errs[i] = p
	}
	return errs
}

// Has reports whether any place was given up for c.
func (e *Error) Has(c Cause) bool {
	for _, p := range e.Places {
		if p.Cause == c {
			return true
		}
	}
	return false
}

// Dead reports whether every place answered that the file does not exist (any
// more), or said so by a web page.
func (e *Error) Dead() bool {
	for _, p := range e.Places {
		var status *StatusError
		gone := errors.As(p.Err, &status) && (status.Code == 404 || status.Code == 410)
		if !gone && p.Cause != CauseHTML {
			return false
		}
	}
	return len(e.Places) > 0
}

// StatusError is an HTTP status that carries no file.
type StatusError struct {
	Code   int
	Status string
}

// Error implements error.
func (e *StatusError) Error() string { return "HTTP " + e.Status }

// DigestError is a complete file with other content than demanded.
type DigestError struct {
	Want, Got string
	From      string // where Want comes from
}

// Error implements error.
func (e *DigestError) Error() string {
	return fmt.Sprintf("SHA-256 is %s, but %s says %s", e.Got, e.From, e.Want)
}

var (
	errStalled     = errors.New("no bytes came any more")
	errRedirects   = errors.New("redirects without end")
	errDowngrade   = errors.New("redirect from https to http")
	errRangeLost   = errors.New("the part cannot be continued there")
	errNoDigest    = errors.New("no digest is known, and this is not the publisher's own https address")
	errOtherBytes  = errors.New("other bytes than the publisher's")
	errOtherCrowd  = errors.New("other bytes than most mirrors")
	errTruncated   = errors.New("the answer ended too early")
	errNoRangeTail = errors.New("the end of the file cannot be had")
)

// slowError is a place that had not answered when the race was over.
type slowError struct{ waited time.Duration }

func (e *slowError) Error() string {
	return fmt.Sprintf("no answer %s after the first good one", e.waited)
}

// sizeError is a file of another size than it must have.
type sizeError struct{ want, got int64 }

func (e *sizeError) Error() string { return fmt.Sprintf("%d bytes instead of %d", e.got, e.want) }

// causeOf finds the word for an error.
func causeOf(err error) Cause {
	var status *StatusError
	var digest *DigestError
	var size *sizeError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	var refused *unpack.RefusedError
	var netErr net.Error
	switch {
	case errors.As(err, &status):
		return CauseStatus
	case errors.Is(err, unpack.ErrHTML):
		return CauseHTML
	case errors.Is(err, unpack.ErrFormat):
		return CauseFormat
	case errors.As(err, &digest):
		return CauseDigest
	case errors.As(err, &size):
		return CauseSize
	case errors.Is(err, errOtherBytes), errors.Is(err, errOtherCrowd):
		return CauseDiffers
	case errors.Is(err, errStalled), errors.As(err, new(*slowError)), errors.Is(err, context.DeadlineExceeded):
		return CauseStalled
	case errors.Is(err, errRedirects):
		return CauseRedirect
	case errors.Is(err, errDowngrade):
		return CauseDowngrade
	case errors.Is(err, errNoDigest):
		return CauseNoDigest
	case errors.Is(err, errTruncated), errors.Is(err, errNoRangeTail), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrShortWrite), errors.Is(err, syscall.ECONNRESET):
		return CauseTruncated
	case errors.Is(err, unpack.ErrDamaged), errors.As(err, &refused):
		return CauseDamaged
	case errors.As(err, &dns):
		return CauseDNS
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &record):
		return CauseTLS
	case errors.As(err, &netErr) && netErr.Timeout():
		return CauseStalled
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, new(*net.OpError)), errors.Is(err, io.EOF):
		return CauseConnect
	}
	return CauseOther
}

// transient reports whether asking the same place again may help.
func transient(c Cause) bool {
	return c == CauseTruncated || c == CauseStalled || c == CauseConnect
}
