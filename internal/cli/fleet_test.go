package cli

import (
	"testing"

	"github.com/ncatd/ncatd/internal/control/api"
)

func TestRunsOn(t *testing.T) {
	host := func(name string, here bool, accounts ...api.Account) api.FleetHost {
		return api.FleetHost{Name: name, Here: here, Status: api.Status{Accounts: accounts}}
	}
	leased := api.Account{Name: "main", UIN: 7, Reason: "leased", State: api.StateBackoff}
	hosts := []api.FleetHost{
		host("a", true, leased, api.Account{Name: "x", UIN: 1}),
		host("b", false, api.Account{Name: "seven", UIN: 7, State: api.StateOnline}, api.Account{Name: "twin", UIN: 8}),
		host("c", false, leased, api.Account{Name: "twin", UIN: 9}, api.Account{Name: "only", UIN: 10}),
	}
	for _, tt := range []struct {
		name string
		uin  int64
		host string
		is   string
	}{
		{"main", 7, "b", "seven"}, // by its number, whatever it is called there
		{"only", 0, "c", "only"},
		{"twin", 0, "", ""}, // which one is meant is not known
		{"main", 0, "", ""}, // nobody runs it
		{"x", 0, "", ""},    // it is here
	} {
		if h, acc := runsOn(hosts, tt.name, tt.uin); h != tt.host || acc.Name != tt.is {
			t.Errorf("%s, %d: %q on %q", tt.name, tt.uin, acc.Name, h)
		}
	}
	if all := ownAccounts(hosts); len(all) != 5 {
		t.Errorf("accounts that run elsewhere count twice: %+v", all)
	}
}
