package install

import (
	"errors"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
)

// Ten mirrors without a digest are a word beside what was tried, which comes first.
func TestFaultOfManySources(t *testing.T) {
	e := &fetch.Error{Name: "x.zip"}
	add := func(via string, c fetch.Cause, err error) {
		e.Places = append(e.Places, &fetch.PlaceError{Place: fetch.Place{Via: via}, Cause: c, Err: err})
	}
	for _, m := range []string{"https://a/", "https://b/", "https://c/", "https://d/"} {
		add(m, fetch.CauseNoDigest, errors.New("x"))
	}
	add("https://e/", fetch.CauseHTML, errors.New("x"))
	add("direct", fetch.CauseDNS, errors.New("no such host"))
	add("https://f/", fetch.CauseHTML, errors.New("x"))
	var got []string
	for f := new(fetchFault(e)); f != nil; f = f.Cause {
		got = append(got, string(f.Code)+" "+strings.Join(f.Args, ""))
	}
	want := "not_fetched x.zip|source_html_page https://e/, https://f/|source_dns direct (no such host)|source_no_digest https://a/, https://b/, … (4)"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}
