package launch

import (
	"crypto/rand"
	"encoding/binary"
	"path/filepath"
	"strings"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

const (
	xauthName   = "MIT-MAGIC-COOKIE-1"
	xauthCookie = 16     // bytes
	xauthWild   = 0xffff // the family that fits every display
)

// writeAuthority writes an X authority file, mode 0600, with a new cookie. A
// server started with it lets in only who can read it; without one an X server
// lets in every user of the machine.
func writeAuthority(path string) error {
	cookie := make([]byte, xauthCookie)
	_, _ = rand.Read(cookie) // never fails
	b := binary.BigEndian.AppendUint16(nil, xauthWild)
	for _, field := range []string{"", "", xauthName, string(cookie)} { // address, display, name, data
		b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
		b = append(b, field...)
	}
	return atomicfile.Write(path, b, 0o600)
}

// authorityFile is where the own Xvfb's cookie stands, beside what is written
// down about it.
func (o DisplayOptions) authorityFile() string {
	return strings.TrimSuffix(o.StateFile, filepath.Ext(o.StateFile)) + ".xauth"
}
