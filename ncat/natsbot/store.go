package natsbot

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/ncat"
)

// store keeps what a bot or plugin stores in the fleet's stream, a message for each
// key. An update is one atomic batch. Of two at the same time that write the same key
// one begins anew; one that also looked at keys which it does not write does so whenever
// another came between, by the number of the update before. Values are at most 512 KiB.
type store struct {
	bus   *bus.Bus
	space string
	again chan struct{} // has room for one: of this worker's updates one at a time begins anew
}

func newStore(b *bus.Bus, space string) *store {
	return &store{bus: b, space: space, again: make(chan struct{}, 1)}
}

var (
	_ ncat.Store   = (*store)(nil)
	_ ncat.Watcher = (*store)(nil)
)

const (
	maxKey   = 512
	maxValue = 512 << 10
	// version is the key that every update writes. No key of a bot begins so: they
	// are written with a letter before them.
	version    = "version"
	keyPrefix  = "k"
	maxTries   = 64
	deletedFor = time.Hour // a key that was removed is forgotten after it
)

var errTooLarge = errors.New("key or value too large: keys have at most 512 bytes, values in a fleet 512 KiB")

// headers of a message of the store, as NATS defines them
const (
	headerExpected = "Nats-Expected-Last-Subject-Sequence"
	headerTTL      = "Nats-TTL"
	headerGone     = "Ncatd-Deleted"
	headerUpdate   = "Ncatd-Update" // which update wrote it
)

const (
	commitWait  = 5 * time.Second // until an update counts as not answered
	settleTime  = time.Minute     // for an update whose servers go and come back meanwhile
	settlePause = 200 * time.Millisecond
)

// watchEvery is how often a store is looked at for changes of other workers.
const watchEvery = time.Second

// Watch implements [ncat.Watcher].
func (s *store) Watch(ctx context.Context, changed func() error) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	var st jetstream.Stream
	for seen := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		var err error
		if st == nil {
			if st, err = s.bus.JS.Stream(ctx, bus.Spaces); err != nil {
				st = nil // the bus is away
				continue
			}
		}
		tx := &tx{ctx: ctx, store: s, stream: st}
		if now, err := tx.version(); err == nil && now != seen && changed() == nil {
			seen = now
		}
	}
}

// View implements [ncat.Store].
func (s *store) View(ctx context.Context, fn func(ncat.Tx) error) error {
	st, err := s.bus.JS.Stream(ctx, bus.Spaces)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for range maxTries {
		tx := &tx{ctx: ctx, store: s, stream: st, written: map[string]write{}, readOnly: true}
		before, err := tx.version()
		if err != nil {
			return err
		}
		err = fn(tx)
		if after, verr := tx.version(); verr != nil || after == before || !tx.wide && len(tx.read) < 2 {
			return errors.Join(err, verr)
		}
	}
	return fmt.Errorf("store: %s changes too often to be read", s.space)
}

