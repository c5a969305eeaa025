package doctor

import (
	"testing"

	"github.com/ncatd/ncatd/internal/e2e/elfset"
)

func writeELF(t testing.TB, path string, s elfset.File) {
	t.Helper()
	if err := s.Write(path); err != nil {
		t.Fatal(err)
	}
}
