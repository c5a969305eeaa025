//go:build linux

package main

import (
	"reflect"
	"testing"
)

func TestJudge(t *testing.T) {
	got := judge([]int{0, 1, 2, 3, 4, 5, 6}, map[int]bool{5: true}, []handled{{0, false}, {1, false}, {1, true}, {3, false}, {2, false}, {3, false}, {9, false}})
	want := verdict{said: 7, handled: 5, again: 1, lost: []int{4, 6}, doubled: []int{3}, outOfOrder: []int{2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
