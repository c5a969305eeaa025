package proc

import (
	"strings"
	"testing"
)

func BenchmarkOutputFlood(b *testing.B) {
	o := newOutput(Spec{})
	block := []byte(strings.Repeat("[Core] "+strings.Repeat("x", 80)+"\n", 100) + strings.Repeat(strings.Repeat("y", 100)+"\n", 100))
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		o.feed(block)
	}
}
