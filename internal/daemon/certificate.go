package daemon

import (
	"crypto/tls"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
)

// certEnds is how long before its end a certificate is told of that nobody has
// renewed, or a third of its life if that is shorter: what renews them by itself
// does so before.
const certEnds = 14 * 24 * time.Hour

// certificate is what control.listen speaks TLS with. Files that changed are read
// anew, so that a renewal needs no restart.
type certificate struct {
	c   config.Control
	dir string // of the certificate that is made here
	now atomic.Pointer[tls.Certificate]

	read [2]stamp // of the files that were read last; only look uses it after the start
}

var errNoCertificate = errors.New("the certificate of control.listen could not be read yet")

// stamp tells whether a file changed.
type stamp struct {
	at   time.Time
	size int64
}

// newCertificate reads or makes the certificate that the config asks for; nil for
// none. One that cannot be read stops no bot: control.listen serves nobody until
// it can, and [certificate.look] tells that.
func newCertificate(c config.Control, dir string) *certificate {
	if c.TLS != "files" && (c.TLS != "self" || c.Listen == "") {
		return nil
	}
	x := &certificate{c: c, dir: dir}
	if stamps, err := x.stamps(); err == nil {
		_ = x.load(stamps) // look tries again at once, and tells why it fails
	}
	return x
}

func (x *certificate) stamps() (s [2]stamp, err error) {
	if x.c.TLS == "self" {
		return s, nil
	}
	for i, path := range []string{x.c.Cert, x.c.Key} {
		fi, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s[i] = stamp{fi.ModTime(), fi.Size()}
	}
	return s, nil
}

func (x *certificate) load(stamps [2]stamp) error {
	var cert tls.Certificate
	var err error
	if x.c.TLS == "self" {
		cert, err = console.Certificate(x.dir, x.c.Hosts)
	} else {
		cert, err = tls.LoadX509KeyPair(x.c.Cert, x.c.Key)
	}
	if err != nil {
		return err
	}
	x.read = stamps
	x.now.Store(&cert)
	return nil
}

// config returns what a listener uses.
func (x *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if cert := x.now.Load(); cert != nil {
			return cert, nil
		}
		return nil, errNoCertificate
	}}
}

// fingerprint is what a browser must show for a certificate that nobody vouches
// for, "" for one of files.
func (x *certificate) fingerprint() string {
	if x == nil || x.c.TLS != "self" || x.now.Load() == nil {
		return ""
	}
	return console.Fingerprint(*x.now.Load())
}

// look takes a renewed certificate into use and returns what is wrong with it. Not
// for concurrent use.
func (x *certificate) look(now time.Time) (trouble api.Fault) {
	path, was := x.c.Cert, x.now.Load()
	stamps, err := x.stamps()
	switch {
	case x.c.TLS == "self":
		path = x.dir
		if was == nil || was.Leaf.NotAfter.Sub(now) < console.CertRenew {
			err = x.load(stamps)
		}
	case err == nil && stamps != x.read:
		// The new key may be written a moment after the new certificate.
		err = x.load(stamps)
	}
	switch {
	case err != nil && was == nil:
		return api.Fault{Code: api.CodeCertNone, Args: []string{path, err.Error()}}
	case err != nil:
		return api.Fault{Code: api.CodeCertUnread, Args: []string{path, err.Error()}}
	}
	leaf := x.now.Load().Leaf
	left := leaf.NotAfter.Sub(now)
	switch {
	case left <= 0:
		return api.Fault{Code: api.CodeCertEnded, Args: []string{path, leaf.NotAfter.Local().Format(time.DateTime)}}
	case left < min(certEnds, leaf.NotAfter.Sub(leaf.NotBefore)/3):
		return api.Fault{Code: api.CodeCertEnds, Args: []string{path, leaf.NotAfter.Local().Format(time.DateTime)}}
	}
	return api.Fault{}
}

// lookAtCertificate tells what is wrong with the certificate of control.listen.
func (d *Daemon) lookAtCertificate(cert *certificate, now time.Time) {
	if cert == nil {
		return
	}
	trouble := cert.look(now)
	for _, code := range []api.Code{api.CodeCertNone, api.CodeCertUnread, api.CodeCertEnded, api.CodeCertEnds} {
		if code == trouble.Code {
			d.health.Set("", code, trouble.Args...)
		} else {
			d.health.Clear("", code)
		}
	}
}
