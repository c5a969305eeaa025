// Package doccheck reads the project's Markdown pages, so that tests can hold
// what they say to the program: [Read] gives a page's headings, links, code
// blocks and code spans, [Importer] the types of packages for checking the Go in
// them. Only tests import it; it judges nothing by itself.
package doccheck
