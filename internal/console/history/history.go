// Package history keeps what is plotted of one account over the last day: a ring
// of fixed size in one file, a record for each minute, written in place. Its
// central type is [Ring]. It keeps no totals and answers no queries; that is
// what /metrics is for.
package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

const (
	// Minutes is how many records a ring has, one for each minute of a day.
	Minutes = 24 * 60
	values  = 6
	record  = 8 + 4*values
	size    = Minutes * record
)

// Sample is one minute. Events, Calls and Restarts are those of the minute,
// Latency is the mean of its calls.
type Sample struct {
	Minute   int64 // since 1970
	RSS      float64
	CPU      float64 // percent of one core
	Events   float64
	Calls    float64
	Latency  float64 // seconds, 0 without calls
	Restarts float64
}

// Ring is the file of one account. It is not safe for concurrent use, but what
// one process writes another may read.
type Ring struct{ f *os.File }

// Open opens the ring at path and makes it if need be. A file that is no ring
// ends as one.
func Open(path string) (*Ring, error) {
	f, err := atomicfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("history: %w", err), f.Close())
	}
	return &Ring{f}, nil
}

// Put writes s in the place of what was a day before it.
func (r *Ring) Put(s Sample) error {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, record), uint64(s.Minute))
	for _, v := range []float64{s.RSS, s.CPU, s.Events, s.Calls, s.Latency, s.Restarts} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	_, err := r.f.WriteAt(b, s.Minute%Minutes*record)
	return err
}

// Day returns the samples of the day that ends with now, the oldest first. What
// cannot be one of them is left out.
func (r *Ring) Day(now time.Time) ([]Sample, error) {
	b := make([]byte, size)
	if _, err := r.f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("history: %w", err)
	}
	last := now.Unix() / 60
	var out []Sample
	for minute := last - Minutes + 1; minute <= last; minute++ {
		rec := b[minute%Minutes*record:][:record]
		if int64(binary.LittleEndian.Uint64(rec)) != minute {
			continue
		}
		var v [values]float64
		for i := range v {
			v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(rec[8+4*i:])))
			if math.IsNaN(v[i]) || math.IsInf(v[i], 0) {
				v[i] = 0
			}
		}
		out = append(out, Sample{Minute: minute, RSS: v[0], CPU: v[1], Events: v[2], Calls: v[3], Latency: v[4], Restarts: v[5]})
	}
	return out, nil
}

// Close closes the file.
func (r *Ring) Close() error { return r.f.Close() }
