package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// Webhook is where an app takes events by HTTP (contract E.7).
type Webhook struct {
	URL     string
	Timeout time.Duration // of one post
}

// Bounds on posts.
const (
	// maxPostPause is how long the pause between two tries of one event becomes.
	maxPostPause = 10 * time.Second
	// maxFailed is how often an event is posted that the app fails at: for some 13 s.
	maxFailed = 8
	// maxLate is how often one is posted that the app does not answer in time.
	maxLate = 3
	// maxReply is how much of an answer is read.
	maxReply = 1 << 20
)

// webhook posts an account's events, one after the other. One that does not
// arrive is tried again, for as long as the app's replay keeps it; one that arrives
// and that the app fails at, only a few times.
func (a *App) webhook(ctx context.Context, acc *Account) error {
	self, err := acc.await(ctx)
	if err != nil {
		return err
	}
	client := &http.Client{
		Timeout:       a.c.Webhook.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	c := acc.reader(a, 0, false)
	defer c.close()
	up := false
	defer func() {
		if up {
			a.away(nil)
		}
	}()
	return c.each(ctx, func(e entry, raw []byte) error {
		t := tries{tried: e.seq <= c.live} // and marked
		for pause := firstPause; ; pause = min(2*pause, maxPostPause) {
			reply, err := a.post(ctx, client, self, raw)
			if err == nil {
				if !up {
					up = true
					a.arrived()
				}
				a.quick(ctx, acc, raw, reply)
				return nil
			}
			if up {
				up = false
				a.away(err)
			}
			a.fail(err)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if !t.tried && reached(err) { // it may have the event, whatever became of the answer
				t.tried, raw = true, marked(raw, "replayed")
			}
			if own := t.enough(err); own || a.c.Replay.Events == 0 || time.Since(e.at) > a.c.Replay.Age {
				if own {
					a.log.Warn("app fails at an event again and again, going on with the next", "type", e.typ, "err", err)
				}
				a.counts.cut.Add(1)
				return nil // given up
			}
			pausing := time.NewTimer(pause)
			select {
			case <-pausing.C:
			case <-ctx.Done():
				pausing.Stop()
				return context.Cause(ctx)
			}
		}
	})
}

// tries are those of one event.
type tries struct {
	tried        bool // it may have arrived
	failed, late int
}

// enough notes a try that failed, and reports whether the event was with the app so
// often that more tries only keep the others from it, and a slow one at the same work.
func (t *tries) enough(err error) bool {
	var bad *statusError
	var slow net.Error
	switch {
	case errors.As(err, &bad) && bad.atEvent():
		t.failed++
	case reached(err) && errors.As(err, &slow) && slow.Timeout():
		t.late++
	}
	return t.failed >= maxFailed || t.late >= maxLate
}

// statusError is an answer other than 2xx.
type statusError struct {
	url  string
	code int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answered HTTP %d", e.url, e.code) }

// atEvent reports whether an app answers so that fails at this event, as by an
// exception. Other codes say that it is not there at all, or not for us.
func (e *statusError) atEvent() bool {
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.code >= 400 && e.code <= http.StatusInternalServerError
}

// reached reports whether a post that failed may have reached the app.
func reached(err error) bool {
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// arrived and away count a webhook that takes posts, or a stream of events, as a link.
func (a *App) arrived() {
	a.mu.Lock()
	a.other++
	first := len(a.links)+a.other == 1
	if first {
		a.since = time.Now()
	}
	a.mu.Unlock()
	if first {
		a.linked(true)
	}
}

func (a *App) away(err error) {
	a.mu.Lock()
	a.other--
	last := len(a.links)+a.other == 0
	if last {
		a.since = time.Now()
	}
	a.mu.Unlock()
	if err != nil {
		a.log.Warn("app does not take its events, trying on", "url", rpc.Redact(a.c.Webhook.URL), "err", err)
	}
	if last {
		a.linked(false)
	}
}

// post posts one event and returns the answer's body.
func (a *App) post(ctx context.Context, client *http.Client, self int64, raw []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.c.Webhook.URL, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Self-ID", strconv.FormatInt(self, 10))
	if a.c.Token != "" {
		mac := hmac.New(sha1.New, []byte(a.c.Token))
		mac.Write(raw)
		req.Header.Set("X-Signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("%s: %w", rpc.Redact(a.c.Webhook.URL), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, &statusError{rpc.Redact(a.c.Webhook.URL), resp.StatusCode}
	}
	return body, nil
}

// operation is what a quick operation asks for, as far as NapCat honours it
// (contract E.7).
type operation struct {
	Reply   json.RawMessage `json:"reply"`
	Approve json.RawMessage `json:"approve"`
	Reason  string          `json:"reason"`
}

// replies and answers report whether it asks for a reply, and for an answer to a
// request. What NapCat takes for none is none.
func (o operation) replies() bool { return !none(o.Reply) }

func (o operation) answers() bool { return o.Approve != nil && string(o.Approve) != "null" }

// permits is judge for what a quick operation asks for: a reply needs the right to
// send, an approval that to answer requests. asks says that it asks for anything.
func (a *App) permits(ctx context.Context, op operation) (code int, message string, asks bool) {
	var use use
	client := onebot.NewClient(&use) // for the names only
	if op.replies() {
		_, _ = client.SendMsg(ctx, onebot.SendMsgParams{})
		asks = true
		code, message = a.judge(use.action)
	}
	if op.answers() && code == 0 {
		_ = client.SetGroupAddRequest(ctx, onebot.SetGroupAddRequestParams{Approve: new(bool)})
		asks = true
		code, message = a.judge(use.action)
	}
	return code, message, asks
}

// may is judge for a call. What may not make any quick operation may make one that
// asks for no more than it may do otherwise, as the answer to a post does.
func (a *App) may(ctx context.Context, r *request) (code int, message string) {
	if code, message = a.judge(r.action); code == 0 || !quickly(r.action) {
		return code, message
	}
	var params struct {
		Operation operation `json:"operation"`
	}
	if json.Unmarshal(r.params, &params) != nil {
		return code, message
	}
	if c, m, asks := a.permits(ctx, params.Operation); asks {
		return c, m
	}
	return code, message
}

// quick carries out what the answer to a post asks for, with the app's rights.
func (a *App) quick(ctx context.Context, acc *Account, event, reply []byte) {
	if reply = bytes.TrimSpace(reply); !jsonscan.Valid(reply) {
		reply = loose(reply)
	}
	var op operation
	if len(reply) == 0 || json.Unmarshal(reply, &op) != nil {
		return
	}
	code, _, asks := a.permits(ctx, op)
	if !asks {
		return
	}
	var use use
	_ = onebot.NewClient(&use).HandleQuickOperation(ctx, onebot.HandleQuickOperationParams{})
	r := &request{action: use.action, params: fmt.Appendf(nil, `{"context":%s,"operation":%s}`, event, reply)}
	began := time.Now()
	if code == 0 {
		code, _ = a.make(ctx, acc, r, func() {})
	}
	a.called(acc, r, code, time.Since(began))
}

// use learns an action's name from the client's method.
type use struct{ action string }

// Call implements [onebot.Caller].
func (u *use) Call(_ context.Context, action string, _, _ any) error {
	u.action = action
	return nil
}

// answered returns the call that answers a request of somebody, for a quick operation
// that does: of a request NapCat drops what it needs to know before it carries one out
// (results: .handle_quick_operation). Any other call is returned as it is.
func answered(ctx context.Context, r *request) *request {
	var p struct {
		Context struct {
			PostType    string `json:"post_type"`
			RequestType string `json:"request_type"`
			Flag        string `json:"flag"`
		} `json:"context"`
		Operation operation `json:"operation"`
	}
	if !quickly(r.action) || json.Unmarshal(r.params, &p) != nil || p.Context.PostType != "request" || p.Context.Flag == "" || !p.Operation.answers() {
		return r
	}
	yes := !slices.Contains([]string{"false", "0", `""`, `"false"`}, string(p.Operation.Approve))
	var use use
	client, changed := onebot.NewClient(&use), *r
	switch p.Context.RequestType {
	case "friend":
		params := onebot.SetFriendAddRequestParams{Flag: p.Context.Flag, Approve: &yes}
		_ = client.SetFriendAddRequest(ctx, params) // for the name only
		changed.params = params.AppendJSON(nil)
	case "group":
		params := onebot.SetGroupAddRequestParams{Flag: p.Context.Flag, Approve: &yes, Reason: &p.Operation.Reason}
		_ = client.SetGroupAddRequest(ctx, params)
		changed.params = params.AppendJSON(nil)
	default:
		return r
	}
	changed.action = use.action
	return &changed
}
