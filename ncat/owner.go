package ncat

// owner returns what registrations through b belong to.
func (b *Bot) owner() *owner {
	if b.own != nil {
		return b.own
	}
	return b.core.registry.self
}

// ended reports whether o was stopped.
func (o *owner) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stopped != nil
}
