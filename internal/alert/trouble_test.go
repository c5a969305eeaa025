package alert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/alert/preset"
)

// wrongTokens is how each service says that it does not know the secret: some
// with a status, many with a number of their own in an answer of 200.
var wrongTokens = map[string]struct {
	status int
	body   string
	words  string
}{
	"telegram":   {401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, "Unauthorized"},
	"bark":       {400, `{"code":400,"message":"failed to get device token: key not found","timestamp":1}`, "failed to get device token"},
	"serverchan": {400, `{"code":40001,"message":"[AUTH]错误的Key","info":""}`, "错误的Key"},
	"pushplus":   {200, `{"code":903,"msg":"无效的用户token","data":null}`, "无效的用户token"},
	"ntfy":       {401, `{"code":40101,"http":401,"error":"unauthorized"}`, "unauthorized"},
	"gotify":     {401, `{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}`, "valid access token"},
	"wecom":      {200, `{"errcode":93000,"errmsg":"invalid webhook url"}`, "invalid webhook url"},
	"feishu":     {200, `{"code":19001,"msg":"param invalid: incoming webhook access token invalid","data":{}}`, "access token invalid"},
	"dingtalk":   {200, `{"errcode":300005,"errmsg":"token is not exist"}`, "token is not exist"},
	"discord":    {401, `{"message":"Invalid Webhook Token","code":50027}`, "Invalid Webhook Token"},
	"slack":      {403, `invalid_token`, "invalid_token"},
	"webhook":    {401, `no`, "no"},
}

// busy are further ways to ask for fewer messages than HTTP 429.
var busy = map[string]string{
	"pushplus": `{"code":900,"msg":"用户账号使用受限"}`,
	"wecom":    `{"errcode":45009,"errmsg":"api freq out of limit"}`,
	"feishu":   `{"code":11232,"msg":"frequency limited psm"}`,
	"dingtalk": `{"errcode":130101,"errmsg":"send too fast"}`,
}

// TestTroubleOfEachPreset tries every trouble on every preset: each is named, with
// the service's words, and the secret is in none.
func TestTroubleOfEachPreset(t *testing.T) {
	text := Text{Title: "登录", Body: odd, Message: Message{Time: t0}}
	for _, kind := range preset.Kinds() {
		if preset.Builtin(kind) {
			continue
		}
		wrong, ok := wrongTokens[kind]
		if !ok {
			t.Errorf("how does %s say that a token is wrong?", kind)
			continue
		}
		type trouble struct {
			answer func(http.ResponseWriter)
			host   string
			want   Problem
			after  time.Duration
			words  string
		}
		cases := map[string]trouble{
			"wrong token":                 {says(wrong.status, wrong.body), "", ProblemToken, 0, wrong.words},
			"wrong token, by its status":  {says(401, `nothing that is known`), "", ProblemToken, 0, "401"},
			"busy":                        {says(429, `{}`, "Retry-After", "7"), "", ProblemBusy, 7 * time.Second, "429"},
			"busy until a date":           {says(429, ``, "Retry-After", "Tue, 14 Nov 2023 22:14:20 GMT"), "", ProblemBusy, time.Minute, "429"},
			"busy for a week":             {says(429, ``, "Retry-After", "604800"), "", ProblemBusy, 24 * time.Hour, "429"},
			"broken, for a time":          {says(503, ``, "Retry-After", "30"), "", ProblemServer, 30 * time.Second, "503"},
			"broken":                      {says(500, `oops`), "", ProblemServer, 0, "oops"},
			"a gateway":                   {says(502, `<html><h1>Bad Gateway</h1>`), "", ProblemServer, 0, "Bad Gateway"},
			"no answer":                   {nil, "", ProblemTimeout, 0, "no answer"},
			"a certificate of other name": {says(200, presetCases[kind].answer), "localhost", ProblemCertificate, 0, "localhost"},
		}
		if body, ok := busy[kind]; ok {
			cases["busy, by its number"] = trouble{says(200, body), "", ProblemBusy, 0, ""}
		}
		for name, c := range cases {
			t.Run(kind+"/"+name, func(t *testing.T) {
				if c.answer == nil {
					c.answer = func(http.ResponseWriter) { <-t.Context().Done() }
				}
				base, _ := service(t, c.answer)
				if c.host != "" {
					base = strings.Replace(base, "127.0.0.1", c.host, 1)
				}
				ch := ready(t, kind, base)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if c.want == ProblemTimeout {
					ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
				}
				err := ch.Send(ctx, text)
				var e *Error
				if !errors.As(err, &e) || e.Problem != c.want || e.After != c.after || !strings.Contains(e.Detail, c.words) {
					t.Errorf("%v, want %s after %s with %q", err, c.want, c.after, c.words)
				}
				if err != nil && strings.Contains(err.Error(), "s3cret") {
					t.Errorf("it tells the secret: %v", err)
				}
			})
		}
	}
}

