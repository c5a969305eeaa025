package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

const (
	keyState  = "state"
	prefixOut = "out/"
	prefixLog = "log/"
	// maxLog entries of the log are kept.
	maxLog = 500
)

// outbox is what the alerts keep in the store.
type outbox struct{ store *Store }

// row is a message that waits to be sent.
type row struct {
	Message Message   `json:"message"`
	Tries   int       `json:"tries,omitempty"`
	Next    time.Time `json:"next,omitzero"` // not before
	// Pause is how long before Next it was tried.
	Pause time.Duration `json:"pause_ns,omitempty"`
	Told  bool          `json:"told,omitempty"`
	// Refused says that the service was reached and did not want it: the words of
	// this one may be why.
	Refused bool `json:"refused,omitempty"`
}

// wait returns how long it is to the next try. A pause that is longer than it was made
// is one of a clock that was put back since.
func (r row) wait(now time.Time) time.Duration {
	if wait := r.Next.Sub(now); wait <= r.Pause {
		return max(0, wait)
	}
	return 0
}

// LogEntry is a message that was told, or a try that was refused.
type LogEntry struct {
	Time    time.Time `json:"time"`
	Channel string    `json:"channel"`
	Items   []Item    `json:"items"`
	Tries   int       `json:"tries"`
	Failed  *Error    `json:"failed,omitempty"`
}

func (b outbox) load(ctx context.Context) (State, error) {
	var st State
	err := b.store.View(ctx, func(tx ncat.Tx) error {
		v, ok, err := tx.Get(keyState)
		if err != nil || !ok {
			return err
		}
		if json.Unmarshal(v, &st) != nil {
			st = State{} // told again at worst
		}
		return nil
	})
	st.notAfter(time.Now())
	return st, err
}

// write keeps the new state and what it wants told in one transaction.
func (b outbox) write(ctx context.Context, old, st State, messages []Message) error {
	was, err := json.Marshal(old)
	if err != nil {
		return err
	}
	is, err := json.Marshal(st)
	if err != nil {
		return err
	}
	if len(messages) == 0 && bytes.Equal(was, is) && !b.store.Spare() {
		return nil
	}
	return b.store.Update(ctx, func(tx ncat.Tx) error {
		for i, m := range messages {
			v, err := json.Marshal(row{Message: m})
			if err != nil {
				return err
			}
			if err := tx.Put(fmt.Sprintf("%s%s/%020d%04d", prefixOut, m.Channel, m.Time.UnixNano(), i), v, 0); err != nil {
				return err
			}
		}
		return tx.Put(keyState, is, 0)
	})
}

var errFound = errors.New("found")

// first returns the message of a channel that is to be tried next: the oldest, but one
// that was refused does not keep back those behind it.
func (b outbox) first(ctx context.Context, channel string, now time.Time) (key string, r row, ok bool, err error) {
	err = b.store.View(ctx, func(tx ncat.Tx) error {
		return tx.Scan(prefixOut+channel+"/", func(k string, v []byte) error {
			var other row
			if json.Unmarshal(v, &other) != nil {
				other = row{}
			}
			waits := other.Refused && other.wait(now) > 0
			if !waits || !ok || other.wait(now) < r.wait(now) {
				key, r, ok = k, other, true
			}
			if waits {
				return nil
			}
			return errFound
		})
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return key, r, ok, err
}

func (b outbox) count(ctx context.Context, channel string) (n int, err error) {
	err = b.store.View(ctx, func(tx ncat.Tx) error {
		return tx.Scan(prefixOut+channel+"/", func(string, []byte) error { n++; return nil })
	})
	return n, err
}

// tried notes how a try to send the message at key ended; sent removes it.
func (b outbox) tried(ctx context.Context, key string, r row, e LogEntry, sent bool) error {
	return b.store.Update(ctx, func(tx ncat.Tx) error {
		if sent {
			if err := tx.Delete(key); err != nil {
				return err
			}
		} else {
			v, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if err := tx.Put(key, v, 0); err != nil {
				return err
			}
		}
		v, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := tx.Put(fmt.Sprintf("%s%020d", prefixLog, e.Time.UnixNano()), v, 0); err != nil {
			return err
		}
		var keys []string
		if err := tx.Scan(prefixLog, func(k string, _ []byte) error { keys = append(keys, k); return nil }); err != nil {
			return err
		}
		for len(keys) > maxLog {
			if err := tx.Delete(keys[0]); err != nil {
				return err
			}
			keys = keys[1:]
		}
		return nil
	})
}

func (b outbox) log(ctx context.Context) (all []LogEntry, err error) {
	err = b.store.View(ctx, func(tx ncat.Tx) error {
		return tx.Scan(prefixLog, func(_ string, v []byte) error {
			var e LogEntry
			if json.Unmarshal(v, &e) == nil {
				all = append(all, e)
			}
			return nil
		})
	})
	return all, err
}
