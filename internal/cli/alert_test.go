package cli

import (
	"testing"

	"github.com/ncatd/ncatd/internal/control/api"
)

func TestAlertsAreNamedWithoutCodes(t *testing.T) {
	for _, c := range []struct {
		account, what string
		code          api.Code
		want          string
	}{
		{"", "disk_low", api.CodeDiskLow, "ncatd"},
		{"main", "", api.CodeKicked, "main"},
		{"", "koishi", api.CodeAppExit, "ncatd koishi"},
	} {
		if got := subject(c.account, c.what, api.Fault{Code: c.code}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
