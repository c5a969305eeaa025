package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func place(via, url string) Place { return Place{URL: url + "/file.zip", Via: via} }

// TestEveryFaultIsNamedAndTheGoodOneUsed has a file that the race reads whole,
// one that only a transfer shows, and one so large that a broken part of it
// would be worth keeping. The faulty ones are the faster ones.
func TestEveryFaultIsNamedAndTheGoodOneUsed(t *testing.T) {
	for _, size := range []int{256 << 10, 3 << 20, 24 << 20} {
		t.Run(fmt.Sprint(size>>10, "KiB"), func(t *testing.T) {
			content := archive(size, 1)
			places := []Place{
				place("good", serve(t, good(content, 120*time.Millisecond))),
				place("html", serve(t, html)),
				place("truncating", serve(t, truncating(content))),
				place("wrong-byte", serve(t, wrongByte(content))),
				place("stalling", serve(t, stalling(content))),
				place("forbidden", serve(t, forbidden)),
				place("loop", serve(t, redirectLoop)),
			}
			f, log := newFetcher(t, quick)
			got, err := f.Fetch(t.Context(), File{Name: "a.zip", Places: [][]Place{places}, SHA256: digest(content), DigestFrom: "test", Sniff: sniff}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Place.Via != "good" || got.Size != int64(len(content)) {
				t.Errorf("got %+v", got)
			}
			if b, err := os.ReadFile(got.Path); err != nil || !bytes.Equal(b, content) {
				t.Errorf("file differs (%v)", err)
			}
			for via, cause := range map[string]Cause{
				"html": CauseHTML, "truncating": CauseTruncated, "wrong-byte": CauseDigest,
				"stalling": CauseStalled, "forbidden": CauseStatus, "loop": CauseRedirect,
			} {
				if want := "source=" + via + " cause=" + string(cause); !strings.Contains(log.String(), want) {
					t.Errorf("log lacks %q", want)
				}
			}
			if t.Failed() {
				t.Log(log.String())
			}
			if left, _ := filepath.Glob(filepath.Join(f.dir, "*.part*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestOddAnswers: a server whose answer is at odds with itself is given up with
// its cause and leaves nothing; beside a good one it does no harm.
func TestOddAnswers(t *testing.T) {
	content := archive(512<<10, 15)
	whole := func(length int, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(length))
			w.Write(b)
		}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 16 {
		z.Write(make([]byte, 1<<20))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		cause Cause
	}{
		"empty":              {func(http.ResponseWriter, *http.Request) {}, CauseSize},
		"empty of no length": {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, CauseDigest},
		"a length too great": {whole(len(content)+1, content), CauseTruncated},
		"a length too small": {whole(len(content)-1, content[:len(content)-1]), CauseSize},
		"another version":    {whole(len(content), archive(len(content), 16)), CauseDigest},
		"a part, always": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-99/%d", len(content)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(content[:100])
		}, CauseTruncated},
		"another part": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 100-%d/%d", len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(content[100:])
		}, CauseFormat},
		"a part of nothing": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			w.Write(content)
		}, CauseOther},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, CauseFormat},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(content)
			for {
				if _, err := w.Write(content); err != nil {
					return
				}
			}
		}, CauseSize},
		"silence": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, CauseStalled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			odd := place("odd", serve(t, tt.serve))
			file := File{Name: "a.zip", SHA256: digest(content), DigestFrom: "test", Size: int64(len(content)), Sniff: sniff}
			f, _ := newFetcher(t, quick)
			file.Places = [][]Place{{odd}}
			_, err := f.Fetch(t.Context(), file, nil)
			var all *Error
			if !errors.As(err, &all) || !all.Has(tt.cause) {
				t.Errorf("alone: %v, want %s", err, tt.cause)
			}
			if left, err := filepath.Glob(filepath.Join(f.dir, "*")); err != nil || tt.cause != CauseTruncated && len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
			file.Places = [][]Place{{odd, place("good", serve(t, good(content, 0)))}}
			if got, err := f.Fetch(t.Context(), file, nil); err != nil || got.Place.Via != "good" {
				t.Errorf("beside a good one: %+v, %v", got, err)
			}
		})
	}
}

