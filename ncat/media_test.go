package ncat_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// dialWorld runs b against a simulated NapCat on a real socket until the test
// ends, and returns once it is connected.
func dialWorld(t *testing.T, b *ncat.Bot, opts ...ncat.DialOption) *world.World {
	t.Helper()
	w := world.New(world.Options{UIN: 10001, Nickname: "bot"})
	log := func(string, string) {}
	h := action.New(action.Options{World: w, Log: log, TempDir: t.TempDir()})
	n := adapter.New(adapter.Options{World: w, Host: h, Log: log, Ephemeral: true})
	conf, err := adapter.ParseConfig(`{network:{websocketServers:[{name:"ws",enable:true,port:0,token:"sec",heartInterval:0}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(conf)
	t.Cleanup(func() { n.Close(); h.Close() })
	up := make(chan struct{}, 1)
	ncat.On(b, func(context.Context, *ncat.Bot, *onebot.Lifecycle) error {
		select {
		case up <- struct{}{}:
		default:
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Dial(ctx, "ws://"+n.Addr("ws")+"/", "sec", opts...) }()
	t.Cleanup(func() { cancel(); <-ended })
	next(t, up)
	return w
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// What is sent arrives whole, from every kind of source, in every size, whether
// or not NapCat shares the disk, alone and within a nested forward.
func TestMediaArrives(t *testing.T) {
	for _, shared := range []bool{false, true} {
		b := ncat.New()
		var opts []ncat.DialOption
		if shared {
			opts = append(opts, ncat.SharedDisk())
		}
		w := dialWorld(t, b, opts...)
		friend := onebot.UserID(w.Friends()[0].UIN)
		for _, size := range []int{1, 64 << 10, 64<<10 + 1, 600 << 10} {
			data := noise(size)
			path := filepath.Join(t.TempDir(), fmt.Sprintf("数据 %d%%.bin", size))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for name, src := range map[string]func() ncat.Source{
				"path":   func() ncat.Source { return ncat.Path(path) },
				"bytes":  func() ncat.Source { return ncat.Bytes(data) },
				"seeker": func() ncat.Source { return ncat.Reader(bytes.NewReader(data)) },
				"reader": func() ncat.Source { return ncat.Reader(io.MultiReader(bytes.NewReader(data))) },
			} {
				what := fmt.Sprintf("%s of %d, shared disk %v", name, size, shared)
				before := w.SentCount()
				if _, err := b.SendPrivate(t.Context(), friend, ncat.File(src(), "a.bin")); err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				if got := sentFiles(t, w, before); len(got) != 1 || !bytes.Equal(got[0], data) {
					t.Errorf("%s: %d files arrived", what, len(got))
				}
				before = w.SentCount()
				inner := onebot.Node(10001, "bot", onebot.Text("x"), ncat.Image(src()))
				if _, err := b.SendForward(t.Context(), ncat.Private(friend), onebot.Message{onebot.Node(10001, "bot", inner)}); err != nil {
					t.Errorf("%s in a forward: %v", what, err)
				} else if got := sentFiles(t, w, before); len(got) != 1 || !bytes.Equal(got[0], data) {
					t.Errorf("%s in a forward: %d files arrived", what, len(got))
				}
			}
		}
	}
}

// sentFiles returns the contents of the media in the first message that the bot
// sent after number after, in nodes too.
func sentFiles(t *testing.T, w *world.World, after int) (files [][]byte) {
	t.Helper()
	s, err := w.WaitSent(t.Context(), after, nil)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(m *world.Message)
	walk = func(m *world.Message) {
		for _, seg := range m.Segments {
			f, ok := w.File(seg.Data.String("file_id"))
			if !ok {
				f, ok = w.FindFile(seg.Data.String("file"))
			}
			if !ok {
				continue
			}
			data, err := os.ReadFile(f.Path)
			if err != nil {
				t.Error(err)
			}
			files = append(files, data)
		}
		for _, n := range m.Nodes {
			walk(n)
		}
	}
	walk(&s.Message)
	return files
}

// talker is a Caller that records what is called and answers as told.
type talker struct {
	calls  []string
	answer func(action string, params json.RawMessage) (string, error)
}

func (c *talker) Call(_ context.Context, action string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	c.calls = append(c.calls, action)
	data, err := `{"message_id":1}`, error(nil)
	if c.answer != nil {
		data, err = c.answer(action, raw)
	}
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal([]byte(data), result)
}

// Nothing is sent if the content cannot be brought to NapCat, and the error says
// so, whatever became of the upload.
func TestMediaThatDoesNotArriveIsNotSent(t *testing.T) {
	refused := &onebot.Error{Action: "upload_file_stream", RetCode: 1200, Message: "disk full"}
	c := &talker{answer: func(action string, _ json.RawMessage) (string, error) {
		if action == "upload_file_stream" {
			return "", refused
		}
		return `{"message_id":1}`, nil
	}}
	bot := botlink.Of(ncat.New()).NewSession("", c, botlink.Options{}).Bot()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	once := ncat.Reader(io.MultiReader(strings.NewReader("x")))
	if _, err := bot.SendGroup(t.Context(), 1, ncat.Image(once)); err != nil {
		t.Error(err)
	}
	c.calls = nil
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, s := range map[string]ncat.Source{
		"none": {}, "no such file": ncat.Path(filepath.Join(dir, "none")), "folder": ncat.Path(dir), "empty file": ncat.Path(empty),
		"empty": ncat.Bytes(nil), "empty reader": ncat.Reader(strings.NewReader("")), "reader twice": once,
		"no web address": ncat.URL("file:///etc/passwd"), "refused": ncat.Bytes(noise(65 << 10)),
	} {
		_, err := bot.SendGroup(t.Context(), 1, "look: ", ncat.Image(s))
		if !errors.Is(err, onebot.ErrNotSent) || onebot.MaybeDone(err) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "refused" && !onebot.IsRefused(err) {
			t.Errorf("the refusal is not reachable from %v", err)
		}
	}
	for name, s := range map[string]ncat.Source{"none": ncat.Path(filepath.Join(dir, "none")), "content": ncat.Bytes(nil)} {
		if _, err := bot.Place(t.Context(), s); err == nil || !strings.HasPrefix(err.Error(), "bring "+name+" to NapCat") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bot.SendGroup(ended, 1, ncat.Image(ncat.Bytes(noise(9)))); !errors.Is(err, context.Canceled) || !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("after the end of the context: %v", err)
	}
	c.answer = func(string, json.RawMessage) (string, error) { return "", onebot.ErrUnknownOutcome }
	_, err := bot.SendGroup(t.Context(), 1, ncat.Image(ncat.Bytes(noise(65<<10))))
	if !errors.Is(err, onebot.ErrNotSent) || onebot.MaybeDone(err) {
		t.Errorf("an upload of unknown outcome: %v", err)
	}
	for _, call := range c.calls {
		if call != "upload_file_stream" {
			t.Errorf("%s was called", call)
		}
	}
}

// A reader that can seek begins where it stood and can be sent again.
func TestMediaSentTwice(t *testing.T) {
	b := ncat.New()
	w := dialWorld(t, b)
	friend := onebot.UserID(w.Friends()[0].UIN)
	data := noise(70 << 10)
	r := bytes.NewReader(data)
	_, _ = r.Seek(100, io.SeekStart)
	m := ncat.File(ncat.Reader(r), "x")
	for range 2 {
		before := w.SentCount()
		if _, err := b.SendPrivate(t.Context(), friend, m); err != nil {
			t.Fatal(err)
		}
		if got := sentFiles(t, w, before); len(got) != 1 || !bytes.Equal(got[0], data[100:]) {
			t.Errorf("%d files arrived", len(got))
		}
	}
}

func TestMediaSegments(t *testing.T) {
	var sent string
	c := &talker{answer: func(_ string, p json.RawMessage) (string, error) {
		var m struct{ Message json.RawMessage }
		err := json.Unmarshal(p, &m)
		sent = string(m.Message)
		return `{"message_id":1}`, err
	}}
	s := botlink.Of(ncat.New()).NewSession("", c, botlink.Options{SharedDisk: true})
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := ncat.URL("https://example.org/a.png")
	quoted, _ := json.Marshal(path)
	for _, x := range []struct {
		m    *ncat.Media
		want string
	}{
		{ncat.Image(ncat.Path(path)), `[{"type":"image","data":{"file":` + string(quoted) + `}}]`},
		{ncat.Image(url).Summary("[cat]").Sticker(), `[{"type":"image","data":{"file":"https://example.org/a.png","summary":"[cat]","sub_type":1}}]`},
		{ncat.Voice(ncat.Bytes([]byte("x"))), `[{"type":"record","data":{"file":"base64://eA=="}}]`},
		{ncat.Video(url).Thumb(ncat.Bytes([]byte("y"))), `[{"type":"video","data":{"file":"https://example.org/a.png","thumb":"base64://eQ=="}}]`},
		{ncat.File(ncat.Path(path), ""), `[{"type":"file","data":{"file":` + string(quoted) + `,"name":"a.png"}}]`},
		{ncat.File(url, "b.png"), `[{"type":"file","data":{"file":"https://example.org/a.png","name":"b.png"}}]`},
	} {
		if _, err := s.Bot().SendGroup(t.Context(), 1, x.m); err != nil || sent != x.want {
			t.Errorf("sent %s (%v), want %s", sent, err, x.want)
		}
	}
}

// A received file is fetched from its address, then from the shared disk, then
// from NapCat, and never beyond the limits.
func TestDownload(t *testing.T) {
	png := append([]byte("\x89PNG\r\n\x1a\n"), noise(5000)...)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.png":
			_, _ = w.Write(png)
		case "/slow":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/endless":
			for {
				if _, err := w.Write(png); err != nil {
					return
				}
			}
		case "/page": // what a server says of a picture that it no longer has
			fmt.Fprint(w, "<html><body>expired</body></html>")
		case "/json":
			fmt.Fprint(w, ` {"retcode":-5503007,"retmsg":"download url has expired"}`)
		case "/secret":
			t.Error("an address of this machine was asked")
		case "/cut": // promises more than it gives
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write(png)
		default:
			http.Error(w, "expired", http.StatusNotFound)
		}
	}))
	defer web.Close()
	for _, shared := range []bool{false, true} {
		b := ncat.New()
		var opts []ncat.DialOption
		if shared {
			opts = append(opts, ncat.SharedDisk())
		}
		w := dialWorld(t, b, opts...)
		disk := filepath.Join(t.TempDir(), "k.png")
		if err := os.WriteFile(disk, png, 0o600); err != nil {
			t.Fatal(err)
		}
		known := w.AddFile(world.File{Name: "k.png", Size: int64(len(png)), Path: disk, Kind: "image"})
		image := func(path string) onebot.Segment {
			return &onebot.ImageSegment{File: known.Name, URL: web.URL + path, FileSize: int64(len(png))}
		}
		short := ncat.MaxTime(300 * time.Millisecond)
		for _, x := range []struct {
			name string
			seg  onebot.Segment
			opts []ncat.DownloadOption
			want error
		}{
			{"from the web", image("/a.png"), nil, nil},
			{"expired", image("/gone"), nil, nil},
			{"a page", image("/page"), nil, nil},
			{"a document", image("/json"), []ncat.DownloadOption{ncat.OnlyTypes("image/")}, nil},
			{"no address", &onebot.ImageSegment{File: known.Name}, nil, nil},
			{"a file", &onebot.FileSegment{File: known.Name, FileID: known.ID}, nil, nil},
			{"cut off", image("/cut"), nil, nil},
			{"only pictures", image("/a.png"), []ncat.DownloadOption{ncat.OnlyTypes("video/mp4", "image/")}, nil},
			{"only videos", image("/a.png"), []ncat.DownloadOption{ncat.OnlyTypes("video/")}, ncat.ErrContentType},
			{"only JPEG from NapCat", image("/gone"), []ncat.DownloadOption{ncat.OnlyTypes("image/jpeg")}, ncat.ErrContentType},
			{"announced too large", image("/a.png"), []ncat.DownloadOption{ncat.MaxSize(10)}, ncat.ErrTooLarge},
			{"too large at NapCat", &onebot.ImageSegment{File: known.Name}, []ncat.DownloadOption{ncat.MaxSize(1000)}, ncat.ErrTooLarge},
			{"endless", image("/endless"), []ncat.DownloadOption{ncat.MaxSize(1 << 20)}, ncat.ErrTooLarge},
			{"slow", image("/slow"), []ncat.DownloadOption{short}, context.DeadlineExceeded},
			{"text", onebot.Text("x"), nil, ncat.ErrNoAttachment},
			{"nothing", &onebot.ImageSegment{}, nil, ncat.ErrNoAttachment},
		} {
			path := filepath.Join(t.TempDir(), "got")
			d, err := b.DownloadFile(t.Context(), path, x.seg, append(x.opts, ncat.AllowLocal())...)
			if x.want != nil {
				if !errors.Is(err, x.want) {
					t.Errorf("%s, shared disk %v: %v", x.name, shared, err)
				}
				if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
					t.Errorf("%s, shared disk %v: %v is left", x.name, shared, left)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, shared disk %v: %v", x.name, shared, err)
				continue
			}
			got, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(got, png) || d.Type != "image/png" || d.Size != int64(len(png)) || d.Name != "k.png" || d.SHA256 != fmt.Sprintf("%x", sha256.Sum256(png)) {
				t.Errorf("%s, shared disk %v: %+v, %d bytes, %v", x.name, shared, d, len(got), err)
			}
		}
		var buf bytes.Buffer
		if _, err := b.Download(t.Context(), &buf, image("/secret")); err != nil || !bytes.Equal(buf.Bytes(), png) {
			t.Errorf("past an address of this machine: %d bytes, %v", buf.Len(), err)
		}
		if _, err := b.Download(t.Context(), io.Discard, &onebot.ImageSegment{URL: web.URL + "/secret"}); !errors.Is(err, ncat.ErrLocalAddress) {
			t.Errorf("an address of this machine: %v", err)
		}
		buf.Reset()
		if _, err := b.Download(t.Context(), &buf, image("/gone"), ncat.AllowLocal()); err != nil || !bytes.Equal(buf.Bytes(), png) {
			t.Errorf("into memory: %d bytes, %v", buf.Len(), err)
		}
		if _, err := b.Download(t.Context(), io.Discard, &onebot.ImageSegment{File: "nobody.png"}); !onebot.IsRefused(err) {
			t.Errorf("a file that nobody knows: %v", err)
		}
	}
}
