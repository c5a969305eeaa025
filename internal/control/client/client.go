// Package client speaks the control API to a running daemon. Its central type
// is [Client]; the types of what it sends and gets are in package api. It
// retries nothing: the daemon is on the same machine or it is not there.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/socket"
)

const (
	dialTimeout = 5 * time.Second
	maxAnswer   = 64 << 20 // of one ordinary answer
	maxLine     = 16 << 20 // of one line of a stream: an event may carry a long forward
)

// ErrNotRunning says that no daemon listens on the socket.
var ErrNotRunning = errors.New("ncatd is not running")

// Client talks to one daemon. It is safe for concurrent use.
type Client struct {
	base string
	hc   *http.Client
}

// New returns a client of the daemon that listens on the unix socket at path.
// Nothing is dialled yet.
func New(path string) *Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			c, err := socket.Dial(ctx, path)
			if err != nil && (errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)) {
				return nil, fmt.Errorf("%w (%s)", ErrNotRunning, path)
			}
			return c, err
		},
		DisableCompression: true,
	}
	return &Client{base: "http://ncatd", hc: &http.Client{Transport: tr}}
}

// Over returns a client of the daemon that rt leads to.
func Over(rt http.RoundTripper) *Client {
	return &Client{base: "http://ncatd", hc: &http.Client{Transport: rt}}
}

// At returns a client of another host of the fleet, whose requests the daemon of c
// hands on.
func (c *Client) At(host string) *Client {
	return &Client{base: c.base + "/v0/fleet/hosts/" + url.PathEscape(host), hc: c.hc}
}

// Fleet lists the hosts of the fleet as they were last heard.
func (c *Client) Fleet(ctx context.Context) ([]api.FleetHost, error) {
	var hosts []api.FleetHost
	return hosts, c.do(ctx, "GET", "/v0/fleet", nil, &hosts)
}

// FleetDead lists the events that no worker could finish.
func (c *Client) FleetDead(ctx context.Context) ([]api.DeadEvent, error) {
	var dead []api.DeadEvent
	return dead, c.do(ctx, "GET", "/v0/fleet/dead", nil, &dead)
}

// FleetSettle gives dead events again or drops them.
func (c *Client) FleetSettle(ctx context.Context, r api.SettleRequest) error {
	return c.do(ctx, "POST", "/v0/fleet/dead", r, nil)
}

// FleetTake makes an account this host's whose host is gone.
func (c *Client) FleetTake(ctx context.Context, account string) error {
	return c.do(ctx, "POST", accountPath(account, "take"), nil, nil)
}

// FleetMove begins to move an account to another host, and FleetMoved tells how far
// the last move of one came.
func (c *Client) FleetMove(ctx context.Context, account string, r api.MoveRequest) (api.Move, error) {
	var m api.Move
	return m, c.do(ctx, "POST", accountPath(account, "move"), r, &m)
}

// FleetMoved see FleetMove.
func (c *Client) FleetMoved(ctx context.Context, account string) (api.Move, error) {
	var m api.Move
	return m, c.do(ctx, "GET", accountPath(account, "move"), nil, &m)
}

// FleetIncoming tells a host of an account that is being moved to it.
func (c *Client) FleetIncoming(ctx context.Context, in api.Incoming) (api.IncomingState, error) {
	var st api.IncomingState
	return st, c.do(ctx, "POST", "/v0/fleet/incoming", in, &st)
}

// Close gives the idle connections back.
func (c *Client) Close() { c.hc.CloseIdleConnections() }

// Status returns the daemon as it stands now.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	var st api.Status
	return st, c.do(ctx, "GET", "/v0/status", nil, &st)
}

// Want sets whether the account shall run: "running" or "stopped".
func (c *Client) Want(ctx context.Context, account, want string) error {
	return c.do(ctx, "POST", accountPath(account, "want"), api.WantRequest{Want: want}, nil)
}

// Restart restarts the account's NapCat; account "" restarts all of them.
func (c *Client) Restart(ctx context.Context, account string) error {
	if account == "" {
		return c.do(ctx, "POST", "/v0/restart", nil, nil)
	}
	return c.do(ctx, "POST", accountPath(account, "restart"), nil, nil)
}

