package script

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestSaveWhileRead saves a plugin in two steps, the second of which comes when the
// first was read and before it runs: nobody is without an answer.
func TestSaveWhileRead(t *testing.T) {
	for _, name := range []string{"a.ts", "a/main.ts"} {
		t.Run(strings.ReplaceAll(name, "/", " "), func(t *testing.T) {
			var second atomic.Pointer[string]
			st := newStage(t, func(b *bench) {
				path := filepath.Join(b.dir, filepath.FromSlash(name))
				b.env.Section = func(string) map[string]any {
					if text := second.Swap(nil); text != nil {
						if err := os.WriteFile(path, []byte(*text), 0o644); err != nil {
							b.t.Error(err)
						}
					}
					return nil
				}
				b.write(name, fmt.Sprintf(answers, "v0"))
			})
			st.answers("v0")
			for i := 1; i <= 5; i++ {
				word := fmt.Sprintf("v%d", i)
				whole := fmt.Sprintf(answers, word)
				second.Store(&whole)
				st.write(name, fmt.Sprintf("// %s\nexport {};\n", word))
				st.until(word, func() bool { st.say("hi"); return st.count(word) > 0 })
			}
			st.until("every message is answered", func() bool {
				st.mu.Lock()
				defer st.mu.Unlock()
				return len(st.sent) == int(st.id)
			})
		})
	}
}
