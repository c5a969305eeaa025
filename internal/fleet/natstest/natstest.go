// Package natstest runs real NATS servers with JetStream for tests, one or a
// cluster, that can be killed and started again. The server is built from the
// tools module.
package natstest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Servers are running servers.
type Servers struct {
	t    testing.TB
	bin  string
	dir  string
	list []*server
}

type server struct {
	name           string
	client, routes int
	cmd            *exec.Cmd
}

// Start runs n servers until the test ends, and waits until they take requests.
func Start(t testing.TB, n int) *Servers {
	t.Helper()
	s := &Servers{t: t, bin: binary(t), dir: t.TempDir()}
	ports := freePorts(t, 2*n)
	for i := range n {
		s.list = append(s.list, &server{name: fmt.Sprintf("n%d", i), client: ports[2*i], routes: ports[2*i+1]})
	}
	t.Cleanup(func() {
		for i := range s.list {
			s.Kill(i)
		}
	})
	for i := range s.list {
		s.Start(i)
	}
	s.Wait()
	return s
}

// URL returns the addresses of all servers.
func (s *Servers) URL() string {
	var urls []string
	for _, v := range s.list {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", v.client))
	}
	return strings.Join(urls, ",")
}

// Addr returns the address of one server.
func (s *Servers) Addr(i int) string { return fmt.Sprintf("127.0.0.1:%d", s.list[i].client) }

// Kill ends a server by SIGKILL.
func (s *Servers) Kill(i int) {
	v := s.list[i]
	if v.cmd == nil {
		return
	}
	_ = v.cmd.Process.Kill() // it may have ended
	_ = v.cmd.Wait()         // killed is what it says
	v.cmd = nil
}

// Pause stops a server as it stands, so that it answers nothing and no connection ends,
// until the function that it returns is called.
func (s *Servers) Pause(i int) (resume func()) {
	s.t.Helper()
	p := s.list[i].cmd.Process
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		if err := p.Signal(syscall.SIGCONT); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Wipe ends a server, and removes what it has on its disk.
func (s *Servers) Wipe(i int) {
	s.t.Helper()
	s.Kill(i)
	if err := os.RemoveAll(filepath.Join(s.dir, s.list[i].name)); err != nil {
		s.t.Fatal(err)
	}
}

// Bare runs one server with a configuration of its own until the test ends, and
// returns its address.
func Bare(t testing.TB, conf string) (addr string) {
	t.Helper()
	dir, bin := t.TempDir(), binary(t)
	addr = fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	file := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("listen: %s\n%s\n", addr, strings.ReplaceAll(conf, "STORE", fmt.Sprintf("{store_dir: %q}", filepath.Join(dir, "js"))))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", file)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // killed is what it says
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for end := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// Alive reports whether a server was started and not killed since.
func (s *Servers) Alive(i int) bool { return s.list[i].cmd != nil }

// Index returns which server has that name.
func (s *Servers) Index(name string) int {
	for i, v := range s.list {
		if v.name == name {
			return i
		}
	}
	s.t.Fatalf("no server is named %q", name)
	return -1
}

// Start starts a server, again or for the first time.
func (s *Servers) Start(i int) {
	s.t.Helper()
	v := s.list[i]
	conf := filepath.Join(s.dir, v.name+".conf")
	text := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%d\njetstream: {store_dir: %q, max_mem: 256MB, max_file: 2GB}\n", v.name, v.client, filepath.Join(s.dir, v.name))
	if len(s.list) > 1 {
		var routes []string
		for _, o := range s.list {
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", o.routes))
		}
		text += fmt.Sprintf("cluster: {name: test, listen: 127.0.0.1:%d, routes: [%s]}\n", v.routes, strings.Join(routes, ","))
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, v.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	v.cmd = exec.Command(s.bin, "-c", conf)
	v.cmd.Stdout, v.cmd.Stderr = log, log
	if err := v.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// Wait waits until the servers take requests.
func (s *Servers) Wait() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	nc, err := nats.Connect(s.URL(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	replicas := min(len(s.list), 3)
	for {
		actx, stop := context.WithTimeout(ctx, 2*time.Second)
		_, err := js.CreateOrUpdateKeyValue(actx, jetstream.KeyValueConfig{Bucket: "natstest", Replicas: replicas})
		stop()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("NATS does not get ready: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePorts(t testing.TB, n int) []int {
	var ports []int
	var open []net.Listener
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	for _, l := range open {
		l.Close()
	}
	return ports
}

// binary builds the server, once for all tests of a machine.
func binary(t testing.TB) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(root))
	out := filepath.Join(dir, "bin", "nats-server")
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(out + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }() // the process ends soon anyway
	cmd := exec.Command("go", "build", "-C", filepath.Join(dir, "tools"), "-trimpath", "-o", out, "github.com/nats-io/nats-server/v2")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building nats-server: %v\n%s", err, msg)
	}
	return out
}
