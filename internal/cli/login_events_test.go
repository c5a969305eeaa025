package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// TestLoginEvents: what is told follows from two snapshots alone, each thing
// once, also when snapshots in between were lost.
func TestLoginEvents(t *testing.T) {
	at := time.Unix(1, 0)
	account := func(s api.State, l *api.Login) api.Account { return api.Account{Name: "main", State: s, Login: l} }
	waiting := func(url string) *api.Login { return &api.Login{Step: api.StepWaiting, URL: url, Issued: at, Seq: 1} }
	failed := func(l api.Login, r api.LoginReason, when time.Time) *api.Login {
		l.Failed = &api.LoginFailure{Method: api.MethodQuick, Reason: r, Time: when}
		return &l
	}
	for _, tt := range []struct {
		name     string
		from, to api.Account
		want     string
	}{
		{"nothing changed", account(api.StateLoginRequired, waiting("a")), account(api.StateLoginRequired, waiting("a")), ""},
		{"first look", api.Account{}, account(api.StateLoginRequired, waiting("a")), "state qr"},
		{"next code", account(api.StateLoginRequired, waiting("a")), account(api.StateLoginRequired, waiting("b")), "qr"},
		{"expiry", account(api.StateLoginRequired, waiting("a")), account(api.StateLoginRequired, &api.Login{Step: api.StepExpired}), "expired"},
		{"late, same code", account(api.StateLoginRequired, waiting("a")), account(api.StateLoginRequired, &api.Login{Step: api.StepTimeout, URL: "a"}), "timeout"},
		{"late, lost the code before", account(api.StateLoginRequired, waiting("a")), account(api.StateLoginRequired, &api.Login{Step: api.StepTimeout, URL: "b"}), "timeout qr"},
		{"a way failed, the code follows", account(api.StateStarting, &api.Login{Step: api.StepQuick}), account(api.StateLoginRequired, failed(*waiting("a"), api.LoginRefused, at)), "failed state qr"},
		{"the same failure again", account(api.StateLoginRequired, failed(*waiting("a"), api.LoginRefused, at)), account(api.StateLoginRequired, failed(*waiting("a"), api.LoginRefused, at)), ""},
		{"a second failure", account(api.StateLoginRequired, failed(*waiting("a"), api.LoginRefused, at)), account(api.StateLoginRequired, failed(*waiting("a"), api.LoginRefused, at.Add(1))), "failed"},
		{"captcha", account(api.StateStarting, &api.Login{Step: api.StepPassword}), account(api.StateLoginRequired, &api.Login{Step: api.StepCaptcha, URL: "p"}), "state captcha"},
		{"new device", account(api.StateLoginRequired, &api.Login{Step: api.StepCaptcha, URL: "p"}), account(api.StateLoginRequired, &api.Login{Step: api.StepNewDevice, URL: "d"}), "new_device"},
		{"online", account(api.StateLoginRequired, waiting("a")), account(api.StateOnline, nil), "online"},
		{"still online", account(api.StateOnline, nil), account(api.StateOnline, nil), ""},
	} {
		var got []string
		for _, e := range loginEvents(tt.from, tt.to) {
			got = append(got, e.Event)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
	}
}
