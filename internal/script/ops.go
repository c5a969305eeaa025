package script

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/schedule"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// callParams are the params of all calls but those of the API and the store: each
// uses a few of them.
type callParams struct {
	Turn      int                `json:"turn"`
	Ref       json.RawMessage    `json:"ref"`
	Self      onebot.UserID      `json:"self"`
	Content   []json.RawMessage  `json:"content"`
	Question  []json.RawMessage  `json:"question"`
	Text      string             `json:"text"`
	Choices   []string           `json:"choices"`
	Options   json.RawMessage    `json:"options"`
	Filter    *filterSpec        `json:"filter"`
	Chat      chatSpec           `json:"chat"`
	IDs       []onebot.MessageID `json:"ids"`
	MessageID onebot.MessageID   `json:"message_id"`
	Emoji     string             `json:"emoji"`
	On        bool               `json:"on"`
	Group     onebot.GroupID     `json:"group"`
	User      onebot.UserID      `json:"user"`
	Duration  duration           `json:"duration"`
	Reason    string             `json:"reason"`
	Segment   json.RawMessage    `json:"segment"`
	Name      string             `json:"name"`
	Params    json.RawMessage    `json:"params"`
	Target    string             `json:"target"`
	Scope     ncat.Scope         `json:"scope"`
}

type chatSpec struct {
	Group onebot.GroupID `json:"group"`
	User  onebot.UserID  `json:"user"`
}

func (c chatSpec) chat() ncat.Chat { return ncat.Chat{Group: c.Group, User: c.User} }

// duration is a number of milliseconds or a text such as "90s" or "30分钟".
type duration time.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (d *duration) UnmarshalJSON(b []byte) error {
	var ms float64
	if json.Unmarshal(b, &ms) == nil {
		*d = duration(ms * float64(time.Millisecond))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%s is no duration", b)
	}
	v, err := schedule.ParseDistance(text)
	*d = duration(v)
	return err
}

// do makes the call.
func (r *request) do(ctx context.Context) (any, error) {
	switch r.op {
	case "store_get", "store_put", "store_delete", "store_scan":
		return r.store(ctx)
	case "fetch":
		return r.fetch(ctx)
	case "say":
		return r.say(ctx)
	}
	p := new(callParams)
	if err := json.Unmarshal([]byte(r.params), p); err != nil {
		return nil, badJSON(r.op, err)
	}
	if r.op == "perm" {
		return nil, r.perm(ctx, p)
	}
	b, e, err := r.place(p)
	if err != nil {
		return nil, err
	}
	switch r.op {
	case "api", "call":
		return r.api(ctx, b, p)
	case "reply", "quote", "mention", "ask", "choose", "confirm":
		m, ok := e.(onebot.MessageEvent)
		if !ok {
			return nil, &argumentError{text: r.op + ": this event is no message"}
		}
		return r.talk(ctx, b, m, p)
	case "send", "forward", "send_forward":
		return r.send(ctx, b, p)
	}
	return r.act(ctx, b, e, p)
}

// say answers the message of the turn with a text: what most scripts do, without
// a detour through JSON.
func (r *request) say(ctx context.Context) (any, error) {
	m, ok := r.turn.event.(onebot.MessageEvent)
	if !ok {
		return nil, &argumentError{text: "reply: this event is no message"}
	}
	return r.turn.b.Send(ctx, ncat.ChatOf(m), r.params)
}

// place returns the account and the event that a call is about.
func (r *request) place(p *callParams) (*ncat.Bot, onebot.Event, error) {
	root := r.m.outer.bot()
	if root == nil {
		return nil, nil, &argumentError{text: r.op + ": the plugin has ended"}
	}
	if t := r.turn; t.event != nil && t.id == p.Turn {
		return t.b, t.event, nil
	}
	var e onebot.Event
	self := p.Self
	if len(p.Ref) > 0 {
		var err error
		if e, err = onebot.Decode(p.Ref); err != nil {
			return nil, nil, &argumentError{text: fmt.Sprintf("%s: %v", r.op, err)}
		}
		self = e.Base().SelfID
	}
	if r.turn.b != nil && (self == 0 || r.turn.b.Self() == self) {
		return r.turn.b, e, nil
	}
	if self == 0 {
		return root, e, nil
	}
	b := root.For(self)
	if b == nil {
		return nil, nil, fmt.Errorf("account %d: %w", self, ncat.ErrNoAccount)
	}
	return b, e, nil
}

