package script

import (
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/control/api"
)

// importHint says what helps where an import leads nowhere.
func importHint(name string) api.Fault {
	hint, known := nodeModule(strings.TrimPrefix(name, "node:"))
	switch {
	case known || strings.HasPrefix(name, "node:"):
		return hint
	case strings.Contains(name, ":") || strings.HasPrefix(name, "//"):
		return api.Because(api.CodeScriptDataHint)
	case strings.HasPrefix(name, "."):
		return api.Because(api.CodeScriptImportHint)
	}
	return api.Because(api.CodeScriptPackageHint)
}

// nodeModule says what scripts have in the place of one of Node's modules.
func nodeModule(name string) (instead api.Fault, known bool) {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "fs":
		return api.Because(api.CodeScriptNodeFilesHint, name), true
	case "http", "https", "http2", "net", "tls", "dns", "dgram":
		return api.Because(api.CodeScriptNodeWebHint, name), true
	case "process":
		return api.Because(api.CodeScriptNodeConfHint, name), true
	case "child_process":
		return api.Because(api.CodeScriptNodeExecHint, name), true
	case "worker_threads":
		return api.Because(api.CodeScriptNodeOneHint, name), true
	case "os":
		return api.Because(api.CodeScriptNodeOSHint, name), true
	}
	global, known := map[string]string{
		"crypto": "crypto.randomUUID, crypto.getRandomValues", "timers": "setTimeout, setInterval", "url": "URL, URLSearchParams",
		"util": "TextEncoder, TextDecoder", "buffer": "Uint8Array, atob, btoa", "console": "console",
	}[first]
	if known {
		return api.Because(api.CodeScriptNodeHasHint, name, global), true
	}
	return api.Because(api.CodeScriptNodeHint, name), slices.Contains(strings.Fields(`assert async_hooks cluster constants diagnostics_channel
		domain events inspector module path perf_hooks punycode querystring readline repl stream string_decoder sys test trace_events tty v8 vm wasi zlib`), first)
}

// noModule is what a plugin is told that imports, while it runs, what was not
// bundled with it.
func noModule(name string) string {
	hint, known := nodeModule(strings.TrimPrefix(name, "node:"))
	if !known {
		hint = api.Because(api.CodeScriptLiteralHint)
	}
	return english(api.Because(api.CodeScriptNoModule, name).With(hint))
}
