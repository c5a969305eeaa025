package doccheck

import (
	"reflect"
	"testing"
)

func TestRead(t *testing.T) {
	p := Read("docs/x.zh-CN.md", []byte("# 登录 `x`, again!\n\n## A b\n\nSee `ncatd status` and [there](y.md#a-b).\n\n## A b\n\n```go\nfoo()\nbar()\n```\n\n| a | b |\n|---|---|\n| `c` | `d` |\n"))
	if !p.Chinese() || p.Twin() != "docs/x.md" || Read("a.md", nil).Twin() != "a.zh-CN.md" {
		t.Errorf("%s, twin %s", p.Path, p.Twin())
	}
	want := &Page{
		Path:     "docs/x.zh-CN.md",
		Headings: []Heading{{1, "登录 x, again!", "登录-x-again", 1}, {2, "A b", "a-b", 3}, {2, "A b", "a-b-1", 7}},
		Blocks:   []Block{{"go", "foo()\nbar()\n", 10}},
		Spans:    []Span{{"x", 1, false}, {"ncatd status", 5, false}, {"c", 16, false}, {"d", 16, true}},
		Links:    []Link{{"y.md#a-b", 5}},
		Tables:   1,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
}
