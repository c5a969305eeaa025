// Package configs embeds the files of this folder that the program carries with
// it. It does nothing else.
package configs

import _ "embed"

// Catalogue is the catalogue of releases as this build knows it; see the package
// internal/napcat/install/catalogue for its form.
//
//go:embed catalogue.json
var Catalogue []byte

// ExampleConfig is a ncatd.yaml with every key, its default and a comment in
// English and Chinese.
//
//go:embed ncatd.example.yaml
var ExampleConfig []byte

// SystemUnit is the template of the systemd service of the whole system. Lines
// that begin with @ are filled in by `ncatd service`.
//
//go:embed ncatd.service
var SystemUnit string
