package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/onebot"
	"github.com/ncatd/ncatd/onebot/schema"
)

// inlineImage is the largest picture that goes into the call itself; a larger
// one is named by its path, which NapCat must be able to read.
const inlineImage = 2 << 20

// callTimeout bounds call and send: NapCat itself gives most calls up earlier.
const callTimeout = 60 * time.Second

func newCall(a *app) *cobra.Command {
	var account, params string
	var noCheck, dataOnly bool
	var timeout time.Duration
	c := a.command("call", "call ACTION [key=value...]", between(1, -1, "ACTION"), func(c *cobra.Command, args []string) error {
		body, err := a.callParams(args[0], args[1:], params, noCheck)
		if err != nil {
			return err
		}
		r, err := a.callAccount(c.Context(), account, args[0], body, timeout)
		if err != nil {
			return err
		}
		if dataOnly {
			err = a.out.json(r.Data, false)
		} else {
			err = a.out.json(r, false)
		}
		if err != nil {
			return err
		}
		return a.refused(args[0], r)
	})
	f := c.Flags()
	f.StringVar(&params, "params", "", a.t("flag.params"))
	f.BoolVar(&noCheck, "no-check", false, a.t("flag.no_check"))
	f.BoolVar(&dataOnly, "data", false, a.t("flag.data"))
	f.DurationVar(&timeout, "timeout", callTimeout, a.t("flag.timeout"))
	a.accountFlag(c, &account)
	c.ValidArgsFunction = completeCall
	return c
}

