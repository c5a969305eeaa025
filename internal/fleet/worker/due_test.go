package worker

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestDueMovesLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var members []string
		for i := range 1 + r.IntN(8) {
			members = append(members, fmt.Sprintf("host%d-%x", i, r.Uint32()))
		}
		more := append([]string{}, members...)
		more = append(more, "new")
		counts := map[string]int{}
		for p := range 128 {
			was, is := Due(p, members), Due(p, more)
			if was != is && is != "new" {
				t.Fatalf("partition %d moved from %s to %s when another one came", p, was, is)
			}
			counts[is]++
		}
		for _, m := range more {
			if counts[m] == 0 || counts[m] > 4*128/len(more) {
				t.Errorf("%d members: %s has %d of 128", len(more), m, counts[m])
			}
		}
	}
}
