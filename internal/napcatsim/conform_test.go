package napcatsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/ncattest/conform"
)

// TestConforms holds the bare endpoint to what is expected of any host, with its
// commands as the people.
func TestConforms(t *testing.T) {
	commands, in := io.Pipe()
	out, lines := io.Pipe()
	config := `{"network":{"websocketServers":[{"name":"ws","enable":true,"host":"127.0.0.1","port":0,"token":"sec","heartInterval":1500}],
		"httpServers":[{"name":"h","enable":true,"host":"127.0.0.1","port":0,"token":"sec","enableCors":true}]}}`
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- RunEndpoint(ctx, EndpointOptions{Config: config}, commands, lines) }()
	answers := make(chan EndpointLine, 1)
	go func() {
		dec := json.NewDecoder(out)
		for {
			var l EndpointLine
			if dec.Decode(&l) != nil {
				return
			}
			if l.Sent == nil {
				answers <- l
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_, _ = commands.Close(), out.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	h := conform.Host{Token: "sec", Heartbeat: 1500 * time.Millisecond, Complete: true}
	for _, s := range (<-answers).Listening {
		if s.Kind == adapter.WebSocketServers {
			h.URL = "ws://" + s.Addr
		} else {
			h.HTTP = "http://" + s.Addr
		}
	}
	h.Act = func(_ context.Context, d conform.Deed) error {
		c := EndpointCommand{Act: &ActRequest{Deed: d.Deed, Group: d.Group, User: d.User, Operator: d.By, Message: d.Message, Text: d.Text, Seconds: d.Seconds, Off: d.Off}}
		if d.Deed == "say" {
			c = EndpointCommand{Say: &SayRequest{Group: d.Group, User: d.User, Text: d.Text}}
		}
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(in, "%s\n", b); err != nil {
			return err
		}
		if l := <-answers; l.Error != "" {
			return errors.New(l.Error)
		}
		return nil
	}
	conform.Run(t, h)
}
