package daemon

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
)

// An account that lost its connection gets twice the time of a start before its
// process ends: time for a worker that starts anew, not for a whole evening.
func TestPolicy(t *testing.T) {
	var c napCatConfig
	c.Account.UIN = 10001
	c.Supervisor.Health.StartTimeout = config.Duration(90 * time.Second)
	c.Supervisor.Health.HeartbeatMisses = 3
	c.Supervisor.MemoryLimit = -1
	p := c.policy()
	if p.Supervisor.StartTimeout != 90*time.Second || p.Supervisor.OfflineTimeout != 3*time.Minute {
		t.Errorf("start %v, offline %v", p.Supervisor.StartTimeout, p.Supervisor.OfflineTimeout)
	}
	if p.UIN != 10001 || p.HeartbeatMisses != 3 || p.MemoryLimit != 0 {
		t.Errorf("%+v", p)
	}
}
