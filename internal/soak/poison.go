//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

// poisoned is the panic that ends a process which is told "/poison".
const poisoned = "soak: this message is poison"

// poison sends a message whose handler ends the process, under a service manager
// that starts ncatd again each second: it dies twice at most, and then runs, and
// says what it died of and at which message.
func (s *stage) poison(ctx context.Context) error {
	s.env = append(s.env, ledgerEnv+"="+filepath.Join(filepath.Dir(string(s.home)), "ledger"))
	if err := s.configure(1, fast, nil); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if _, err := s.await(ctx, "first start", 60*time.Second, online); err != nil {
		return err
	}
	said, err := s.sim(s.names[0]).Say(ctx, napcatsim.SayRequest{User: talkMember, Group: talkGroup, Text: "/poison"})
	if err != nil {
		return err
	}
	deaths := 0
	for quiet := false; !quiet; {
		select {
		case <-s.exited:
			if deaths++; deaths > 2 {
				return errors.New("it died a third time")
			}
			pause(ctx, time.Second)
			if err := s.start(); err != nil {
				return err
			}
		case <-time.After(8 * time.Second):
			quiet = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	st, err := s.await(ctx, "after the poison", 30*time.Second, online)
	if err != nil {
		return err
	}
	r, err := s.sim(s.names[0]).Say(ctx, napcatsim.SayRequest{User: talkMember, Group: talkGroup, Text: "/ping", Wait: napcatsim.Duration(5 * time.Second)})
	if err != nil || len(r.Answers) != 1 {
		return fmt.Errorf("it does not answer: %v, %+v", err, r)
	}
	fmt.Printf("%d deaths, then online; last crash %+v\n", deaths, st.LastCrash)
	id := fmt.Sprint(said.MessageID)
	if c := st.LastCrash; c == nil || !strings.Contains(c.Panic, poisoned) || c.MessageID != id || c.Account != s.names[0] || c.Chat == "" {
		return fmt.Errorf("the status tells of %+v, want the panic and message %s", c, id)
	}
	for _, args := range [][]string{{"status"}, {"logs", "-n", "500"}} {
		out, err := s.ncatd(ctx, args...)
		if err != nil || !strings.Contains(out, poisoned) || !strings.Contains(out, id) {
			return fmt.Errorf("%s does not tell of the crash and its message %s: %v\n%s", args[0], id, err, out)
		}
	}
	told, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err
	}
	// What Go's runtime prints is not meant: the last start says it in our words.
	if i := strings.LastIndex(string(told), "ncatd itself crashed"); i < 0 || !strings.Contains(string(told[i:]), poisoned) || !strings.Contains(string(told[i:]), id) {
		return errors.New("the next start does not tell of the crash and its message")
	}
	return nil
}

// ncatd runs a command on the stage's home.
func (s *stage) ncatd(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.exe, append([]string{"ncatd", "--home", string(s.home), "--lang", "en"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
