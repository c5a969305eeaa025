package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

// model is an endpoint that answers every question by repeating it, in pieces.
// No network is needed, so that time stays virtual.
type model struct {
	asked  [][]line
	status int
}

func (f *model) RoundTrip(r *http.Request) (*http.Response, error) {
	var in struct {
		Messages []line `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	f.asked = append(f.asked, in.Messages)
	var out strings.Builder
	for _, piece := range []string{"你说：", in.Messages[len(in.Messages)-1].Content, "。"} {
		fmt.Fprintf(&out, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", piece)
	}
	out.WriteString("data: [DONE]\n\n")
	return &http.Response{StatusCode: f.status, Status: http.StatusText(f.status), Body: io.NopCloser(strings.NewReader(out.String()))}, nil
}

func TestAIChat(t *testing.T) {
	f := &model{status: http.StatusOK}
	ncattest.Run(t, newBot(&http.Client{Transport: f}), func(h *ncattest.Harness) {
		alice := h.Friend(1)
		alice.Says("你好")
		h.Want("你说：你好。")
		h.Pass(time.Minute)
		alice.Says("再来")
		h.Want("你说：再来。")
		if got := len(f.asked[1]); got != 4 { // system, question, answer, question
			t.Errorf("the second question came with %d lines", got)
		}

		h.Group(100).From(1).Says("没有叫它")
		h.WantNothing()
		h.Pass(time.Minute)
		h.Group(100).From(1).Mentions(h.Self, "在吗")
		h.Want("你说：在吗。")
		if got := len(f.asked[2]); got != 2 {
			t.Errorf("another chat's context was sent: %d lines", got)
		}

		alice.Says("/忘记")
		h.Want("好，从头开始")
		h.Pass(time.Minute)
		alice.Says("还记得吗")
		h.Sent()
		if got := len(f.asked[3]); got != 2 {
			t.Errorf("%d lines after /forget", got)
		}
	})
}

func TestDailyLimit(t *testing.T) {
	f := &model{status: http.StatusOK}
	ncattest.Run(t, newBot(&http.Client{Transport: f}), func(h *ncattest.Harness) {
		for range 32 {
			h.Friend(1).Says("问")
			h.Pass(time.Minute)
		}
		if len(f.asked) != 30 {
			t.Errorf("%d questions were asked", len(f.asked))
		}
		h.Friend(2).Says("问")
		if len(f.asked) != 31 {
			t.Error("another user's limit counts")
		}
		h.Pass(24 * time.Hour)
		h.Friend(1).Says("问")
		if len(f.asked) != 32 {
			t.Error("no new day has begun")
		}
	})
}

func TestEndpointDown(t *testing.T) {
	f := &model{status: http.StatusBadGateway}
	ncattest.Run(t, newBot(&http.Client{Transport: f}), func(h *ncattest.Harness) {
		h.Friend(1).Says("你好")
		h.WantNothing()
		if errs := h.Errors(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "the endpoint says") {
			t.Errorf("errors %v", errs)
		}
	})
}
