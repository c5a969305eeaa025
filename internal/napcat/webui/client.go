package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// defaultTimeout bounds a request that NapCat answers from memory.
	defaultTimeout = 5 * time.Second
	// loginTimeout bounds a request that NapCat answers after asking QQ's
	// servers.
	loginTimeout = 30 * time.Second
	// maxBody bounds an answer; the largest real one (Debug schemas aside) is
	// the OneBot configuration, a few kB.
	maxBody = 8 << 20
	// idleConn is how long a connection waits for its next request. Node closes
	// one that was idle for 5s, which is also how often we look: a request that
	// crosses the end of its connection is lost, and a POST is not sent again.
	idleConn = 2 * time.Second
)

// Options adjust a [Client]. The zero value is good.
type Options struct {
	// HTTPClient does the requests. The default has a connection pool of its
	// own and uses no proxy: the WebUI is ours and near.
	HTTPClient *http.Client
	// Timeout bounds each plain request; 0 is 5s. Requests that wait for QQ's
	// servers get 30s.
	Timeout time.Duration
	// SigningKey is what NAPCAT_WEBUI_JWT_SECRET_KEY was set to for this NapCat.
	// With it the client makes its credentials itself and need not log in, which
	// NapCat limits. Without it, or when NapCat has another key after all, it
	// logs in.
	SigningKey string
	// TOTPSecret returns the base32 secret of the WebUI's 2FA (webui.json's
	// totpSecret) or "". It is called only when the WebUI asks for a code.
	TOTPSecret func() (string, error)
	// Token returns the token that the WebUI has by now (webui.json's token): its
	// owner may change it there. It is called only when the WebUI refuses ours.
	Token func() (string, error)
	// Trust is asked about each new connection before anything is sent on it; an
	// error closes it. nil trusts any.
	Trust func(net.Conn) error
	// Logger gets one record for each login to the WebUI, at debug.
	Logger *slog.Logger
}

// Client is a client of one NapCat's WebUI (contract C). It logs in when it has
// to, keeps the credential, and repeats a request once when the WebUI no longer
// knows the credential. It is safe for concurrent use.
//
// Every method returns a *[Error] when the WebUI did not do what was asked, and
// context.Cause(ctx) when ctx ended first.
type Client struct {
	http    *http.Client
	timeout time.Duration
	totp    func() (string, error)
	latest  func() (string, error) // Options.Token
	log     *slog.Logger
	session session

	mu    sync.Mutex
	token string
	base  string
	pin   Pin
}

// New returns a client of the WebUI at baseURL, such as "http://127.0.0.1:6099",
// that logs in with token. It sends nothing.
func New(baseURL, token string, o Options) *Client {
	c := &Client{
		http:    o.HTTPClient,
		token:   token,
		timeout: o.Timeout,
		totp:    o.TOTPSecret,
		latest:  o.Token,
		log:     o.Logger,
	}
	c.session.signingKey = o.SigningKey
	if c.http == nil {
		c.http = &http.Client{
			Transport: &http.Transport{DialContext: dialer(o.Trust), MaxIdleConnsPerHost: 2, IdleConnTimeout: idleConn, TLSClientConfig: c.pinned()},
			// "/" answers 301 to the frontend; nothing under /api redirects.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.session.busy = make(chan struct{}, 1)
	c.SetBaseURL(baseURL)
	return c
}

// dialer dials and asks trust before anybody can send.
func dialer(trust func(net.Conn) error) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if err != nil || trust == nil {
			return c, err
		}
		if err := trust(c); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
}

// SetBaseURL moves the client to another address of the same NapCat, which
// takes the next port when its own is busy. The credential is kept: after a
// restart through the API it is still good, and elsewhere the WebUI says so.
func (c *Client) SetBaseURL(baseURL string) {
	baseURL = strings.TrimRight(baseURL, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != baseURL {
		c.base = baseURL
		c.session.unblock() // that was another server's refusal
	}
}

// SetKeys says that NapCat was started again, with another signing key and maybe
// another token: credentials of before are void.
func (c *Client) SetKeys(token, key string) {
	c.mu.Lock()
	c.token = token
	c.mu.Unlock()
	s := &c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signingKey, s.credential, s.minted, s.mintRefused = key, "", "", time.Time{}
}

// BaseURL returns the address in use, without a trailing slash.
func (c *Client) BaseURL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base
}

func (c *Client) secret() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// Close drops idle connections. The client stays usable.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// envelope is contract C.2. Code is a pointer because a stranger's JSON has none.
type envelope struct {
	Code    *int            `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// request is one call of an endpoint.
type request struct {
	method  string
	op      string // path below /api/
	query   url.Values
	body    any // nil sends {}: handlers that read an absent body answer -1
	timeout time.Duration
}

// do sends r with a credential and decodes data into out, which may be nil.
func (c *Client) do(ctx context.Context, r request, out any) error {
	cred, err := c.credential(ctx)
	if err != nil {
		return err
	}
	err = c.send(ctx, r, cred, out)
	if KindOf(err) != KindUnauthorized {
		return err
	}
	// The WebUI did nothing with the request, so it may be sent again.
	cred, err = c.renew(ctx, cred, false)
	if err != nil {
		return err
	}
	return c.send(ctx, r, cred, out)
}

// send does one HTTP exchange.
func (c *Client) send(ctx context.Context, r request, credential string, out any) error {
	timeout := r.timeout
	if timeout == 0 {
		timeout = c.timeout
	}
	rctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	u := c.BaseURL() + "/api/" + r.op
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.method == http.MethodPost {
		if r.body == nil {
			r.body = struct{}{}
		}
		b, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("webui %s: encode: %w", r.op, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(rctx, r.method, u, body)
	if err != nil {
		return &Error{Op: r.op, Kind: KindInvalid, Err: err}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &Error{Op: r.op, Kind: KindUnreachable, Err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &Error{Op: r.op, Kind: KindUnreachable, Status: resp.StatusCode, Err: err}
	}
	return decode(r.op, resp.StatusCode, raw, out)
}

// decode reads one answer: the envelope, or one of the exceptions of C.2.
func decode(op string, status int, raw []byte, out any) error {
	var env envelope
	if err := json.Unmarshal(raw, &env); err != nil || env.Code == nil {
		e := &Error{Op: op, Status: status, Kind: classifyStatus(status)}
		if status/100 == 2 {
			e.Kind = KindBadAnswer
		}
		var plain struct {
			Error   string `json:"error"`
			Message string `json:"message"`
		}
		if json.Unmarshal(raw, &plain) == nil {
			e.Message = plain.Error
			if e.Message == "" {
				e.Message = plain.Message
			}
		}
		return e
	}
	if *env.Code != 0 {
		e := &Error{Op: op, Status: status, Message: env.Message, Kind: classifyMessage(op, env.Message)}
		if e.Kind == KindRateLimited {
			e.RetryAfter = rateWindow
		}
		return e
	}
	// data is absent for "nothing to say" and null for "done"; both leave out
	// as it is.
	if out == nil || len(env.Data) == 0 || string(env.Data) == "null" {
		return nil
	}
	if err := json.Unmarshal(env.Data, out); err != nil {
		return &Error{Op: op, Status: status, Kind: KindBadAnswer, Message: "unexpected shape of data"}
	}
	return nil
}
