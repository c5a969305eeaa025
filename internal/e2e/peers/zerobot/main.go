// Command zerobot runs ZeroBot, a framework that nobody here wrote, against the
// simulator (`ncatd sim onebot`): it connects, receives private and group
// messages and a poke, answers, reads back, is refused, and connects again after
// a dropped link. So the simulator holds for bots of other authors, too.
//
//	go run . PATH-OF-NCATD
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	zero "github.com/wdvxdr1123/ZeroBot"
	"github.com/wdvxdr1123/ZeroBot/driver"
	"github.com/wdvxdr1123/ZeroBot/message"
)

const (
	friend  = 3001000001
	group   = 700000001
	token   = "peers-token-0123456789"
	patient = 15 * time.Second
)

// line is one line of the simulator's output.
type line struct {
	Listening []struct{ Addr string }
	Sent      json.RawMessage
	Done      json.RawMessage
	Error     json.RawMessage
}

type sim struct {
	in    io.Writer
	lines chan line
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: zerobot PATH-OF-NCATD")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "zerobot:", err)
		os.Exit(1)
	}
	fmt.Println("zerobot: connects, receives, sends, is refused, connects again: ok")
}

func run(ncatd string) error {
	logrus.SetOutput(io.Discard)
	cmd := exec.Command(ncatd, "sim", "onebot", "--port", "0", "--token", token)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}()
	s := &sim{in: in, lines: make(chan line, 1000)}
	go func() {
		defer close(s.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			var l line
			if json.Unmarshal(sc.Bytes(), &l) == nil {
				s.lines <- l
			}
		}
	}()
	first, err := s.until("the address", func(l line) bool { return l.Listening != nil })
	if err != nil {
		return err
	}

	results := make(chan error, 100)
	zero.OnCommand("echo").Handle(func(ctx *zero.Ctx) { results <- answer(ctx) })
	zero.OnNotice(func(ctx *zero.Ctx) bool { return ctx.Event.SubType == "poke" }).Handle(func(ctx *zero.Ctx) {
		ctx.Send("poked by " + fmt.Sprint(ctx.Event.UserID))
		results <- nil
	})
	zero.Run(&zero.Config{
		CommandPrefix: "/",
		Driver:        []zero.Driver{driver.NewWebSocketClient("ws://"+first.Listening[0].Addr, token)},
	})

	chats := map[string]string{"private": fmt.Sprintf(`"user":%d`, friend), "group": fmt.Sprintf(`"group":%d`, group)}
	for name, chat := range chats {
		if err := s.tell(fmt.Sprintf(`{"say":{%s,"text":"/echo [CQ:face,id=14] %s"}}`, chat, name), results, "echo: "+name); err != nil {
			return fmt.Errorf("%s message: %w", name, err)
		}
	}
	if err := s.tell(fmt.Sprintf(`{"act":{"deed":"poke","user":%d}}`, friend), results, "poked by"); err != nil {
		return fmt.Errorf("poke: %w", err)
	}
	fmt.Fprintln(s.in, `{"drop":{"mode":"close"}}`)
	if _, err := s.until("the drop", func(l line) bool { return l.Done != nil }); err != nil {
		return err
	}
	// It is back when it answers; what is said before is dropped, as NapCat does.
	for i := 0; ; i++ {
		err := s.tell(fmt.Sprintf(`{"say":{%s,"text":"/echo again%d"}}`, chats["group"], i), results, fmt.Sprintf("echo: again%d", i))
		if err == nil || i == 4 {
			return err
		}
	}
}

// answer is the bot's handler: it answers with what it got and tries what can go
// wrong.
func answer(ctx *zero.Ctx) error {
	text := strings.TrimSpace(ctx.ExtractPlainText())
	text = text[strings.LastIndexByte(text, ' ')+1:]
	id := ctx.Send(message.Message{message.Reply(ctx.Event.MessageID), message.Text("echo: " + text)})
	if id.ID() <= 0 {
		return fmt.Errorf("sent as %v", id)
	}
	back := ctx.GetMessage(id)
	if got := back.Elements.ExtractPlainText(); got != "echo: "+text {
		return fmt.Errorf("the message reads %q", got)
	}
	if me := ctx.GetLoginInfo().Get("user_id").Int(); me != ctx.Event.SelfID || me == 0 {
		return fmt.Errorf("logged in as %d, addressed as %d", me, ctx.Event.SelfID)
	}
	if list := ctx.GetGroupList().Array(); len(list) == 0 {
		return errors.New("no groups")
	}
	if members := ctx.GetGroupMemberList(group).Array(); len(members) == 0 {
		return errors.New("no members")
	}
	for action, want := range map[string]int64{"no_such_action": 1404, "set_group_ban": 1400, "delete_msg": 1400} {
		if r := ctx.CallAction(action, zero.Params{}); r.RetCode != want || r.Status != "failed" {
			return fmt.Errorf("%s without params: %s %d", action, r.Status, r.RetCode)
		}
	}
	if r := ctx.CallAction("get_msg", zero.Params{"message_id": 1}); r.RetCode != 1200 {
		return fmt.Errorf("an unknown message: %d", r.RetCode)
	}
	ctx.DeleteMessage(id)
	if got := ctx.GetMessage(id); len(got.Elements) != 0 {
		return fmt.Errorf("the recalled message reads %v", got.Elements)
	}
	return nil
}

// tell lets the world act until the bot has heard it, and waits for its answer.
func (s *sim) tell(deed string, results <-chan error, want string) error {
	deadline := time.After(patient)
	for heard := false; !heard; {
		fmt.Fprintln(s.in, deed)
		select {
		case err := <-results:
			if err != nil {
				return err
			}
			heard = true
		case <-time.After(time.Second): // a host without a client drops what is said
		case <-deadline:
			return errors.New("the bot hears nothing")
		}
	}
	_, err := s.until(want, func(l line) bool { return strings.Contains(string(l.Sent), want) })
	return err
}

// until returns the next line that pick takes.
func (s *sim) until(what string, pick func(line) bool) (line, error) {
	deadline := time.After(patient)
	for {
		select {
		case l, ok := <-s.lines:
			switch {
			case !ok:
				return l, errors.New("the simulator ended")
			case l.Error != nil:
				return l, fmt.Errorf("the simulator says: %s", l.Error)
			case pick(l):
				return l, nil
			}
		case <-deadline:
			return line{}, fmt.Errorf("waited in vain for %s", what)
		}
	}
}
