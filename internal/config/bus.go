package config

import (
	"net/url"
	"os"
	"strings"
	"time"
)

// Bus makes this host one of a fleet. Without a URL nothing of it is started.
type Bus struct {
	URL       string   `yaml:"url"`   // of a NATS server, or of several with commas between them
	Creds     string   `yaml:"creds"` // a file of NATS credentials, or of an nkey's seed
	CA        string   `yaml:"ca"`    // a file of the certificates that servers are verified by; empty: the system's
	Host      string   `yaml:"host"`  // this host's name in the fleet; empty: the machine's
	Replicas  int      `yaml:"replicas"`
	Retention Duration `yaml:"retention"` // of events
}

func (d *decoder) checkBus(b *Bus) {
	if b.URL == "" {
		for key, v := range map[string]string{"bus.creds": b.Creds, "bus.ca": b.CA, "bus.host": b.Host} {
			if v != "" {
				d.report(key, "bus_without_url", key)
			}
		}
		return
	}
	web := 0
	urls := strings.Split(b.URL, ",")
	for _, one := range urls {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Hostname() == "" {
			d.report("bus.url", "bad_bus_url", "bus.url", redact(one))
			continue
		}
		switch u.Scheme {
		case "nats", "tls":
		case "ws", "wss":
			web++
		default:
			d.report("bus.url", "bad_bus_url", "bus.url", redact(one))
		}
	}
	if web > 0 && web < len(urls) {
		d.report("bus.url", "mixed_bus_url", "bus.url")
	}
	d.checkBusFile("bus.creds", b.Creds, "bad_bus_creds", "BEGIN NATS USER JWT", "SU") // an nkey's seed
	d.checkBusFile("bus.ca", b.CA, "bad_bus_ca", "BEGIN CERTIFICATE")
	if b.Host != "" && (len(b.Host) > 64 || strings.Trim(b.Host, busName) != "") {
		d.report("bus.host", "bad_bus_host", "bus.host", b.Host)
	}
	if b.Replicas != 1 && b.Replicas != 3 && b.Replicas != 5 {
		d.report("bus.replicas", "bad_replicas", "bus.replicas", b.Replicas)
	}
	d.durationWithin("bus.retention", b.Retention, time.Minute, 365*24*time.Hour)
}

// checkBusFile reports a file that is none, or that holds nothing of what it must.
func (d *decoder) checkBusFile(key, file, code string, one ...string) {
	if file == "" {
		return
	}
	if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() {
		d.report(key, "no_file", key, file)
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		d.report(key, "unread_file", key, err)
		return
	}
	for _, part := range one {
		if strings.Contains(string(text), part) {
			return
		}
	}
	d.report(key, code, key, file)
}

const busName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// redact leaves out who a URL logs in as.
func redact(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		scheme, _, _ := strings.Cut(s, "://")
		return scheme + "://…" + s[i:]
	}
	return s
}
