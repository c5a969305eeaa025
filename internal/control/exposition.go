package control

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// family is a counter, a gauge or a histogram in Prometheus's text format: one
// series for each combination of the labels' values. It is safe for concurrent
// use. The format is so small, and ours so few, that the official client with
// Protocol Buffers below it would be most of what it costs.
type family struct {
	name, kind, help string
	labels           []string
	bounds           []float64 // of a histogram, ascending

	mu     sync.Mutex
	series map[string]*series // by their labels as they are written
}

type series struct {
	value   float64 // of a histogram and a summary the sum
	buckets []uint64
	count   uint64
}

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
	summary   = "summary" // its sum and count are a series without labels
)

func newFamily(kind, name, help string, labels ...string) *family {
	return &family{name: name, kind: kind, help: help, labels: labels, series: map[string]*series{}}
}

func newHistogram(name, help, label string, bounds ...float64) *family {
	f := newFamily(histogram, name, help, label)
	f.bounds = bounds
	return f
}

// at returns the series with these values of the labels; f.mu is held.
func (f *family) at(values []string) *series {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.labels[i])
		b.WriteString(`="`)
		b.WriteString(labelEscapes.Replace(v))
		b.WriteByte('"')
	}
	s := f.series[b.String()]
	if s == nil {
		s = &series{buckets: make([]uint64, len(f.bounds))}
		f.series[b.String()] = s
	}
	return s
}

// add adds to a counter or a gauge.
func (f *family) add(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(values).value += v
}

// set sets a gauge, or a counter that is counted elsewhere.
func (f *family) set(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(values).value = v
}

// observe adds a value to a histogram.
func (f *family) observe(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(values)
	s.value += v
	s.count++
	for i, most := range f.bounds {
		if v <= most {
			s.buckets[i]++
		}
	}
}

// write appends the family, unless it has no series.
func (f *family) write(b *bytes.Buffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.series) == 0 {
		return
	}
	b.WriteString("# HELP " + f.name + " " + helpEscapes.Replace(f.help) + "\n# TYPE " + f.name + " " + f.kind + "\n")
	keys := make([]string, 0, len(f.series))
	for k := range f.series {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		s := f.series[k]
		if f.kind != histogram && (f.kind != summary || k != "") {
			sample(b, f.name, k, s.value)
			continue
		}
		for i, most := range f.bounds {
			sample(b, f.name+"_bucket", k+`,le="`+number(most)+`"`, float64(s.buckets[i]))
		}
		if f.kind == histogram {
			sample(b, f.name+"_bucket", k+`,le="+Inf"`, float64(s.count))
		}
		sample(b, f.name+"_sum", k, s.value)
		sample(b, f.name+"_count", k, float64(s.count))
	}
}

func sample(b *bytes.Buffer, name, labels string, v float64) {
	b.WriteString(name)
	if labels != "" {
		b.WriteString("{" + labels + "}")
	}
	b.WriteString(" " + number(v) + "\n")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

var (
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)
