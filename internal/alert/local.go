package alert

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// execChannel tells things to a program: its standard input is the text, and
// NCATD_ALERT_TITLE and NCATD_ALERT_JSON are in its environment. It is run
// directly, not by a shell.
type execChannel struct{ command []string }

// Send implements [Channel].
func (c *execChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if len(c.command) == 0 {
		return &Error{Problem: ProblemConfig, Detail: "there is no command"}
	}
	items, err := json.Marshal(t.Message)
	if err != nil {
		return problem(err)
	}
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Env = append(os.Environ(), "NCATD_ALERT_TITLE="+strings.ReplaceAll(t.Title, "\x00", ""), "NCATD_ALERT_JSON="+string(items))
	cmd.Stdin = strings.NewReader(t.Body + "\n")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return problem(ctx.Err())
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return &Error{Problem: ProblemConfig, Detail: err.Error()}
	default:
		said := strings.Join(strings.Fields(out.String()), " ")
		return &Error{Problem: ProblemRefused, Detail: strings.TrimSuffix(fmt.Sprintf("%v: %s", err, shorten(said, 200, utf8.RuneCountInString)), ": ")}
	}
}

// Call makes a OneBot call of one of the daemon's accounts.
type Call func(ctx context.Context, account, action string, params json.RawMessage) error

// qqChannel tells things as another of the daemon's own accounts.
type qqChannel struct {
	fields map[string]string
	call   Call
}

// Send implements [Channel].
func (c *qqChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	type segment struct {
		Type string            `json:"type"`
		Data map[string]string `json:"data"`
	}
	params := map[string]any{}
	action, target := "send_private_msg", "user_id"
	id := c.fields["user"]
	if g := c.fields["group"]; g != "" {
		action, target, id = "send_group_msg", "group_id", g
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return &Error{Problem: ProblemConfig, Detail: "user or group is no QQ number"}
	}
	params[target] = n
	message := []segment{{"text", map[string]string{"text": shorten(t.Title+"\n"+t.Body, 3000, utf8.RuneCountInString)}}}
	if t.Image != nil {
		message = append(message, segment{"image", map[string]string{"file": "base64://" + base64.StdEncoding.EncodeToString(t.Image)}})
	}
	params["message"] = message
	raw, err := json.Marshal(params)
	if err != nil {
		return problem(err)
	}
	if err := c.call(ctx, c.fields["account"], action, raw); err != nil {
		return problem(err)
	}
	return nil
}
