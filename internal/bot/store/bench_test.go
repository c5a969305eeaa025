package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// BenchmarkUpdate is a small value written, as for each event, without and beside
// large ones.
func BenchmarkUpdate(b *testing.B) {
	for _, large := range []int{0, 8} {
		b.Run(fmt.Sprintf("large=%d", large), func(b *testing.B) {
			ctx := b.Context()
			db, err := Open(ctx, filepath.Join(b.TempDir(), "x.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			for i := range large {
				if err := db.Space("plugin").Update(ctx, func(tx ncat.Tx) error {
					return tx.Put(fmt.Sprint("k", i), make([]byte, 1<<20), 0)
				}); err != nil {
					b.Fatal(err)
				}
			}
			bot := db.Space("journal").(*space)
			b.ResetTimer()
			for i := range b.N {
				if err := bot.UpdateSoon(ctx, func(tx ncat.Tx) error {
					return tx.Put(fmt.Sprint("event", i%1000), []byte(`{"begun":1}`), time.Hour)
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