// callAccount makes one call on the account that name means.
func (a *app) callAccount(ctx context.Context, name, action string, params json.RawMessage, timeout time.Duration) (api.CallResponse, error) {
	cl, _, err := a.connect()
	if err != nil {
		return api.CallResponse{}, err
	}
	defer cl.Close()
	acc, err := a.accountAnywhere(ctx, cl, name)
	if err != nil {
		return api.CallResponse{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return cl.Call(ctx, acc.Name, action, params)
}

// callParams makes the parameters of a call and checks their names.
func (a *app) callParams(action string, args []string, params string, noCheck bool) (json.RawMessage, error) {
	act, known := schema.Lookup(baseAction(action))
	if !known && !noCheck {
		return nil, fail(exitUsage, errors.New(a.t("err.unknown_action", action)), a.near("hint.action_near", "hint.action_list", action, schema.Names()))
	}
	m := map[string]json.RawMessage{}
	switch {
	case params != "" && len(args) > 0:
		return nil, usagef(a, "err.params_both")
	case params == "-":
		b, err := io.ReadAll(a.Stdin)
		if err != nil {
			return nil, err
		}
		params = string(b)
		fallthrough
	case params != "":
		if err := a.utf8(params); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(params), &m); err != nil {
			return nil, usagef(a, "err.params_json", err)
		}
		if m == nil {
			return nil, usagef(a, "err.params_json", "null")
		}
	}
	for _, s := range args {
		k, v, err := a.callParam(act, s)
		if err != nil {
			return nil, err
		}
		m[k] = v
	}
	if known && !noCheck {
		if err := a.checkParams(act, m); err != nil {
			return nil, err
		}
	}
	return json.Marshal(m)
}

func (a *app) checkParams(act schema.Action, m map[string]json.RawMessage) error {
	names := make([]string, len(act.Params))
	for i, p := range act.Params {
		names[i] = p.Name
	}
	for _, k := range slices.Sorted(mapKeys(m)) {
		if _, ok := act.Param(k); !ok {
			list := a.t("hint.param_list", strings.Join(names, ", "))
			return fail(exitUsage, errors.New(a.t("err.unknown_param", act.Name, k)), a.nearOr("hint.param_near", k, names, list))
		}
	}
	if missing := act.Missing(m); len(missing) > 0 {
		return fail(exitUsage, errors.New(a.t("err.missing_param", act.Name, strings.Join(missing, ", "))), a.t("hint.param_list", strings.Join(names, ", ")))
	}
	for _, p := range act.Params {
		v, given := m[p.Name]
		var bad *schema.ValueError
		if given && errors.As(p.Check(v), &bad) {
			err := errors.New(a.t("err.param_value."+string(bad.Problem), act.Name, p.Name, printable(clip(string(v), 80)), strings.Join(bad.Want, ", ")))
			return fail(exitUsage, err, a.t("hint.no_check"))
		}
	}
	return nil
}

// callParam reads key=value or key:=JSON. A plain value becomes what the
// parameter is: text where it may be text, else a number, a bool or JSON.
func (a *app) callParam(act schema.Action, s string) (string, json.RawMessage, error) {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" {
		return "", nil, usagef(a, "err.param_form", s)
	}
	if name, isJSON := strings.CutSuffix(k, ":"); isJSON {
		if !json.Valid([]byte(v)) {
			return "", nil, usagef(a, "err.param_json", name, v)
		}
		return name, json.RawMessage(v), nil
	}
	p, _ := act.Param(k)
	looksJSON := strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[")
	text, err := json.Marshal(v)
	if err != nil {
		return "", nil, err
	}
	switch {
	case looksJSON && json.Valid([]byte(v)) && !slices.Equal(p.Types, []string{"string"}):
		return k, json.RawMessage(v), nil
	case slices.Contains(p.Types, "boolean") && (v == "true" || v == "false"):
		return k, json.RawMessage(v), nil
	case slices.Contains(p.Types, "string"):
		return k, text, nil
	case slices.Contains(p.Types, "number"):
		if _, err := strconv.ParseFloat(v, 64); err == nil && json.Valid([]byte(v)) {
			return k, json.RawMessage(v), nil
		}
	}
	return k, text, nil
}

// baseAction takes the suffix off that makes an action asynchronous.
func baseAction(action string) string {
	action = strings.TrimSuffix(action, "_async")
	return strings.TrimSuffix(action, "_rate_limited")
}

// near is a hint that names the nearest of names, or another one.
func (a *app) near(nearCode, otherCode, s string, names []string) string {
	return a.nearOr(nearCode, s, names, a.t(otherCode))
}

func (a *app) nearOr(nearCode, s string, names []string, other string) string {
	if n := nearestName(s, names); n != "" {
		return a.t(nearCode, n)
	}
	return other
}

// completeCall completes actions, then the names of their parameters.
func completeCall(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return schema.Names(), cobra.ShellCompDirectiveNoFileComp
	}
	act, ok := schema.Lookup(baseAction(args[0]))
	if !ok || strings.Contains(word, "=") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, p := range act.Params {
		used := slices.ContainsFunc(args[1:], func(s string) bool { return strings.HasPrefix(s, p.Name+"=") })
		if !used {
			out = append(out, p.Name+"=")
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// sendable returns the messages to send for one: several, if it holds more than QQ
// takes in one.
func sendable(msg string, private bool) []string {
	to := onebot.ChatGroup
	if private {
		to = onebot.ChatPrivate
	}
	m := onebot.ParseCQ(msg)
	if !m.NeedsSplit() {
		return []string{msg}
	}
	var out []string
	for _, part := range m.Split(to) {
		out = append(out, part.CQ())
	}
	if len(out) == 0 {
		return []string{msg} // NapCat says why
	}
	return out
}

// ask is an account's [onebot.Caller] by way of the daemon.
type ask struct {
	a       *app
	account string
	timeout time.Duration
}

// Call implements [onebot.Caller].
func (k ask) Call(ctx context.Context, action string, params, result any) error {
	body := json.RawMessage("{}")
	if params != nil {
		var err error
		if body, err = json.Marshal(params); err != nil {
			return err
		}
	}
	r, err := k.a.callAccount(ctx, k.account, action, body, k.timeout)
	if err == nil {
		err = k.a.refused(action, r)
	}
	if err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(r.Data, result); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// forward is a message as one merged forward of the account's own: QQ shows it as a
// card to open, with text of any length in portions.
func (a *app) forward(ctx context.Context, account, msg string, private bool, timeout time.Duration) (onebot.Message, error) {
	self, err := onebot.NewClient(ask{a, account, timeout}).GetLoginInfo(ctx)
	if err != nil {
		return nil, err
	}
	var nodes onebot.Message
	for _, part := range sendable(msg, private) {
		nodes = append(nodes, onebot.Node(self.UserID, self.Nickname, onebot.ParseCQ(part)...))
	}
	return nodes, nil
}

// send makes one call that sends a message and prints the id of that.
func (a *app) send(ctx context.Context, account, action string, body []byte, timeout time.Duration, asJSON bool) error {
	r, err := a.callAccount(ctx, account, action, body, timeout)
	if err != nil {
		return err
	}
	if asJSON {
		if err := a.out.json(r, false); err != nil {
			return err
		}
		return a.refused(action, r)
	}
	if err := a.refused(action, r); err != nil {
		return err
	}
	var data struct {
		MessageID json.Number `json:"message_id"`
	}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	a.out.print("%s", data.MessageID)
	return nil
}

func newSend(a *app) *cobra.Command {
	var account, group, user string
	var images []string
	var asJSON, forward bool
	var timeout time.Duration
	c := a.command("send", "send (--group ID | --user ID) [TEXT...]", nil, func(c *cobra.Command, args []string) error {
		if (group == "") == (user == "") {
			return usagef(a, "err.send_target")
		}
		action, key, id := schema.SendGroup, "group_id", group
		if user != "" {
			action, key, id = schema.SendPrivate, "user_id", user
		}
		if n, err := strconv.ParseInt(id, 10, 64); err != nil || n <= 0 {
			return usagef(a, "err.not_number", id)
		}
		msg := strings.Join(args, " ")
		for _, img := range images {
			cq, err := a.imageCode(img)
			if err != nil {
				return fail(exitUsage, errors.New(a.t("err.image", err)), "")
			}
			msg += cq
		}
		if strings.TrimSpace(msg) == "" {
			return usagef(a, "err.send_empty")
		}
		var messages []any
		if forward {
			m, err := a.forward(c.Context(), account, msg, user != "", timeout)
			if err != nil {
				return err
			}
			messages = []any{m}
		} else {
			for _, part := range sendable(msg, user != "") {
				messages = append(messages, part)
			}
		}
		for _, m := range messages {
			body, err := json.Marshal(map[string]any{key: id, "message": m})
			if err != nil {
				return err
			}
			if err := a.send(c.Context(), account, action, body, timeout, asJSON); err != nil {
				return err
			}
		}
		return nil
	})
	f := c.Flags()
	f.StringVarP(&group, "group", "g", "", a.t("flag.group"))
	f.StringVarP(&user, "user", "u", "", a.t("flag.user"))
	f.StringArrayVar(&images, "image", nil, a.t("flag.image"))
	f.BoolVar(&forward, "forward", false, a.t("flag.forward"))
	f.BoolVar(&asJSON, "json", false, a.t("flag.json"))
	f.DurationVar(&timeout, "timeout", callTimeout, a.t("flag.timeout"))
	a.accountFlag(c, &account)
	return c
}

// imageCode makes the CQ code of a picture. What is no regular file may never end.
func (a *app) imageCode(img string) (string, error) {
	file := img
	if !strings.HasPrefix(img, "http://") && !strings.HasPrefix(img, "https://") {
		fi, err := os.Stat(img)
		if err != nil {
			return "", err
		}
		if !fi.Mode().IsRegular() {
			return "", errors.New(a.t("err.no_file", printable(img)))
		}
		if fi.Size() > inlineImage {
			abs, err := filepath.Abs(img)
			if err != nil {
				return "", err
			}
			file = (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
		} else {
			b, err := os.ReadFile(img)
			if err != nil {
				return "", err
			}
			file = "base64://" + base64.StdEncoding.EncodeToString(b)
		}
	}
	return "[CQ:image,file=" + cqEscape(file) + "]", nil
}

func cqEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "[", "&#91;", "]", "&#93;", ",", "&#44;").Replace(s)
}

func newEvents(a *app) *cobra.Command {
	var account, typ, ofApp string
	var asJSON, follow bool
	var count int
	c := a.command("events", "events", noArgs, func(c *cobra.Command, _ []string) error {
		if typ != "" && !slices.Contains([]string{"message", "notice", "request", "meta"}, typ) {
			return usagef(a, "err.filter_kind", typ)
		}
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		of, events := ofApp, cl.AppEvents
		if ofApp == "" {
			acc, err := a.accountAnywhere(c.Context(), cl, account)
			if err != nil {
				return err
			}
			of, events = acc.Name, cl.Events
		}
		if a.out.errTTY && !asJSON {
			a.out.say("%s", a.t("events.waiting", of))
		}
		n := 0
		err = events(c.Context(), of, func(raw json.RawMessage) error {
			var head struct {
				PostType string `json:"post_type"`
				Kind     string `json:"kind"`
				Dropped  int    `json:"dropped"`
			}
			if err := json.Unmarshal(raw, &head); err != nil {
				return fmt.Errorf("read an event: %w", err)
			}
			if head.Kind == "dropped" {
				a.out.say("%s", a.t("events.missed", head.Dropped))
				return nil
			}
			if !wanted(head.PostType, typ) {
				return nil
			}
			if asJSON {
				a.out.raw(append(bytes.Clone(escapeJSON(bytes.TrimSpace(raw))), '\n'))
			} else {
				a.out.print("%s", summary(raw))
			}
			if n++; count > 0 && n >= count {
				return errSettled
			}
			return nil
		})
		if errors.Is(err, errSettled) || errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	f := c.Flags()
	f.BoolVarP(&follow, "follow", "f", true, a.t("flag.follow"))
	f.StringVar(&typ, "type", "", a.t("flag.type"))
	f.StringVar(&ofApp, "app", "", a.t("flag.app"))
	f.BoolVar(&asJSON, "json", false, a.t("flag.json"))
	f.IntVarP(&count, "count", "n", 0, a.t("flag.count"))
	_ = c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"message", "notice", "request", "meta"}, cobra.ShellCompDirectiveNoFileComp))
	a.accountFlag(c, &account)
	return c
}

func wanted(postType, typ string) bool {
	switch typ {
	case "":
		return postType != "meta_event"
	case "meta":
		return postType == "meta_event"
	case "message":
		return postType == "message" || postType == "message_sent"
	}
	return postType == typ
}

// summary is an event in one line.
func summary(raw json.RawMessage) string {
	e := logfile.Summarize(raw)
	return clip(printable(time.Unix(e.Time, 0).Format("15:04:05 ")+e.Type+" "+e.Text), 500)
}

// clip cuts s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}
