package script

import (
	_ "embed"
	"strings"
)

//go:embed js/core.js
var coreJS string

//go:embed js/web.js
var webJS string

//go:embed js/guard.js
var guardJS string

//go:embed js/test.js
var testJS string

//go:embed js/testmodule.js
var testModuleJS string

//go:embed js/module.js
var moduleJS string

// preludeSource is what runs in an engine before the plugin; its value is the
// function through which Go enters.
func preludeSource() string {
	return strings.Join([]string{"(() => {\n\"use strict\";", coreJS, webJS, guardJS, "return entry;\n})()"}, "\n")
}
