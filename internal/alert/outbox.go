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
type outbox struct{ store ncat.Store }

// row is a message that waits to be sent.
type row struct {
	Message Message   `json:"message"`
	Tries   int       `json:"tries,omitempty"`
	Next    time.Time `json:"next,omitzero"` // not before
	Told    bool      `json:"told,omitempty"`
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
	if len(messages) == 0 && bytes.Equal(was, is) {
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

// first returns the oldest message of a channel.
func (b outbox) first(ctx context.Context, channel string) (key string, r row, ok bool, err error) {
	err = b.store.View(ctx, func(tx ncat.Tx) error {
		return tx.Scan(prefixOut+channel+"/", func(k string, v []byte) error {
			key = k
			if json.Unmarshal(v, &r) != nil {
				r = row{}
			}
			return errFound
		})
	})
	if errors.Is(err, errFound) {
		return key, r, true, nil
	}
	return "", row{}, false, err
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