// QuickAccounts lists the accounts whose ticket allows a quick login.
func (c *Client) QuickAccounts(ctx context.Context, account string) ([]api.QuickAccount, error) {
	var list []api.QuickAccount
	return list, c.do(ctx, "GET", accountPath(account, "login/quick"), nil, &list)
}

// LoginQuick begins a quick login of uin, or of the configured account if 0.
func (c *Client) LoginQuick(ctx context.Context, account string, uin int64) error {
	return c.do(ctx, "POST", accountPath(account, "login/quick"), api.QuickLoginRequest{UIN: uin}, nil)
}

// LoginPassword begins a password login.
func (c *Client) LoginPassword(ctx context.Context, account string, r api.PasswordLoginRequest) error {
	return c.do(ctx, "POST", accountPath(account, "login/password"), r, nil)
}

// LoginCaptcha hands in a solved captcha.
func (c *Client) LoginCaptcha(ctx context.Context, account string, r api.CaptchaRequest) error {
	return c.do(ctx, "POST", accountPath(account, "login/captcha"), r, nil)
}

// LoginRefresh asks for a new QR code.
func (c *Client) LoginRefresh(ctx context.Context, account string) error {
	return c.do(ctx, "POST", accountPath(account, "login/refresh"), nil, nil)
}

// Call makes one OneBot call. An answer that refuses is an answer, not an error.
func (c *Client) Call(ctx context.Context, account, action string, params json.RawMessage) (api.CallResponse, error) {
	var out api.CallResponse
	return out, c.do(ctx, "POST", accountPath(account, "call"), api.CallRequest{Action: action, Params: params}, &out)
}

// Plugins lists the bot's plugins.
func (c *Client) Plugins(ctx context.Context) ([]api.Plugin, error) {
	var list []api.Plugin
	return list, c.do(ctx, "GET", "/v0/plugins", nil, &list)
}

// SetPlugin switches a plugin on or off.
func (c *Client) SetPlugin(ctx context.Context, id string, enabled bool) error {
	verb := "disable"
	if enabled {
		verb = "enable"
	}
	return c.do(ctx, "POST", "/v0/plugins/"+url.PathEscape(id)+"/"+verb, nil, nil)
}

// Alerts returns the channels of alerts, what is wrong and what is silenced.
func (c *Client) Alerts(ctx context.Context) (api.Alerts, error) {
	var out api.Alerts
	return out, c.do(ctx, "GET", "/v0/alerts", nil, &out)
}

// AlertLog returns what was told or tried, the newest last.
func (c *Client) AlertLog(ctx context.Context) ([]api.AlertLogEntry, error) {
	var out []api.AlertLogEntry
	return out, c.do(ctx, "GET", "/v0/alerts/log", nil, &out)
}

// AlertTest sends a test through a channel, "" is all.
func (c *Client) AlertTest(ctx context.Context, channel string) ([]api.AlertTest, error) {
	var out []api.AlertTest
	return out, c.do(ctx, "POST", "/v0/alerts/test", api.AlertTestRequest{Channel: channel}, &out)
}

// AlertSilence tells nothing of an account for a while, "" is all; 0 ends it.
func (c *Client) AlertSilence(ctx context.Context, account string, d time.Duration) error {
	return c.do(ctx, "POST", "/v0/alerts/silence", api.AlertSilenceRequest{Account: account, Seconds: d.Seconds()}, nil)
}

// Plugin tells all that is known of one plugin.
func (c *Client) Plugin(ctx context.Context, id string) (api.PluginInfo, error) {
	var out api.PluginInfo
	return out, c.do(ctx, "GET", "/v0/plugins/"+url.PathEscape(id), nil, &out)
}

// ReloadPlugin loads a script anew.
func (c *Client) ReloadPlugin(ctx context.Context, id string) error {
	return c.do(ctx, "POST", "/v0/plugins/"+url.PathEscape(id)+"/reload", nil, nil)
}

// RestartApp starts the process of an app anew.
func (c *Client) RestartApp(ctx context.Context, name string) error {
	return c.do(ctx, "POST", "/v0/apps/"+url.PathEscape(name)+"/restart", nil, nil)
}

