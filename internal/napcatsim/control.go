package napcatsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
)

// ErrNotRunning says that no simulated QQ runs with the HOME that was asked for.
var ErrNotRunning = errors.New("no simulated QQ is running there")

// NotYetError says that the simulator is not as far as the command needs, such
// as a scan without a code on screen. Nothing was done.
type NotYetError struct{ Reason string }

// Error implements error.
func (e *NotYetError) Error() string { return "simulator: " + e.Reason }

// RefusedError is a deed that the simulated world does not have, such as the words of
// a user that is not in it.
type RefusedError struct{ Reason string }

// Error implements error.
func (e *RefusedError) Error() string { return "simulator: " + e.Reason }

// SayRequest makes somebody write to the bot. Exactly one of User and Group is
// needed for where; in a group, User is who writes (0: some member).
type SayRequest struct {
	User    int64           `json:"user,omitempty"`
	Group   int64           `json:"group,omitempty"`
	Text    string          `json:"text,omitempty"`    // with CQ codes
	Message json.RawMessage `json:"message,omitempty"` // segments, in place of Text
	// Wait is how long to wait for an answer in that chat, Quiet how long after
	// the last one to wait for more.
	Wait  Duration `json:"wait,omitempty"`
	Quiet Duration `json:"quiet,omitempty"`
	// Unheard says it even if no OneBot client would get the event; without it
	// that is a NotYetError.
	Unheard bool `json:"unheard,omitempty"`
}

// SayResult is what came of it.
type SayResult struct {
	MessageID int64  `json:"message_id"`
	Answers   []Sent `json:"answers"`
}

// Sent is one message that the bot sent and QQ's servers took.
type Sent struct {
	Seq       int             `json:"seq"` // counts from 1 over all workers that used this HOME
	Time      time.Time       `json:"time"`
	MessageID int64           `json:"message_id"`
	User      int64           `json:"user,omitempty"`
	Group     int64           `json:"group,omitempty"`
	Text      string          `json:"text"` // as CQ text
	Message   json.RawMessage `json:"message,omitempty"`
}

// CrashRequest ends the worker.
type CrashRequest struct {
	Code   int    `json:"code"`             // exit code
	Signal string `json:"signal,omitempty"` // KILL, SEGV, ABRT, TERM …; in place of Code
	Master bool   `json:"master,omitempty"` // the master with SIGKILL, and the worker is orphaned
}

// DropRequest disturbs the OneBot connections. Mode is one of DropModes; what
// lasts is replaced by the next one that lasts and ended by heal.
type DropRequest struct {
	Mode  string   `json:"mode"`
	Count int      `json:"count,omitempty"` // frames of garbage
	Size  int      `json:"size,omitempty"`  // bytes of the giant
	Delay Duration `json:"delay,omitempty"` // of slow and shuffle
}

// DropModes are the modes of a DropRequest, each with what it does.
var DropModes = map[string]string{
	"close":        "end every connection without a close frame",
	"away":         "end every connection and take no new one",
	"violate":      "write bytes that are no WebSocket frame",
	"garbage":      "send Count frames that are no events",
	"giant":        "send one event of Size bytes",
	"dead":         "QQ is gone without a word: sends time out, nothing arrives",
	"no-ack":       "sends arrive, but time out all the same; nothing arrives",
	"mute":         "calls are carried out and never answered",
	"slow":         "answers come Delay later",
	"shuffle":      "answers come in any order, up to Delay later",
	"duplicate":    "answers come twice",
	"no-heartbeat": "heartbeats stop",
	"heal":         "end whatever lasts",
}

