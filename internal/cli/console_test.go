package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

// The tunnel of the hint must lead to the port that the console has.
func TestConsoleHintHasThePort(t *testing.T) {
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		for link, want := range map[string]string{
			"http://127.0.0.1:18686/#k=X": "ssh -L 18686:127.0.0.1:18686 ",
			"http://[::1]:9000/#k=X":      "ssh -L 9000:[::1]:9000 ",
		} {
			var errs bytes.Buffer
			a := &app{Deps: Deps{Stdout: &bytes.Buffer{}, Stderr: &errs}, lang: lang}
			a.out = newOutput(a.Stdout, a.Stderr, lang, a.getenv)
			a.printLink(api.ConsoleLink{URL: link, Loopback: true, Expires: time.Now().Add(time.Minute)})
			if !strings.Contains(errs.String(), want) {
				t.Errorf("%s: no %q in %s", link, want, errs.String())
			}
		}
	}
}