// TestNoInA200: many services say no with HTTP 200, or by words that stand where
// a yes has none.
func TestNoInA200(t *testing.T) {
	for _, c := range []struct {
		kind, answer string
		want         Problem // "" is a yes
		after        time.Duration
		words        string
	}{
		{"telegram", `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, ProblemRefused, 0, "chat not found"},
		{"telegram", `{"ok":false,"error_code":401,"description":"Unauthorized"}`, ProblemToken, 0, "Unauthorized"},
		{"telegram", `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":9}}`, ProblemBusy, 9 * time.Second, "Too Many"},
		{"telegram", `{"ok":false,"description":"no"}`, ProblemRefused, 0, "no"},
		{"bark", `{"code":400,"message":"failed to get device token"}`, ProblemToken, 0, "device token"},
		{"bark", `{"code":500,"message":"push failed: PayloadTooLarge"}`, ProblemServer, 0, "PayloadTooLarge"},
		{"serverchan", `{"code":40001,"message":"[AUTH]错误的Key"}`, ProblemToken, 0, "错误的Key"},
		{"serverchan", `{"code":1024,"message":"不要重复发送同样的内容"}`, ProblemRefused, 0, "不要重复"},
		{"pushplus", `{"code":500,"msg":"系统异常"}`, ProblemServer, 0, "系统异常"},
		{"pushplus", `{"code":905,"msg":"账户未进行实名认证"}`, ProblemRefused, 0, "实名认证"},
		{"ntfy", `{"code":42901,"http":429,"error":"limit reached: too many requests"}`, ProblemBusy, 0, "limit reached"},
		{"ntfy", `{"code":40001,"error":"invalid topic"}`, ProblemRefused, 0, "invalid topic"},
		{"gotify", `{"error":"Unauthorized","errorCode":401,"errorDescription":"you need a token"}`, ProblemToken, 0, "you need a token"},
		{"gotify", `{"error":"Bad Request","errorCode":400,"errorDescription":"Field 'message' is required"}`, ProblemRefused, 0, "is required"},
		{"wecom", `{"errcode":40008,"errmsg":"invalid message type"}`, ProblemRefused, 0, "message type"},
		{"wecom", `{"errcode":-1,"errmsg":"system busy"}`, ProblemServer, 0, "system busy"},
		{"dingtalk", `{"errcode":310000,"errmsg":"keywords not in content"}`, ProblemRefused, 0, "keywords"},
		{"feishu", `{"code":19024,"msg":"Key Words Not Found"}`, ProblemRefused, 0, "Key Words"},
		{"feishu", `{"StatusCode":19001,"StatusMessage":"token invalid"}`, ProblemToken, 0, "token invalid"},
		{"feishu", `{"StatusCode":9499,"StatusMessage":"too many","code":0}`, ProblemBusy, 0, "too many"},
		{"feishu", `{"Extra":null,"StatusCode":0,"StatusMessage":"success"}`, "", 0, ""},
		{"feishu", `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`, "", 0, ""},
		{"feishu", `{}`, ProblemRefused, 0, "200"},
		{"discord", `{"message":"Invalid Webhook Token","code":50027}`, ProblemToken, 0, "Invalid Webhook"},
		{"discord", `{"message":"You are being rate limited.","retry_after":3,"global":false,"code":0}`, ProblemRefused, 3 * time.Second, "rate limited"},
		{"slack", `invalid_token`, ProblemToken, 0, "invalid_token"},
		{"slack", `{"ok":false,"error":"channel_not_found"}`, ProblemRefused, 0, "channel_not_found"},
		{"slack", `{"ok":true}`, "", 0, ""},
		{"gotify", `<html>sign in to the network`, ProblemAnswer, 0, "sign in"},
		{"ntfy", `<html>sign in to the network`, ProblemAnswer, 0, "sign in"},
		{"discord", `<html>sign in to the network`, ProblemAnswer, 0, "sign in"},
		{"slack", `<html>sign in to the network`, ProblemAnswer, 0, "sign in"},
		{"wecom", ``, ProblemAnswer, 0, "200"},
		{"bark", `[]`, ProblemRefused, 0, "200"},
	} {
		t.Run(c.kind+"/"+c.answer, func(t *testing.T) {
			base, _ := service(t, says(200, c.answer))
			err := ready(t, c.kind, base).Send(t.Context(), Text{Title: "登录", Body: odd, Message: Message{Time: t0}})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Problem != c.want || e.After != c.after || !strings.Contains(e.Detail, c.words) {
				t.Errorf("%v, want %s after %s with %q", err, c.want, c.after, c.words)
			}
		})
	}
}

// TestEchoedSecretsAreHidden: pages that say no often show what was asked for, and
// with it the secret.
func TestEchoedSecretsAreHidden(t *testing.T) {
	for _, kind := range preset.Kinds() {
		if preset.Builtin(kind) {
			continue
		}
		for _, before := range []string{"", strings.Repeat("x", maxWords-8)} {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				_, _ = fmt.Fprintf(w, "%s%s %s %s", before, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("X-Gotify-Key")) // the other side tells
			}))
			defer srv.Close()
			c := ready(t, kind, srv.URL)
			for _, name := range c.secrets {
				if name != "url" && name != "secret" {
					t.Setenv("TOK", "s3cret:x/ä &")
				}
			}
			err := c.Send(t.Context(), Text{Title: "x", Message: Message{Time: t0}})
			var e *Error
			if !errors.As(err, &e) || e.Problem != ProblemAddress || strings.Contains(e.Detail, "s3") || slices.Contains(c.secrets, "url") && strings.Contains(e.Detail, "hook") {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// TestMeaningsAreProblems: the words of the presets' data are ones that the
// catalogue knows.
func TestMeaningsAreProblems(t *testing.T) {
	for _, kind := range preset.Kinds() {
		if preset.Builtin(kind) {
			continue
		}
		p, err := preset.Load(kind)
		if err != nil {
			t.Fatal(err)
		}
		for word := range p.Means {
			if w := Problem(word); w != ProblemToken && w != ProblemBusy && w != ProblemServer || p.Code == "" {
				t.Errorf("%s: %q means nothing, or is looked for nowhere", kind, word)
			}
		}
	}
}
