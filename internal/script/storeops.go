package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

type storeEntry struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
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
	if err != nil {
		return nil, err
	}
	switch r.op {
	case "store_get":
		v, ok, err := ncat.Get[json.RawMessage](ctx, s, p.Key)
		if err != nil || !ok {
			return nil, err
		}
		return map[string]json.RawMessage{"value": v}, nil
	case "store_put":
		if len(p.Value) == 0 {
			return nil, &argumentError{text: "store.put: undefined cannot be kept; use delete"}
		}
		return nil, ncat.PutFor(ctx, s, p.Key, p.Value, time.Duration(p.TTL))
	case "store_delete":
		return nil, ncat.Delete(ctx, s, p.Keys...)
	}
	all, err := ncat.Scan[json.RawMessage](ctx, s, p.Prefix)
	out := make([]storeEntry, len(all))
	for i, e := range all {
		out[i] = storeEntry{e.Key, e.Value}
	}
	return out, err
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
		return nil, m.tx.Put(a.text(1), []byte(value), time.Duration(ttl))
	case "tx_delete":
		return nil, m.tx.Delete(a.text(1))
	}
	out := []storeEntry{}
	err := m.tx.Scan(a.text(1), func(key string, value []byte) error {
		out = append(out, storeEntry{key, json.RawMessage(value)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return jsonText(out)
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
