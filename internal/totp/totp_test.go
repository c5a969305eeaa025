package totp

import (
	"strings"
	"testing"
	"time"
)

// The vectors of RFC 6238, appendix B, for SHA-1; there with eight digits.
func TestRFC6238(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		for _, s := range []string{secret, strings.ToLower(secret), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", secret + "===="} {
			if got, err := Code(s, time.Unix(at, 0)); err != nil || got != want[2:] {
				t.Errorf("at %d with %q: %q, %v, want %q", at, s, got, err, want[2:])
			}
		}
	}
}

func TestValid(t *testing.T) {
	now, secret := time.Unix(1_800_000_000, 0), NewSecret()
	code, err := Code(secret, now)
	if err != nil || len(secret) != 32 {
		t.Fatal(secret, err)
	}
	for shift, want := range map[time.Duration]bool{0: true, -period: true, period: true, -2 * period: false, 2 * period: false} {
		if got := Valid(code, secret, now.Add(shift)); got != want {
			t.Errorf("%v later: %v", shift, got)
		}
	}
	if Valid("", secret, now) || Valid(code, "", now) || Valid(code, "not base32!", now) || Valid(code+"0", secret, now) {
		t.Error("accepted")
	}
	if _, err := Code("0189", now); err != ErrSecret {
		t.Error(err)
	}
}