// State is what the simulator is doing.
type State struct {
	PID         int       `json:"pid"`        // worker
	MasterPID   int       `json:"master_pid"` // 0 in a single process
	Started     time.Time `json:"started"`
	Version     string    `json:"napcat_version"`
	Phase       string    `json:"phase"` // starting, network, login, accepted, online, offline, kicked
	UIN         int64     `json:"uin"`   // 0 until logged in
	Nick        string    `json:"nick"`
	Online      bool      `json:"online"`
	Hanging     bool      `json:"hanging"`      // frozen
	WebUIURL    string    `json:"webui_url"`    // without the token
	QR          string    `json:"qr"`           // the code on screen
	QRCount     int       `json:"qr_count"`     // codes issued by this worker
	WebUILogins int       `json:"webui_logins"` // logins to the WebUI that this HOME has seen, right or wrong, over all workers
	Sessions    int       `json:"sessions"`     // QQ logins that this HOME has seen
	Displaced   int       `json:"displaced"`    // sessions that a second copy of this QQ pushed out
	LastMethod  string    `json:"last_method"`  // qr, quick, password
	Options     Options   `json:"options"`
	// Adapters is what became of the OneBot configuration.
	Adapters []adapter.Status `json:"adapters"`
}

// endpoint is control.json.
type endpoint struct {
	PID       int    `json:"pid"`
	MasterPID int    `json:"master_pid"`
	Addr      string `json:"addr"` // loopback host:port
	Token     string `json:"token"`
}

// Control plays the outside world of one simulated QQ. It holds no connection;
// every call finds the worker that runs now. Safe for concurrent use.
type Control struct {
	// Patience is how long a call waits for a simulator that is not running or
	// not as far as the command needs; 0: not at all. To be set before use.
	Patience time.Duration

	home string
	http *http.Client
}

// NewControl returns the control of the QQ whose HOME is home, running or not.
func NewControl(home string) *Control {
	return &Control{home: home, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}}
}

// AccountHome is the HOME of an account's QQ in an ncatd home.
func AccountHome(ncatdHome, account string) string {
	return filepath.Join(ncatdHome, "accounts", account, "home")
}

