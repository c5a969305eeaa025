// Package action carries out the host's actions on a little QQ (package world).
// [Host] is its central type. It takes parameters as they come off the wire,
// checks and converts them as the host's schemas do, acts on the world and
// builds results of the shapes that the host returns. How answers travel, and
// with which codes, is the business of package adapter.
package action

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/typebox"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// DefaultVersion is the host's version unless told otherwise.
const DefaultVersion = "4.18.19"

// Options configures a [Host].
type Options struct {
	World *world.World // required
	// Log is handed what the host prints: level and message. nil: nothing.
	Log func(level, message string)
	// Version is what get_version_info tells; "": [DefaultVersion].
	Version string
	// TempDir is where files go that actions make (QQ's NapCat/temp folder); "":
	// a fresh temporary directory, removed by Close.
	TempDir string
	// FileURL is the address under which [Host.ServeHTTP] is reachable, without
	// a slash at its end. "": files get addresses that look like QQ's and lead
	// nowhere.
	FileURL string
	// Fetch gets what is at a web address that a message names; nil content
	// without an error takes the address for content enough. nil: over the network.
	Fetch func(ctx context.Context, url string) ([]byte, error)
	// Restart is what set_restart does; it must return at once. nil: the action
	// fails as it does in a single process.
	Restart func() error
	// Exit is what bot_exit does; it must return at once. nil: nothing.
	Exit func()
	// PacketError says why the packet layer does not work; "": it works.
	PacketError string
	// Before is called with every call, in order, before anything else. If it
	// returns a function, that function is called in a goroutine of its own and
	// answers in place of the action, unless it returns nil. nil: nothing stands
	// before the actions.
	Before func(Call) func() *Result
}

// Limits are the settings of the configuration file that actions honour.
type Limits struct {
	Base, UploadKBps, Max float64 // milliseconds, KiB per second (contract E.9)
	LocalFileAsBase64     bool    // enableLocalFile2Url
	ParseForwards         bool    // parseMultMsg
}

// Host carries out actions. Its methods are safe for concurrent use.
type Host struct {
	o     Options
	w     *world.World
	self  int64
	start time.Time

	mu      sync.Mutex
	limits  Limits
	temp    string
	ownTemp bool
	tokens  map[string]string // ids of group file listings, to QQ's ids
	tokenq  []string
	uploads map[string]*upload
	flash   map[string]*flashSet
	albums  map[int64][]*album
	online  []onlineFile
	notes   []collected
	qzone   map[string]string
	timers  []*time.Timer // of files that go away by themselves
	counter int
	folders int // made in group files
}

// New returns a Host. It starts nothing.
func New(o Options) *Host {
	if o.Log == nil {
		o.Log = func(string, string) {}
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	return &Host{
		o: o, w: o.World, self: o.World.Self().UIN, start: time.Now(), temp: o.TempDir,
		limits:  Limits{Base: 10000, UploadKBps: 256, Max: 1800000},
		tokens:  make(map[string]string),
		uploads: make(map[string]*upload),
		flash:   make(map[string]*flashSet),
		albums:  make(map[int64][]*album),
		qzone:   make(map[string]string),
	}
}

// SelfID returns the number of the bot's account.
func (h *Host) SelfID() int64 { return h.self }

// World returns the world that the host acts on.
func (h *Host) World() *world.World { return h.w }

// SetLimits takes over settings of the configuration file.
func (h *Host) SetLimits(l Limits) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limits = l
}

func (h *Host) limit() Limits {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.limits
}

// Close removes what the host itself made on disk.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.timers {
		t.Stop()
	}
	if h.ownTemp {
		h.ownTemp = false
		return os.RemoveAll(h.temp)
	}
	return nil
}

// tempDir returns the folder for files, which exists.
func (h *Host) tempDir() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.temp == "" {
		dir, err := os.MkdirTemp("", "ncatd-sim-")
		if err != nil {
			return "", err
		}
		h.temp, h.ownTemp = dir, true
	}
	return h.temp, os.MkdirAll(h.temp, 0o700)
}

// Call is one request for an action.
type Call struct {
	Name   string
	Params any    // undefined and null count as {}
	Format string // messagePostFormat of the adapter that asks
}

// Result is an answer, or one packet of it.
type Result struct {
	Data   any // [jsval.Undefined]: the answer has no data
	Err    *Failure
	More   bool // a packet of a stream; more comes
	Stream bool // the action is a stream action
	Silent bool // a WebSocket never hears of it
}

