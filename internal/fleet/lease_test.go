package fleet

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/onebot"
)

// awayKV is a bucket that can be reached until a moment.
type awayKV struct {
	jetstream.KeyValue
	until time.Time
	rev   uint64
	last  time.Time // it was written
}

func (k *awayKV) Update(ctx context.Context, _ string, _ []byte, rev uint64) (uint64, error) {
	if time.Now().After(k.until) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if rev != k.rev {
		return 0, errors.New("wrong revision")
	}
	k.rev, k.last = k.rev+1, time.Now()
	return k.rev, nil
}

// A host that cannot renew a lease gives the account up well before another host may
// take it, and not before two minutes.
func TestLeaseEndsBeforeItIsAnothers(t *testing.T) {
	for _, reached := range []time.Duration{0, 3 * time.Second, 5 * time.Minute, time.Hour + 7*time.Second} {
		synctest.Test(t, func(t *testing.T) {
			kv := &awayKV{until: time.Now().Add(reached), last: time.Now()}
			le := &lease{owner: Owner{Host: "a"}}
			if err := le.keep(t.Context(), kv, onebot.UserID(1), time.Now()); !errors.Is(err, errUnheard) {
				t.Fatalf("reached for %s: %v", reached, err)
			}
			if held := time.Since(kv.last); held < leaseHold || held > bus.AccountLease-bus.AccountLease/6 {
				t.Errorf("reached for %s: given up %s after it was last heard; another may take it after %s", reached, held, bus.AccountLease)
			}
		})
	}
}
