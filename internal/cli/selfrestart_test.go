package cli

import (
	"slices"
	"testing"
)

func TestUnitOf(t *testing.T) {
	for groups, want := range map[string][]string{
		"0::/system.slice/ncatd.service\n":                                              {"ncatd.service"},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/ncatd.service\n":    {"ncatd.service", "--user"},
		"12:pids:/system.slice/x.service\n1:name=systemd:/system.slice/ncatd.service\n": {"ncatd.service"},
		"0::/user.slice/user-1000.slice/session-3.scope\n":                              nil,
		"0::/\n": nil, "": nil,
	} {
		if got := unitOf(groups); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", groups, got, want)
		}
	}
}
