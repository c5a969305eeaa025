package rpc

import (
	"encoding/binary"
	"math/rand/v2"
)

// Requests become frames of the WebSocket here (RFC 6455, 5.2), within the memory
// that they were written to: the library would take two more locks and copy them
// once more. All else of the protocol is the library's.

const (
	opText = 1
	// headRoom is how long the header of a frame is at most, its mask included.
	headRoom = 14
)

// AppendHead appends the header of a frame that is a whole message of n bytes, or a
// control frame, not masked.
func AppendHead(b []byte, op byte, n int) []byte {
	b = append(b, 0x80|op)
	switch {
	case n < 126:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}

// seal makes a frame of the text in b[headRoom:] and returns it, a slice of b. A
// client's is masked.
func seal(b []byte, client bool) []byte {
	var buf [headRoom]byte
	head := AppendHead(buf[:0], opText, len(b)-headRoom)
	if client {
		key := rand.Uint32() // of the runtime's ChaCha8: nobody can foretell it
		head[1] |= 0x80
		head = binary.LittleEndian.AppendUint32(head, key)
		mask(b[headRoom:], key)
	}
	b = b[headRoom-len(head):]
	copy(b, head)
	return b
}

// mask puts a mask over b, or takes it away.
func mask(b []byte, key uint32) {
	twice := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^twice)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i % 4)))
	}
}
