package daemon

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/systemd"
)

// environ returns the environment of an app that ncatd runs: ncatd's own without
// what is only ncatd's, what the config adds, and where its account is.
func (a *apps) environ(n *app, hidden []string) []string {
	env := slices.DeleteFunc(systemd.Scrub(a.d.o.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "NCATD_") || strings.HasPrefix(name, "ONEBOT_") || slices.Contains(hidden, name)
	})
	if _, home, err := userOf(n.c.Run.User); err == nil && home != "" {
		env = append(env, "HOME="+home)
	}
	self := ""
	if id := a.gw.Account(n.c.Accounts[0]).Self(); id != 0 {
		self = strconv.FormatInt(id, 10)
	}
	env = append(env, "ONEBOT_URL="+*n.url.Load(), "ONEBOT_TOKEN="+n.token, "ONEBOT_SELF_ID="+self)
	for k, v := range n.c.Run.Env {
		env = append(env, k+"="+v)
	}
	return env
}
