package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

func TestStatusFitsTheTerminal(t *testing.T) {
	st := api.Status{Accounts: []api.Account{
		{Name: "main", UIN: 3889001001, Nickname: "模拟机器人", State: api.StateOnline, Since: time.Now(), RSSBytes: 300 << 20, Events: 12345},
		{Name: "second", UIN: 3889001002, State: api.StateBackoff, Since: time.Now(), Reason: "crash", Detail: "it ended"},
	}}
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		for cols, stacked := range map[int]bool{0: false, 200: false, 60: true, 40: true} {
			var out bytes.Buffer
			a := &app{lang: lang, out: &output{outW: &out, lang: lang}}
			a.printAccounts(st, cols)
			got := out.String()
			lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
			if stacked == (len(lines) == 3) {
				t.Errorf("%d columns: stacked is to be %v:\n%s", cols, stacked, got)
			}
			for _, l := range lines {
				if cols > 0 && runewidth.StringWidth(l) > cols {
					t.Errorf("%d columns: %q is wider", cols, l)
				}
			}
			for _, want := range []string{"main", "second", "3889001001 模拟机器人", "3889001002", "300MiB", "12345", a.t("state.backoff"), a.t("status.head.detail")} {
				if !strings.Contains(got, want) {
					t.Errorf("%d columns: no %q in\n%s", cols, want, got)
				}
			}
		}
	}
}

// What helps an account that failed is said by every command that shows it.
func TestRemedy(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	for reason, tt := range map[string]struct {
		code api.Code
		want string
	}{
		"wrong_account": {api.CodeWrongAccount, "hint: ncatd login main tries again"},
		"crash":         {"out_of_memory", "hint: give it more memory"},
		"crash_loop":    {"", "hint: ncatd doctor"},
	} {
		d.set(func(a *api.Account) { a.State, a.Reason, a.Fault = api.StateFailed, reason, api.Because(tt.code) })
		if r := d.ncatd(t, "", nil, "status"); !strings.Contains(r.err, tt.want) {
			t.Errorf("status, %s:\n%s%s", reason, r.out, r.err)
		}
	}
}
