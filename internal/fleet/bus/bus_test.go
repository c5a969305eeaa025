package bus

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A lost race is known as such with one copy on the bus and with three.
func TestConflict(t *testing.T) {
	for code, want := range map[jetstream.ErrorCode]bool{10071: true, 10164: true, 10058: false} {
		err := fmt.Errorf("store: %w", &jetstream.APIError{Code: 400, ErrorCode: code})
		if Conflict(err) != want {
			t.Errorf("code %d: %v", code, !want)
		}
	}
	if Conflict(nil) || Conflict(errors.New("x")) {
		t.Error("anything is a conflict")
	}
}
