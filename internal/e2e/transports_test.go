// Package e2e_test holds what needs several parts of ncatd at once but no
// process: here, a bot on every transport that NapCat has, against the
// simulator's OneBot side.
package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

const (
	friend = 3001000001
	group  = 700000001
	token  = "transport-token-0123"
)

// sim is a running endpoint.
type sim struct {
	t     *testing.T
	in    io.Writer
	lines chan napcatsim.EndpointLine
	addrs map[string]string // by adapter name
}

func startSim(t *testing.T, config string) *sim {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &sim{t: t, in: inW, lines: make(chan napcatsim.EndpointLine, 100), addrs: map[string]string{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := napcatsim.RunEndpoint(ctx, napcatsim.EndpointOptions{Config: config}, inR, outW); err != nil {
			t.Error(err)
		}
		outW.Close()
	})
	wg.Go(func() {
		for sc := bufio.NewScanner(outR); sc.Scan(); {
			var l napcatsim.EndpointLine
			if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
				t.Errorf("%s: %v", sc.Text(), err)
			}
			s.lines <- l
		}
	})
	t.Cleanup(func() { cancel(); inW.Close(); outR.Close(); wg.Wait() })
	for _, st := range s.until("the addresses", func(l napcatsim.EndpointLine) bool { return l.Listening != nil }).Listening {
		s.addrs[st.Name] = st.Addr
	}
	return s
}

// until returns the next line that pick takes.
func (s *sim) until(what string, pick func(napcatsim.EndpointLine) bool) napcatsim.EndpointLine {
	s.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		select {
		case l := <-s.lines:
			if l.Error != "" {
				s.t.Errorf("the simulator says: %s", l.Error)
			}
			if pick(l) {
				return l
			}
		case <-deadline:
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestBotOnEveryTransport(t *testing.T) {
	listen := func(t *testing.T) net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	server := func(kind, name string) string {
		return fmt.Sprintf(`%q:[{"name":%q,"enable":true,"host":"127.0.0.1","port":0,"token":%q,"messagePostFormat":"array","heartInterval":1000}]`, kind, name, token)
	}
	// Each case returns the simulator and what runs the bot on it.
	cases := map[string]func(t *testing.T, b *ncat.Bot) (*sim, func(context.Context) error){
		"forward": func(t *testing.T, b *ncat.Bot) (*sim, func(context.Context) error) {
			s := startSim(t, `{"network":{`+server("websocketServers", "ws")+`}}`)
			return s, func(ctx context.Context) error { return b.Dial(ctx, "ws://"+s.addrs["ws"], token) }
		},
		"sse": func(t *testing.T, b *ncat.Bot) (*sim, func(context.Context) error) {
			s := startSim(t, `{"network":{`+server("httpSseServers", "sse")+`}}`)
			return s, func(ctx context.Context) error { return b.DialHTTP(ctx, "http://"+s.addrs["sse"], token) }
		},
		"reverse": func(t *testing.T, b *ncat.Bot) (*sim, func(context.Context) error) {
			ln := listen(t)
			s := startSim(t, fmt.Sprintf(`{"network":{"websocketClients":[{"name":"c","enable":true,"url":"ws://%s/onebot","token":%q,"messagePostFormat":"array","reconnectInterval":200}]}}`, ln.Addr(), token))
			return s, func(ctx context.Context) error { return b.Serve(ctx, ln, token) }
		},
		"webhook": func(t *testing.T, b *ncat.Bot) (*sim, func(context.Context) error) {
			hook := httptest.NewUnstartedServer(nil)
			s := startSim(t, fmt.Sprintf(`{"network":{%s,"httpClients":[{"name":"p","enable":true,"url":"http://%s/","token":%q,"messagePostFormat":"array"}]}}`,
				server("httpServers", "http"), hook.Listener.Addr(), token))
			handler, run := b.Webhook(token, "http://"+s.addrs["http"], token)
			hook.Config.Handler = handler
			hook.Start()
			t.Cleanup(hook.Close)
			return s, run
		},
	}
	for name, open := range cases {
		t.Run(name, func(t *testing.T) {
			b := ncat.New()
			results := make(chan error, 10)
			b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
				if m.Msg().FromSelf() {
					return nil
				}
				err := b.Quote(ctx, m, "echo: "+m.Msg().Text())
				if err == nil {
					_, err = b.API().GetLoginInfo(ctx)
				}
				if e := b.Call(ctx, "no_such_action", nil, nil); !onebot.IsUnsupported(e) {
					err = errors.Join(err, fmt.Errorf("unknown action: %w", e))
				}
				results <- err
				return nil
			})
			s, run := open(t, b)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- run(ctx) }()
			t.Cleanup(func() {
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("the bot ended with %v", err)
				}
			})
			for i, chat := range []string{fmt.Sprintf(`"user":%d`, friend), fmt.Sprintf(`"group":%d`, group)} {
				// A host without a client drops what is said: say it until the
				// bot has heard it.
				text := fmt.Sprintf("hello %d", i)
				heard := false
				for !heard {
					fmt.Fprintf(s.in, `{"say":{%s,"text":%q}}`+"\n", chat, text)
					select {
					case err := <-results:
						heard = true
						if err != nil {
							t.Error(err)
						}
					case <-time.After(300 * time.Millisecond):
					case err := <-ended:
						ended <- err
						t.Fatalf("the bot ended with %v", err)
					}
				}
				s.until("the answer", func(l napcatsim.EndpointLine) bool {
					if l.Sent == nil {
						return false
					}
					sent, _ := json.Marshal(l.Sent)
					return strings.Contains(string(sent), "echo: "+text) && strings.Contains(string(sent), "reply")
				})
			}
		})
	}
}
