package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/alert"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/health"
)

// writePair writes a certificate that is valid until end, and its key.
func writePair(t *testing.T, c config.Control, begin, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(end.Unix()), Subject: pkix.Name{CommonName: "bot"}, DNSNames: []string{"bot.example.com"}, NotBefore: begin, NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string]*pem.Block{c.Cert: {Type: "CERTIFICATE", Bytes: der}, c.Key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		// Files written in the same tick of the disk's clock are told apart.
		if err := os.Chtimes(path, end, end); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificateTrouble goes through the life of a certificate of files: missing
// when ncatd starts, good, ending, ended, unreadable, renewed. Each is shown and is an alert, and what is
// served is the newest that could be read.
func TestCertificateTrouble(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	c := config.Control{Listen: "0.0.0.0:1", TLS: "files", Cert: filepath.Join(dir, "bot.pem"), Key: filepath.Join(dir, "bot.key")}
	day := 24 * time.Hour
	cert := newCertificate(c, dir)
	d := &Daemon{health: health.New(slog.New(slog.DiscardHandler), nil)}
	expect := func(when string, at time.Time, code api.Code, served time.Time) {
		t.Helper()
		d.lookAtCertificate(cert, at)
		reasons := d.health.Of("main")
		got, err := cert.config().GetCertificate(&tls.ClientHelloInfo{})
		if served.IsZero() {
			if err == nil || cert.fingerprint() != "" {
				t.Errorf("%s: something is served", when)
			}
		} else if err != nil || got.Leaf.SerialNumber.Int64() != served.Unix() {
			t.Errorf("%s: another certificate is served (%v)", when, err)
		}
		alerts := alert.Observe(api.Status{Accounts: []api.Account{{Name: "main", State: api.StateOnline, Degraded: reasons}}})
		if code == "" {
			if len(reasons) != 0 {
				t.Errorf("%s: %+v", when, reasons)
			}
			return
		}
		if len(reasons) != 1 || reasons[0].Code != code || len(alerts) != 1 || alerts[0].Kind != alert.KindCert || !strings.Contains(strings.Join(alerts[0].Args, " "), c.Cert) {
			t.Errorf("%s: %+v, told %+v, want %s", when, reasons, alerts, code)
		}
	}
	expect("without files", now, api.CodeCertNone, time.Time{})
	first := now.Add(90 * day)
	writePair(t, c, now, first)
	if err := os.WriteFile(c.Key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("unreadable from the start", now, api.CodeCertNone, time.Time{})
	writePair(t, c, now, first)
	expect("new", now, "", first)
	expect("two weeks before", now.Add(77*day), api.CodeCertEnds, first)
	expect("after the end", now.Add(91*day), api.CodeCertEnded, first)
	if err := os.WriteFile(c.Key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("half written", now.Add(91*day), api.CodeCertUnread, first)
	if err := os.Remove(c.Cert); err != nil {
		t.Fatal(err)
	}
	expect("gone", now, api.CodeCertUnread, first)
	second := now.Add(120 * day)
	writePair(t, c, now, second)
	expect("renewed", now.Add(91*day), "", second)
	short := now.Add(100 * day)
	writePair(t, c, short.Add(-6*day), short)
	expect("one of six days, fresh", short.Add(-5*day), "", short)
	expect("one of six days, nearly over", short.Add(-day), api.CodeCertEnds, short)
}

// TestOwnCertificateIsRenewed: the one that is made here is made anew before it
// ends, while ncatd runs.
func TestOwnCertificateIsRenewed(t *testing.T) {
	c := config.Control{Listen: "0.0.0.0:1", TLS: "self", Hosts: []string{"bot.example.com"}}
	dir := t.TempDir()
	cert := newCertificate(c, dir)
	was := cert.fingerprint()
	if f := cert.look(time.Now()); f.Code != "" || cert.fingerprint() != was || was == "" {
		t.Errorf("%+v, or made anew", f)
	}
	now := time.Now()
	ending := config.Control{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	writePair(t, ending, now, now.Add(console.CertRenew-time.Hour))
	pair, err := tls.LoadX509KeyPair(ending.Cert, ending.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert.now.Store(&pair)
	was = cert.fingerprint()
	if f := cert.look(now); f.Code != "" || cert.fingerprint() == was || cert.now.Load().Leaf.NotAfter.Sub(now) < console.CertRenew {
		t.Errorf("%+v, or not made anew", f)
	}
	if none := newCertificate(config.Control{TLS: "off", Listen: "127.0.0.1:1"}, ""); none != nil || none.fingerprint() != "" {
		t.Error(none)
	}
}
