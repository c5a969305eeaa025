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

// The account of an event is found in its subject.
func TestSubjects(t *testing.T) {
	for partition, want := range map[int]string{0: "ncatd.ev.000.10001.message.g5", 31: "ncatd.ev.031.10001.message.g5", 4095: "ncatd.ev.4095.10001.message.g5"} {
		is := EventSubject(partition, 10001, "message", Chat(5, 0))
		if is != want || SelfOf(is) != 10001 {
			t.Errorf("%s of account %d, not %s", is, SelfOf(is), want)
		}
	}
	for _, no := range []string{"", "ncatd.ev", "ncatd.ev.000.x.message.g5", "ncatd.ev.000.10001.message", "ncatd.ev.000.10001.message.g5.x", "ncatd.dead.000.10001.message.g5"} {
		if is := SelfOf(no); is != 0 {
			t.Errorf("%q: account %d", no, is)
		}
	}
}
