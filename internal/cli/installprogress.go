package cli

import (
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/napcat/install"
)

// progress shows the steps of an install: a bar on a terminal, a line per tenth
// elsewhere, a JSON document per step on stdout. It is called from one goroutine
// at a time.
type progress struct {
	in    *installing
	json  bool
	tty   bool
	bar   *bar
	phase install.EventKind // of the bar
	done  map[phase]install.Event
	tenth map[phase]int64
}

type phase struct {
	product install.Product
	kind    install.EventKind
}

func (in *installing) progress(json bool) *progress {
	return &progress{in: in, json: json, tty: in.a.out.errTTY && !json, done: map[phase]install.Event{}, tenth: map[phase]int64{}}
}

// show takes one event.
func (p *progress) show(e install.Event) {
	a := p.in.a
	if p.json {
		if err := a.out.json(e, true); err != nil {
			p.in.log.Error("print a step", "error", err)
		}
		return
	}
	name := strings.TrimSpace(e.Product.Name() + " " + e.Version)
	switch e.Kind {
	case install.EventPlan:
		if strings.Contains(e.URL, "://") {
			more := ""
			if e.Bytes > 0 {
				more = a.t("install.resumed", bytesText(uint64(e.Bytes)))
			} else if e.Total > 0 {
				more = a.t("install.plan_size", bytesText(uint64(e.Total)))
			}
			p.say("install.fetch", e.Product.Name(), e.Version, e.URL, more)
		}
	case install.EventMirror, install.EventFailed:
		if e.Error != "" {
			p.say("install.source_bad", e.Product.Name(), text.Fault(a.lang, e.Fault))
		}
	case install.EventDownload, install.EventUnpack:
		p.step(e, name)
	case install.EventVerified:
		p.say("install.verified", name, e.SHA256)
	case install.EventNote:
		if e.Code == "version_differs" {
			p.say("install.version_differs", e.Product.Name(), e.Version)
		}
	case install.EventSwitched:
		p.end()
		p.say("install.switched", e.Version, e.QQ)
	case install.EventPruned:
		p.say("install.pruned", e.URL)
	}
}

// say writes a line without tearing the bar.
func (p *progress) say(code string, args ...any) {
	if p.bar != nil {
		p.bar.clear()
	}
	p.in.a.out.say("%s", p.in.a.t(code, args...))
}

func (p *progress) step(e install.Event, name string) {
	if p.tty {
		p.draw(e)
		return
	}
	key := phase{e.Product, e.Kind}
	if e.Total <= 0 {
		return
	}
	tenth := min(e.Bytes*10/e.Total, 10)
	if old, ok := p.tenth[key]; ok && old >= tenth || tenth == 0 {
		return
	}
	p.tenth[key] = tenth
	if e.Kind == install.EventUnpack {
		p.say("install.unpacking", name, tenth*10)
		return
	}
	left := (time.Duration(e.ETA) * time.Second).String()
	p.say("install.progress", name, tenth*10, bytesText(uint64(e.Bytes)), bytesText(uint64(e.Total)), bytesText(uint64(e.Rate)), left)
}

// draw moves the bar, which counts both packages together.
func (p *progress) draw(e install.Event) {
	a := p.in.a
	p.done[phase{e.Product, e.Kind}] = e
	if e.Kind == install.EventUnpack && p.phase == install.EventDownload && !p.downloaded() {
		return // one package still comes in; that is what one waits for
	}
	if p.bar == nil || p.phase != e.Kind {
		p.end()
		p.phase = e.Kind
		label := a.t("install.bar")
		if e.Kind == install.EventUnpack {
			label = a.t("install.bar_unpack")
		}
		p.bar = &bar{w: a.Stderr, label: label, start: time.Now()}
	}
	var bytes, total int64
	for k, v := range p.done {
		if k.kind == p.phase {
			bytes += v.Bytes
			total += max(v.Total, v.Bytes)
		}
	}
	p.bar.show(time.Now(), bytes, total)
}

// downloaded reports whether every download that began has ended.
func (p *progress) downloaded() bool {
	for k, v := range p.done {
		if k.kind == install.EventDownload && v.Bytes < v.Total {
			return false
		}
	}
	return true
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.clear()
		p.bar = nil
	}
}

// note picks the language of a note of the catalogue.
func (a *app) note(en, zh string) string {
	if a.lang == text.Chinese && zh != "" {
		return zh
	}
	return en
}
