package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Trouble is what kind of thing keeps the bus from being used. Each has a remedy of
// its own.
type Trouble int

// The kinds of trouble.
const (
	None        Trouble = iota
	Away                // no server can be reached
	Refused             // the servers do not let us in
	TLS                 // no connection that both sides trust
	NoJetStream         // the servers have it not, or the account
	Denied              // we are in, and may not do what we must
	Unprepared          // what lies on the bus cannot be made
	Newer               // what lies on the bus is of a newer version
)

// NewerError says that what lies on the bus is of a version that this program does not
// know.
type NewerError struct{ Is, Known int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("the bus was set up by a newer version (protocol %d, this program knows %d)", e.Is, e.Known)
}

// noResources is the error code of servers that have no room for what is asked.
const noResources jetstream.ErrorCode = 10023

// TroubleOf returns of which kind an error is.
func TroubleOf(err error) Trouble {
	var api *jetstream.APIError
	switch newer := (*NewerError)(nil); {
	case err == nil:
		return None
	case errors.As(err, &newer):
		return Newer
	case errors.Is(err, nats.ErrPermissionViolation):
		return Denied
	case refused(err):
		return Refused
	case untrusted(err):
		return TLS
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return NoJetStream
	case errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound):
		return Away // no host has been there yet
	case errors.As(err, &api) && (api.Code != 503 || api.ErrorCode == noResources):
		return Unprepared // a cluster that just elects its leader says 503
	}
	return Away
}

// refused reports whether an error says that credentials are wrong. Of the first
// attempt nats.go returns the server's words only.
func refused(err error) bool {
	for _, known := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported, fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, known) || strings.EqualFold(err.Error(), known.Error()) {
			return true
		}
	}
	return false
}

// untrusted reports whether an error is one of TLS. The alerts of the other side have
// a type that crypto/tls does not export.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	for _, known := range []error{nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrTLS} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &verify) || errors.As(err, &record) || strings.Contains(err.Error(), "tls: ")
}

const (
	// tellFor is how long what one of several servers said is told while the others
	// are merely not there.
	tellFor = 15 * time.Second
	// deniedFor is how long a permission counts as missing after it was: what needs
	// it tries again sooner.
	deniedFor = 30 * time.Second
)

// Trouble returns what keeps the bus from being used as far as the connection knows,
// nil for nothing.
func (b *Bus) Trouble() error {
	connected := b.NC.IsConnected()
	err := b.NC.LastError()
	b.mu.Lock()
	defer b.mu.Unlock()
	if connected {
		if time.Since(b.deniedAt) < deniedFor {
			return b.denied
		}
		return nil
	}
	if err == nil || TroubleOf(err) == Away && b.dialed != nil {
		err = b.dialed
	}
	if err == nil {
		err = nats.ErrDisconnected
	}
	if TroubleOf(err) != Away {
		b.said, b.saidAt = err, time.Now()
	}
	if time.Since(b.saidAt) < tellFor {
		return b.said
	}
	return err
}

// heardDial notes why a server could not be reached; nil: one was. Of several servers,
// which differ, the first is kept for a while.
func (b *Bus) heardDial(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, nats.ErrNoServers) {
		return // whatever is wrong with each of them
	}
	if err == nil || b.dialed == nil || time.Since(b.dialedAt) > tellFor {
		b.dialed, b.dialedAt = err, time.Now()
	}
}

// heardError notes what a permission is missing for.
func (b *Bus) heardError(err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.denied, b.deniedAt = err, time.Now()
	}
}
