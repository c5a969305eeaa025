package napcatsim

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// fakeX listens like an X server on an abstract address and greets whoever
// comes; the connections come out of the channel.
func fakeX(t *testing.T, reply byte) (display string, conns <-chan net.Conn) {
	t.Helper()
	var l net.Listener
	var err error
	n := 5000 + os.Getpid()%10000
	for ; ; n++ {
		if l, err = net.Listen("unix", fmt.Sprintf("@/tmp/.X11-unix/X%d", n)); err == nil {
			break
		}
		if n > 30000 {
			t.Fatal(err)
		}
	}
	ch := make(chan net.Conn, 4)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var hello [12]byte
			if _, err := io.ReadFull(c, hello[:]); err != nil || hello[0] != 'l' || hello[2] != 11 {
				t.Errorf("greeting %v, %v", hello, err)
			}
			answer := make([]byte, 8+4*3)
			answer[0] = reply
			binary.LittleEndian.PutUint16(answer[6:], 3)
			if _, err := c.Write(answer); err != nil {
				t.Error(err)
			}
			ch <- c
		}
	}()
	t.Cleanup(func() {
		_ = l.Close() // ends the loop
		<-done
	})
	return fmt.Sprintf(":%d.0", n), ch
}

func TestDiesWithTheDisplay(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "on"} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			display, conns := fakeX(t, 1)
			r := newRig(t, PackOptions{Options: Options{NeedDisplay: mode}})
			r.env = []string{"DISPLAY=" + display}
			p := r.start()
			p.expect(onebotReady, 1)
			_ = (<-conns).Close() // the server is gone
			if code := p.exit(); code != 1 || !strings.Contains(p.text(), "X connection error received.") {
				t.Errorf("exit code %d", code)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		display, _ := fakeX(t, 0)
		r := newRig(t, PackOptions{Options: Options{NeedDisplay: "on"}})
		r.env = []string{"DISPLAY=" + display}
		if code := r.start().exit(); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		display, conns := fakeX(t, 1)
		r := newRig(t, PackOptions{Options: Options{NeedDisplay: "off"}})
		r.env = []string{"DISPLAY=" + display}
		r.start().expect(onebotReady, 1)
		if len(conns) != 0 {
			t.Error("it connected")
		}
	})
}
