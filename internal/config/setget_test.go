package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/configs"
)

// TestSetWhatGetSays: every key can be set to the value that it has, in a file of
// any form. The file then says that value and nothing else, and setting it again
// changes nothing.
func TestSetWhatGetSays(t *testing.T) {
	for form, src := range map[string]string{
		"empty":   "",
		"comment": "# mine\n",
		"example": string(configs.ExampleConfig),
		"block":   "log:\n  level: info # as ever\n\naccounts:\n- name: main\n  uin: 10001\nbot:\n    prefixes:\n    - /\n",
		"flow":    "{log: {level: info}, accounts: [{name: main, uin: 10001}]}\n",
		"crlf":    "log:\r\n  level: info\r\naccounts:\r\n  - name: main\r\n",
		"no end":  "accounts:\n  - name: main",
	} {
		before, err := Parse("ncatd.yaml", []byte(src))
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		for _, key := range Keys("main") {
			v, err := Get(before, key)
			if err != nil {
				t.Errorf("%s: %s: %v", form, key, err)
				continue
			}
			value := flow(reflect.ValueOf(v))
			if text := reflect.ValueOf(v); text.Kind() == reflect.String {
				value = text.String()
			}
			if key == "accounts.main.name" || value == "[]" || value == "{}" {
				continue // which need no key
			}
			once, err := Set("ncatd.yaml", []byte(src), key, value)
			if err != nil {
				t.Errorf("%s: setting %s to %s: %v", form, key, value, err)
				continue
			}
			after, err := Parse("ncatd.yaml", once)
			if err != nil {
				t.Errorf("%s: %s set to %s: %v\n%s", form, key, value, err, once)
				continue
			}
			if !reflect.DeepEqual(normalize(before), normalize(after)) {
				t.Errorf("%s: %s set to %s makes of\n%+v\nthis\n%+v", form, key, value, before, after)
			}
			if again, err := Set("ncatd.yaml", once, key, value); err != nil || !bytes.Equal(once, again) {
				t.Errorf("%s: %s set to %s again: %v\n%s\n%s", form, key, value, err, once, again)
			}
			if form == "comment" && !strings.HasPrefix(string(once), "# mine\n") {
				t.Errorf("%s: %s lost the comment:\n%s", form, key, once)
			}
			if form == "crlf" && bytes.Count(once, []byte("\n")) != bytes.Count(once, []byte("\r\n")) {
				t.Errorf("%s: %s mixes the ends of lines:\n%q", form, key, once)
			}
		}
	}
}
