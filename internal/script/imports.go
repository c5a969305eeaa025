package script

import (
	"slices"
	"strings"
)

// importHint says what helps where an import leads nowhere.
func importHint(name string) string {
	module := strings.TrimPrefix(name, "node:")
	what, known := nodeModule(module)
	switch {
	case known || strings.HasPrefix(name, "node:"):
		return module + " is a module of Node, in which a plugin does not run: " + what
	case strings.Contains(name, ":") || strings.HasPrefix(name, "//"):
		return "put the file into the plugin's folder; data is read with fetch"
	case strings.HasPrefix(name, "."):
		return "a plugin imports its own files by their names within its folder"
	}
	return `a plugin imports "ncat", its own files by "./name", and what lies in its own node_modules`
}

// nodeModule says what scripts have in the place of one of Node's modules.
func nodeModule(name string) (instead string, known bool) {
	first, _, _ := strings.Cut(name, "/")
	web := "it has fetch"
	globals := "what it has of that is there without an import"
	instead, known = map[string]string{
		"fs":   `it keeps data in store, imports .json and .txt files of its folder, and sends files with image("name") and its kin`,
		"http": web, "https": web, "http2": web, "net": web, "tls": web, "dns": web, "dgram": web,
		"crypto": globals + ": crypto.randomUUID and crypto.getRandomValues", "timers": globals + ": setTimeout and setInterval",
		"url": globals + ": URL and URLSearchParams", "util": globals + ": TextEncoder and TextDecoder", "buffer": globals + ": Uint8Array, atob and btoa",
		"console": globals + ": console", "process": "its settings come from config", "child_process": "it starts no programs",
		"worker_threads": "each plugin has one thread", "os": "it knows nothing of the machine",
	}[first]
	if known {
		return instead, true
	}
	return "what there is instead is in docs/guide/scripts", slices.Contains(strings.Fields(`assert async_hooks cluster constants diagnostics_channel
		domain events inspector module path perf_hooks punycode querystring readline repl stream string_decoder sys test trace_events tty v8 vm wasi zlib`), first)
}

// noModule is what a plugin is told that imports, while it runs, what was not
// bundled with it.
func noModule(name string) string {
	if what, known := nodeModule(strings.TrimPrefix(name, "node:")); known {
		return "no module " + name + ": that is one of Node, in which a plugin does not run: " + what
	}
	return "no module " + name + ": what a plugin imports must be named by a literal and lie in its folder"
}
