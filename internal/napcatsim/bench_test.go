package napcatsim

import "testing"

// BenchmarkPack is what every `start --sim` pays first.
func BenchmarkPack(b *testing.B) {
	b.ReportAllocs()
	dir := b.TempDir()
	for b.Loop() {
		if _, err := Pack(dir, PackOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