// Update implements [ncat.Store].
func (s *store) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	end := time.Now().Add(settleTime)
	st, err := s.bus.JS.Stream(ctx, bus.Spaces)
	for err != nil && transient(err) && ctx.Err() == nil && time.Now().Before(end) {
		<-time.After(settlePause)
		st, err = s.bus.JS.Stream(ctx, bus.Spaces)
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	var (
		wide  bool // it looks at more than it writes, as a try has shown
		first bool // no other update of this worker begins anew
	)
	earlier := map[string]bool{} // tries that were not answered
	for try := 0; try < maxTries; try++ {
		tx := &tx{ctx: ctx, store: s, stream: st, id: nuid.Next(), earlier: earlier, written: map[string]write{}}
		err := tx.try(fn, wide)
		switch {
		case err == nil:
			return nil
		case tx.broken != nil && ctx.Err() == nil && time.Now().Before(end):
			if err := tx.pause(settlePause); err != nil {
				return err
			}
			earlier[tx.id] = true
			try-- // nobody was quicker
			continue
		case errors.Is(err, errWide):
			wide = true
			continue
		case !bus.Conflict(err):
			return err
		}
		if !first {
			select {
			case s.again <- struct{}{}:
				defer func() { <-s.again }()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			first = true
			continue
		}
		if err := tx.pause(rand.N(time.Millisecond << min(try, 7))); err != nil {
			return err
		}
	}
	return fmt.Errorf("store: %s changes too often to be updated", s.space)
}

// errWide says that an update looked at more than it writes.
var errWide = errors.New("store: more was looked at than is written")

// try runs an update once. Where t.broken is set it had no effect because the servers
// did not answer.
func (t *tx) try(fn func(ncat.Tx) error, wide bool) error {
	var before *uint64
	if wide {
		seq, err := t.version()
		if err != nil {
			return err
		}
		before = &seq
	}
	if err := fn(t); err != nil || len(t.written) == 0 {
		return err
	}
	for key := range t.written {
		if t.earlier[t.by[key]] {
			return nil // that one took effect after all
		}
	}
	if !wide && t.looksFurther() {
		return errWide
	}
	err := t.commit(before)
	if refused := (*jetstream.APIError)(nil); errors.As(err, &refused) && refused.ErrorCode == bus.BatchIncomplete {
		t.broken = err
		return err
	}
	if err == nil || bus.Conflict(err) || !transient(err) {
		return err
	}
	done, known := t.landed()
	if done {
		return nil
	}
	if t.broken = nil; known {
		t.broken = err
		return err
	}
	return fmt.Errorf("store: whether the update took effect is not known: %w", err)
}

// landed reports whether an update that was not answered took effect, and whether that
// is known: each key that it writes says which update was the last.
func (t *tx) landed() (done, known bool) {
	end := time.Now().Add(settleTime)
	for t.ctx.Err() == nil && time.Now().Before(end) {
		done, known, err := t.look()
		if err == nil {
			return done, known
		}
		if t.pause(settlePause) != nil {
			break
		}
	}
	return false, false
}

func (t *tx) look() (done, known bool, err error) {
	for key := range t.written {
		m, err := t.last(t.subject(key))
		if err != nil {
			return false, false, err
		}
		if m != nil && m.Header.Get(headerUpdate) == t.id {
			return true, true, nil
		}
		var is uint64
		if m != nil {
			is = m.Sequence
		}
		if was, ok := t.read[key]; !ok || was != is {
			return false, false, nil // another update may have come after this one
		}
	}
	return false, true, nil
}

// transient reports whether an error says that the servers did not answer.
func transient(err error) bool {
	var refused *jetstream.APIError
	return !errors.As(err, &refused) || refused.Code == 503
}

func (t *tx) pause(d time.Duration) error {
	select {
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	case <-time.After(d):
		return nil
	}
}

// write is what an update does to a key.
type write struct {
	value []byte
	ttl   time.Duration
	gone  bool
}

// tx implements [ncat.Tx].
type tx struct {
	ctx      context.Context // of the transaction, whose methods have none
	store    *store
	id       string // of this try of an update
	earlier  map[string]bool
	by       map[string]string // which update wrote a key that was read
	broken   error             // the servers did not answer; nothing has happened
	stream   jetstream.Stream
	written  map[string]write
	read     map[string]uint64 // the number of the message that was read; 0: there was none
	wide     bool              // more was looked at than read says
	readOnly bool
}

func (t *tx) subject(key string) string { return bus.SpaceSubject(t.store.space, keyPrefix+key) }

// version returns the number of the last update, 0 if there was none.
func (t *tx) version() (uint64, error) {
	m, err := t.last(bus.SpaceSubject(t.store.space, version))
	if err != nil || m == nil {
		return 0, err
	}
	return m.Sequence, nil
}

// last returns the last message of a subject, nil if there is none.
func (t *tx) last(subject string) (*jetstream.RawStreamMsg, error) {
	m, err := t.stream.GetLastMsgForSubject(t.ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		if transient(err) {
			t.broken = err
		}
		return nil, fmt.Errorf("store: %w", err)
	}
	return m, nil
}

// Get implements [ncat.Tx].
func (t *tx) Get(key string) ([]byte, bool, error) {
	if w, ok := t.written[key]; ok {
		return slices.Clone(w.value), !w.gone, nil
	}
	m, err := t.last(t.subject(key))
	if err != nil {
		return nil, false, err
	}
	var seq uint64
	if m != nil {
		seq = m.Sequence
	}
	if t.read == nil {
		t.read, t.by = map[string]uint64{}, map[string]string{}
	}
	if m != nil {
		t.by[key] = m.Header.Get(headerUpdate)
	}
	if was, ok := t.read[key]; ok && was != seq {
		t.wide = true // it changed between
	}
	t.read[key] = seq
	if m == nil || m.Header.Get(headerGone) != "" {
		return nil, false, nil
	}
	return m.Data, true, nil
}

// looksFurther reports whether what was looked at is more than what is written.
func (t *tx) looksFurther() bool {
	for key := range t.read {
		if _, ok := t.written[key]; !ok {
			return true
		}
	}
	return t.wide
}

// Put implements [ncat.Tx].
func (t *tx) Put(key string, value []byte, ttl time.Duration) error {
	switch {
	case t.readOnly:
		return errors.New("store: Put in a View")
	case len(key) > maxKey || len(value) > maxValue:
		return fmt.Errorf("store: key %q: %w", key[:min(len(key), 64)], errTooLarge)
	}
	t.written[key] = write{value: slices.Clone(value), ttl: ttl}
	return nil
}

// Delete implements [ncat.Tx].
func (t *tx) Delete(key string) error {
	if t.readOnly {
		return errors.New("store: Delete in a View")
	}
	t.written[key] = write{gone: true}
	return nil
}

// Scan implements [ncat.Tx].
func (t *tx) Scan(prefix string, each func(key string, value []byte) error) error {
	t.wide = true
	info, err := t.stream.Info(t.ctx, jetstream.WithSubjectFilter(bus.SpaceSubjects(t.store.space)))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	var keys []string
	for subject := range info.State.Subjects {
		k, err := bus.SpaceKey(subject)
		if err != nil {
			return err
		}
		if k, ok := strings.CutPrefix(k, keyPrefix); ok && strings.HasPrefix(k, prefix) {
			if _, changed := t.written[k]; !changed {
				keys = append(keys, k)
			}
		}
	}
	for k, w := range t.written {
		if !w.gone && strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		v, ok, err := t.Get(k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := each(k, v); err != nil {
			return err
		}
	}
	return nil
}

// commit writes all changes, if no key that was read and is written has changed since,
// and with before if nothing has changed since the update of that number.
func (t *tx) commit(before *uint64) error {
	var msgs []*nats.Msg
	for key, w := range t.written {
		m := &nats.Msg{Subject: t.subject(key), Data: w.value, Header: nats.Header{}}
		m.Header[headerUpdate] = []string{t.id}
		if w.gone {
			m.Header[headerGone], w.ttl = []string{"1"}, deletedFor
		}
		if w.ttl > 0 {
			m.Header[headerTTL] = []string{strconv.Itoa(max(1, int(w.ttl.Round(time.Second)/time.Second))) + "s"}
		}
		if seq, ok := t.read[key]; ok {
			m.Header[headerExpected] = []string{strconv.FormatUint(seq, 10)}
		}
		msgs = append(msgs, m)
	}
	number := &nats.Msg{Subject: bus.SpaceSubject(t.store.space, version), Header: nats.Header{}}
	if before != nil {
		number.Header[headerExpected] = []string{strconv.FormatUint(*before, 10)}
	}
	msgs = append(msgs, number)
	batch := bus.Batch{Bus: t.store.bus}
	for _, m := range msgs[:len(msgs)-1] {
		if err := batch.Add(m); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.ctx, commitWait)
	defer cancel()
	if err := batch.Commit(ctx, msgs[len(msgs)-1]); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