// With nothing but places that break off, what they brought is put together.
func TestFlakyOnesMakeOneFile(t *testing.T) {
	content := archive(4<<20, 14)
	url := func(at int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			start, end := begin(w, r, len(content))
			if start < at && end > at {
				w.Write(content[start:at])
				w.(http.Flusher).Flush()
				<-r.Context().Done() // stands still there, each time
				return
			}
			w.Write(content[start:end])
		})
	}
	f, log := newFetcher(t, quick)
	places := []Place{place("early", url(1<<20)), place("late", url(3<<20))}
	got, err := f.Fetch(t.Context(), File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{places}}, nil)
	if err != nil || got.SHA256 != digest(content) {
		t.Errorf("got %+v, %v\n%s", got, err, log)
	}
	if left, _ := os.ReadDir(f.dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAllBad(t *testing.T) {
	content := archive(64<<10, 2)
	places := []Place{
		place("html", serve(t, html)),
		place("wrong-byte", serve(t, wrongByte(content))),
		place("forbidden", serve(t, forbidden)),
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	places = append(places, place("closed", gone.URL))
	gone.Close()
	f, _ := newFetcher(t, quick)
	_, err := f.Fetch(t.Context(), File{Name: "a.zip", Places: [][]Place{places}, SHA256: digest(content), Sniff: sniff}, nil)
	var all *Error
	if !errors.As(err, &all) || len(all.Places) != len(places) {
		t.Fatalf("error %v", err)
	}
	for _, cause := range []Cause{CauseHTML, CauseDigest, CauseStatus, CauseConnect} {
		if !all.Has(cause) {
			t.Errorf("%s is not among %v", cause, err)
		}
	}
	if all.Dead() {
		t.Error("reported as a dead link")
	}
	if left, _ := os.ReadDir(f.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDeadLink(t *testing.T) {
	f, _ := newFetcher(t, quick)
	places := [][]Place{{place("a", serve(t, http.NotFound)), place("b", serve(t, html))}}
	_, err := f.Fetch(t.Context(), File{Name: "a.zip", Places: places, Insecure: true, Sniff: sniff}, nil)
	var all *Error
	if !errors.As(err, &all) || !all.Dead() {
		t.Errorf("error %v", err)
	}
}

func TestFastestWins(t *testing.T) {
	content := archive(64<<10, 3)
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		pair := []Place{
			place("slow", serve(t, good(content, 120*time.Millisecond))),
			place("fast", serve(t, good(content, 0))),
		}
		f, _ := newFetcher(t, quick)
		got, err := f.Fetch(t.Context(), File{Name: "a.zip", Places: [][]Place{{pair[order[0]], pair[order[1]]}}, SHA256: digest(content)}, nil)
		if err != nil || got.Place.Via != "fast" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// A place that answers only after the race is kept for the end, not given up.
func TestSlowOneIsTheLastResort(t *testing.T) {
	content := archive(64<<10, 4)
	f, _ := newFetcher(t, quick)
	got, err := f.Fetch(t.Context(), File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{{
		place("wrong-byte", serve(t, wrongByte(content))),
		place("slow", serve(t, good(content, 200*time.Millisecond))),
	}}}, nil)
	if err != nil || got.Place.Via != "slow" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// interrupted fetches until a third is there, then is cancelled.
func interrupted(t *testing.T, f *Fetcher, file File, size int) {
	t.Helper()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := f.Fetch(ctx, file, func(e Event) {
		if e.Kind == Arriving && e.Bytes > int64(size)/3 {
			cancel(stop)
		}
	})
	if !errors.Is(err, stop) {
		t.Fatalf("interrupted fetch: %v", err)
	}
	fi, err := os.Stat(f.part(file))
	if err != nil || fi.Size() < int64(size)/3 {
		t.Fatalf("part: %v %v", fi, err)
	}
}

func TestResume(t *testing.T) {
	content := archive(8<<20, 5)
	var sent atomic.Int64
	a := serve(t, good(content, 0))
	b := serve(t, counting(good(content, 0), &sent))
	f, _ := newFetcher(t, quick)
	file := File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{{place("a", a)}}}
	interrupted(t, f, file, len(content))
	// Another place, and another Fetcher, go on where the first one stopped.
	f = New(Options{Dir: f.dir, Limits: quick, Log: f.log})
	file.Places = [][]Place{{place("b", b)}}
	got, err := f.Fetch(t.Context(), file, nil)
	if err != nil || got.SHA256 != digest(content) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if n := sent.Load(); n > int64(len(content))*3/4 {
		t.Errorf("%d of %d bytes were sent again", n, len(content))
	}
	// The third time there is nothing to fetch.
	sent.Store(0)
	if _, err := f.Fetch(t.Context(), file, nil); err != nil || sent.Load() > 0 {
		t.Errorf("fetched again: %d bytes, %v", sent.Load(), err)
	}
}

func TestResumeWithoutRanges(t *testing.T) {
	content := archive(4<<20, 6)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(content) })
	f, _ := newFetcher(t, quick)
	file := File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{{place("a", url)}}}
	interrupted(t, f, file, len(content))
	if got, err := f.Fetch(t.Context(), file, nil); err != nil || got.SHA256 != digest(content) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// A place must not be blamed for what another one sent before.
func TestResumeOfAWrongPart(t *testing.T) {
	content := archive(4<<20, 7)
	wrong := bytes.Clone(content)
	wrong[100] ^= 1
	f, log := newFetcher(t, quick)
	file := File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{{place("bad", serve(t, good(wrong, 0)))}}}
	interrupted(t, f, file, len(content))
	file.Places = [][]Place{{place("good", serve(t, good(content, 0)))}}
	if got, err := f.Fetch(t.Context(), file, nil); err != nil || got.Place.Via != "good" {
		t.Fatalf("got %+v, %v\n%s", got, err, log)
	}
}

// With one place only, breaking off is no reason to give up as long as it
// brings the file further.
func TestBreakingOffIsContinued(t *testing.T) {
	content := archive(4<<20, 8)
	var n atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		start, end := begin(w, r, len(content))
		if end-start > 1<<20 && n.Add(1) < 3 {
			w.Write(content[start : start+1<<20])
			panic(http.ErrAbortHandler)
		}
		w.Write(content[start:end])
	})
	f, _ := newFetcher(t, quick)
	got, err := f.Fetch(t.Context(), File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{{place("flaky", url)}}}, nil)
	if err != nil || got.SHA256 != digest(content) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWithoutDigest(t *testing.T) {
	content := archive(64<<10, 9)
	other := archive(64<<10, 10)
	plain := serve(t, good(content, 0))
	secure := httptest.NewTLSServer(good(content, 0))
	defer secure.Close()
	leaving := httptest.NewTLSServer(http.RedirectHandler(plain+"/file.zip", http.StatusFound))
	defer leaving.Close()
	publisher := func(url string) Place { return Place{URL: url + "/file.zip", Via: "direct", Trusted: true} }
	for _, tt := range []struct {
		name     string
		places   []Place
		insecure bool
		sha      string
		want     Cause // empty: accepted
	}{
		{"publisher over https", []Place{publisher(secure.URL)}, false, "", ""},
		{"publisher over http", []Place{publisher(plain)}, false, "", CauseNoDigest},
		{"publisher redirecting to http", []Place{publisher(leaving.URL)}, false, "", CauseDowngrade},
		{"mirror over https", []Place{place("mirror", secure.URL)}, false, "", CauseNoDigest},
		{"mirror, insecure", []Place{place("mirror", plain)}, true, "", ""},
		{"mirror with a digest", []Place{place("mirror", plain)}, false, digest(content), ""},
		{"mirror that differs from the publisher", []Place{publisher(secure.URL), place("mirror", serve(t, good(other, 0)))}, true, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := newFetcher(t, quick)
			rt := http.DefaultTransport.(*http.Transport).Clone()
			rt.TLSClientConfig = &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			f = New(Options{Dir: f.dir, Limits: quick, Log: f.log, Transport: rt})
			got, err := f.Fetch(t.Context(), File{Name: "a.zip", Places: [][]Place{tt.places}, Insecure: tt.insecure, SHA256: tt.sha}, nil)
			var all *Error
			switch {
			case tt.want == "" && (err != nil || got.SHA256 != digest(content)):
				t.Errorf("got %+v, %v", got, err)
			case tt.want != "" && (!errors.As(err, &all) || !all.Has(tt.want)):
				t.Errorf("got %+v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// TLS is verified: a certificate that nobody vouches for is a named failure.
func TestUntrustedCertificate(t *testing.T) {
	content := archive(64<<10, 11)
	s := httptest.NewTLSServer(good(content, 0))
	defer s.Close()
	f, _ := newFetcher(t, quick)
	_, err := f.Fetch(t.Context(), File{Name: "a.zip", SHA256: digest(content), Insecure: true, Places: [][]Place{{place("a", s.URL)}}}, nil)
	var all *Error
	if !errors.As(err, &all) || !all.Has(CauseTLS) {
		t.Errorf("error %v", err)
	}
}

func TestMirrorAddressArrivesWhole(t *testing.T) {
	content := archive(64<<10, 12)
	var seen atomic.Value
	mirror := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.RequestURI)
		good(content, 0)(w, r)
	})
	const rest = "/https://github.com/o/r/releases/download/v1/a.zip?archive=zip&checksum=1"
	f, _ := newFetcher(t, quick)
	_, err := f.Fetch(t.Context(), File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{{{URL: mirror + rest, Via: mirror}}}}, nil)
	if err != nil || seen.Load() != rest {
		t.Errorf("mirror was asked for %v (%v)", seen.Load(), err)
	}
}

func TestNoRoom(t *testing.T) {
	content := archive(64<<10, 13)
	full := errors.New("no room")
	var asked atomic.Int64
	f, _ := newFetcher(t, quick)
	f.space = func(need int64) error {
		if need != int64(len(content)) {
			t.Errorf("room for %d bytes was asked for", need)
		}
		return full
	}
	places := []Place{
		place("a", serve(t, counting(good(content, 0), &asked))),
		place("b", serve(t, counting(good(content, 0), &asked))),
	}
	if _, err := f.Fetch(t.Context(), File{Name: "a.zip", SHA256: digest(content), Places: [][]Place{places}}, nil); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(f.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzParseContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-99/1234", "bytes 5-5/*", "bytes */10", "bytes 9-1/10", "", "bytes 0-9223372036854775807/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, total, err := parseContentRange(s)
		if err == nil && (start < 0 || total < -1 || total >= 0 && start >= total) {
			t.Errorf("%q: start %d of %d", s, start, total)
		}
	})
}
