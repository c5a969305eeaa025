//go:build race

package script

// slack is by how much the race detector makes the engine slower, which runs only
// compiled C.
const slack = 20
