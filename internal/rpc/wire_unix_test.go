//go:build unix

package rpc

import (
	"runtime"
	"testing"
	"weak"
)

// A frame of many megabytes is not kept until the next one.
func TestNothingWrittenIsKept(t *testing.T) {
	_, c := nearPair(t)
	w := NewNowWriter(c)
	write := func() weak.Pointer[byte] {
		b := make([]byte, 1<<20)
		if n, err := w.Write(b); n == 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return weak.Make(&b[0])
	}
	p := write()
	runtime.GC()
	if p.Value() != nil {
		t.Error("it is kept")
	}
	runtime.KeepAlive(w)
}
