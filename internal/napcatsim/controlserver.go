package napcatsim

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// controlServer is where the outside world of this worker is played.
type controlServer struct {
	w     *worker
	token string
	prev  endpoint // of the program that ran here before, zero if none
}

// start listens on loopback and leaves the address in control.json.
func (s *controlServer) start(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.token = randomHex(16)
	if prev, err := NewControl(s.w.p.home()).endpoint(); err == nil {
		s.prev = prev
	}
	e := endpoint{PID: os.Getpid(), Addr: l.Addr().String(), Token: s.token}
	if s.w.ipcOut != nil {
		e.MasterPID = s.w.master
	}
	if err := saveJSON(filepath.Join(Dir(s.w.p.home()), "control.json"), e); err != nil {
		return errors.Join(err, l.Close())
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: discardLog}
	s.w.tasks.Go(func() { _ = srv.Serve(l) }) // ends with the process
	return nil
}

// displaceOther ends the session of another QQ that still runs with this HOME
// and this account, as QQ does when an account logs in a second time. A
// supervisor that starts two copies sees them push each other out.
func (s *controlServer) displaceOther(uin int64) {
	if s.prev.Addr == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c := NewControl(s.w.p.home())
	_ = c.send(ctx, s.prev, "displaced", jsonLine(map[string]int64{"uin": uin}), nil) // usually it is long dead
}

// ServeHTTP runs one command.
func (s *controlServer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.token)) != 1 {
		http.Error(rw, "unauthorized", http.StatusUnauthorized)
		return
	}
	cmd, ok := controlCommands[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.Error(rw, "unknown command", http.StatusNotFound)
		return
	}
	out, err := cmd(s.w, r.Context(), json.NewDecoder(r.Body))
	var notYet *NotYetError
	switch {
	case errors.As(err, &notYet):
		http.Error(rw, notYet.Reason, http.StatusConflict)
		return
	case err != nil:
		http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(jsonLine(out)) // a client that went away does not want it
}

var errNotLoggedIn = &NotYetError{"no account is logged in"}

var controlCommands = map[string]func(w *worker, ctx context.Context, in *json.Decoder) (any, error){
	"say":       (*worker).cmdSay,
	"sent":      (*worker).cmdSent,
	"calls":     (*worker).cmdCalls,
	"act":       (*worker).cmdAct,
	"scan":      (*worker).cmdScan,
	"qr-expire": (*worker).cmdExpire,
	"kick":      (*worker).cmdKick,
	"online":    (*worker).cmdOnline,
	"crash":     (*worker).cmdCrash,
	"freeze":    (*worker).cmdFreeze,
	"mute":      (*worker).cmdMute,
	"refuse":    (*worker).cmdRefuse,
	"drop":      (*worker).cmdDrop,
	"fault":     (*worker).cmdFault,
	"state":     (*worker).cmdState,
	"world":     (*worker).cmdWorld,
	"displaced": (*worker).cmdDisplaced,
}

