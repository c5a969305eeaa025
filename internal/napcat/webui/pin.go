package webui

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
)

// Pin names one certificate, by the SHA-256 of its DER form. The zero value
// names none.
type Pin [sha256.Size]byte

// MarshalText returns the pin in hexadecimal.
func (p Pin) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, p[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Pin) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(p) {
		return errors.New("not a SHA-256")
	}
	_, err := hex.Decode(p[:], b)
	return err
}

// ErrCertificate says that a WebUI reached over TLS has not proved that it is
// ours.
var ErrCertificate = errors.New("the WebUI shows another certificate than the one in NapCat's cert.pem")

// PinOf returns the pin of the first certificate in the contents of a cert.pem,
// which is the one that NapCat shows.
func PinOf(file []byte) (Pin, error) {
	for {
		var block *pem.Block
		if block, file = pem.Decode(file); block == nil {
			return Pin{}, errors.New("cert.pem holds no certificate")
		}
		if block.Type == "CERTIFICATE" {
			return sha256.Sum256(block.Bytes), nil
		}
	}
}

// SetPin says which certificate the WebUI shows at an https address: exactly
// this one is accepted, whatever its issuer, name and dates.
// It is usually self-signed or made out to a name by which others come, while
// we reach the server on this machine and can read its very file. Without a pin
// no https address is trusted.
func (c *Client) SetPin(pin Pin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pin != pin {
		c.pin = pin
		c.http.CloseIdleConnections()
	}
}

// pinned is the TLS configuration that lets SetPin decide.
func (c *Client) pinned() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // no authority, name or date is asked, but the pin below
		VerifyConnection: func(s tls.ConnectionState) error {
			c.mu.Lock()
			pin := c.pin
			c.mu.Unlock()
			if pin == (Pin{}) || len(s.PeerCertificates) == 0 || sha256.Sum256(s.PeerCertificates[0].Raw) != pin {
				return ErrCertificate
			}
			return nil
		},
	}
}
