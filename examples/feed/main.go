// Command feed pushes new entries of RSS and Atom feeds into chats. Administrators
// write /订阅 ADDRESS, /退订 ADDRESS and /订阅列表.
//
//	go run ./examples/feed start --sim
//	go run ./examples/feed sim say --group 700000001 --user 3001000001 "/订阅 https://go.dev/blog/feed.atom"
package main

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot(http.DefaultClient))) }

func newBot(c *http.Client) *ncat.Bot {
	b, f := ncat.New(), &feeds{client: c}
	ncat.Command(b, "subscribe", f.subscribe, ncat.Alias("订阅"), ncat.Help("订阅 RSS"), ncat.Need(ncat.RoleGroupAdmin))
	ncat.Command(b, "unsubscribe", f.unsubscribe, ncat.Alias("退订"), ncat.Help("退订"), ncat.Need(ncat.RoleGroupAdmin))
	b.OnCommand("feeds", f.list, ncat.Alias("订阅列表"), ncat.Help("订阅了什么"))
	if _, err := b.Schedule("poll", "10m", f.poll); err != nil {
		panic(err) // it can be wrong only in the line above
	}
	return b
}

type feeds struct{ client *http.Client }

// subscription is one feed in one chat.
type subscription struct {
	URL  string        `json:"url"`
	Self onebot.UserID `json:"self"` // the account that pushes it
	Chat ncat.Chat     `json:"chat"`
	Seen []string      `json:"seen"` // entries that were there when last looked at
}

func prefix(c ncat.Chat) string { return fmt.Sprintf("%d/%d/", c.Group, c.User) }

type where struct {
	URL string `arg:"url" help:"RSS 或 Atom 地址"`
}

func (f *feeds) subscribe(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a where) error {
	got, err := f.fetch(ctx, a.URL)
	if err != nil {
		return b.Quote(ctx, m, "读不了这个地址：", err)
	}
	s := subscription{URL: a.URL, Self: b.Self(), Chat: ncat.ChatOf(m), Seen: ids(got.entries())}
	if err := ncat.Put(ctx, b.Store(), prefix(s.Chat)+a.URL, s); err != nil {
		return err
	}
	return b.Quote(ctx, m, "已订阅 ", got.title())
}

func (f *feeds) unsubscribe(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a where) error {
	if err := ncat.Delete(ctx, b.Store(), prefix(ncat.ChatOf(m))+a.URL); err != nil {
		return err
	}
	return b.Quote(ctx, m, "已退订")
}

func (f *feeds) list(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	all, err := ncat.Scan[subscription](ctx, b.Store(), prefix(ncat.ChatOf(m)))
	if err != nil {
		return err
	}
	text := "没有订阅"
	for i, e := range all {
		if i == 0 {
			text = "订阅列表"
		}
		text += "\n" + e.Value.URL
	}
	return b.Reply(ctx, m, text)
}

// poll looks at every feed and pushes what is new. One that cannot be read does
// not hold up the others.
func (f *feeds) poll(ctx context.Context, b *ncat.Bot) error {
	all, err := ncat.Scan[subscription](ctx, b.Store(), "")
	for _, e := range all {
		if perr := f.push(ctx, b, e.Key, e.Value); perr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", e.Value.URL, perr))
		}
	}
	return err
}

func (f *feeds) push(ctx context.Context, b *ncat.Bot, key string, s subscription) error {
	got, err := f.fetch(ctx, s.URL)
	if err != nil {
		return err
	}
	entries := got.entries()
	for _, e := range slices.Backward(entries) { // feeds begin with the newest
		if slices.Contains(s.Seen, e.id()) {
			continue
		}
		if _, err := b.For(s.Self).Send(ctx, s.Chat, got.title(), "\n", e.Title, "\n", e.link()); err != nil {
			return err
		}
	}
	s.Seen = ids(entries)
	return ncat.Put(ctx, b.Store(), key, s)
}

// document is a feed, RSS or Atom.
type document struct {
	Title   string  `xml:"title"`
	Entries []entry `xml:"entry"`
	Channel struct {
		Title string  `xml:"title"`
		Items []entry `xml:"item"`
	} `xml:"channel"`
}

type entry struct {
	Title string `xml:"title"`
	GUID  string `xml:"guid"`
	ID    string `xml:"id"`
	Link  struct {
		Text string `xml:",chardata"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
}

func (d *document) title() string    { return cmp.Or(d.Title, d.Channel.Title) }
func (d *document) entries() []entry { return append(d.Entries, d.Channel.Items...) }
func (e entry) link() string         { return cmp.Or(e.Link.Href, strings.TrimSpace(e.Link.Text)) }
func (e entry) id() string           { return cmp.Or(e.ID, e.GUID, e.link()) }

func ids(entries []entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.id())
	}
	return out
}

func (f *feeds) fetch(ctx context.Context, url string) (*document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // what matters was read
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var d document
	return &d, xml.NewDecoder(io.LimitReader(resp.Body, 5<<20)).Decode(&d)
}
