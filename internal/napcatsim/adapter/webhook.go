package adapter

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// webhook is an HTTP client: it posts every event and carries out the quick
// operation that comes back (contract E.7). Posts go out side by side and are
// never repeated.
type webhook struct {
	n      *Network
	client *http.Client

	mu      sync.Mutex
	c       Entry
	enabled bool
	err     string
}

func newWebhook(n *Network, c Entry) *webhook {
	return &webhook{n: n, c: c, client: &http.Client{Transport: &http.Transport{}}}
}

func (a *webhook) kind() Kind { return HTTPClients }

func (a *webhook) open() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.enabled = true
}

func (a *webhook) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.enabled = false
	a.client.CloseIdleConnections()
}

func (a *webhook) reload(c Entry) (gone bool) {
	a.mu.Lock()
	a.c = c
	a.mu.Unlock()
	if !c.Enable {
		a.close()
		return true
	}
	return false
}

func (a *webhook) active() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.enabled
}

func (a *webhook) emit(e *event) {
	a.mu.Lock()
	c := a.c
	a.mu.Unlock()
	if e.wanted(c) {
		a.n.goes(func() { a.post(c, e.encode(c)) })
	}
}

func (a *webhook) post(c Entry, body []byte) {
	err := a.exchange(c, body)
	a.mu.Lock()
	a.err = ""
	if err != nil {
		a.err = err.Error()
	}
	a.mu.Unlock()
	if err != nil && a.n.ctx.Err() == nil {
		a.n.o.Log("error", "[OneBot] [Http Client] 新消息事件HTTP上报失败 "+err.Error())
	}
}

func (a *webhook) exchange(c Entry, body []byte) error {
	a.n.gate()
	req, err := http.NewRequestWithContext(a.n.ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-self-id", strconv.FormatInt(a.n.o.Host.SelfID(), 10))
	if c.Token != "" {
		mac := hmac.New(sha1.New, []byte(c.Token))
		mac.Write(body)
		req.Header.Set("x-signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	op, err := jsval.Parse(string(text))
	if err != nil {
		return nil // most servers answer with nothing or with text
	}
	o, ok := op.(*jsval.Object)
	if !ok || len(o.Members) == 0 {
		return nil
	}
	context, err := jsval.Parse(string(body))
	if err != nil {
		return err
	}
	a.n.o.Host.Quick(a.n.ctx, action.Quick{Context: context.(*jsval.Object), Operation: o}, a.n.goes)
	return nil
}

func (a *webhook) status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Status{Name: a.c.Name, Kind: HTTPClients, Enabled: a.enabled, Addr: a.c.URL, Up: a.enabled, Error: a.err}
}
