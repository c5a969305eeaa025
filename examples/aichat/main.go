// Command aichat answers what mentions it, in private everything, with a language
// model: any endpoint that speaks OpenAI's chat completions, such as DeepSeek,
// Moonshot, a vLLM or an Ollama at home. The answer comes while it is written;
// each chat has a context of its own, each user a number of questions a day.
// /忘记 begins anew.
//
//	OPENAI_API_KEY=… go run ./examples/aichat start --sim
//	go run ./examples/aichat sim say --user 3001000001 你好
//
// Which model is configured in ncatd.yaml:
//
//	bot:
//	  plugin_config:
//	    aichat: {url: "http://127.0.0.1:11434/v1", model: qwen3, per_day: 50}
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot(http.DefaultClient))) }

func newBot(c *http.Client) *ncat.Bot {
	b := ncat.New()
	b.AddPlugin(&ai{client: c, key: os.Getenv("OPENAI_API_KEY"),
		URL: "https://api.deepseek.com/v1", Model: "deepseek-chat", System: "你是群里的助手，回答简短。", Turns: 10, PerDay: 30})
	return b
}

// ai is the plugin; its exported fields are its configuration.
type ai struct {
	URL    string `json:"url"`
	Model  string `json:"model"`
	System string `json:"system"`
	Turns  int    `json:"turns"`   // of a chat that the model is reminded of
	PerDay int    `json:"per_day"` // questions of a user

	client *http.Client
	key    string
}

func (a *ai) ID() string      { return "aichat" }
func (a *ai) Version() string { return "1.0.0" }

// Setup implements ncat.Plugin.
func (a *ai) Setup(_ context.Context, h *ncat.Host) error {
	if err := h.Config(a); err != nil {
		return err
	}
	h.OnCommand("forget", a.forget, ncat.Alias("忘记"), ncat.Help("忘记这个聊天"))
	h.OnMessage(a.answer, ncat.Where(ncat.ToMe(), ncat.NotSelf()), ncat.Help("问我"), ncat.Concurrent(3),
		ncat.Limit(a.PerDay, 24*time.Hour), ncat.Cooldown(3*time.Second))
	return nil
}

// line is one line of a conversation, as the endpoint wants it.
type line struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func chatKey(m onebot.MessageEvent) string {
	c := ncat.ChatOf(m)
	return fmt.Sprintf("%d/%d/%d", m.Base().SelfID, c.Group, c.User)
}

func (a *ai) forget(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	if err := ncat.Delete(ctx, b.Store(), chatKey(m)); err != nil {
		return err
	}
	return b.Reply(ctx, m, "好，从头开始")
}

func (a *ai) answer(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	question := strings.TrimSpace(m.Msg().Text())
	if question == "" {
		return nil
	}
	before, _, err := ncat.Get[[]line](ctx, b.Store(), chatKey(m))
	if err != nil {
		return err
	}
	var whole strings.Builder
	lines := append([]line{{"system", a.System}}, append(before, line{"user", question})...)
	if err := b.ReplyParts(ctx, m, a.stream(ctx, lines, &whole)); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	_, err = ncat.Update(ctx, b.Store(), chatKey(m), func(l []line, _ bool) ([]line, error) {
		l = append(l, line{"user", question}, line{"assistant", whole.String()})
		return l[max(0, len(l)-2*a.Turns):], nil
	})
	return err
}

// stream asks the model and yields its answer as it comes; whole gets all of it.
func (a *ai) stream(ctx context.Context, lines []line, whole *strings.Builder) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := a.ask(ctx, lines, func(s string) bool { whole.WriteString(s); return yield(s, nil) }); err != nil {
			yield("", err)
		}
	}
}

func (a *ai) ask(ctx context.Context, lines []line, part func(string) bool) error {
	body, err := json.Marshal(map[string]any{"model": a.Model, "messages": lines, "stream": true})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.key)
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what matters was read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the endpoint says %s", resp.Status)
	}
	events := bufio.NewScanner(resp.Body)
	for events.Scan() {
		data, ok := strings.CutPrefix(events.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta line `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return err
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" && !part(chunk.Choices[0].Delta.Content) {
			return nil
		}
	}
	return events.Err()
}
