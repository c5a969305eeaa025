package doccheck

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// linesOf counts the lines of a Go file that are neither blank nor comments.
func linesOf(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

// TestRecipeLines holds the lines that the recipes say the nine bots have.
func TestRecipeLines(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| \[(\w+)\]\(\.\./\.\./examples/\w+\) \|[^|]*\| (\d+) \| (\d+) \|`)
	for _, page := range []string{"recipes.md", "recipes.zh-CN.md"} {
		b, err := os.ReadFile(filepath.Join(root, "docs", "guide", page))
		if err != nil {
			t.Fatal(err)
		}
		rows := row.FindAllStringSubmatch(string(b), -1)
		if len(rows) != 9 {
			t.Errorf("%s has %d bots", page, len(rows))
		}
		for _, r := range rows {
			dir := filepath.Join(root, "examples", r[1])
			code, test := linesOf(t, filepath.Join(dir, "main.go")), linesOf(t, filepath.Join(dir, "main_test.go"))
			if r[2] != strconv.Itoa(code) || r[3] != strconv.Itoa(test) {
				t.Errorf("%s: %s has %d lines and its test %d", page, r[1], code, test)
			}
		}
	}
}

// TestHelloIsShort holds how little a first bot takes, imports included.
func TestHelloIsShort(t *testing.T) {
	if n := linesOf(t, filepath.Join(root, "examples", "hello", "main.go")); n > 15 {
		t.Errorf("hello has %d lines", n)
	}
}
