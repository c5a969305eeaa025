package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/selfupgrade"
)

// selfPoll is how often a daemon that begins anew is looked at: nothing tells a
// stranger that it ended or is there.
const selfPoll = 50 * time.Millisecond

// selfGone is for how long a process must look gone: one that becomes another
// program looks so while its first thread ends before the one that calls exec.
const selfGone = time.Second

// runningDaemon is a daemon as it was before its program changed.
type runningDaemon struct {
	socket  string
	id      proc.Identity
	online  []string // accounts
	args    []string // of its command line, without the program
	env     []string
	dir     string   // in which it was started, for what its command line names
	managed bool     // by a service manager, which starts it again
	unit    []string // of systemd: systemctl's arguments that name it
}

// daemonOf returns the daemon of this home, nil if none runs, or one of another
// program.
func (a *app) daemonOf(ctx context.Context, exe string) *runningDaemon {
	cl, h, err := a.connect()
	if err != nil {
		return nil
	}
	defer cl.Close()
	st, err := cl.Status(ctx)
	if err != nil {
		return nil
	}
	d := &runningDaemon{socket: h.Socket()}
	if d.id, err = proc.Identify(st.PID); err != nil {
		return nil
	}
	of := filepath.Join("/proc", strconv.Itoa(st.PID))
	if at, err := os.Readlink(filepath.Join(of, "exe")); err == nil && selfupgrade.HomeOf(at) != exe {
		a.out.say("%s", a.t("self.another", at))
		return nil
	}
	for _, acc := range st.Accounts {
		if acc.State == api.StateOnline {
			d.online = append(d.online, acc.Name)
		}
	}
	line, _ := os.ReadFile(filepath.Join(of, "cmdline")) // without: see startAgain
	env, _ := os.ReadFile(filepath.Join(of, "environ"))
	if words := split0(line); len(words) > 0 {
		d.args, d.env = words[1:], split0(env)
	}
	d.dir, _ = os.Readlink(filepath.Join(of, "cwd"))
	for _, kv := range d.env {
		d.managed = d.managed || strings.HasPrefix(kv, "NOTIFY_SOCKET=")
	}
	if d.managed {
		groups, _ := os.ReadFile(filepath.Join(of, "cgroup")) // without: the manager notices by itself
		d.unit = unitOf(string(groups))
	}
	return d
}

// unitOf returns the unit of systemd that a process is of, as its control groups
// tell, in the words of systemctl; nil if it is of none.
func unitOf(groups string) []string {
	for line := range strings.Lines(groups) {
		hierarchy, of, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(of, ":")
		if hierarchy != "0" && controllers != "name=systemd" || !strings.HasSuffix(group, ".service") {
			continue
		}
		unit := []string{path.Base(group)}
		if strings.Contains(group, "/user@") {
			unit = append(unit, "--user")
		}
		return unit
	}
	return nil
}

func split0(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// awaitAgain waits until the daemon has the version (empty: any) and its accounts
// are online as before. It returns why not, "" if they are.
func (a *app) awaitAgain(ctx context.Context, cl *client.Client, d *runningDaemon, began time.Time, version string) string {
	tick := time.NewTicker(selfPoll)
	defer tick.Stop()
	why := a.t("self.why_silent")
	var gone time.Time
	for {
		select {
		case <-ctx.Done():
			return why
		case <-tick.C:
		}
		if proc.Alive(d.id) {
			gone = time.Time{}
		} else if gone.IsZero() {
			gone = time.Now()
		} else if time.Since(gone) > selfGone {
			return a.t("self.why_ended")
		}
		st, err := cl.Status(ctx)
		if err != nil || st.Started.Before(began) {
			continue // not there yet, or the one before
		}
		if version != "" && st.Version != version {
			if st.PID != d.id.PID {
				return a.t("self.why_ended") // its manager started the one before
			}
			return a.t("self.why_version", st.Version)
		}
		var missing []string
		for _, name := range d.online {
			if !isOnline(st, name) {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return ""
		}
		why = a.t("self.why_offline", strings.Join(missing, ", "))
	}
}

func isOnline(st api.Status, name string) bool {
	for _, acc := range st.Accounts {
		if acc.Name == name {
			return acc.State == api.StateOnline
		}
	}
	return true // the config does not have it any more
}

// startAgain brings the daemon back with the program at exe, whatever became of
// its process. It leaves one alone that is not of the version.
func (a *app) startAgain(ctx context.Context, cl *client.Client, d *runningDaemon, exe, version string) error {
	began := time.Now()
	asked, cancel := context.WithTimeout(ctx, 5*time.Second)
	st, err := cl.Status(asked)
	if err == nil && st.Version != version {
		cancel()
		return nil
	}
	if err == nil {
		err = cl.Again(asked)
	}
	cancel()
	if err != nil {
		if err := a.revive(ctx, d, exe); err != nil {
			return err
		}
	}
	tick := time.NewTicker(selfPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fail(exitFailure, errString(a.t("err.self_no_daemon", exe)), a.t("hint.self_logs"))
		case <-tick.C:
		}
		if st, err := cl.Status(ctx); err == nil && st.Started.After(began) {
			return nil
		}
	}
}

// revive starts the daemon whose process does not answer, or ended.
func (a *app) revive(ctx context.Context, d *runningDaemon, exe string) error {
	if d.unit != nil {
		// Its manager may have given up, or be waiting for the process that it began
		// meanwhile. That one gets no signal that it could take for the wish to end NapCat.
		a.runProgram(ctx, "systemctl", append([]string{"kill", "--kill-who=main", "--signal=KILL"}, d.unit...))
		if _, code := a.runProgram(ctx, "systemctl", append([]string{"restart", "--no-block"}, d.unit...)); code == exitOK {
			return nil
		}
	}
	if proc.Alive(d.id) {
		p, err := os.FindProcess(d.id.PID)
		if err != nil {
			return err
		}
		_ = p.Kill() // it may have ended
	}
	if d.managed {
		return nil
	}
	cmd := exec.Command(exe, d.args...)
	cmd.Env, cmd.Dir = d.env, d.dir
	cmd.SysProcAttr = a.detachedAs(d.id)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// runProgram runs a program and returns what it printed and its exit code, -1 if
// a signal ended it.
func (a *app) runProgram(ctx context.Context, program string, args []string) (string, int) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = a.Env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var ee *exec.ExitError
	switch {
	case err == nil:
		return out.String(), exitOK
	case errors.As(err, &ee) && ee.ExitCode() >= 0:
		return out.String(), ee.ExitCode()
	case errors.As(err, &ee):
		return strings.TrimSpace(out.String() + "\n" + err.Error()), -1
	}
	return err.Error(), -1
}