// api makes a call of onebot.Client by its method's name, or any other by the
// action's.
func (r *request) api(ctx context.Context, b *ncat.Bot, p *callParams) (any, error) {
	if len(p.Params) == 0 {
		p.Params = json.RawMessage("{}")
	}
	if err := r.localFiles(p.Params); err != nil {
		return nil, err
	}
	if unplaced.Match(p.Params) {
		return nil, &argumentError{text: p.Name + ": what image(), voice(), video() and file() return is sent by reply, send and sendForward; an action takes { type: \"image\", data: { file: \"https://…\" } }"}
	}
	if r.op == "call" {
		var out json.RawMessage
		err := b.Call(ctx, p.Name, p.Params, &out)
		return out, err
	}
	f, ok := apiMethods[p.Name]
	if !ok {
		return nil, &argumentError{text: "api has no " + p.Name}
	}
	return f(ctx, b.API(), p.Params, func(packet *onebot.StreamPacket) error {
		text, err := jsonText(packet)
		if err != nil {
			return err
		}
		r.m.push(job{turn: r.turn, entry: "packet", args: []any{r.id, text}})
		return nil
	})
}

// unplaced matches media that nobody brought to NapCat, as js/core.js writes them.
var unplaced = regexp.MustCompile(`\{"type":"(image|record|video|file)","media":\{`)

// into decodes the params of an action.
func into(raw json.RawMessage, p any) error {
	if err := json.Unmarshal(raw, p); err != nil {
		return badJSON("", err)
	}
	return nil
}

// talk answers a message or asks its sender.
func (r *request) talk(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, p *callParams) (any, error) {
	opts, err := askOptions(p.Options)
	if err != nil {
		return nil, err
	}
	switch r.op {
	case "choose":
		return b.Choose(r.conversation(ctx), m, p.Text, p.Choices, opts...)
	case "confirm":
		return b.Confirm(r.conversation(ctx), m, p.Text, opts...)
	case "ask":
		var question any
		if p.Question != nil {
			if question, err = r.content(p.Question); err != nil {
				return nil, err
			}
		}
		return b.Ask(r.conversation(ctx), m, question, opts...)
	}
	content, err := r.content(p.Content)
	if err != nil {
		return nil, err
	}
	chat := ncat.ChatOf(m)
	switch {
	case r.op == "quote":
		content = append([]any{onebot.Quote(m)}, content...)
	case r.op == "mention" && chat.IsGroup():
		content = append([]any{onebot.At(m.Msg().UserID), " "}, content...)
	}
	return b.Send(ctx, chat, content...)
}

// conversation returns ctx for something that waits for a person: it ends as
// soon as a new version of the plugin takes over.
func (r *request) conversation(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.m.talks, func() { cancel(context.Cause(r.m.talks)) })
	context.AfterFunc(ctx, func() { stop() })
	return ctx
}

func (r *request) send(ctx context.Context, b *ncat.Bot, p *callParams) (any, error) {
	if r.op == "forward" {
		return b.Forward(ctx, p.Chat.chat(), p.IDs...)
	}
	content, err := r.content(p.Content)
	if err != nil {
		return nil, err
	}
	if r.op == "send" {
		return b.Send(ctx, p.Chat.chat(), content...)
	}
	nodes := onebot.Message{}
	for _, c := range content {
		n, ok := c.(onebot.Segment)
		if !ok {
			return nil, &argumentError{text: "a forward takes nodes only"}
		}
		nodes = append(nodes, n)
	}
	return b.SendForward(ctx, p.Chat.chat(), nodes)
}

// act does what is neither a message nor an action by name.
func (r *request) act(ctx context.Context, b *ncat.Bot, e onebot.Event, p *callParams) (any, error) {
	switch r.op {
	case "recall":
		return nil, b.Recall(ctx, p.MessageID)
	case "react":
		return nil, b.React(ctx, p.MessageID, p.Emoji, p.On)
	case "kick":
		return nil, b.Kick(ctx, p.Group, p.User, p.On)
	case "ban":
		return nil, b.Ban(ctx, p.Group, p.User, time.Duration(p.Duration))
	case "approve":
		return nil, b.Approve(ctx, e)
	case "reject":
		return nil, b.Reject(ctx, e, p.Reason)
	case "wait_for":
		return r.waitFor(ctx, b, p)
	case "download":
		return r.download(ctx, b, p)
	}
	return nil, fmt.Errorf("no such call: %s", r.op)
}

func (r *request) waitFor(ctx context.Context, b *ncat.Bot, p *callParams) (any, error) {
	o := struct{ Within *duration }{}
	if len(p.Options) > 0 {
		if err := json.Unmarshal(p.Options, &o); err != nil {
			return nil, &argumentError{text: err.Error()}
		}
	}
	within := time.Minute
	if o.Within != nil {
		within = time.Duration(*o.Within)
	}
	f, err := p.Filter.filter()
	if err != nil {
		return nil, err
	}
	e, err := b.WaitFor(r.conversation(ctx), within, f)
	if err != nil {
		return nil, err
	}
	text, err := eventJSON(e)
	return json.RawMessage(text), err
}

