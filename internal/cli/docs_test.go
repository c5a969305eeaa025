package cli

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/doccheck"
)

// TestCommandsInPages parses every ncatd command line that the pages show, in
// blocks and within lines, against the commands that there are: names, flags,
// their values, and in blocks the number of arguments.
func TestCommandsInPages(t *testing.T) {
	pages, err := doccheck.Pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range pages {
		for _, b := range p.Blocks {
			if b.Lang != "sh" && b.Lang != "console" && b.Lang != "" {
				continue
			}
			for i, line := range strings.Split(b.Text, "\n") {
				args, ok := commandLine(line)
				if !ok || b.Lang == "" && strings.HasPrefix(line, " ") { // a drawing
					continue
				}
				n++
				if err := parseOnly(args, true); err != nil {
					t.Errorf("%s:%d: %q: %v", p.Path, b.Line+i, line, err)
				}
			}
		}
		for _, s := range p.Spans {
			if args, ok := commandLine(s.Text); ok {
				n++
				if err := parseOnly(args, false); err != nil {
					t.Errorf("%s:%d: `%s`: %v", p.Path, s.Line, s.Text, err)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d command lines found", n)
	}
}

// TestReadmeNamesEveryCommand wants each command under the heading of commands.
func TestReadmeNamesEveryCommand(t *testing.T) {
	pages, err := doccheck.Pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if !strings.HasPrefix(p.Path, "README") {
			continue
		}
		named := map[string]bool{}
		for _, s := range p.Spans {
			named[s.Text] = true
		}
		for _, c := range quietRoot().Commands() {
			if !c.Hidden && !named[c.Name()] {
				t.Errorf("%s does not name the command %s", p.Path, c.Name())
			}
		}
	}
}

var program = regexp.MustCompile(`^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:sudo )?(?:-u \S+ )?(?:(?:\./|bin/|/usr/local/bin/)?ncatd|go run (?:\.|\./\S+))(?: |$)`)

// commandLine returns the arguments of a line that calls ncatd, or a program
// with ncatd linked in.
func commandLine(line string) ([]string, bool) {
	line = strings.TrimSpace(line)
	head := program.FindString(line)
	if head == "" || strings.Contains(line, "`") {
		return nil, false
	}
	var args []string
	var word strings.Builder
	quote, in := rune(0), false
	end := func() {
		if in {
			args = append(args, word.String())
		}
		word.Reset()
		in = false
	}
scan:
	for _, r := range line[len(head):] {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ' || r == '\t':
			end()
		case !in && (r == '#' || r == '|' || r == '>' || r == ';' || r == '&' || r == '<'):
			break scan
		default:
			in = true
			word.WriteRune(r)
		}
	}
	end()
	return args, true
}

func quietRoot() *cobra.Command {
	a := &app{Deps: Deps{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}}
	a.lang, _ = text.Detect("en", a.getenv)
	a.out = newOutput(io.Discard, io.Discard, a.lang, a.getenv)
	return a.newRoot()
}

// parseOnly says what is wrong with a command line without carrying it out.
func parseOnly(args []string, whole bool) error {
	root := quietRoot()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	left := c.Flags().Args()
	if c.HasSubCommands() && len(left) > 0 {
		return unknownCommand(&app{root: root}, c, left[0])
	}
	if !whole || strings.Contains(strings.Join(args, " "), "…") {
		return nil
	}
	return c.ValidateArgs(left)
}
