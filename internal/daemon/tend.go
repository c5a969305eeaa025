package daemon

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/bot/journal"
	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
)

const (
	// tendEvery is how often ncatd looks after its own half: what of it fails, and
	// what works again.
	tendEvery = 3 * time.Second
	// diskLow is how little space makes a disk one that is nearly full: a log file
	// and a backup of a large store fit in.
	diskLow = 64 << 20
	// pastShown is how long something is shown that is over: that a damaged store
	// was replaced, or that messages are missing for good.
	pastShown = 24 * time.Hour

	ncatdLog  = "logs/ncatd.log"
	napcatLog = "napcat.log" // of an account
)

// tend looks after ncatd's own half until ctx ends. cert is that of control.listen,
// nil for none.
func (d *Daemon) tend(ctx context.Context, cert *certificate) {
	t := time.NewTicker(tendEvery)
	defer t.Stop()
	for {
		d.look(ctx)
		d.lookAtCertificate(cert, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (d *Daemon) look(ctx context.Context) {
	d.bots.store.Tend(ctx)
	d.bots.tend()
	d.lookAtDisks()
	d.mu.Lock()
	slots := slices.Clone(d.slots)
	d.mu.Unlock()
	for _, s := range slots {
		s.host.tend()
		d.expire(s.acc.Name(), api.CodeJournalGap)
	}
	if d.o.LogLost == nil {
		return
	}
	if lost := d.o.LogLost(); lost > 0 {
		d.health.Set("", api.CodeLogLost, ncatdLog, strconv.Itoa(lost))
	} else {
		d.health.Clear("", api.CodeLogLost, ncatdLog)
	}
}

// lookAtDisks tells which of the home's folders have no room or cannot be written
// to. Of those that share a disk the first is named.
func (d *Daemon) lookAtDisks() {
	h := d.o.Home
	dirs := []string{string(h), h.Data(), h.Logs(), h.Join("run"), h.Join("accounts")}
	for _, a := range d.config().Accounts {
		dirs = append(dirs, h.Account(a.Name), filepath.Join(h.Account(a.Name), "napcat"))
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		k, err := lookAtDisk(dir)
		if err != nil {
			continue // it is not there yet, or what it is for says so
		}
		if k.free < diskLow && !seen[k.device] {
			d.health.Set("", api.CodeDiskLow, dir, strconv.FormatInt(k.free>>20, 10))
		} else {
			d.health.Clear("", api.CodeDiskLow, dir)
		}
		if k.readOnly && !seen["ro "+k.device] {
			d.health.Set("", api.CodeDiskReadOnly, dir)
		} else {
			d.health.Clear("", api.CodeDiskReadOnly, dir)
		}
		seen[k.device] = seen[k.device] || k.free < diskLow
		seen["ro "+k.device] = seen["ro "+k.device] || k.readOnly
	}
}

// disk is what is known of the disk of a folder.
type disk struct {
	device   string
	free     int64 // bytes
	readOnly bool  // or we may not write into the folder
}

// openStore returns the store of all accounts' bots, which tells how it fares.
func (d *Daemon) openStore() *store.Lazy {
	return store.NewLazy(d.o.Home.Join("data", "ncatd.db"), store.Options{
		Log: d.log, Present: []string{journal.Space},
		Failing: func(err error) {
			locked := store.IsLocked(err)
			if err == nil || locked {
				d.health.Clear("", api.CodeStoreWrite)
			} else {
				d.health.Set("", api.CodeStoreWrite, err.Error())
			}
			if locked {
				d.health.Set("", api.CodeStoreLocked, filepath.Join("data", "ncatd.db"))
			} else {
				d.health.Clear("", api.CodeStoreLocked)
			}
		},
		Mended: func(m store.Mended) {
			aside := filepath.Join("data", filepath.Base(m.Aside))
			switch {
			case m.Whole:
				d.health.Set("", api.CodeStoreRewritten, aside)
			case m.Backup.IsZero():
				d.health.Set("", api.CodeStoreEmptied, aside)
			default:
				d.health.Set("", api.CodeStoreDamaged, aside, m.Backup.Format(time.DateTime))
			}
		},
	})
}

// trouble shows which part of the bot does not do what it should.
func (d *Daemon) trouble(part string, err error) {
	codes := map[string]api.Code{ncat.PartJournal: api.CodeJournalWrite, ncat.PartPermissions: api.CodePermissions}
	switch code, ok := codes[part]; {
	case !ok:
	case err == nil:
		d.health.Clear("", code)
	default:
		d.health.Set("", code, err.Error())
	}
}

// tend shows what changed of the plugins, and forgets what was shown long enough.
func (b *bots) tend() {
	b.report()
	b.lock()
	b.d.expire("", api.CodeStoreDamaged, api.CodeStoreEmptied, api.CodeStoreRewritten)
}

// expire forgets what account was told to lack and nothing will bring back, once
// it was shown long enough.
func (d *Daemon) expire(account string, codes ...api.Code) {
	for _, q := range d.health.Of(account) {
		if slices.Contains(codes, q.Code) && time.Since(q.Since) > pastShown {
			d.health.Clear(account, q.Code, q.Args[0])
		}
	}
}
