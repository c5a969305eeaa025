package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// storeParams are the params of the calls of the store.
type storeParams struct {
	Key    string          `json:"key"`
	Keys   []string        `json:"keys"`
	Value  json.RawMessage `json:"value"`
	TTL    duration        `json:"ttl"`
	Prefix string          `json:"prefix"`
	ID     int             `json:"id"`
}

func (m *machine) store() (ncat.Store, error) {
	b := m.outer.bot()
	if b == nil {
		return nil, &argumentError{text: "the plugin has ended"}
	}
	return b.Store(), nil
}

func (r *request) store(ctx context.Context) (any, error) {
	p := new(storeParams)
	if err := json.Unmarshal([]byte(r.params), p); err != nil {
		return nil, badJSON("store", err)
	}
	s, err := r.m.store()
	if err == nil {
		err = r.hold(ctx, r.m.carriers.stores)
	}
	if err != nil {
		return nil, err
	}
	switch r.op {
	case "store_get":
		return read(ctx, s, func(tx ncat.Tx) (string, error) {
			v, ok, err := tx.Get(p.Key)
			if err != nil || !ok {
				return "", err
			}
			return `{"value":` + string(v) + "}", asJSON(p.Key, v)
		})
	case "store_scan":
		return read(ctx, s, func(tx ncat.Tx) (string, error) { return scan(tx, p.Prefix) })
	case "store_put":
		if len(p.Value) == 0 {
			return nil, &argumentError{text: "store.put: undefined cannot be kept; use delete"}
		}
		if err := keepable(p.Value); err != nil {
			return nil, err
		}
		return nil, ncat.PutFor(ctx, s, p.Key, p.Value, time.Duration(p.TTL))
	}
	return nil, ncat.Delete(ctx, s, p.Keys...)
}

// transaction runs a function of the script within a transaction, on the
// machine's goroutine between two other jobs.
func (r *request) transaction() {
	m, t := r.m, r.turn
	p := new(storeParams)
	err := json.Unmarshal([]byte(r.params), p)
	var s ncat.Store
	if err == nil {
		s, err = m.store()
	}
	if err != nil {
		r.end(nil, err)
		return
	}
	err = s.Update(m.ctx, func(tx ncat.Tx) error {
		m.tx = tx
		defer func() { m.tx = nil }()
		left := min(txBudget, m.limits.CPU-t.spent)
		m.guard(left)
		res, spent, err := m.eng.Call(left, "tx", p.ID)
		m.unguard()
		t.spent += spent
		if errors.Is(err, errCPU) {
			err = overLimit("cpu", api.Because(api.CodeScriptTx, left))
			m.end(err)
			return err
		}
		if err != nil {
			m.after(t, err)
			return err
		}
		if text, _ := res.(string); text != "" {
			return m.thrown(text)
		}
		return nil
	})
	r.end(nil, err)
}

// transact answers a question of a transaction's function.
func (m *machine) transact(op string, a arguments) (any, error) {
	if m.tx == nil {
		return nil, &argumentError{text: "the transaction is over"}
	}
	switch op {
	case "tx_get":
		v, ok, err := m.tx.Get(a.text(1))
		if err != nil || !ok {
			return "", err
		}
		return string(v), nil
	case "tx_put":
		value := a.text(2)
		if value == "" {
			return nil, &argumentError{text: "tx.put: undefined cannot be kept; use delete"}
		}
		var ttl duration
		if err := json.Unmarshal([]byte(a.text(3)), &ttl); err != nil {
			return nil, &argumentError{text: err.Error()}
		}
		if err := keepable([]byte(value)); err != nil {
			return nil, err
		}
		return nil, m.tx.Put(a.text(1), []byte(value), time.Duration(ttl))
	case "tx_delete":
		return nil, m.tx.Delete(a.text(1))
	}
	return scan(m.tx, a.text(1))
}

// What one value and one scan may have. The database, all plugins and what the bot
// notes of each event are behind one lock while a value is written.
const (
	maxValue = 1 << 20
	maxScan  = 8 << 20
)

// keepable says that a value is too much.
func keepable(value []byte) error {
	if len(value) <= maxValue {
		return nil
	}
	return overLimit("size", api.Because(api.CodeScriptValueSize, maxValue>>20))
}

// read returns what f finds.
func read(ctx context.Context, s ncat.Store, f func(ncat.Tx) (string, error)) (any, error) {
	var out string
	err := s.View(ctx, func(tx ncat.Tx) (err error) {
		out, err = f(tx)
		return err
	})
	return encoded(out), err
}

// asJSON says that a value is none a script has written.
func asJSON(key string, value []byte) error {
	if json.Valid(value) {
		return nil
	}
	return fmt.Errorf("store: what is kept as %q is no JSON", key)
}

// scan returns, as JSON, the entries whose keys begin with prefix.
func scan(tx ncat.Tx, prefix string) (string, error) {
	var out strings.Builder
	out.WriteByte('[')
	err := tx.Scan(prefix, func(key string, value []byte) error {
		name, err := jsonText(key)
		if err = errors.Join(err, asJSON(key, value)); err != nil {
			return err
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"key":%s,"value":%s}`, name, value)
		if out.Len() > maxScan {
			return overLimit("size", api.Because(api.CodeScriptScanSize, maxScan>>20))
		}
		return nil
	})
	out.WriteByte(']')
	return out.String(), err
}

// permission answers a question about roles and rules.
func (m *machine) permission(op string, a arguments) (any, error) {
	b := m.outer.bot()
	if b == nil {
		return nil, &argumentError{text: "the plugin has ended"}
	}
	if op == "perm_rules" {
		return jsonText(append([]ncat.Rule{}, b.Permissions().Rules()...))
	}
	var scope ncat.Scope
	if err := json.Unmarshal([]byte(a.text(2)), &scope); err != nil {
		return nil, badJSON("permissions", err)
	}
	return b.Permissions().Has(a.text(1), scope.Group, onebot.UserID(scope.User)), nil
}

// perm changes a rule.
func (r *request) perm(ctx context.Context, p *callParams) error {
	b := r.m.outer.bot()
	if b == nil {
		return &argumentError{text: "the plugin has ended"}
	}
	perms := b.Permissions()
	f, ok := map[string]func(context.Context, string, ncat.Scope) error{
		"grant": perms.Grant, "revoke": perms.Revoke, "allowCommand": perms.AllowCommand, "denyCommand": perms.DenyCommand,
		"grantCommand": perms.GrantCommand, "revokeCommand": perms.RevokeCommand, "allowPlugin": perms.AllowPlugin,
		"denyPlugin": perms.DenyPlugin, "grantPlugin": perms.GrantPlugin, "revokePlugin": perms.RevokePlugin,
	}[p.Name]
	if !ok {
		return fmt.Errorf("no such rule: %s", p.Name)
	}
	return f(ctx, p.Target, p.Scope)
}
