package p

import (
	"bytes"
	"image/png"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// page answers every request with its content.
type page string

func (p page) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader([]byte(p))), Request: r}, nil
}

// inside is a folder with the files that the page names, in which the test runs.
func inside(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"cat.png": "\x89PNG\r\n\x1a\n a cat", "hello.mp3": "ID3 hello", "cat.mp4": "\x00\x00\x00\x18ftypmp42 a cat", "report.pdf": "%PDF-1.7 report"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSending(t *testing.T) {
	inside(t)
	was := http.DefaultTransport
	http.DefaultTransport = page("\x89PNG\r\n\x1a\n a chart")
	defer func() { http.DefaultTransport = was }()
	ncattest.Run(t, within(block1), func(h *ncattest.Harness) {
		h.Group(700000001).From(1).Says("go")
		sent := h.Sent()
		if len(sent) != 6 || sent[0].Text() != "today" {
			t.Fatalf("%v", sent)
		}
		for i, want := range []string{"\x89PNG\r\n\x1a\n a chart", "\x89PNG\r\n\x1a\n a cat", "", "ID3 hello", "\x00\x00\x00\x18ftypmp42 a cat", "a,b\n1,2\n"} {
			m := sent[i].Message
			if got, ok := h.Content(m[len(m)-1]); want != "" && (!ok || string(got) != want) {
				t.Errorf("%d: %q, %v", i, got, ok)
			}
		}
		if img := sent[1].Message[0].(*onebot.ImageSegment); img.Summary != "[a cat]" {
			t.Errorf("%+v", img)
		}
		if img := sent[2].Message[0].(*onebot.ImageSegment); img.URL != "https://example.com/cat.png" {
			t.Errorf("%+v", img)
		}
		if f := sent[5].Message[0].(*onebot.FileSegment); f.File != "table.csv" {
			t.Errorf("%+v", f)
		}
	})
}

func TestGroupFile(t *testing.T) {
	inside(t)
	ncattest.Run(t, within(block2), func(h *ncattest.Harness) {
		h.Group(700000001).From(1).Says("go")
		h.WantCall("upload_group_file", "group_id", 700000001, "name", "report.pdf")
	})
}

func TestReceiving(t *testing.T) {
	for name, c := range map[string]struct {
		content, answer string
		whole           bool
	}{
		"picture":   {"\x89PNG\r\n\x1a\n a cat", "image/png, 14 bytes", true},
		"text":      {"no picture at all", "only pictures up to 5 MiB, please", false},
		"too large": {"\x89PNG\r\n\x1a\n" + string(make([]byte, 5<<20)), "only pictures up to 5 MiB, please", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			ncattest.Run(t, within(block3), func(h *ncattest.Harness) {
				h.Group(700000001).From(1).Says("go", &onebot.ImageSegment{File: onebot.Base64([]byte(c.content))})
				h.WantLike(c.answer)
				h.Group(700000001).From(1).Says("go without one")
				h.WantNothing()
			})
			if b, err := os.ReadFile("last.png"); c.whole != (err == nil && string(b) == c.content) || !c.whole && !os.IsNotExist(err) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
}

func TestAvatars(t *testing.T) {
	ncattest.Run(t, within(block4), func(h *ncattest.Harness) {
		h.Group(700000001).From(10002).Says("go")
		m := h.One().Message
		if len(m) != 2 {
			t.Fatalf("%v", m)
		}
		for _, s := range m {
			b, ok := h.Content(s)
			if c, err := png.DecodeConfig(bytes.NewReader(b)); !ok || err != nil || c.Width != 640 {
				t.Errorf("%v: %d pixels wide, %v", s, c.Width, err)
			}
		}
	})
}
