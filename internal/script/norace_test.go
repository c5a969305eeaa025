//go:build !race

package script

const slack = 1
