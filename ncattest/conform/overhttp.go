package conform

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// requested makes a request of the HTTP server, with the token unless the path
// has one, and returns the response and its body.
func (v *visit) requested(method, path, body string, header http.Header) (*http.Response, string, error) {
	path, err := v.fill(path)
	if err != nil {
		return nil, "", err
	}
	if body, err = v.fill(body); err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(v.ctx, method, strings.TrimSuffix(v.h.HTTP, "/")+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	if header == nil {
		header = bearer(v.h.Token)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// serves expects a request to be answered with a status and JSON of a shape.
func serves(method, path, body string, status int, shape string) func(*visit) error {
	return func(v *visit) error {
		resp, got, err := v.requested(method, path, body, nil)
		if err != nil {
			return err
		}
		if resp.StatusCode != status {
			return fmt.Errorf("%s: %s", resp.Status, cut(got))
		}
		shape, err := v.fill(shape)
		if err != nil {
			return err
		}
		if err := matches([]byte(got), shape); err != nil {
			return fmt.Errorf("%w, in %s", err, cut(got))
		}
		return nil
	}
}

// says expects a request to be answered with a status, a type and a text.
func says(method, path, body string, header http.Header, status int, contentType, text string) func(*visit) error {
	return func(v *visit) error {
		if status == http.StatusForbidden && v.h.Token == "" {
			return &leftOut{"the host has no token"}
		}
		resp, got, err := v.requested(method, path, body, header)
		if err != nil {
			return err
		}
		if resp.StatusCode != status || !strings.HasPrefix(resp.Header.Get("Content-Type"), contentType) || got != text {
			return fmt.Errorf("%s, %s: %s", resp.Status, resp.Header.Get("Content-Type"), cut(got))
		}
		return nil
	}
}

var noHeader = http.Header{}

var overHTTP = []Expectation{
	{Place: "E.5", Title: "no token", http: true, try: says("GET", "/", "", noHeader, 403, "text/html", `{"message":"token verify failed!"}`)},
	{Place: "E.5", Title: "a wrong token", http: true, try: says("GET", "/get_status", "", http.Header{"Authorization": {"Bearer wrong"}}, 403, "text/html", `{"message":"token verify failed!"}`)},
	{Place: "E.5", Title: "the front page", http: true, try: serves("GET", "/", "", 200, `{!status:"ok", retcode:0, data:{!}, message:"NapCat4 Is Running", wording:"", echo:none, stream:"normal-action"}`)},
	{Place: "E.5", Title: "GET with an echo", http: true, try: serves("GET", "/get_status?echo=abc", "", 200, done(`"abc"`))},
	{Place: "E.5", Title: "GET without an echo has one made up", http: true, try: serves("GET", "/get_status", "", 200, done(`str`))},
	{Place: "E.5", Title: "POST with an echo", http: true, try: serves("POST", "/get_status", `{"echo":"zz"}`, 200, done(`"zz"`))},
	{Place: "E.5", Title: "POST of an empty object", http: true, try: serves("POST", "/get_status", `{}`, 200, done(`str`))},
	{Place: "E.5", Title: "JSON5 whatever the type", http: true, try: serves("POST", "/get_status", `{echo:'j5',}`, 200, done(`"j5"`))},
	{Place: "E.5", Title: "the query wins over the body", http: true, try: serves("POST", "/get_status?echo=q", `{"echo":"b"}`, 200, done(`"q"`))},
	{Place: "E.5", Title: "the query's parameters are taken", http: true, try: serves("GET", "/get_group_info?group_id=$group", "", 200, `{status:"ok", data:{group_id:$group}}`)},
	{Place: "E.5", Title: "what is no JSON", http: true, try: says("POST", "/get_status", "{bad", nil, 400, "text/html", "Invalid JSON")},
	{Place: "E.5", Title: "an unknown action", http: true, try: serves("POST", "/nope", `{"echo":"x"}`, 200, failed("200", "不支持的Api nope", `str`))},
	{Place: "E.5", Title: "a parameter is missing", http: true, try: serves("POST", "/set_group_ban", `{}`, 200, failed("400", noField, `none`))},
	{Place: "E.5", Title: "an action fails", http: true, try: serves("POST", "/get_msg", `{"message_id":123,"echo":"m"}`, 200, failed("200", "消息不存在", `str`))},
	{Place: "E.5", Title: "a send without a target", http: true, try: serves("POST", "/send_msg", `{"message":"x"}`, 200, failed("200", "请指定正确的 group_id 或 user_id", `str`))},
	{Place: "E.5", Title: "a send without a message is answered here", http: true, try: serves("POST", "/send_msg", `{}`, 200, `{status:"failed", retcode:200, message:str}`)},
	{Place: "E.5", Title: "the alias _async", http: true, try: serves("GET", "/get_status_async?echo=a", "", 200, done(`"a"`))},
	{Place: "E.5", Title: "OPTIONS", http: true, try: func(v *visit) error {
		resp, _, err := v.requested("OPTIONS", "/get_status", "", nil)
		if err != nil {
			return err
		}
		if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			return fmt.Errorf("%s, allows %q", resp.Status, resp.Header.Get("Access-Control-Allow-Origin"))
		}
		return nil
	}},
}
