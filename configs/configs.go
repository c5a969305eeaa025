// Package configs embeds the files of this folder that the program carries with
// it. It does nothing else.
package configs

import _ "embed"

// Catalogue is the catalogue of releases as this build knows it; see the package
// internal/napcat/install/catalogue for its form.
//
//go:embed catalogue.json
var Catalogue []byte
