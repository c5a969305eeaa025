package rpc

import "time"

// Watched returns how many contexts of waiting calls the connection watches.
func (c *Conn) Watched() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ctxs)
}

// Fibers returns how many fibers there are in the process.
func Fibers() int {
	fibers.RLock()
	defer fibers.RUnlock()
	return len(fibers.by)
}

// ForgetTrim lets memory be given back without a wait for the last time.
func ForgetTrim() {
	trimmed.Lock()
	trimmed.at = time.Time{}
	trimmed.Unlock()
}
