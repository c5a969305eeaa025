package cli

import (
	"context"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
)

// A code that is asked for ends what is under way: a new device that a phone has
// scanned and not confirmed yet, and the code that NapCat fetches by itself.
func TestLoginAsksForACodeOnlyWhenIdle(t *testing.T) {
	for _, c := range []struct {
		login *api.Login
		want  bool
	}{
		{nil, true},
		{&api.Login{Step: api.StepFailed}, true},
		{&api.Login{Step: api.StepWaiting, URL: "x"}, false},
		{&api.Login{Step: api.StepExpired}, false},
		{&api.Login{Step: api.StepCaptcha, URL: "x"}, false},
		{&api.Login{Step: api.StepNewDevice, URL: "x"}, false},
		{&api.Login{Step: api.StepScanned}, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // what it would ask for is asked of nobody
		cl := client.New(t.TempDir() + "/sock")
		s := &loginSession{cl: cl, known: true, since: time.Now().Add(-time.Minute)}
		s.acc = api.Account{Name: "main", State: api.StateLoginRequired, Login: c.login}
		s.nudge(ctx)
		s.wg.Wait()
		if s.renewed != c.want {
			t.Errorf("with %+v a code was asked for: %v", c.login, s.renewed)
		}
		cl.Close()
	}
}

// What became idle just now is given its time.
func TestLoginGivesTheNextStepItsTime(t *testing.T) {
	long := time.Now().Add(-time.Minute)
	s := &loginSession{known: true, begun: true, since: long, view: &plainLogin{}}
	s.acc = api.Account{Name: "main", State: api.StateLoginRequired, Login: &api.Login{Step: api.StepWaiting, URL: "x"}}
	s.shown = s.acc
	next := s.acc
	next.Login = &api.Login{Step: api.StepFailed}
	if _, err := s.account(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if s.renewed || !s.since.After(long) {
		t.Errorf("a code was asked for at once: %v, idle since %v", s.renewed, s.since)
	}
}
