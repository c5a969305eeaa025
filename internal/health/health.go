// Package health keeps the reasons why an account that is online does less than
// it should: a store that cannot be written, a full disk, a plugin that failed.
// Whatever finds such a thing tells the [Registry], as often as it likes; the
// registry logs it once, counts the repetitions, and shows it in every snapshot
// of the account until it is cleared.
//
// The package decides nothing: a degraded account stays online, and nothing is
// restarted because of what stands here.
package health

import (
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// maxReasons bounds the reasons of one code that are kept of one account, so that a
// reporter with an endless supply of parts (a plugin for each file of a folder) can
// neither fill the memory nor hide the others. What comes later is counted with the
// newest.
const maxReasons = 32

// Registry is the degraded reasons of all accounts of one daemon. It is safe for
// concurrent use and none of its methods waits for anything.
type Registry struct {
	log     *slog.Logger
	changed func(account string)

	mu      sync.Mutex
	reasons []reason // the oldest first
}

type reason struct {
	account string // "": of all accounts
	part    string
	api.Degraded
}

// New returns an empty Registry. changed is called, without any lock held, after
// a reason came, went or took other arguments, but not when one was merely
// repeated; "" means all accounts. It must not block and may be nil.
func New(log *slog.Logger, changed func(account string)) *Registry {
	if changed == nil {
		changed = func(string) {}
	}
	return &Registry{log: log, changed: changed}
}

// parted are the codes whose first argument names what is concerned, a plugin or
// a file: reasons with different ones stand side by side. Of any other code an
// account has one reason, whose arguments are those of the last report.
func parted(code api.Code) bool {
	switch code {
	case api.CodePluginFailed, api.CodeJournalGap, api.CodeStoreDamaged, api.CodeStoreEmptied, api.CodeStoreRewritten, api.CodeDiskLow, api.CodeDiskReadOnly, api.CodeLogLost, api.CodePortReplaced:
		return true
	}
	return false
}

func partOf(code api.Code, args []string) string {
	if parted(code) && len(args) > 0 {
		return args[0]
	}
	return ""
}

// Set reports that account ("" for all of them) is degraded because of code,
// whose sentence args fill. Reporting the same again costs little: the first
// report is logged, later ones are counted.
func (r *Registry) Set(account string, code api.Code, args ...string) {
	r.Report(account, api.Fault{Code: code, Args: args})
}

// Report is Set for a fault with causes.
func (r *Registry) Report(account string, f api.Fault) {
	code, args := f.Code, f.Args
	part := partOf(code, args)
	r.mu.Lock()
	i := slices.IndexFunc(r.reasons, func(q reason) bool { return q.account == account && q.Code == code && q.part == part })
	if i < 0 && r.countLocked(account, code) >= maxReasons {
		i = len(r.reasons) - 1
		for r.reasons[i].account != account || r.reasons[i].Code != code {
			i--
		}
		r.reasons[i].Count++
		r.mu.Unlock()
		return
	}
	if i < 0 {
		r.reasons = append(r.reasons, reason{account, part, api.Degraded{Code: code, Args: slices.Clone(args), Cause: f.Cause, Since: time.Now(), Count: 1}})
		r.mu.Unlock()
		r.log.Warn("degraded", attrs(account, code, args)...)
		r.changed(account)
		return
	}
	q := &r.reasons[i]
	q.Count++
	same := slices.Equal(q.Args, args) && reflect.DeepEqual(q.Cause, f.Cause)
	if !same {
		q.Args, q.Cause = slices.Clone(args), f.Cause
	}
	r.mu.Unlock()
	if !same {
		r.changed(account)
	}
}

func (r *Registry) countLocked(account string, code api.Code) int {
	n := 0
	for _, q := range r.reasons {
		if q.account == account && q.Code == code {
			n++
		}
	}
	return n
}

// Clear takes back what was reported of account with code; with a part, only
// what concerns that one. What was not reported is cleared for nothing.
func (r *Registry) Clear(account string, code api.Code, part ...string) {
	var gone []reason
	r.mu.Lock()
	r.reasons = slices.DeleteFunc(r.reasons, func(q reason) bool {
		over := q.account == account && q.Code == code && (len(part) == 0 || slices.Contains(part, q.part))
		if over {
			gone = append(gone, q)
		}
		return over
	})
	r.mu.Unlock()
	for _, q := range gone {
		r.log.Info("no longer degraded", append(attrs(account, code, q.Args), "reports", q.Count, "lasted", time.Since(q.Since).Round(time.Second))...)
	}
	if len(gone) > 0 {
		r.changed(account)
	}
}

// Forget clears everything of an account that is no longer run.
func (r *Registry) Forget(account string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = slices.DeleteFunc(r.reasons, func(q reason) bool { return q.account == account })
}

// Of returns why account is degraded, its own reasons and those of all accounts,
// the oldest first. The sentences (Detail) are left to the caller.
func (r *Registry) Of(account string) []api.Degraded {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []api.Degraded
	for _, q := range r.reasons {
		if q.account == "" || q.account == account {
			out = append(out, q.Degraded)
		}
	}
	return out
}

func attrs(account string, code api.Code, args []string) []any {
	a := []any{"code", string(code), "args", args}
	if account != "" {
		a = append(a, "account", account)
	}
	return a
}
