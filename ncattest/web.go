package ncattest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
)

// fileHost is where the files of messages can be fetched.
const fileHost = "multimedia.nt.qq.com.cn"

// web is what there is of the web in a test: no network.
type web struct {
	mu    sync.Mutex // guards the fields below
	mux   *http.ServeMux
	hosts []*action.Host // which have files
}

func (w *web) serve(h *action.Host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts = append(w.hosts, h)
}

func (w *web) handle(pattern string, page http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mux == nil {
		w.mux = http.NewServeMux()
	}
	w.mux.HandleFunc(pattern, page)
}

// errNoWeb is the end of a request for what is not there.
var errNoWeb = errors.New("there is no network in a test; Harness.Web says what is at an address")

// RoundTrip implements [http.RoundTripper].
func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	page := w.page(r)
	if page == nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL, errNoWeb)
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	in.Header = r.Header.Clone()
	in.ContentLength = r.ContentLength
	if r.Body == nil {
		in.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	page.ServeHTTP(answer, in)
	if r.Body != nil {
		_ = r.Body.Close() // as a RoundTripper must
	}
	res := answer.Result()
	res.Request = r
	return res, nil
}

func (w *web) page(r *http.Request) http.Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := r.Clone(r.Context())
	in.Host = r.URL.Host
	if w.mux != nil {
		if _, pattern := w.mux.Handler(in); pattern != "" {
			return w.mux // which fills in what the pattern names
		}
	}
	if r.URL.Host == fileHost {
		hosts := w.hosts
		return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
			for _, h := range hosts {
				if h.Holds(in.URL.Path) {
					h.ServeHTTP(out, in)
					return
				}
			}
			http.NotFound(out, in)
		})
	}
	if b := avatar(r.URL); b != nil {
		return http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "image/png")
			_, _ = out.Write(b) // into memory
		})
	}
	return nil
}

// avatar returns the picture of the user or group whose address u is, nil if it is
// no such address: one colour, which the number decides.
func avatar(u *url.URL) []byte {
	var number, pixels string
	switch parts := strings.Split(strings.Trim(u.Path, "/"), "/"); {
	case strings.HasSuffix(u.Host, ".qlogo.cn") && parts[0] == "g":
		number, pixels = u.Query().Get("nk"), u.Query().Get("s")
	case u.Host == "p.qlogo.cn" && parts[0] == "gh" && len(parts) > 2:
		number, pixels = parts[1], parts[len(parts)-1]
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil
	}
	size := 100
	if s, err := strconv.Atoi(pixels); err == nil && s > 0 && s <= 640 {
		size = s
	}
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	c := color.RGBA{byte(n * 37), byte(n * 101), byte(n * 197), 255}
	draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(fmt.Sprintf("ncattest: %v", err)) // into memory
	}
	return b.Bytes()
}

// fetch is how NapCat gets what a message names by its address: what is there in
// the test, and of anything else nothing but the address.
func (w *web) fetch(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := w.RoundTrip(req)
	if errors.Is(err, errNoWeb) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	return io.ReadAll(res.Body)
}
