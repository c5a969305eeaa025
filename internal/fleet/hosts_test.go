package fleet

import (
	"testing"
	"time"
)

// One host alone tells which others fell silent, and whatever its clock says it counts
// by that of the servers.
func TestSilentOf(t *testing.T) {
	servers := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	heard := map[string]time.Time{
		"a": servers.Add(-silentFrom - time.Second), "b": servers.Add(-time.Second), "c": servers.Add(-silentFrom), "d": servers.Add(-time.Hour),
	}
	for _, skew := range []time.Duration{0, time.Minute, -time.Minute, 24 * time.Hour} {
		now := servers.Add(skew)
		got := silentOf("b", heard, servers, now)
		if len(got) != 2 || got[0].Name != "a" || got[1].Name != "d" || !got[1].Heard.Equal(now.Add(-time.Hour)) {
			t.Errorf("clock off by %s: %+v", skew, got)
		}
	}
	for _, other := range []string{"c", "e"} {
		if got := silentOf(other, heard, servers, servers); got != nil {
			t.Errorf("%s tells what b tells: %+v", other, got)
		}
	}
}