// Endpoint returns the pids of the running simulator; ErrNotRunning if it has
// left no address.
func (c *Control) endpoint() (endpoint, error) {
	b, err := os.ReadFile(filepath.Join(Dir(c.home), "control.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{}, ErrNotRunning
	}
	if err != nil {
		return endpoint{}, err
	}
	var e endpoint
	if err := json.Unmarshal(b, &e); err != nil {
		return endpoint{}, fmt.Errorf("simulator address: %w", err)
	}
	return e, nil
}

// Do sends one command and decodes the answer into out, if not nil. While no
// worker runs, or one that is not as far as the command needs, it tries again
// until Patience or ctx ends; then the error is ErrNotRunning or a NotYetError.
// A command that was carried out is never repeated.
func (c *Control) Do(ctx context.Context, command string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(c.Patience)
	for {
		err := c.try(ctx, command, body, out)
		var notYet *NotYetError
		if !errors.Is(err, ErrNotRunning) && !errors.As(err, &notYet) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Control) try(ctx context.Context, command string, body []byte, out any) error {
	e, err := c.endpoint()
	if err != nil {
		return err
	}
	return c.send(ctx, e, command, body, out)
}

// send runs a command at one address.
func (c *Control) send(ctx context.Context, e endpoint, command string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.Addr+"/"+command, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+e.Token)
	resp, err := c.http.Do(req)
	if err != nil {
		if refused(err) {
			return ErrNotRunning
		}
		return fmt.Errorf("simulator: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return ErrNotRunning // the port belongs to another program by now
	case resp.StatusCode == http.StatusConflict:
		return &NotYetError{string(bytes.TrimSpace(b))}
	case resp.StatusCode != http.StatusOK:
		return &RefusedError{string(bytes.TrimSpace(b))}
	case out == nil:
		return nil
	}
	return json.Unmarshal(b, out)
}

// Say makes somebody write to the bot and collects its answers.
func (c *Control) Say(ctx context.Context, r SayRequest) (SayResult, error) {
	var out SayResult
	err := c.Do(ctx, "say", r, &out)
	return out, err
}

// Sent returns what the bot has sent with Seq greater than after.
func (c *Control) Sent(ctx context.Context, after int) ([]Sent, error) {
	var out []Sent
	err := c.Do(ctx, "sent", map[string]int{"after": after}, &out)
	return out, err
}

// Scan lets the phone scan the code on screen and confirm; uin 0 is the
// phone's owner.
func (c *Control) Scan(ctx context.Context, uin int64) error {
	return c.Do(ctx, "scan", map[string]int64{"uin": uin}, nil)
}

// ExpireQR ends the code on screen before its time.
func (c *Control) ExpireQR(ctx context.Context) error { return c.Do(ctx, "qr-expire", nil, nil) }

// Kick ends the session from QQ's side. With keepTicket a quick login works
// afterwards, which it usually does not.
func (c *Control) Kick(ctx context.Context, title, text string, keepTicket bool) error {
	err := c.Do(ctx, "kick", map[string]any{"title": title, "text": text, "keep_ticket": keepTicket}, nil)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		// The supervisor of the account may end it before the answer is out.
		return nil
	}
	return err
}

// SetOnline plays QQ's status 20 (false) and the way back (true).
func (c *Control) SetOnline(ctx context.Context, online bool) error {
	return c.Do(ctx, "online", map[string]bool{"online": online}, nil)
}

// Crash ends the worker, or the master. When it returns the process is gone, so
// that the next command reaches its successor.
func (c *Control) Crash(ctx context.Context, r CrashRequest) error {
	before, unknown := c.endpoint()
	if err := c.Do(ctx, "crash", r, nil); err != nil || r.Master || unknown != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		err := c.send(ctx, before, "state", nil, nil)
		if errors.Is(err, ErrNotRunning) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return errors.New("simulator: the worker does not die")
}

// Hang freezes the worker, or lets it thaw. What was asked meanwhile is carried
// out then, also for clients that have given up.
func (c *Control) Hang(ctx context.Context, on bool) error {
	return c.Freeze(ctx, FreezeRequest{Off: !on})
}

// FreezeRequest stops the worker's event loop.
type FreezeRequest struct {
	For Duration `json:"for,omitempty"` // 0: until it is thawed
	Off bool     `json:"off,omitempty"` // thaw
}

// Freeze freezes the worker as r says.
func (c *Control) Freeze(ctx context.Context, r FreezeRequest) error {
	return c.Do(ctx, "freeze", r, nil)
}

// MuteRequest mutes somebody in a group, as its owner can.
type MuteRequest struct {
	Group   int64 `json:"group"`
	User    int64 `json:"user,omitempty"` // 0: the bot
	All     bool  `json:"all,omitempty"`  // the whole group in place of User
	Seconds int64 `json:"seconds,omitempty"`
	Off     bool  `json:"off,omitempty"` // let speak again
}

// Mute mutes as r says.
func (c *Control) Mute(ctx context.Context, r MuteRequest) error { return c.Do(ctx, "mute", r, nil) }

// RefuseRequest lets QQ refuse what the bot sends.
type RefuseRequest struct {
	Code  int    `json:"code"` // QQ's result; 0 is not possible
	Text  string `json:"text"`
	Count int    `json:"count,omitempty"` // of sends; 0: all from now on
	Off   bool   `json:"off,omitempty"`   // refuse no longer
}

// Refuse lets QQ refuse as r says.
func (c *Control) Refuse(ctx context.Context, r RefuseRequest) error {
	return c.Do(ctx, "refuse", r, nil)
}

// Drop disturbs the OneBot connections.
func (c *Control) Drop(ctx context.Context, r DropRequest) error { return c.Do(ctx, "drop", r, nil) }

// Fault changes options of the running worker, at once, and in the option file,
// for those that follow. The keys of set are those of Options in JSON; nil
// takes one back.
func (c *Control) Fault(ctx context.Context, set map[string]any) error {
	return c.Do(ctx, "fault", set, nil)
}

// State returns what the simulator is doing.
func (c *Control) State(ctx context.Context) (State, error) {
	var out State
	err := c.Do(ctx, "state", nil, &out)
	return out, err
}

// World returns the people, groups and messages, as JSON.
func (c *Control) World(ctx context.Context) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.Do(ctx, "world", nil, &out)
	return out, err
}
