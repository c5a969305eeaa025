package ncat

// life is what runs while at least one account runs the bot.
type life struct {
	core *core
}
