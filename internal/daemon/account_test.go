//go:build linux

package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/proc"
)

func TestAccountComesOnlineByQR(t *testing.T) {
	t.Parallel()
	o := quickSim()
	off := napcatsim.Off
	o.ScanAfter = &off
	r := newRig(t, "main", o)
	var remembered int64
	r.o.Remember = func(uin int64) { r.mu.Lock(); remembered = uin; r.mu.Unlock() }
	r.start()
	r.await("a QR code", func(a api.Account) bool { return a.State == api.StateLoginRequired && a.Login.Code() })
	if err := r.sim.Scan(t.Context(), napcatsim.DefaultUIN); err != nil {
		t.Fatal(err)
	}
	a := r.online()
	if a.UIN != napcatsim.DefaultUIN || a.Nickname != napcatsim.DefaultNick || a.PIDs.NapCat == 0 || a.Login != nil || a.WebUIURL == "" || a.OneBotURL == "" || a.Restarts != 0 {
		t.Errorf("%+v", a)
	}
	if !r.had(0, api.StateLoginRequired, "qr") {
		t.Error("nobody was asked to scan")
	}
	r.mu.Lock()
	var ready time.Time
	for _, l := range r.logs {
		if strings.Contains(l.r.Message, "OneBot11 适配器初始化完成") {
			ready = l.at
		}
	}
	online := r.hist[len(r.hist)-1].Time
	if !slices.Contains(r.steps, api.StepWaiting) || remembered != napcatsim.DefaultUIN {
		t.Errorf("steps %v, remembered %d", r.steps, remembered)
	}
	r.mu.Unlock()
	if ready.IsZero() {
		t.Fatal("NapCat never said that it is ready")
	}
	t.Logf("ready to online: %v", online.Sub(ready))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if s := r.acc.Snapshot(); s.State != api.StateStopped || s.PIDs.NapCat != 0 {
		t.Errorf("after the stop: %+v", s)
	}
	if id, ok := proc.FindMarked(r.host.state.Marker); ok {
		t.Errorf("process %d is left", id.PID)
	}
}

func TestAccountMasterKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	died := time.Now()
	if err := syscall.Kill(a.PIDs.NapCat, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b := r.await("a new process", func(b api.Account) bool { return b.PIDs.NapCat != 0 && b.PIDs.NapCat != a.PIDs.NapCat })
	t.Logf("killed to spawned: %v", time.Since(died))
	if c := r.anew(a.PIDs.NapCat); c.Restarts != 1 || c.PIDs != b.PIDs {
		t.Errorf("%+v", c)
	}
	if !r.had(0, api.StateBackoff, "crash") {
		t.Error("the history does not tell of a crash")
	}
}

func TestAccountWorkerCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	from := r.mark()
	if err := r.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	r.await("the crash to be seen", func(b api.Account) bool { return b.State != api.StateOnline })
	b := r.online()
	if b.PIDs.NapCat != a.PIDs.NapCat || b.Restarts != 1 {
		t.Errorf("%+v", b)
	}
	if !r.had(from, api.StateConnecting, "crash") && !r.had(from, api.StateConnecting, "link_lost") {
		t.Error("the history does not tell of it")
	}
}

// TestAccountWorkerAgainLogsItselfIn: NapCat starts a dead worker with -q, and a
// second quick login beside that would be one too many for QQ.
func TestAccountWorkerAgainLogsItselfIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	var log bytes.Buffer
	r.d.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.start()
	a := r.online() // by a scan: now there is a ticket
	r.acc.Restart()
	b := r.anew(a.PIDs.NapCat)
	if err := r.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	r.await("the crash to be seen", func(b api.Account) bool { return b.State != api.StateOnline })
	if c := r.online(); c.PIDs.NapCat != b.PIDs.NapCat {
		t.Errorf("another master: %+v", c)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "step=quick") {
		t.Error("a quick login of our own beside NapCat's")
	}
}

func TestAccountKicked(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	if err := r.sim.Kick(t.Context(), "下线通知", "你的帐号当前登录已失效，请重新登录。", false); err != nil {
		t.Fatal(err)
	}
	r.anew(a.PIDs.NapCat)
	if !r.had(0, api.StateStopping, "kicked") {
		t.Error("the history does not tell of the kick")
	}
}

