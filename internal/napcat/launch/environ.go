package launch

import (
	"slices"
	"strings"
)

// Environ returns the environment of a QQ: ours without what is meant for ncatd
// or would lead NapCat astray, without the variable named secret, and with what
// is set.
func Environ(environ []string, set map[string]string, secret string) []string {
	var env []string
	for _, kv := range environ {
		k, _, _ := strings.Cut(kv, "=")
		if _, ok := set[k]; ok || k == "" || k == secret || k == "DISPLAY" && set["DISPLAY"] == "" {
			continue
		}
		switch {
		case strings.HasPrefix(k, "NCATD_"), strings.HasPrefix(k, "NAPCAT_"),
			strings.HasPrefix(k, "XDG_") && strings.HasSuffix(k, "_HOME"), // they would replace HOME
			k == "NOTIFY_SOCKET", k == "LISTEN_FDS", k == "LISTEN_PID", k == "WATCHDOG_USEC", k == "WATCHDOG_PID",
			k == "ELECTRON_RUN_AS_NODE", k == "NODE_OPTIONS":
			continue
		}
		env = append(env, kv)
	}
	for k, v := range set {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	return env
}
