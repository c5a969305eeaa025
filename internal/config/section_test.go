package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestDecodeSection: values of a plugin's section are written as everywhere in the
// configuration.
func TestDecodeSection(t *testing.T) {
	type inner struct {
		Wait []time.Duration `json:"wait"`
	}
	type conf struct {
		Word  string           `json:"word"`
		Every time.Duration    `json:"every"`
		Keep  int64            `json:"keep" unit:"size"`
		Users []int64          `json:"users"`
		In    inner            `json:"in"`
		By    map[string]inner `json:"by"`
		Ptr   *time.Duration
	}
	got := conf{Word: "default"}
	err := DecodeSection(map[string]any{
		"every": "1m30s", "keep": "1.5KiB", "users": []any{"10000000000", 2}, "ptr": "2s",
		"in": map[string]any{"wait": []any{"1s", "2s"}}, "by": map[string]any{"x": map[string]any{"wait": []any{"3s"}}},
	}, &got)
	two := 2 * time.Second
	want := conf{Word: "default", Every: 90 * time.Second, Keep: 1536, Users: []int64{10000000000, 2}, In: inner{[]time.Duration{time.Second, two}},
		By: map[string]inner{"x": {[]time.Duration{3 * time.Second}}}, Ptr: &two}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := DecodeSection(nil, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("no section: %+v, %v", got, err)
	}
	for text, section := range map[string]map[string]any{
		"in.wait[1]: ":         {"in": map[string]any{"wait": []any{"1s", "soon"}}},
		`write for instance "`: {"every": 30},
		"there are: by, every": {"evry": "1s"},
		"no whole number":      {"users": []any{"bob"}},
		"keep: ":               {"keep": "much"},
	} {
		if err := DecodeSection(section, &conf{}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v, want %q", section, err, text)
		}
	}
}
