// Package await waits, in tests, for what another process does. Its central
// function is [True]. It is for conditions that nobody announces: where there is
// a channel, a line of output or a process to wait for, wait for that. It is no
// part of the product.
package await

import (
	"testing"
	"time"
)

// pause is how long a condition that did not hold is left alone. It is short
// beside whatever a test waits for, and long beside a look at /proc.
const pause = 10 * time.Millisecond

// Poll asks ok again and again until it says yes or limit is over, and reports
// whether it said yes. ok is asked at least once, and not while it runs.
func Poll(limit time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// True is [Poll] that ends the test, naming what never came, when limit is over.
func True(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !Poll(limit, ok) {
		t.Fatalf("not within %s: %s", limit, what)
	}
}