// maxDownload bounds what a script takes into its memory.
const maxDownload = 8 << 20

func (r *request) download(ctx context.Context, b *ncat.Bot, p *callParams) (any, error) {
	var msg onebot.Message
	if err := json.Unmarshal(append(append([]byte("["), p.Segment...), ']'), &msg); err != nil || len(msg) != 1 {
		return nil, &argumentError{text: "download: this is no segment"}
	}
	var o struct {
		MaxSize int64    `json:"maxSize"`
		Types   []string `json:"types"`
	}
	if len(p.Options) > 0 {
		if err := json.Unmarshal(p.Options, &o); err != nil {
			return nil, &argumentError{text: "download: " + err.Error()}
		}
	}
	if o.MaxSize <= 0 || o.MaxSize > maxDownload {
		o.MaxSize = maxDownload
	}
	opts := []ncat.DownloadOption{ncat.MaxSize(o.MaxSize)}
	if len(o.Types) > 0 {
		opts = append(opts, ncat.OnlyTypes(o.Types...))
	}
	var buf bytes.Buffer
	d, err := b.Download(ctx, &buf, msg[0], opts...)
	if err != nil {
		return nil, err
	}
	return map[string]any{"name": d.Name, "type": d.Type, "size": d.Size, "sha256": d.SHA256, "base64": base64.StdEncoding.EncodeToString(buf.Bytes())}, nil
}

// askOptions reads the options of a question.
func askOptions(raw json.RawMessage) ([]ncat.AskOption, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var o struct {
		Within       *duration   `json:"within"`
		CancelOn     *[]string   `json:"cancelOn"`
		Where        *filterSpec `json:"where"`
		FromAnyone   bool        `json:"fromAnyone"`
		CommandsGoOn bool        `json:"commandsGoOn"`
		Tries        int         `json:"tries"`
	}
	if err := strict(raw, &o); err != nil {
		return nil, err
	}
	var opts []ncat.AskOption
	if o.Within != nil {
		opts = append(opts, ncat.Within(time.Duration(*o.Within)))
	}
	if o.CancelOn != nil {
		opts = append(opts, ncat.CancelOn(*o.CancelOn...))
	}
	if o.Where != nil {
		f, err := o.Where.filter()
		if err != nil {
			return nil, err
		}
		opts = append(opts, ncat.AnswerWhere(f))
	}
	if o.FromAnyone {
		opts = append(opts, ncat.FromAnyone())
	}
	if o.CommandsGoOn {
		opts = append(opts, ncat.CommandsGoOn())
	}
	if o.Tries > 0 {
		opts = append(opts, ncat.Tries(o.Tries))
	}
	return opts, nil
}

// strict decodes an object of options, in which an unknown one is a mistake.
func strict(raw json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badJSON("", err)
	}
	return nil
}

// badJSON words what is wrong with what a script handed over, in the names that
// types have there.
func badJSON(what string, err error) error {
	said := strings.TrimPrefix(err.Error(), "json: ")
	f := api.Because(api.CodeScriptSaid, said)
	var bad *json.UnmarshalTypeError
	if errors.As(err, &bad) {
		wanted := "object"
		switch bad.Type.Kind() {
		case reflect.String:
			wanted = "string"
		case reflect.Bool:
			wanted = "boolean"
		case reflect.Slice, reflect.Array:
			wanted = "array"
		case reflect.Int, reflect.Int64, reflect.Int32, reflect.Float64:
			wanted = "number"
		}
		f = api.Because(api.CodeScriptRegType, cmp.Or(bad.Field, "value"), wanted, strings.Replace(bad.Value, "bool", "boolean", 1))
	} else if name, unknown := strings.CutPrefix(said, "unknown field "); unknown {
		f = api.Because(api.CodeScriptRegOption, strings.Trim(name, `"`))
	}
	if what != "" {
		f = api.Because(api.CodeScriptAt, what).With(f)
	}
	return unfit(f)
}

// eventJSON returns an event as scripts see it: the message is a list of
// segments whatever form the endpoint sends it in.
func eventJSON(e onebot.Event) (string, error) {
	m, ok := e.(onebot.MessageEvent)
	if !ok {
		return jsonText(e)
	}
	b := m.Msg()
	if raw := b.RawText(); raw != "" && b.MessageFormat == "array" && !b.Backfilled && !b.Redelivered {
		return raw, nil
	}
	fields := map[string]any{}
	raw, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(raw, &fields)
	}
	if err != nil {
		return "", err
	}
	fields["message"], fields["backfilled"], fields["redelivered"] = b.Message, b.Backfilled, b.Redelivered
	return jsonText(fields)
}
