package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TakesAccounts says beforehand what AddAccount will say.
func TestTakesAccounts(t *testing.T) {
	for text, want := range map[string]error{
		"": nil, "log: {level: info}\n": nil, "accounts:\n  - {name: a, uin: 10001}\n": nil, "accounts:\n  - name: a\n": nil,
		"accounts: [{name: a, uin: 10001}]\n": ErrEdit,
	} {
		path := filepath.Join(t.TempDir(), "ncatd.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := TakesAccounts(path, "b")
		if !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
		if is, e := os.ReadFile(path); e != nil || string(is) != text {
			t.Errorf("%q was changed: %q, %v", text, is, e)
		}
		if did := AddAccount(path, "name: b\n"); (did == nil) != (err == nil) {
			t.Errorf("%q: foretold %v, was %v", text, err, did)
		}
	}
}