// TestAccountSurvivesNcatd: an ncatd that dies leaves NapCat to the next one.
func TestAccountSurvivesNcatd(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.start()
	a := r.online()
	r.acc.Detach()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.seen = api.Account{}
	r.start()
	b := r.online()
	if b.PIDs.NapCat != a.PIDs.NapCat {
		t.Errorf("pid %d became %d", a.PIDs.NapCat, b.PIDs.NapCat)
	}
	// Now it is wedged while nobody looks.
	r.acc.Detach()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	st, err := r.sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.seen = api.Account{}
	r.start()
	if c := r.online(); c.PIDs.NapCat == a.PIDs.NapCat {
		t.Error("a wedged NapCat was kept")
	}
}

// TestAccountWebUIOverTLS: NapCat serves its WebUI with the certificate that
// lies in its config folder, also to an ncatd that was started again, and after
// the file was replaced, which NapCat does not notice.
func TestAccountWebUIOverTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	conf := filepath.Join(r.c.Dir, "napcat", "config")
	if err := os.MkdirAll(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, conf)
	r.start()
	a := r.online()
	if !strings.HasPrefix(a.WebUIURL, "https://127.0.0.1:") {
		t.Errorf("the WebUI is at %s", a.WebUIURL)
	}
	writeCertificate(t, conf)
	r.acc.Detach()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.seen = api.Account{}
	r.start()
	b := r.online()
	if b.PIDs.NapCat != a.PIDs.NapCat || b.WebUIURL != a.WebUIURL {
		t.Errorf("%d at %s became %d at %s", a.PIDs.NapCat, a.WebUIURL, b.PIDs.NapCat, b.WebUIURL)
	}
	// A worker that finds no certificate any more speaks plainly.
	if err := os.Remove(filepath.Join(conf, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if err := r.sim.Crash(t.Context(), napcatsim.CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	r.await("plain HTTP", func(a api.Account) bool {
		return a.State == api.StateOnline && strings.HasPrefix(a.WebUIURL, "http://")
	})
}

// writeCertificate makes a self-signed certificate for a name that nobody here
// uses.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(-time.Hour), DNSNames: []string{"bot.example"}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAccountWrongAccountIsRefused(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.UIN = 10002
	r := newRig(t, "main", o)
	r.c.Account.UIN = 10001
	r.start()
	a := r.await("failed", func(a api.Account) bool { return a.State == api.StateFailed })
	if a.Reason != "wrong_account" || !strings.Contains(a.Detail, "10001") || !strings.Contains(a.Detail, "10002") {
		t.Errorf("%s: %s", a.Reason, a.Detail)
	}
}

func TestAccountCrashLoopFails(t *testing.T) {
	t.Parallel()
	o := quickSim()
	o.CrashAfter, o.CrashCode = d(50), 11
	r := newRig(t, "main", o)
	r.c.Supervisor.Restart.Initial, r.c.Supervisor.Restart.Max = ms(20), ms(300)
	r.start()
	a := r.await("failed", func(a api.Account) bool { return a.State == api.StateFailed })
	if a.Reason != "crash_loop" || !strings.Contains(a.Detail, "SIGSEGV") || !strings.Contains(a.Detail, "SIGSEGV") {
		t.Errorf("%s: %s", a.Reason, a.Detail)
	}
	r.await("another try", func(a api.Account) bool { return a.State == api.StateStarting })
	r.sim = napcatsim.NewControl(filepath.Join(r.c.Dir, "home"))
	if err := napcatsim.WriteOptions(filepath.Join(r.c.Dir, "home"), quickSim()); err != nil {
		t.Fatal(err)
	}
	r.online()
}

func TestAccountStopAtAnyMoment(t *testing.T) {
	for _, moment := range []string{"starting", "login", "connecting", "online", "halted"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			o := quickSim()
			if moment == "login" {
				off := napcatsim.Off
				o.ScanAfter = &off
			}
			if moment == "connecting" {
				o.OneBotDelay = d(20000)
			}
			r := newRig(t, "main", o)
			r.c.Supervisor.StopTimeout = ms(4000)
			r.start()
			switch moment {
			case "starting":
				r.await("a process", func(a api.Account) bool { return a.PIDs.NapCat != 0 })
			case "login":
				r.await("a QR code", func(a api.Account) bool { return a.Login.Code() })
			case "connecting":
				r.await("the login to be accepted", func(a api.Account) bool { return a.State == api.StateConnecting })
			case "online":
				r.online()
			case "halted":
				a := r.online()
				if err := syscall.Kill(-a.PIDs.NapCat, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("took %v", took)
			}
			if id, ok := proc.FindMarked(r.host.state.Marker); ok {
				t.Errorf("process %d is left", id.PID)
			}
		})
	}
}
