package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

// quick are limits that let a test with faults end soon.
var quick = Limits{
	Connect: time.Second, Header: time.Second, Try: 600 * time.Millisecond, Grace: 250 * time.Millisecond,
	Stall: 300 * time.Millisecond, MinRate: 16, TryBytes: 4 << 10, Attempts: 3,
}

// archive is size bytes that begin like a zip; the rest is noise.
func archive(size int, seed uint64) []byte {
	b := make([]byte, size)
	src := rand.NewChaCha8([32]byte{byte(seed)})
	src.Read(b)
	copy(b, "PK\x03\x04")
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// logBuffer collects log lines from several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newFetcher(t testing.TB, lim Limits) (*Fetcher, *logBuffer) {
	t.Helper()
	var log logBuffer
	return New(Options{Dir: t.TempDir(), Limits: lim, Log: slog.New(slog.NewTextHandler(&log, nil))}), &log
}

func sniff(head []byte) error { _, err := unpack.Sniff(head); return err }

// serve starts a server that lives as long as the test.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// good serves content with ranges, after a pause.
func good(content []byte, pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !wait(r, pause) {
			return
		}
		http.ServeContent(w, r, "file.zip", time.Time{}, bytes.NewReader(content))
	}
}

func wait(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

// span is what a request with a Range header asks for, the whole file without.
func span(r *http.Request, size int) (start, end int, ranged bool) {
	spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !ok {
		return 0, size, false
	}
	first, last, _ := strings.Cut(spec, "-")
	start, _ = strconv.Atoi(first)
	if end, _ = strconv.Atoi(last); last == "" || end >= size {
		end = size - 1
	}
	return start, end + 1, true
}

// begin writes the header of an answer to r that promises all it asks for.
func begin(w http.ResponseWriter, r *http.Request, size int) (start, end int) {
	start, end, ranged := span(r, size)
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Length", strconv.Itoa(end-start))
	if ranged {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, size))
		w.WriteHeader(http.StatusPartialContent)
	}
	return start, end
}

// truncating breaks off long answers at nine tenths of the file.
func truncating(content []byte) http.HandlerFunc {
	cut := len(content) * 9 / 10
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := begin(w, r, len(content))
		if end-start > len(content)/2 || start > cut/2 && end == len(content) && start < cut {
			end = max(start, cut)
		}
		w.Write(content[start:end])
		if end == cut {
			panic(http.ErrAbortHandler)
		}
	}
}

// stalling sends half of a long answer and then nothing.
func stalling(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, end := begin(w, r, len(content))
		if end-start > len(content)/2 {
			end = start + (end-start)/2
			w.Write(content[start:end])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		w.Write(content[start:end])
	}
}

func wrongByte(content []byte) http.HandlerFunc {
	bad := bytes.Clone(content)
	bad[len(bad)/2] ^= 1
	return good(bad, 0)
}

func html(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "\n<!DOCTYPE html><html><body>mirror is closed</body></html>")
}

func forbidden(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "go away", http.StatusForbidden)
}

func redirectLoop(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	http.Redirect(w, r, "?n="+strconv.Itoa(n+1), http.StatusFound)
}

// counting counts the body bytes that a handler sends.
func counting(h http.HandlerFunc, n *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h(&countingWriter{w, n}, r) }
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}
