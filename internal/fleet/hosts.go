package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/fleet/bus"
)

// withdrawTime is for the last word of a host that ends in order.
const withdrawTime = 2 * time.Second

// record is what this host tells the others of itself, under its name. Of two hosts
// with one name the one that was there first has it.
type record struct {
	bus        *bus.Bus
	host, home string
	told, twin atomic.Bool // the record is this host's; it is another's

	// Of the goroutine that tells:
	revision uint64 // of what this host wrote; 0: it has to look
}

// told is the value of a record.
type told struct {
	api.Status
	Home string `json:"fleet_home"` // tells two hosts of one name apart
}

// write tells st, unless another host of this name does so.
func (r *record) write(ctx context.Context, st api.Status) error {
	value, err := json.Marshal(told{st, r.home})
	if err != nil {
		return err
	}
	kv, err := r.bus.JS.KeyValue(ctx, bus.Hosts)
	if err != nil {
		return err
	}
	if r.revision == 0 {
		if err := r.find(ctx, kv); err != nil {
			return err
		}
	}
	if r.twin.Load() {
		return nil
	}
	rev, err := kv.Update(ctx, r.host, value, r.revision)
	if bus.Conflict(err) {
		r.revision = 0 // whose it is shows the next time
	}
	if err != nil {
		return err
	}
	r.revision = rev
	r.told.Store(true)
	return nil
}

// find looks whose the record is. A host that is silent has no right to it.
func (r *record) find(ctx context.Context, kv jetstream.KeyValue) error {
	r.told.Store(false)
	e, err := kv.Get(ctx, r.host)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		r.twin.Store(false)
		r.revision, err = kv.Create(ctx, r.host, nil)
		return err
	}
	if err != nil {
		return err
	}
	age, err := r.bus.Age(ctx, bus.Hosts, e.Created())
	if err != nil {
		return err
	}
	var is told
	if err := json.Unmarshal(e.Value(), &is); err != nil {
		is.Home = r.home // nobody can be told of it
	}
	twin := is.Home != "" && is.Home != r.home && age <= silentFrom
	if !twin {
		r.revision = e.Revision()
	}
	r.twin.Store(twin)
	return nil
}

// withdraw removes the record of a host that ends in order: it is not silent.
func (r *record) withdraw(ctx context.Context) error {
	if !r.told.Load() || !r.bus.NC.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	if kv, err := r.bus.JS.KeyValue(ctx, bus.Hosts); err == nil {
		_ = kv.Delete(ctx, r.host, jetstream.LastRevision(r.revision)) // the others take it for silent, and say so
	}
	return nil
}

// Hosts returns the fleet as far as its hosts were heard, sorted by name. When they
// were is told by this machine's clock.
func (f *Fleet) Hosts(ctx context.Context) ([]api.FleetHost, error) {
	kv, err := f.bus.JS.KeyValue(ctx, bus.Hosts)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	keys, err := kv.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	var out []api.FleetHost
	for name := range keys.Keys() {
		e, err := kv.Get(ctx, name)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("bus: %w", err)
		}
		h := api.FleetHost{Name: name, Heard: e.Created(), Here: name == f.o.Host && !f.Twin()}
		if len(e.Value()) == 0 {
			continue // it has yet to say how it is
		}
		if err := json.Unmarshal(e.Value(), &h.Status); err != nil {
			return nil, fmt.Errorf("bus: host %s: %w", name, err)
		}
		out = append(out, h)
	}
	now, age := time.Now(), time.Duration(0)
	if len(out) > 0 {
		if age, err = f.bus.Age(ctx, bus.Hosts, out[0].Heard); err != nil {
			return nil, err
		}
		ahead := out[0].Heard.Add(age).Sub(now) // of the servers' clock
		for i := range out {
			out[i].Heard = out[i].Heard.Add(-ahead)
			out[i].Silent = now.Sub(out[i].Heard) > silentFrom
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// SilentHosts returns the hosts that fell silent, if it is this one that tells it: the
// first by name of those that are heard, so that one alone does.
func (f *Fleet) SilentHosts(ctx context.Context) ([]api.SilentHost, error) {
	kv, err := f.bus.JS.KeyValue(ctx, bus.Hosts)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	w, err := kv.WatchAll(ctx, jetstream.MetaOnly(), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	defer func() { _ = w.Stop() }() // it ended with the connection
	heard := map[string]time.Time{}
	for more := true; more; {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case e, ok := <-w.Updates():
			if !ok {
				return nil, errors.New("bus: the hosts cannot be listed")
			}
			if more = e != nil; more {
				heard[e.Key()] = e.Created()
			}
		}
	}
	now := time.Now()
	age, err := f.bus.Age(ctx, bus.Hosts, heard[f.o.Host])
	if err != nil {
		return nil, err
	}
	if _, told := heard[f.o.Host]; !told || f.Twin() {
		return nil, nil
	}
	return silentOf(f.o.Host, heard, heard[f.o.Host].Add(age), now), nil
}

// silentOf is SilentHosts, of hosts that were heard then. bus is what time it is by the
// clock of the servers, now by this machine's.
func silentOf(me string, heard map[string]time.Time, bus, now time.Time) []api.SilentHost {
	var out []api.SilentHost
	for name, at := range heard {
		age := bus.Sub(at)
		switch {
		case age > silentFrom:
			out = append(out, api.SilentHost{Name: name, Heard: now.Add(-age).Round(time.Second)})
		case name < me:
			return nil
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// SilentError says that a host does not answer on the bus.
type SilentError struct {
	Host string
	// Known says that it belongs to the fleet; it was heard Ago then.
	Known bool
	Ago   time.Duration
	// Others are the names of the hosts that can be reached.
	Others []string
}

func (e *SilentError) Error() string {
	if e.Known {
		return fmt.Sprintf("host %s does not answer; it was heard %s ago", e.Host, e.Ago.Round(time.Second))
	}
	return fmt.Sprintf("no host of the fleet is named %s", e.Host)
}

// silent returns what is known of a host that did not answer.
func (f *Fleet) silent(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, tellEvery)
	defer cancel()
	hosts, err := f.Hosts(ctx)
	if err != nil {
		return err
	}
	out := &SilentError{Host: host}
	for _, h := range hosts {
		switch {
		case h.Name == host:
			out.Known, out.Ago = true, time.Since(h.Heard)
		case !h.Silent:
			out.Others = append(out.Others, h.Name)
		}
	}
	return out
}

// Remote returns the way to the control API of a host. A request fails with a
// [*SilentError] if the host does not answer.
func (f *Fleet) Remote(host string) http.RoundTripper {
	return &tunnel{bus: f.bus, host: host, silent: f.silent}
}
