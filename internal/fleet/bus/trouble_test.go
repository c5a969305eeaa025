//go:build e2e_fleet

package bus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bus"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: kder}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

const users = `authorization: {users: [
  {user: host, password: right}
  {user: less, password: right, permissions: {publish: {deny: ["ncatd.>", "$JS.API.>"]}}}
]}
jetstream: STORE`

// Each thing that can be wrong with the servers, or with the way to them, is told from
// the others, and is over when it is mended.
func TestTrouble(t *testing.T) {
	cert, key := certificate(t)
	secured := natstest.Bare(t, fmt.Sprintf("jetstream: STORE\ntls: {cert_file: %q, key_file: %q}", cert, key))
	guarded := natstest.Bare(t, users)
	plain := natstest.Bare(t, "jetstream: STORE")
	without := natstest.Bare(t, "")
	newer := natstest.Bare(t, "jetstream: STORE")
	for name, c := range map[string]struct {
		o        Options
		replicas int
		want     Trouble
	}{
		"well":               {o: Options{URL: "nats://" + plain}},
		"nobody listens":     {o: Options{URL: "nats://127.0.0.1:1"}, want: Away},
		"no such name":       {o: Options{URL: "nats://no-such-host.invalid:4222"}, want: Away},
		"wrong password":     {o: Options{URL: "nats://host:wrong@" + guarded}, want: Refused},
		"no password":        {o: Options{URL: "nats://" + guarded}, want: Refused},
		"right password":     {o: Options{URL: "nats://host:right@" + guarded}},
		"half refused":       {o: Options{URL: "nats://host:wrong@" + guarded + ",nats://host:wrong@127.0.0.1:1"}, want: Refused},
		"lacks permissions":  {o: Options{URL: "nats://less:right@" + guarded}, want: Denied},
		"unknown authority":  {o: Options{URL: "tls://" + secured}, want: TLS},
		"known authority":    {o: Options{URL: "tls://" + secured, CA: cert}},
		"TLS that is not":    {o: Options{URL: "tls://" + plain}, want: TLS},
		"no JetStream":       {o: Options{URL: "nats://" + without}, want: NoJetStream},
		"too many copies":    {o: Options{URL: "nats://" + plain}, replicas: 3, want: Unprepared},
		"of a newer version": {o: Options{URL: "nats://" + newer}, want: Newer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.Name, c.o.Logger = "test", slog.New(slog.NewTextHandler(t.Output(), nil))
			b, err := Connect(c.o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			if c.want == Newer {
				cfg := jetstream.StreamConfig{Name: Events, Subjects: []string{events + ".>"}, Metadata: map[string]string{perChat: "32", protocol: fmt.Sprint(Protocol + 1)}}
				eventually(t, func() error { _, err := b.JS.CreateStream(t.Context(), cfg); return err })
			}
			eventually(t, func() error {
				err := b.Trouble()
				if err == nil {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
					defer cancel()
					if err = b.Ensure(ctx, Settings{Replicas: c.replicas}); err != nil && b.Trouble() != nil {
						err = b.Trouble() // as Fleet.Trouble has it
					}
				}
				if is := TroubleOf(err); is != c.want {
					return fmt.Errorf("%v is told as %d, not as %d", err, is, c.want)
				}
				return nil
			})
		})
	}
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// How old something is does not depend on the clock of the machine that asks: the
// servers' is meant.
func TestAge(t *testing.T) {
	s := natstest.Start(t, 1)
	b, err := Connect(Options{URL: s.URL(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	eventually(t, func() error { return b.Ensure(t.Context(), Settings{}) })
	kv, err := b.JS.KeyValue(t.Context(), Hosts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "a", "x"); err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if age, err := b.Age(t.Context(), Hosts, e.Created().Add(-time.Minute)); err != nil || age < time.Minute || age > 2*time.Minute {
		t.Fatal(age, err)
	}
	if since, err := b.Since(t.Context(), Hosts); err != nil || since <= 0 || since > time.Minute {
		t.Fatal(since, err)
	}
	missing := func(want bool) {
		t.Helper()
		if is, err := b.Missing(t.Context()); err != nil || is != want {
			t.Fatal(is, err)
		}
	}
	missing(false)
	if err := b.JS.DeleteKeyValue(t.Context(), Attempts); err != nil {
		t.Fatal(err)
	}
	missing(true)
	if b.NC.Status() != nats.CONNECTED {
		t.Fatal(b.NC.Status())
	}
}