// Failure is a refusal.
type Failure struct {
	Text  string
	Check bool // found before the action ran: 1400 over WebSocket, 400 over HTTP
	Code  int  // if not 0, the code to answer with, over whatever transport
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Failed returns a failure of an action that ran.
func Failed(text string) *Failure { return &Failure{Text: text} }

func failf(format string, args ...any) error { return Failed(fmt.Sprintf(format, args...)) }

// silent is a failure outside of what the host catches.
type silent struct{ text string }

func (s *silent) Error() string { return s.text }

// pending is what a handler returns that cannot answer at once.
type pending struct{ run func() (any, error) }

func (*pending) Error() string { return "pending" }

// call is a request on its way through a handler.
type call struct {
	h      *Host
	ctx    context.Context
	name   string
	p      *jsval.Object // parameters, checked and converted
	format string
	packet func(data any) error // sends a packet of a stream
}

type handler func(c *call) (any, error)

// later lets the rest of an action run beside other calls.
func (c *call) later(run func() (any, error)) (any, error) { return nil, &pending{run: run} }

// wait sleeps; the error says that the call ended meanwhile.
func (c *call) wait(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

func (c *call) str(key string) string {
	switch v := c.p.Get(key); v.(type) {
	case string, float64, bool:
		return jsval.ToString(v)
	}
	return ""
}

func (c *call) int(key string) int64 { return jsval.Int(c.p.Get(key)) }

// first returns the first of the given parameters that is truthy, as text.
func (c *call) first(keys ...string) string {
	for _, k := range keys {
		if jsval.Truthy(c.p.Get(k)) {
			return c.str(k)
		}
	}
	return ""
}

// yes reports whether a boolean-or-string parameter counts as true where only
// true and "true" do.
func (c *call) yes(key string) bool { v := c.p.Get(key); return v == true || v == "true" }

// notNo reports whether such a parameter counts as true where all but false and
// "false" does; left out it does.
func (c *call) notNo(key string) bool { v := c.p.Get(key); return v != false && v != "false" }

// suffixes mark the aliases that every action has.
var suffixes = []string{"_async", "_rate_limited"}

func baseName(name string) string {
	for _, s := range suffixes {
		if b, ok := strings.CutSuffix(name, s); ok {
			return b
		}
	}
	return name
}

// Known reports whether the host has an action of that name.
func Known(name string) bool { _, ok := handlers[baseName(name)]; return ok }

// Names returns the actions without their aliases, in no order.
func Names() []string {
	var out []string
	for n := range handlers {
		out = append(out, n)
	}
	return out
}

var streams = map[string]bool{
	"upload_file_stream": true, "download_file_stream": true, "download_file_image_stream": true,
	"download_file_record_stream": true, "test_download_stream": true,
}

// IsStream reports whether the action answers in packets.
func IsStream(name string) bool { return streams[baseName(name)] }

// unchecked are the actions whose parameters no schema guards.
var unchecked = map[string]bool{
	"send_msg": true, "send_group_msg": true, "send_private_msg": true, "send_forward_msg": true,
	"send_group_forward_msg": true, "send_private_forward_msg": true, "_mark_all_as_read": true, "get_version_info": true,
}

// packetOnly are the actions that are refused while the packet layer is down.
var packetOnly = map[string]bool{
	"cancel_group_todo": true, "complete_group_todo": true, "set_group_todo": true, "friend_poke": true, "group_poke": true,
	"send_poke": true, "get_ai_characters": true, "get_ai_record": true, "send_group_ai_record": true, "get_group_file_url": true,
	"get_private_file_url": true, "get_mini_app_ark": true, "get_rkey": true, "get_rkey_server": true, "nc_get_rkey": true,
	"nc_get_user_status": true, "move_group_file": true, "rename_group_file": true, "trans_group_file": true, "send_group_sign": true,
	"set_group_sign": true, "send_packet": true, "set_group_special_title": true, "nc_get_packet_status": true,
}

//go:embed params.json.gz
var packedParams []byte

// paramsText unpacks the parameters.
func paramsText() (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(packedParams))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

// schemas returns the parameters of every action.
var schemas = sync.OnceValue(func() map[string]*typebox.Schema {
	text, err := paramsText()
	if err != nil {
		panic(fmt.Sprintf("action: parameters: %v", err))
	}
	doc, err := jsval.Parse(text)
	if err != nil {
		panic(fmt.Sprintf("action: parameters: %v", err))
	}
	o := doc.(*jsval.Object)
	types := o.Get("types").(*jsval.Object)
	out := make(map[string]*typebox.Schema)
	for _, m := range o.Get("actions").(*jsval.Object).Members {
		s, err := typebox.Load(m.Value, types)
		if err != nil {
			panic(fmt.Sprintf("action: parameters of %s: %v", m.Key, err))
		}
		for i := range s.Props {
			// A default makes a parameter optional, whatever the document says;
			// the defaults step has filled it in by the time of the check.
			if !jsval.IsUndefined(s.Props[i].Schema.Default) {
				s.Props[i].Required = false
			}
		}
		out[m.Key] = s
	}
	return out
})

// Do carries out an action and calls done with its answer, once, or for a stream
// action with each packet, the last of which has More false. What takes time
// runs in a goroutine started with goes; everything else, and so the order of
// calls, happens before Do returns. done is called from either. Do does not call
// done at all for an action that the host never answers because it ended.
func (h *Host) Do(ctx context.Context, in Call, goes func(func()), done func(Result)) {
	in.Name = baseName(in.Name)
	if h.o.Before != nil {
		if answer := h.o.Before(in); answer != nil {
			goes(func() {
				r := answer()
				if r == nil {
					h.do(ctx, in, goes, done)
					return
				}
				r.Stream = streams[in.Name]
				done(*r)
			})
			return
		}
	}
	h.do(ctx, in, goes, done)
}

// do is Do for the name of an action itself.
func (h *Host) do(ctx context.Context, in Call, goes func(func()), done func(Result)) {
	c := &call{h: h, ctx: ctx, name: in.Name, format: in.Format}
	stream := streams[in.Name]
	c.packet = func(data any) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		done(Result{Data: data, More: true, Stream: stream})
		return nil
	}
	finish := func(data any, err error) {
		if errors.Is(err, errNoAnswer) {
			return
		}
		r := Result{Data: data, Stream: stream}
		if err != nil {
			r = h.failure(err)
			r.Stream = stream
		}
		done(r)
	}
	data, err := h.run(c, in.Params)
	var p *pending
	if errors.As(err, &p) {
		goes(func() { finish(p.run()) })
		return
	}
	finish(data, err)
}

// errNoAnswer is returned by actions after which no client is left to answer.
var errNoAnswer = errors.New("no answer")

func (h *Host) failure(err error) Result {
	var s *silent
	if errors.As(err, &s) {
		h.o.Log("error", "TypeError: "+s.text)
		return Result{Err: Failed(s.text), Silent: true}
	}
	f := Failed(err.Error())
	errors.As(err, &f)
	if !f.Check {
		h.o.Log("error", "发生错误 Error: "+f.Text)
	}
	return Result{Err: f}
}

func (h *Host) run(c *call, params any) (any, error) {
	if params == nil || jsval.IsUndefined(params) {
		params = &jsval.Object{}
	}
	if unchecked[c.name] {
		c.p, _ = params.(*jsval.Object)
		if c.p == nil {
			c.p = &jsval.Object{}
		}
	} else {
		v, err := schemas()[c.name].Parse(params)
		if err != nil {
			return nil, &Failure{Text: "Schema compilation error: " + err.Error(), Check: true}
		}
		c.p = v.(*jsval.Object)
	}
	if packetOnly[c.name] && h.o.PacketError != "" {
		return nil, &Failure{Text: h.o.PacketError, Check: true}
	}
	return handlers[c.name](c)
}

// handlers are all actions. They are put together in init because some of them
// call others by name.
var handlers = make(map[string]handler)

func init() {
	for _, t := range []map[string]handler{
		messageActions, forwardActions, chatActions, groupActions, memberActions, friendActions, requestActions,
		groupFileActions, mediaActions, streamActions, systemActions, profileActions, flashActions, albumActions, miscActions,
	} {
		for n, f := range t {
			if handlers[n] != nil {
				panic("action: two handlers for " + n)
			}
			handlers[n] = f
		}
	}
}

var undefined = jsval.Undefined

// gcr is QQ's general reply.
func gcr(result int, text string, more ...any) *jsval.Object {
	return jsval.Obj("result", result, "errMsg", text).With(more...)
}

// agreed is the raw reply of unknown form where QQ agreed.
func agreed(*call) (any, error) { return gcr(0, ""), nil }

// verdict returns the raw reply for an error of the world, which is status ok
// all the same.
func verdict(err error) (any, error) {
	if err != nil {
		return gcr(-1, err.Error()), nil
	}
	return gcr(0, ""), nil
}

// ignore drops an error of the world: the host looks at no verdict there.
func ignore(data any, _ error) (any, error) { return data, nil }