// Reload makes the daemon read its config again.
func (c *Client) Reload(ctx context.Context) (api.ReloadResponse, error) {
	var out api.ReloadResponse
	return out, c.do(ctx, "POST", "/v0/reload", nil, &out)
}

// ConsoleLink makes a link into the web console; no role is owner.
func (c *Client) ConsoleLink(ctx context.Context, role api.Role) (api.ConsoleLink, error) {
	var out api.ConsoleLink
	return out, c.do(ctx, "POST", "/v0/console/link", api.ConsoleLinkRequest{Role: role}, &out)
}

// ConsoleSessions lists the browsers that were let into the web console.
func (c *Client) ConsoleSessions(ctx context.Context) ([]api.ConsoleSession, error) {
	var list []api.ConsoleSession
	return list, c.do(ctx, "GET", "/v0/console/sessions", nil, &list)
}

// ConsoleRevoke ends one session, or all of them if id is "all".
func (c *Client) ConsoleRevoke(ctx context.Context, id string) error {
	return c.do(ctx, "POST", "/v0/console/sessions/"+url.PathEscape(id)+"/revoke", nil, nil)
}

// ConsolePassword sets the web console's password; "" takes it away.
func (c *Client) ConsolePassword(ctx context.Context, password string) error {
	return c.do(ctx, "POST", "/v0/console/password", api.ConsolePasswordRequest{Password: password}, nil)
}

// Stop begins an orderly stop of the daemon; it does not wait for its end.
func (c *Client) Stop(ctx context.Context, keepNapCat bool) error {
	return c.do(ctx, "POST", "/v0/stop", api.StopRequest{KeepNapCat: keepNapCat}, nil)
}

// Again makes the daemon begin anew with the program that lies at its path now;
// NapCat goes on meanwhile. It does not wait.
func (c *Client) Again(ctx context.Context) error {
	return c.do(ctx, "POST", "/v0/stop", api.StopRequest{KeepNapCat: true, Again: true}, nil)
}

// Watch calls each with a snapshot and then with every change, in order, until
// each returns an error (which Watch returns), ctx ends, or the daemon ends the
// stream (io.EOF). account "" watches all accounts; no kinds are state.
func (c *Client) Watch(ctx context.Context, account string, kinds []string, each func(api.WatchItem) error) error {
	q := url.Values{}
	if account != "" {
		q.Set("account", account)
	}
	if len(kinds) > 0 {
		q.Set("kinds", strings.Join(kinds, ","))
	}
	return c.stream(ctx, "/v0/watch?"+q.Encode(), func(line []byte) error {
		var it api.WatchItem
		if err := json.Unmarshal(line, &it); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		return each(it)
	})
}

// Events calls each with every event of the account as OneBot sent it, like
// [Client.Watch]. raw is valid only during the call.
func (c *Client) Events(ctx context.Context, account string, each func(raw json.RawMessage) error) error {
	return c.stream(ctx, accountPath(account, "events"), func(line []byte) error { return each(line) })
}

// AppEvents calls each with every event that an app gets, until ctx ends.
func (c *Client) AppEvents(ctx context.Context, app string, each func(raw json.RawMessage) error) error {
	return c.stream(ctx, "/v0/apps/"+url.PathEscape(app)+"/events", func(line []byte) error { return each(line) })
}

func accountPath(account, rest string) string {
	return "/v0/accounts/" + url.PathEscape(account) + "/" + rest
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.hc.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var ue *url.Error
		if errors.As(err, &ue) { // its text repeats method and a made-up host
			err = ue.Err
		}
		if errors.Is(err, ErrNotRunning) {
			return nil, err
		}
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	var e api.ErrorBody
	if json.Unmarshal(b, &e) != nil || e.Error.Code == "" {
		return nil, fmt.Errorf("the daemon answered %s to %s %s", resp.Status, method, path)
	}
	return nil, &e.Error
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil
}

func (c *Client) stream(ctx context.Context, path string, each func(line []byte) error) error {
	resp, err := c.request(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sc := bufio.NewScanner(resp.Body)
	sc.Buffer(make([]byte, 0, 64<<10), maxLine)
	for sc.Scan() {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue // keeps a silent stream alive
		}
		if err := each(sc.Bytes()); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := sc.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("read the daemon's stream: %w", err)
	}
	return io.EOF
}
