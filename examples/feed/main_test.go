package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

// site serves pages without a network, so that time stays virtual.
type site map[string]string

func (s site) RoundTrip(r *http.Request) (*http.Response, error) {
	page, ok := s[r.URL.String()]
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
	web := site{url: rss("b", "a")}
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
		web[url] = rss("d", "c", "b", "a")
		h.Pass(10 * time.Minute)
		h.Want("新闻\nc\nhttps://example.com/c", "新闻\nd\nhttps://example.com/d")
		h.Pass(time.Hour)
		h.WantNothing()

		h.Stop()
		web[url] = `<feed><title>Atom</title><entry><title>e</title><id>e1</id><link href="https://example.com/e"/></entry></feed>`
		h.Start(newBot(&http.Client{Transport: web}))
		h.Pass(11 * time.Minute)
		h.Want("Atom\ne\nhttps://example.com/e")

		h.Group(100).From(1).Says("/订阅列表")
		h.Want("订阅列表\n" + url)
		boss.Says("/退订 " + url)
		h.Want("已退订")
		web[url] = rss("z")
		h.Pass(time.Hour)
		h.WantNothing()
	})
}
