package napcatsim

import (
	"bytes"
	"io"
	"testing"

	"github.com/ulikunitz/xz"
)

func TestStoredXZ(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1<<16 - 1, 1 << 16, 1<<16 + 1, 1 << 20} {
		data := noise("xz", n)
		r, err := xz.NewReader(bytes.NewReader(storedXZ(data)))
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes come back as %d, %v", n, len(got), err)
		}
	}
}
