package alert

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExecOfManyItems: a program is run however much there is to tell. The text is
// whole, the JSON what an environment has room for.
func TestExecOfManyItems(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "tell")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nset -e\ncat > \"$0.text\"\nprintf %s \"$NCATD_ALERT_JSON\" > \"$0.json\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for items, want := range map[int]int{1: 1, 200: 200, 4000: 1000} {
		text := Text{Title: "title", Body: strings.Repeat("a line of many\n", items)}
		for range items {
			text.Message.Items = append(text.Message.Items, Item{Condition: Condition{Kind: KindLogin, Account: "main"}})
		}
		if err := (&execChannel{[]string{script}}).Send(t.Context(), text); err != nil {
			t.Fatalf("%d items: %v", items, err)
		}
		body, err := os.ReadFile(script + ".text")
		if err != nil || string(body) != text.Body+"\n" {
			t.Errorf("%d items: %d bytes of text, %v", items, len(body), err)
		}
		b, err := os.ReadFile(script + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var m Message
		if err := json.Unmarshal(b, &m); err != nil || len(m.Items) != want || len(b) > maxExecJSON {
			t.Errorf("%d items: %d of them in %d bytes of JSON, %v", items, len(m.Items), len(b), err)
		}
	}
}
