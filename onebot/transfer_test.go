package onebot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// store is a Streamer that plays NapCat's stream actions (contract E.3).
type store struct {
	files  map[string][]byte
	got    map[int][]byte
	first  onebot.UploadFileStreamParams
	calls  int
	resets int
	failAt int    // the call that fails
	spoil  string // what a download does wrong
}

func (s *store) Call(_ context.Context, action string, params, result any) error {
	s.calls++
	if s.failAt > 0 && s.calls == s.failAt {
		return &onebot.Error{Action: action, RetCode: 1200, Message: "disk full"}
	}
	p := *params.(*onebot.UploadFileStreamParams)
	st := map[string]any{"type": "stream", "stream_id": p.StreamID, "total_chunks": s.first.TotalChunks}
	switch {
	case p.Reset != nil && *p.Reset:
		s.resets++
		return &onebot.Error{Action: action, RetCode: 1200, Message: "Stream reset completed"}
	case p.TotalChunks != nil:
		s.first, s.got = p, map[int][]byte{}
		st["status"], st["total_chunks"] = "file_created", *p.TotalChunks
	case p.IsComplete != nil && *p.IsComplete:
		var all []byte
		for i := range *s.first.TotalChunks {
			all = append(all, s.got[i]...)
		}
		sum := sha256.Sum256(all)
		if want := s.first.ExpectedSHA256; want != nil {
			if *want != hex.EncodeToString(sum[:]) {
				return &onebot.Error{Action: action, RetCode: 1200, Message: "sha256 mismatch"}
			}
			st["sha256"] = *want
		}
		if s.files != nil {
			s.files[*s.first.Filename] = all
		}
		st["type"], st["status"], st["file_size"], st["file_path"] = "response", "file_complete", len(all), "/tmp/"+*s.first.Filename
	default:
		b, err := base64.StdEncoding.DecodeString(*p.ChunkData)
		if err != nil {
			return err
		}
		s.got[*p.ChunkIndex] = b
		st["status"], st["received_chunks"] = "chunk_received", len(s.got)
	}
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, result)
}

