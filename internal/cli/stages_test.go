package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

// TestStages: start tells each thing once, in the user's language, with what
// helps, whatever snapshots it gets how often.
func TestStages(t *testing.T) {
	for _, tt := range []struct {
		lang text.Lang
		want []string
	}{
		{text.English, []string{
			"the disk is full; last line: ENOSPC", "next try in 30s",
			"scan", "https://txz.qq.com/p?k=1", "online", "does less than it should: plugin draw does not run: boom", "hint: ncatd plugin list"}},
		{text.Chinese, []string{"稍后重试（磁盘已满；最后一行：ENOSPC） · 30s 后重试", "扫", "已上线", "有故障：插件 draw 没有运行：boom", "hint: ncatd plugin list"}},
	} {
		var errs bytes.Buffer
		a := &app{lang: tt.lang, Deps: Deps{Stderr: &errs}}
		a.out = newOutput(&bytes.Buffer{}, &errs, tt.lang, a.getenv)
		s := &stages{a: a, began: time.Now()}
		now, boom := time.Now(), api.Because(api.CodePluginError, "boom")
		for _, acc := range []api.Account{
			{State: api.StateBackoff, Reason: "disk_full", NextTry: now.Add(30 * time.Second), Fault: api.Because(api.CodeDiskFull).With(api.Because(api.CodeLastLine, "ENOSPC"))},
			{State: api.StateLoginRequired, Reason: "qr", Fault: api.Because(api.CodeLoginQR), Login: &api.Login{Step: api.StepWaiting, URL: "https://txz.qq.com/p?k=1", Issued: now, Seq: 1}},
			{State: api.StateLoginRequired, Reason: "qr", Fault: api.Because(api.CodeLoginQRExpired), Login: &api.Login{Step: api.StepExpired, Seq: 1}},
			{State: api.StateLoginRequired, Reason: "qr", Fault: api.Because(api.CodeLoginQR), Login: &api.Login{Step: api.StepRefreshed, URL: "https://txz.qq.com/p?k=2", Issued: now, Seq: 2}},
			{State: api.StateOnline, UIN: 1, Degraded: []api.Degraded{{Code: api.CodePluginFailed, Args: []string{"draw", "boom"}, Cause: &boom, Since: now}}},
			{State: api.StateOnline, UIN: 1, Degraded: []api.Degraded{{Code: api.CodePluginFailed, Args: []string{"draw", "boom"}, Cause: &boom, Since: now, Count: 2}}},
		} {
			acc.Name = "main"
			for range 2 {
				if err := s.show(api.WatchItem{State: &acc}); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := errs.String()
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: lacks %q in\n%s", tt.lang, want, got)
			}
		}
		for _, once := range []string{"ENOSPC", "https://txz.qq.com/p?k=1", "https://txz.qq.com/p?k=2", "boom", text.T(tt.lang, "state.login_required")} {
			if n := strings.Count(got, once); n != 1 {
				t.Errorf("%s: %q is told %d times in\n%s", tt.lang, once, n, got)
			}
		}
	}
}

// TestNobodyScannedForAQuickLogin: a code of an earlier login is not what a later
// one by ticket was accepted for.
func TestNobodyScannedForAQuickLogin(t *testing.T) {
	var errs bytes.Buffer
	a := &app{lang: text.English, Deps: Deps{Stderr: &errs}}
	a.out = newOutput(&bytes.Buffer{}, &errs, a.lang, a.getenv)
	s := &stages{a: a, began: time.Now()}
	show := func(state api.State, login *api.Login) {
		t.Helper()
		if err := s.show(api.WatchItem{State: &api.Account{Name: "main", State: state, Login: login}}); err != nil {
			t.Fatal(err)
		}
	}
	login := func() {
		show(api.StateConnecting, &api.Login{Step: api.StepAccepted})
		show(api.StateOnline, nil)
	}
	show(api.StateLoginRequired, &api.Login{Step: api.StepWaiting, URL: "https://txz.qq.com/p?k=1", Seq: 1})
	login()
	const scanned = "the QR code was scanned"
	if strings.Count(errs.String(), scanned) != 1 {
		t.Fatalf("a scan is not told:\n%s", errs.String())
	}
	show(api.StateStarting, &api.Login{Step: api.StepQuick, UIN: 1})
	login()
	if strings.Count(errs.String(), scanned) != 1 {
		t.Errorf("a scan is told that was none:\n%s", errs.String())
	}
}
