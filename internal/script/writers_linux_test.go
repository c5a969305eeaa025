package script

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A file that somebody still writes is not loaded, even if what is there already
// would run.
func TestHalfWrittenIsNotLoaded(t *testing.T) {
	st := newStage(t, func(b *bench) { b.write("a.ts", fmt.Sprintf(answers, "old")) })
	st.answers("old")
	f, err := os.Create(filepath.Join(st.dir, "a.ts"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("// half of it\n"); err != nil {
		t.Fatal(err)
	}
	st.write("b.ts", `import { onPrivate, textIs } from "ncat"; onPrivate(textIs("other"), (m) => m.reply("b"));`)
	st.until("a plugin that was saved later runs", func() bool { st.say("other"); return st.count("b") > 0 })
	st.answers("old")
	if _, err := fmt.Fprintf(f, answers, "new"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	st.answers("new")
}
