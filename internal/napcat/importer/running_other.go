//go:build !linux

package importer

// Running is not known on this system.
func (*Plan) Running(string) []int { return nil }
