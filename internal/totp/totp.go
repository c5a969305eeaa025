// Package totp makes and checks the six digits of an authenticator, as RFC 6238
// has them and NapCat's WebUI asks for them: SHA-1, 30 s. It keeps no secrets and
// counts no attempts.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// period is how long one code holds.
const period = 30 * time.Second

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// ErrSecret is a secret that is not base32. It never holds the secret.
var ErrSecret = errors.New("totp: the secret is not base32")

// NewSecret returns a fresh secret of 160 bits in base32.
func NewSecret() string {
	b := make([]byte, 20)
	rand.Read(b)
	return encoding.EncodeToString(b)
}

// Code returns the code of a moment. The secret may be in lower case, padded and
// set in groups, as people copy it.
func Code(secret string, at time.Time) (string, error) {
	secret = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(secret, " ", "")), "=")
	key, err := encoding.DecodeString(secret)
	if err != nil || len(key) == 0 {
		return "", ErrSecret
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/int64(period/time.Second))))
	sum := mac.Sum(nil)
	at31 := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) &^ (1 << 31)
	return fmt.Sprintf("%06d", at31%1_000_000), nil
}

// Valid reports whether code is that of a moment, or of the period before or
// after it, since clocks differ.
func Valid(code, secret string, at time.Time) bool {
	ok := 0
	for _, d := range []time.Duration{-period, 0, period} {
		if want, err := Code(secret, at.Add(d)); err == nil {
			ok |= subtle.ConstantTimeCompare([]byte(want), []byte(strings.TrimSpace(code)))
		}
	}
	return ok == 1
}
