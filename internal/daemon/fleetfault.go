package daemon

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet"
	"github.com/ncatd/ncatd/internal/fleet/bus"
)

var errNoFleet = control.Refuse(control.CodeNotFound, api.Because(api.CodeNoFleet))

// busFault says what keeps this host from taking part in the fleet, the zero Fault for
// nothing.
func (m *member) busFault() api.Fault {
	err := m.Trouble()
	waiting := m.Stats().Waiting
	switch bus.TroubleOf(err) {
	case bus.None:
		return api.Fault{}
	case bus.Refused:
		return api.Because(api.CodeBusRefused, waiting, err)
	case bus.TLS:
		return api.Because(api.CodeBusTLS, waiting, err)
	case bus.NoJetStream:
		return api.Because(api.CodeBusNoJetStream, waiting, err)
	case bus.Denied:
		return api.Because(api.CodeBusDenied, waiting, err)
	case bus.Unprepared:
		return api.Because(api.CodeBusUnprepared, waiting, err)
	case bus.Newer:
		return api.Because(api.CodeBusNewer, waiting, err)
	}
	return api.Because(api.CodeBusAway, waiting, err)
}

// explain words an error of the fleet by what is known of its cause.
func (m *member) explain(err error) error {
	var silent *fleet.SilentError
	var held *fleet.HeldError
	var worded *api.Error
	switch {
	case err == nil || errors.As(err, &worded):
		return err
	case errors.As(err, &silent) && silent.Known:
		return control.Refuse(control.CodeNotSent, api.Because(api.CodeHostSilent, silent.Host, silent.Ago.Round(time.Second)))
	case errors.As(err, &silent):
		others := strings.Join(silent.Others, ", ")
		if others == "" {
			others = m.name
		}
		return control.Refuse(control.CodeNotFound, api.Because(api.CodeHostUnknown, silent.Host, others))
	case errors.As(err, &held):
		return control.Refuse(control.CodeConflict, api.Because(api.CodeLeaseHeld, held.Owner.Host))
	}
	if f := m.busFault(); f.Code != "" {
		return control.Refuse(control.CodeNotSent, f)
	}
	return err
}

// Remote is the way to the control API of a host; its errors are worded.
func (m *member) Remote(host string) http.RoundTripper { return remote{m, m.Fleet.Remote(host)} }

type remote struct {
	m *member
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r remote) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(q)
	return resp, r.m.explain(err)
}

// showBus shows how the bus is. told is the code that was shown before; the one that is
// shown now is returned.
func (d *Daemon) showBus(told api.Code) api.Code {
	f := d.fleet.busFault()
	if told != "" && told != f.Code {
		d.health.Clear("", told)
	}
	if f.Code != "" {
		d.health.Set("", f.Code, f.Args...)
	}
	if d.fleet.Twin() {
		d.health.Set("", api.CodeBusTwin, d.fleet.name)
	} else {
		d.health.Clear("", api.CodeBusTwin)
	}
	return f.Code
}
