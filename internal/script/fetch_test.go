package script

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	eventually "github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/ncat"
)

// TestFetchGranted asks a web service that the manifest names and the operator
// granted, and one that only one of the two allows.
func TestFetchGranted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Seen", r.Header.Get("X-Word"))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"method":%q,"path":%q,"body":%q}`, r.Method, r.URL.Path, body)
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	other := "127.0.0.2:" + port // named, but not granted
	st := newStage(t, func(b *bench) {
		b.env.Grants = func(string) Grants { return Grants{Fetch: []string{host, "127.0.0.3:" + port}} }
		b.write("a/plugin.yaml", "permissions: {fetch: [\""+host+"\", \""+other+"\"]}\n")
		b.write("a/main.ts", strings.NewReplacer("HOST", host, "OTHER", other, "THIRD", "127.0.0.3:"+port).Replace(`import { onPrivate, textIs } from "ncat";
onPrivate(textIs("ask"), async (m) => {
  const r = await fetch("http://HOST/path", { method: "POST", headers: { "X-Word": "hi" }, body: "text" });
  const v = await r.json() as { method: string; path: string; body: string };
  await m.reply([r.ok, r.status, r.headers.get("x-seen"), v.method, v.path, v.body].join(" "));
});
const denied = async (url: string) => { try { await fetch(url); return "asked"; } catch (e) { return (e as Error).name; } };
onPrivate(textIs("others"), async (m) => m.reply([await denied("http://OTHER/"), await denied("http://THIRD/")].join(" ")));
`))
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	st.say("ask")
	st.until("the answer", func() bool { return st.count("true 201 hi POST /path text") == 1 })
	st.say("others")
	st.until("neither is asked", func() bool { return st.count("DeniedError DeniedError") == 1 })
}

// webStage is a stage with plugin a, which may ask srv at HOST.
func webStage(t *testing.T, source string, serve http.HandlerFunc) *stage {
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	st := newStage(t, func(b *bench) {
		b.env.Grants = func(string) Grants { return Grants{Fetch: []string{host}} }
		b.write("a/plugin.yaml", "permissions: {fetch: [\""+host+"\"]}\n")
		b.write("a/main.ts", strings.ReplaceAll(source, "HOST", host))
	})
	st.until("it runs", func() bool { return st.state("a") == ncat.PluginRunning })
	return st
}

// A fetch that is aborted ends, and with it what waits for the handler's calls.
func TestFetchAborted(t *testing.T) {
	var asked atomic.Int64 // requests that wait at the server
	st := webStage(t, `import { onPrivate, textIs } from "ncat";
const why = async (signal: AbortSignal) => { try { await fetch("http://HOST/", { signal }); return "asked"; } catch (e) { return (e as Error).name; } };
onPrivate(textIs("abort"), async (m) => {
  const c = new AbortController();
  setTimeout(() => c.abort(), 20);
  await m.reply([await why(c.signal), await why(AbortSignal.timeout(20)), await why(c.signal)].join(" "));
});
`, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		defer asked.Add(-1)
		<-r.Context().Done()
	})
	st.say("abort")
	st.until("the answer", func() bool { return st.count("AbortError TimeoutError AbortError") == 1 })
	eventually.True(t, fetchTimeout/2, "nothing to be asked any more", func() bool { return asked.Load() == 0 })
}

// What fetch sends is what browsers send.
func TestFetchSends(t *testing.T) {
	st := webStage(t, `import { onPrivate, textIs } from "ncat";
const at = "http://HOST/a/../b";
const send = async (query: string, body: string | ArrayBufferView) => (await fetch(at + query, { method: "POST", body })).text();
onPrivate(textIs("ask"), async (m) => {
  await m.reply(await send("?q=你 好&x='", "é"));
  await m.reply(await send("", new Uint16Array([0x6261])));
  await m.reply(await send("", new DataView(new Uint8Array([0x61, 0x62]).buffer, 1)));
  const r = await fetch("http://HOST/mark");
  await m.reply("mark " + (await r.json()).ok + (await r.bytes()).length);
});
`, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mark" {
			_, _ = w.Write([]byte("\ufeff{\"ok\":true}"))
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s %s", r.RequestURI, r.Header.Get("Content-Type"), body)
	})
	st.say("ask")
	for _, want := range []string{"/a/../b?q=%E4%BD%A0%20%E5%A5%BD&x=%27 text/plain;charset=UTF-8 é", "/a/../b  ab", "/a/../b  b", "mark true14"} {
		st.until(want, func() bool { return st.count(want) == 1 })
	}
}

// URLs are written as browsers write them.
func TestURLs(t *testing.T) {
	for _, c := range []struct{ url, base, want string }{
		{"https://User:P%40ss%3A@EXAMPLE.com:443/a/./../b c?q=é 1#h i", "", `"hash":"#h%20i","hostname":"example.com","password":"P%40ss%3A","pathname":"/b%20c","port":"","protocol":"https:","search":"?q=%C3%A9%201","slashes":true,"username":"User"`},
		{"../x?y", "http://a.b/c/d/e", `"pathname":"/c/x","port":"","protocol":"http:","search":"?y"`},
		{"mailto:a@b", "", `"pathname":"a@b"`},
		{"http://a", "", `"pathname":"/"`},
	} {
		if got, err := parseURL(c.url, c.base); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, %v; want %s", c.url, got, err, c.want)
		}
	}
}

// The headers of an answer are bounded as its body is: sixty calls at a time hold them.
func TestFetchOfLargeHeaders(t *testing.T) {
	st := webStage(t, `import { onPrivate, textIs } from "ncat";
onPrivate(textIs("ask"), async (m) => {
  for (const n of [100, 600]) {
    try { await m.reply("got " + (await fetch("http://HOST/?" + n)).headers.get("x-0")!.length); } catch (e) { await m.reply("too many"); }
  }
});
`, func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.RawQuery)
		if err != nil {
			t.Error(err)
		}
		for i := range n {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
		}
	})
	st.say("ask")
	st.until("the first is taken", func() bool { return st.count("got 1000") == 1 })
	st.until("the second is refused", func() bool { return st.count("too many") == 1 })
}
