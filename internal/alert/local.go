package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/onebot"
)

// maxQQ is how long a message of QQ may be, in characters, with room to spare.
const maxQQ = 3000

// maxExecJSON is how many bytes NCATD_ALERT_JSON has at most: Linux takes 128 KiB of
// one variable.
const maxExecJSON = 96 << 10

// execChannel tells things to a program: its standard input is the text, and
// NCATD_ALERT_TITLE and NCATD_ALERT_JSON, with as many of the items as there is room
// for, are in its environment. It is run directly, not by a shell.
type execChannel struct{ command []string }

// Send implements [Channel].
func (c *execChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if len(c.command) == 0 {
		return &Error{Problem: ProblemConfig, Detail: "there is no command"}
	}
	m := t.Message
	items, err := json.Marshal(m)
	for err == nil && len(items) > maxExecJSON {
		m.Items = m.Items[:len(m.Items)/2]
		items, err = json.Marshal(m)
	}
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

// qqChannel tells things as another of the daemon's own accounts.
type qqChannel struct {
	fields map[string]string
	caller func(account string) (onebot.Caller, error)
}

// Send implements [Channel].
func (c *qqChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	caller, err := c.caller(c.fields["account"])
	if err != nil {
		return &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	client := onebot.NewClient(caller)
	message := onebot.Message{onebot.Text(shorten(t.Title+"\n"+t.Body, maxQQ, utf8.RuneCountInString))}
	if t.Image != nil {
		message = append(message, &onebot.ImageSegment{File: onebot.Base64(t.Image)})
	}
	to := c.fields["group"]
	if to == "" {
		to = c.fields["user"]
	}
	id, err := strconv.ParseInt(to, 10, 64)
	switch {
	case err != nil:
		return &Error{Problem: ProblemConfig, Detail: "user or group is no QQ number"}
	case c.fields["group"] != "":
		_, err = client.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: onebot.GroupID(id), Message: message})
	default:
		_, err = client.SendPrivateMsg(ctx, onebot.SendPrivateMsgParams{UserID: onebot.UserID(id), Message: message})
	}
	if err != nil {
		return problem(err)
	}
	return nil
}
