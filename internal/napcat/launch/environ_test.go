package launch

import (
	"slices"
	"testing"
)

func TestEnviron(t *testing.T) {
	env := Environ([]string{"PATH=/bin", "HOME=/root", "MD5=secret", "LANG=zh_CN.UTF-8", "=x"},
		map[string]string{"HOME": "/acc", "NAPCAT_WORKDIR": "/w"}, "MD5")
	want := []string{"HOME=/acc", "LANG=zh_CN.UTF-8", "NAPCAT_WORKDIR=/w", "PATH=/bin"}
	if !slices.Equal(env, want) {
		t.Errorf("%q, want %q", env, want)
	}
	// Each of these would lead QQ astray or tell it what is meant for ncatd.
	for _, kv := range []string{
		"NODE_OPTIONS=--inspect", "ELECTRON_RUN_AS_NODE=1", "NCATD_HOME=/x", "NAPCAT_QUICK_PASSWORD=p", "DISPLAY=:9",
		"XDG_CONFIG_HOME=/c", "XDG_DATA_HOME=/d", "NOTIFY_SOCKET=/s", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "LISTEN_FDS=1", "LISTEN_PID=1",
	} {
		if got := Environ([]string{kv, "A=b"}, nil, ""); !slices.Equal(got, []string{"A=b"}) {
			t.Errorf("with %s: %q", kv, got)
		}
	}
	if got := Environ([]string{"DISPLAY=:9"}, map[string]string{"DISPLAY": ":5"}, ""); !slices.Equal(got, []string{"DISPLAY=:5"}) {
		t.Errorf("a display of one's own: %q", got)
	}
	// What the user sets is his.
	if got := Environ([]string{"NODE_OPTIONS=--inspect"}, map[string]string{"NODE_OPTIONS": "--trace-warnings"}, ""); !slices.Equal(got, []string{"NODE_OPTIONS=--trace-warnings"}) {
		t.Errorf("NODE_OPTIONS set by the user: %q", got)
	}
}
