package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/configs"
)

func TestExampleIsTheDefault(t *testing.T) {
	got, err := Parse("ncatd.example.yaml", configs.ExampleConfig)
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(normalize(got), normalize(want)) {
		t.Errorf("the example says\n%+v\nthe defaults are\n%+v", got, want)
	}
}

// normalize makes an empty list or map and a missing one the same.
func normalize(c *Config) *Config {
	if len(c.Bot.PluginConfig) == 0 {
		c.Bot.PluginConfig = nil
	}
	for i := range c.Accounts {
		if len(c.Accounts[i].Networks) == 0 {
			c.Accounts[i].Networks = nil
		}
		if len(c.Accounts[i].Env) == 0 {
			c.Accounts[i].Env = nil
		}
	}
	if len(c.Apps) == 0 {
		c.Apps = nil
	}
	if len(c.Control.Hosts)+len(c.Control.Proxies) == 0 {
		c.Control.Hosts, c.Control.Proxies = nil, nil
	}
	if len(c.NapCat.ExtraArgs) == 0 {
		c.NapCat.ExtraArgs = nil
	}
	if len(c.Alerts.Channels) == 0 {
		c.Alerts.Channels = nil
	}
	if len(c.Alerts.Rules) == 0 {
		c.Alerts.Rules = nil
	}
	for _, list := range []*[]string{&c.Control.Hosts, &c.Control.Proxies} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if len(c.Apps) == 0 {
		c.Apps = nil
	}
	if len(c.Scripts.Grants) == 0 {
		c.Scripts.Grants = nil
	}
	if len(c.Bot.Admins) == 0 {
		c.Bot.Admins = nil
	}
	if len(c.Bot.Plugins.Disable) == 0 {
		c.Bot.Plugins.Disable = nil
	}
	return c
}

func TestExampleHasEveryKey(t *testing.T) {
	text := string(configs.ExampleConfig)
	for _, k := range allKeys() {
		last := k[strings.LastIndexByte(k, '.')+1:]
		if !regexp.MustCompile(`(?m)^#?\s*(- )?` + last + `:`).MatchString(text) {
			t.Errorf("the example lacks %s", k)
		}
	}
}
