package script

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
