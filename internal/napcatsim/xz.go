package napcatsim

import (
	"encoding/binary"
	"hash/crc32"
)

// storedXZ puts data into the format of xz without compressing it: the packages
// are small, and the encoder that would make them smaller is not.
func storedXZ(data []byte) []byte {
	const chunk = 1 << 16
	sum := func(b []byte, of []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(of)) }
	pad := func(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
	flags := []byte{0, 1} // checked by CRC-32
	out := sum(append([]byte("\xfd7zXZ\x00"), flags...), flags)

	begin := len(out)
	out = append(out, 2, 0, 0x21, 1, 8, 0, 0, 0) // a header of 12 bytes, one filter: LZMA2 with 64 KiB
	out = sum(out, out[begin:])
	for i := 0; i < len(data); i += chunk {
		part := data[i:min(i+chunk, len(data))]
		control := byte(2)
		if i == 0 {
			control = 1 // the dictionary begins
		}
		out = binary.BigEndian.AppendUint16(append(out, control), uint16(len(part)-1))
		out = append(out, part...)
	}
	out = append(out, 0)
	unpadded := len(out) - begin + crc32.Size
	out = sum(pad(out), data)

	begin = len(out)
	out = append(out, 0, 1)
	out = binary.AppendUvarint(out, uint64(unpadded))
	out = pad(binary.AppendUvarint(out, uint64(len(data))))
	out = sum(out, out[begin:])

	end := append(binary.LittleEndian.AppendUint32(nil, uint32((len(out)-begin)/4-1)), flags...)
	return append(append(sum(out, end), end...), "YZ"...)
}