func (s *store) Stream(_ context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	file, size := s.files["f"], 1000
	send := func(format string, args ...any) error { return packet(fmt.Appendf(nil, format, args...)) }
	if err := send(`{"type":"stream","data_type":"file_info","file_name":"f.bin","file_size":%d,"chunk_size":%d,"width":3,"height":4,"out_format":"mp3"}`, len(file), size); err != nil {
		return err
	}
	n := 0
	for at := 0; at < len(file); at += size {
		part := file[at:min(at+size, len(file))]
		if s.spoil == "skip" && n == 2 {
			n++
			continue
		}
		if s.spoil == "fail" && n == 2 {
			return &onebot.Error{Action: action, RetCode: 1200, Message: "gone"}
		}
		if err := send(`{"type":"stream","data_type":"file_chunk","index":%d,"data":%q,"size":%d,"progress":50,"base64_size":9}`, n, base64.StdEncoding.EncodeToString(part), len(part)); err != nil {
			return err
		}
		n++
	}
	total := len(file)
	if s.spoil == "short" {
		total++
	}
	return json.Unmarshal(fmt.Appendf(nil, `{"type":"response","data_type":"file_complete","total_chunks":%d,"total_bytes":%d,"message":"done"}`, n, total), result)
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func TestUpload(t *testing.T) {
	ctx := context.Background()
	data := random(2500)
	sum := sha256.Sum256(data)
	for name, r := range map[string]io.Reader{
		"seeker": bytes.NewReader(data),
		"reader": io.MultiReader(bytes.NewReader(data)),
	} {
		s := &store{files: map[string][]byte{}}
		var steps []int64
		u := onebot.Upload{Name: "../dir/a.bin", ChunkSize: 1000, Progress: func(done, total int64) {
			if total != 2500 {
				t.Errorf("%s: total %d", name, total)
			}
			steps = append(steps, done)
		}}
		if name == "reader" {
			u.Size = 2500
		}
		st, err := onebot.NewClient(s).Upload(ctx, r, u)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(s.files["a.bin"], data) || st.FilePath != "/tmp/a.bin" || fmt.Sprint(steps) != "[1000 2000 2500]" {
			t.Errorf("%s: %+v after %v", name, st, steps)
		}
		if want := s.first.ExpectedSHA256; name == "seeker" && (want == nil || *want != hex.EncodeToString(sum[:])) {
			t.Error("the digest was not announced")
		}
		if s.resets != 0 {
			t.Errorf("%s: %d resets", name, s.resets)
		}
	}
	for name, tc := range map[string]struct {
		r     io.Reader
		u     onebot.Upload
		fail  int
		sent  bool
		wants string
	}{
		"empty":        {bytes.NewReader(nil), onebot.Upload{Name: "a"}, 0, false, "empty"},
		"unknown size": {io.MultiReader(bytes.NewReader(data)), onebot.Upload{Name: "a"}, 0, false, "unknown size"},
		"no name":      {bytes.NewReader(data), onebot.Upload{Name: "dir/"}, 0, false, "name"},
		"dots":         {bytes.NewReader(data), onebot.Upload{Name: `..\..`}, 0, false, "name"},
		"too short":    {io.LimitReader(bytes.NewReader(data), 1500), onebot.Upload{Name: "a", Size: 2500, ChunkSize: 1000}, 0, true, "read at byte 1000"},
		"too long":     {io.MultiReader(bytes.NewReader(data)), onebot.Upload{Name: "a", Size: 2000, ChunkSize: 1000}, 0, true, "more than"},
		"wrong size":   {bytes.NewReader(data), onebot.Upload{Name: "a", Size: 7}, 0, false, "2500 bytes, not 7"},
		"wrong digest": {bytes.NewReader(data), onebot.Upload{Name: "a", Size: 2500, SHA256: "00"}, 0, true, "mismatch"},
		"disk full":    {bytes.NewReader(data), onebot.Upload{Name: "a", ChunkSize: 1000}, 3, true, "chunk 2 of 3"},
	} {
		s := &store{failAt: tc.fail}
		_, err := onebot.NewClient(s).Upload(ctx, tc.r, tc.u)
		if err == nil || !strings.Contains(err.Error(), tc.wants) {
			t.Errorf("%s: got %v", name, err)
		}
		if (s.calls > 0) != tc.sent || errors.Is(err, onebot.ErrNotSent) == tc.sent || s.resets > 0 != tc.sent {
			t.Errorf("%s: %d calls, %d resets: %v", name, s.calls, s.resets, err)
		}
	}
}

func TestDownload(t *testing.T) {
	ctx := context.Background()
	data := random(3500)
	sum := sha256.Sum256(data)
	s := &store{files: map[string][]byte{"f": data}}
	c := onebot.NewClient(s)
	var out bytes.Buffer
	var last int64
	d, err := c.DownloadImage(ctx, &out, onebot.DownloadFileImageStreamParams{File: new("f")}, func(done, total int64) {
		if done <= last || total != 3500 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), data) || d.Name != "f.bin" || d.Size != 3500 || d.SHA256 != hex.EncodeToString(sum[:]) || d.Width != 3 || d.Height != 4 || last != 3500 {
		t.Errorf("%+v", d)
	}
	if d, err := c.DownloadRecord(ctx, io.Discard, onebot.DownloadFileRecordStreamParams{}, nil); err != nil || d.OutFormat != "mp3" {
		t.Errorf("%+v, %v", d, err)
	}
	for spoil, want := range map[string]string{"skip": "packet 3 came where 2 was due", "fail": "gone", "short": "3500 of 3501"} {
		s.spoil = spoil
		if _, err := c.Download(ctx, io.Discard, onebot.DownloadFileStreamParams{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", spoil, err)
		}
	}
	s.spoil = ""
	broken := errors.New("disk full here")
	if _, err := c.Download(ctx, failing{broken}, onebot.DownloadFileStreamParams{}, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := onebot.NewClient(caller{}).Download(ctx, io.Discard, onebot.DownloadFileStreamParams{}, nil); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// bigFile is far more than an upload may hold at once.
const bigFile = 40 << 20

// zeros is a reader of n zero bytes that is no Seeker.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	z.n -= n
	clear(p[:n])
	return int(n), nil
}

// sink answers an upload without keeping anything.
type sink struct{ chunks int64 }

func (s *sink) Call(_ context.Context, _ string, params, result any) error {
	p := params.(*onebot.UploadFileStreamParams)
	r := result.(*onebot.UploadState)
	if p.ChunkData != nil {
		s.chunks++
		r.ReceivedChunks = s.chunks
	}
	r.FilePath, r.FileSize = "/tmp/x", bigFile
	return nil
}

func TestUploadInConstantMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	_, err := onebot.NewClient(&sink{}).Upload(context.Background(), &zeros{bigFile}, onebot.Upload{Name: "x", Size: bigFile, Progress: func(done, _ int64) {
		if done%(8<<20) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapAlloc)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if peak > before.HeapAlloc+bigFile/4 {
		t.Errorf("%d bytes took %d bytes of heap", int64(bigFile), peak-before.HeapAlloc)
	}
}
