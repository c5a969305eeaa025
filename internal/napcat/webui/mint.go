package webui

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"
)

const (
	// mintBack is how far back a credential of our own making is dated: NapCat
	// follows QQ's clock (contract B.2) and refuses one that is not yet valid.
	mintBack = time.Minute
	// mintRest is how long we log in instead after the WebUI did not know a
	// credential of our own making.
	mintRest = time.Hour
)

// mint makes the credential that NapCat would hand out at created, had it the
// signing key: the Data is signed as JSON.stringify writes it (contract C.3).
func mint(key, token string, created time.Time) string {
	type data struct {
		CreatedTime int64
		HashEncoded string
	}
	d := data{created.Unix(), hashToken(token)}
	signed, err := json.Marshal(d)
	if err != nil {
		panic(err) // an int and a hex string
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(signed)
	b, err := json.Marshal(struct {
		Data data
		Hmac string
	}{d, hex.EncodeToString(mac.Sum(nil))})
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// hashToken is what NapCat compares instead of the token.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token + ".napcat"))
	return hex.EncodeToString(sum[:])
}

// mintedLocked returns a credential of our own making, "" if there is no key or
// the WebUI did not know the last one. The caller holds s.mu.
func (c *Client) mintedLocked(now time.Time) string {
	s := &c.session
	if s.signingKey == "" || now.Sub(s.mintRefused) < mintRest {
		return ""
	}
	s.minted = mint(s.signingKey, c.secret(), now.Add(-mintBack))
	s.credential, s.issued = s.minted, now
	return s.minted
}
