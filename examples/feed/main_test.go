package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

// site serves pages without a network, so that time stays virtual.
type site struct {
	mu    sync.Mutex // the bot fetches in goroutines of its own
	pages map[string]string
}

func (s *site) put(url, page string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[url] = page
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	page, ok := s.pages[r.URL.String()]
	s.mu.Unlock()
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Body: io.NopCloser(strings.NewReader(page))}, nil
}

func rss(titles ...string) string {
	var b strings.Builder
	b.WriteString("<rss><channel><title>新闻</title>")
	for _, t := range titles {
		fmt.Fprintf(&b, "<item><title>%s</title><link>https://example.com/%s</link></item>", t, t)
	}
	return b.String() + "</channel></rss>"
}

func TestFeed(t *testing.T) {
	const url = "https://example.com/feed"
	web := &site{pages: map[string]string{url: rss("b", "a")}}
	ncattest.Run(t, newBot(&http.Client{Transport: web}), func(h *ncattest.Harness) {
		boss := h.Group(100).Admin(9)
		h.Group(100).From(1).Says("/订阅 " + url)
		h.WantLike("没有权限")
		boss.Says("/订阅 https://example.com/none")
		h.WantLike("404")
		boss.Says("/订阅 " + url)
		h.Want("已订阅 新闻")

		h.Pass(11 * time.Minute)
		h.WantNothing() // what was there before is not news
		web.put(url, rss("d", "c", "b", "a"))
		h.Pass(10 * time.Minute)
		h.Want("新闻\nc\nhttps://example.com/c", "新闻\nd\nhttps://example.com/d")
		h.Pass(time.Hour)
		h.WantNothing()

		h.Stop()
		web.put(url, `<feed><title>Atom</title><entry><title>e</title><id>e1</id><link href="https://example.com/e"/></entry></feed>`)
		h.Start(newBot(&http.Client{Transport: web}))
		h.Pass(11 * time.Minute)
		h.Want("Atom\ne\nhttps://example.com/e")

		h.Group(100).From(1).Says("/订阅列表")
		h.Want("订阅列表\n" + url)
		boss.Says("/退订 " + url)
		h.Want("已退订")
		web.put(url, rss("z"))
		h.Pass(time.Hour)
		h.WantNothing()
	})
}
