package home

import "os"

// guard knows nothing of owners on this system.
func guard(path string) (Guard, error) {
	_, err := os.Stat(path)
	return Guard{Path: path, Exists: err == nil}, nil
}
