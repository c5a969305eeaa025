package script

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed js/core.js
var coreJS string

//go:embed js/promises.js
var promisesJS string

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

// prelude is what runs in an engine before the plugin; its value holds the functions
// through which Go enters. testPrelude is that of tests.
var (
	prelude = sync.OnceValues(func() ([]byte, error) {
		return compile(strings.Join([]string{"(() => {\n\"use strict\";", coreJS, promisesJS, webJS, guardJS, "return entries;\n})()"}, "\n"))
	})
	testPrelude = sync.OnceValues(func() ([]byte, error) { return compile(testJS) })
)