func (w *worker) cmdSay(ctx context.Context, in *json.Decoder) (any, error) {
	var r SayRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	wd := w.theWorld()
	if wd == nil {
		return nil, errNotLoggedIn
	}
	if ob := w.net(); !r.Unheard && (ob == nil || !ob.heard()) {
		return nil, &NotYetError{"no OneBot client is connected that would get the message"}
	}
	say, err := sayOf(r)
	if ob := w.net(); err == nil && ob != nil {
		say.Segments, err = ob.net.Host().Receive(say.User, say.Segments)
	}
	if err != nil {
		return nil, err
	}
	last := w.sent.last()
	m, err := wd.Say(say)
	if err != nil {
		return nil, err
	}
	out := SayResult{MessageID: int64(m.ID), Answers: []Sent{}}
	deadline := time.NewTimer(r.Wait.D())
	defer deadline.Stop()
	var quiet <-chan time.Time
	for {
		list, more := w.sent.after(last)
		for _, s := range list {
			last = s.Seq
			if r.Group != 0 && s.Group == r.Group || r.Group == 0 && s.Group == 0 && s.User == r.User {
				out.Answers = append(out.Answers, s)
				quiet = time.After(max(r.Quiet.D(), 0))
			}
		}
		select {
		case <-more:
		case <-quiet:
			return out, nil
		case <-deadline.C:
			return out, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (w *worker) cmdSent(_ context.Context, in *json.Decoder) (any, error) {
	var r struct {
		After int `json:"after"`
	}
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	list, _ := w.sent.after(r.After)
	if list == nil {
		list = []Sent{}
	}
	return list, nil
}

func (w *worker) cmdScan(_ context.Context, in *json.Decoder) (any, error) {
	var r struct {
		UIN int64 `json:"uin"`
	}
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	if w.core.confirmDevices() {
		return nil, nil
	}
	return nil, w.core.scan(r.UIN, "")
}

func (w *worker) cmdExpire(context.Context, *json.Decoder) (any, error) {
	return nil, w.core.expire("")
}

func (w *worker) cmdKick(_ context.Context, in *json.Decoder) (any, error) {
	var r struct {
		Title string `json:"title"`
		Text  string `json:"text"`
		Keep  bool   `json:"keep_ticket"`
	}
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	if !w.kick(r.Title, r.Text, r.Keep) {
		return nil, errNotLoggedIn
	}
	return nil, nil
}

func (w *worker) cmdOnline(_ context.Context, in *json.Decoder) (any, error) {
	var r struct {
		Online bool `json:"online"`
	}
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	if !w.shell.changeOnline(r.Online) {
		return nil, errNotLoggedIn
	}
	return nil, nil
}

// crashPause lets the answer of a command out before the process dies of it.
const crashPause = 20 * time.Millisecond

func (w *worker) cmdCrash(_ context.Context, in *json.Decoder) (any, error) {
	var r CrashRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	switch {
	case r.Master && (w.ipcOut == nil || w.master != os.Getppid()):
		return nil, errors.New("there is no master")
	case r.Master:
		return nil, kill(w.master, "KILL")
	case r.Signal != "":
		name := strings.TrimPrefix(strings.ToUpper(r.Signal), "SIG")
		if !knownSignal(name) {
			return nil, errors.New("unknown signal " + r.Signal)
		}
		time.AfterFunc(crashPause, func() { dieOf(name) })
	default:
		time.AfterFunc(crashPause, func() { w.end(r.Code) })
	}
	return nil, nil
}

func (w *worker) cmdFreeze(_ context.Context, in *json.Decoder) (any, error) {
	var r FreezeRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	w.hang(!r.Off)
	if !r.Off && r.For > 0 {
		time.AfterFunc(r.For.D(), func() { w.hang(false) })
	}
	return nil, nil
}

func (w *worker) cmdMute(_ context.Context, in *json.Decoder) (any, error) {
	var r MuteRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	wd := w.theWorld()
	if wd == nil {
		return nil, errNotLoggedIn
	}
	return nil, mute(wd, r)
}

func mute(wd *world.World, r MuteRequest) error {
	owner := wd.Boss(r.Group, 0)
	switch {
	case owner == 0:
		return fmt.Errorf("group %d: %w", r.Group, world.ErrNoGroup)
	case r.All:
		return wd.BanAll(r.Group, owner, !r.Off)
	case r.Off:
		r.Seconds = 0
	case r.Seconds <= 0:
		return errors.New("a mute lasts at least a second")
	}
	if r.User == 0 {
		r.User = wd.Self().UIN
	}
	return wd.Ban(r.Group, r.User, owner, r.Seconds)
}

func (w *worker) cmdRefuse(_ context.Context, in *json.Decoder) (any, error) {
	var r RefuseRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	wd := w.theWorld()
	if wd == nil {
		return nil, errNotLoggedIn
	}
	return nil, refuse(wd, r)
}

func refuse(wd *world.World, r RefuseRequest) error {
	switch {
	case r.Off:
		wd.Refuse(nil, 0)
	case r.Code == 0:
		return errors.New("QQ's code 0 is no refusal")
	default:
		wd.Refuse(&world.Refusal{Code: r.Code, Text: r.Text}, max(0, r.Count))
	}
	return nil
}

func (w *worker) cmdDrop(_ context.Context, in *json.Decoder) (any, error) {
	var r DropRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	ob, wd := w.net(), w.theWorld()
	if ob == nil || wd == nil {
		return nil, errNotLoggedIn
	}
	switch r.Mode {
	case "close":
		ob.dropClients()
	case "away":
		ob.disturb(adapter.Faults{Away: true})
	case "dead":
		wd.SetDeadLink(world.LinkDead)
	case "no-ack":
		wd.SetDeadLink(world.LinkNoAck)
	case "heal":
		wd.SetDeadLink(world.LinkUp)
		ob.disturb(adapter.Faults{})
	case "mute":
		ob.disturb(adapter.Faults{Mute: true})
	case "slow":
		ob.disturb(adapter.Faults{Delay: r.Delay.D()})
	case "shuffle":
		ob.disturb(adapter.Faults{Shuffle: true, Delay: r.Delay.D()})
	case "duplicate":
		ob.disturb(adapter.Faults{Duplicate: true})
	case "no-heartbeat":
		ob.disturb(adapter.Faults{NoHeartbeat: true})
	case "violate":
		ob.net.Violate()
	case "garbage":
		ob.garbage(r.Count)
	case "giant":
		ob.giant(r.Size)
	default:
		return nil, errors.New("unknown mode " + r.Mode)
	}
	return nil, nil
}

func (w *worker) cmdFault(_ context.Context, in *json.Decoder) (any, error) {
	var patch layer
	if err := in.Decode(&patch); err != nil {
		return nil, err
	}
	path := filepath.Join(Dir(w.p.home()), "options.json")
	file, err := readOptionFile(path)
	if err != nil {
		return nil, err
	}
	file = file.over(patch)
	if _, err := file.options(); err != nil {
		return nil, err
	}
	if err := saveJSON(path, file); err != nil {
		return nil, err
	}
	now, err := w.p.options()
	if err != nil {
		return nil, err
	}
	w.optMu.Lock()
	before := w.opt
	w.opt = now
	w.optMu.Unlock()
	asked, err := layer{}.over(patch).options()
	if err != nil {
		return nil, err
	}
	w.changedFaults(before, asked)
	return nil, nil
}

func (w *worker) cmdState(context.Context, *json.Decoder) (any, error) {
	srv, err := w.store.servers()
	if err != nil {
		return nil, err
	}
	code, issued := w.core.current()
	s := State{
		PID: os.Getpid(), Started: w.started, Version: w.p.in.NapCatVersion, Phase: w.shell.phase(),
		Hanging: w.gate.closed(), QR: code, QRCount: issued, WebUILogins: srv.WebUILogins, Sessions: srv.Sessions, Displaced: srv.Displaced, Options: w.options(),
	}
	if w.ipcOut != nil {
		s.MasterPID = w.master
	}
	if ob := w.net(); ob != nil {
		s.Adapters = ob.net.Status()
	}
	w.mu.Lock()
	if w.webui != nil {
		s.WebUIURL = w.webui.url
	}
	w.mu.Unlock()
	w.shell.mu.Lock()
	s.UIN, s.Nick, s.Online, s.LastMethod = w.shell.uin, w.shell.nick, w.shell.self.Online, w.shell.method
	w.shell.mu.Unlock()
	return s, nil
}

func (w *worker) cmdWorld(context.Context, *json.Decoder) (any, error) {
	wd := w.theWorld()
	if wd == nil {
		return nil, errNotLoggedIn
	}
	return wd.Snapshot(), nil
}

func (w *worker) cmdDisplaced(_ context.Context, in *json.Decoder) (any, error) {
	var r struct {
		UIN int64 `json:"uin"`
	}
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	w.shell.mu.Lock()
	same := w.shell.uin == r.UIN
	w.shell.mu.Unlock()
	if !same || w.gate.closed() || !w.shell.kick("下线通知", "你的帐号在另一台设备登录，请注意帐号安全。") {
		return nil, nil
	}
	return nil, w.store.change(func(s *servers) { s.Displaced++ })
}
