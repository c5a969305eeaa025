// Package ncatd is the whole of ncatd for a program of your own: call [Main] with a bot and the program has every ncatd command, with the bot linked in.
package ncatd
