package health

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

func TestRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var told []string
		r := New(slog.New(slog.NewTextHandler(&log, nil)), func(a string) { told = append(told, a) })
		began := time.Now()
		for range 60 {
			r.Set("main", api.CodeStoreWrite, "disk full")
			time.Sleep(time.Second)
		}
		r.Set("main", api.CodeStoreWrite, "i/o error")
		r.Set("main", api.CodePluginFailed, "weather", "no key")
		r.Set("main", api.CodePluginFailed, "dice", "panic")
		r.Set("", api.CodeDiskReadOnly, "/home")
		got := r.Of("main")
		want := []api.Degraded{
			{Code: api.CodeStoreWrite, Args: []string{"i/o error"}, Since: began, Count: 61},
			{Code: api.CodePluginFailed, Args: []string{"weather", "no key"}, Since: time.Now(), Count: 1},
			{Code: api.CodePluginFailed, Args: []string{"dice", "panic"}, Since: time.Now(), Count: 1},
			{Code: api.CodeDiskReadOnly, Args: []string{"/home"}, Since: time.Now(), Count: 1},
		}
		if !slices.EqualFunc(got, want, func(a, b api.Degraded) bool {
			return a.Code == b.Code && slices.Equal(a.Args, b.Args) && a.Since.Equal(b.Since) && a.Count == b.Count
		}) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if other := r.Of("other"); len(other) != 1 || other[0].Code != api.CodeDiskReadOnly {
			t.Errorf("another account: %+v", other)
		}
		if n := strings.Count(log.String(), "msg=degraded"); n != 4 {
			t.Errorf("%d log lines, want one for each reason:\n%s", n, &log)
		}
		if want := []string{"main", "main", "main", "main", ""}; !slices.Equal(told, want) {
			t.Errorf("changes told of %q, want %q", told, want)
		}

		why := api.Fault{Code: api.CodePluginFailed, Args: []string{"dice", "panic"}}.With(api.Because(api.CodePluginError, "panic"))
		r.Report("main", why)
		r.Report("main", why) // again: no change
		if got := r.Of("main"); len(told) != 6 || got[2].Count != 3 || got[2].Fault().Cause == nil || got[2].Cause.Code != api.CodePluginError {
			t.Errorf("another cause: told %q, %+v", told, got)
		}

		r.Clear("main", api.CodePluginFailed, "weather")
		r.Clear("main", api.CodeStoreWrite)
		r.Clear("main", api.CodeStoreWrite) // again: nothing
		if got := r.Of("main"); len(got) != 2 || got[0].Args[0] != "dice" {
			t.Errorf("after clearing: %+v", got)
		}
		if !strings.Contains(log.String(), "reports=61") || strings.Count(log.String(), "no longer degraded") != 2 {
			t.Errorf("the log does not count:\n%s", &log)
		}
		r.Forget("main")
		if got := r.Of("main"); len(got) != 1 {
			t.Errorf("after forgetting: %+v", got)
		}
	})
}

func TestRegistryIsBounded(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler), nil)
	for i := range 10 * maxReasons {
		r.Set("main", api.CodePluginFailed, strings.Repeat("x", i), "e")
	}
	r.Set("main", api.CodeStoreWrite, "disk full") // is not hidden by them
	if got := r.Of("main"); len(got) != maxReasons+1 || got[maxReasons].Code != api.CodeStoreWrite || got[maxReasons-1].Count != 9*maxReasons+1 {
		t.Errorf("%d reasons, the last counts %d", len(got), got[len(got)-1].Count)
	}
}
