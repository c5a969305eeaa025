// Package elfset writes ELF files for tests: what the dynamic linker reads of a
// program and its libraries, and no code. The central type is [File].
package elfset

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
)

// File is a shared object to write.
type File struct {
	Needed  []string            // libraries, by their sonames
	RPath   string              // DT_RPATH, empty for none
	RunPath string              // DT_RUNPATH, empty for none
	Needs   map[string][]string // library -> versions that it must define
	Defines []string            // versions that this one defines
	Machine elf.Machine         // 0: x86-64
}

// Bytes is a 64-bit little-endian ELF file that holds nothing but its dynamic
// section.
func (s File) Bytes() []byte {
	if s.Machine == 0 {
		s.Machine = elf.EM_X86_64
	}
	var str bytes.Buffer
	str.WriteByte(0)
	index := map[string]uint32{}
	name := func(v string) uint32 {
		if i, ok := index[v]; ok {
			return i
		}
		index[v] = uint32(str.Len())
		str.WriteString(v + "\x00")
		return index[v]
	}
	le := binary.LittleEndian
	put := func(b *bytes.Buffer, vs ...any) {
		for _, v := range vs {
			if err := binary.Write(b, le, v); err != nil {
				panic(err) // fixed sizes into memory
			}
		}
	}
	var dyn, verneed, verdef bytes.Buffer
	for _, n := range s.Needed {
		put(&dyn, uint64(elf.DT_NEEDED), uint64(name(n)))
	}
	if s.RPath != "" {
		put(&dyn, uint64(elf.DT_RPATH), uint64(name(s.RPath)))
	}
	if s.RunPath != "" {
		put(&dyn, uint64(elf.DT_RUNPATH), uint64(name(s.RunPath)))
	}
	libs := 0
	for lib, versions := range s.Needs {
		libs++
		next := uint32(16 + 16*len(versions))
		if libs == len(s.Needs) {
			next = 0
		}
		put(&verneed, uint16(1), uint16(len(versions)), name(lib), uint32(16), next)
		for i, v := range versions {
			step := uint32(16)
			if i == len(versions)-1 {
				step = 0
			}
			put(&verneed, uint32(0), uint16(0), uint16(i+2), name(v), step)
		}
	}
	for i, v := range s.Defines {
		next := uint32(28)
		if i == len(s.Defines)-1 {
			next = 0
		}
		put(&verdef, uint16(1), uint16(0), uint16(i+1), uint16(1), uint32(0), uint32(20), next, name(v), uint32(0))
	}
	if verneed.Len() > 0 {
		put(&dyn, uint64(elf.DT_VERNEEDNUM), uint64(libs))
	}
	if verdef.Len() > 0 {
		put(&dyn, uint64(elf.DT_VERDEFNUM), uint64(len(s.Defines)))
	}
	put(&dyn, uint64(0), uint64(0))
	type section struct {
		name string
		kind elf.SectionType
		data []byte
		link uint32
		info uint32
		size uint64 // of an entry
	}
	var shstr bytes.Buffer
	shstr.WriteByte(0)
	sections := []section{
		{name: ".dynstr", kind: elf.SHT_STRTAB, data: str.Bytes()},
		{name: ".dynamic", kind: elf.SHT_DYNAMIC, data: dyn.Bytes(), link: 1, size: 16},
	}
	sections = append(sections, section{name: ".dynsym", kind: elf.SHT_DYNSYM, data: make([]byte, 48), link: 1, info: 1, size: 24})
	if verneed.Len() > 0 {
		sections = append(sections, section{name: ".gnu.version_r", kind: elf.SHT_GNU_VERNEED, data: verneed.Bytes(), link: 1, info: uint32(libs)})
	}
	if verdef.Len() > 0 {
		sections = append(sections, section{name: ".gnu.version_d", kind: elf.SHT_GNU_VERDEF, data: verdef.Bytes(), link: 1, info: uint32(len(s.Defines))})
	}
	sections = append(sections, section{name: ".gnu.version", kind: elf.SHT_GNU_VERSYM, data: make([]byte, 4), link: 3, size: 2})
	names := make([]uint32, len(sections)+1)
	for i, sec := range append(sections, section{name: ".shstrtab"}) {
		names[i] = uint32(shstr.Len())
		shstr.WriteString(sec.name + "\x00")
	}
	sections = append(sections, section{name: ".shstrtab", kind: elf.SHT_STRTAB, data: shstr.Bytes()})
	var body, headers bytes.Buffer
	const headerSize = 64
	headers.Write(make([]byte, 64))
	for i, sec := range sections {
		for body.Len()%8 != 0 {
			body.WriteByte(0)
		}
		put(&headers, names[i], uint32(sec.kind), uint64(0), uint64(0), uint64(headerSize+body.Len()), uint64(len(sec.data)), sec.link, sec.info, uint64(1), sec.size)
		body.Write(sec.data)
	}
	for body.Len()%8 != 0 {
		body.WriteByte(0)
	}
	var out bytes.Buffer
	out.WriteString(elf.ELFMAG)
	out.Write([]byte{byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), 0, 0, 0, 0, 0, 0, 0, 0, 0})
	put(&out, uint16(elf.ET_DYN), uint16(s.Machine), uint32(1), uint64(0), uint64(0), uint64(headerSize+body.Len()), uint32(0),
		uint16(headerSize), uint16(56), uint16(0), uint16(64), uint16(len(sections)+1), uint16(len(sections)))
	out.Write(body.Bytes())
	out.Write(headers.Bytes())
	return out.Bytes()
}

// Write writes the file, making the folders above it.
func (s File) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, s.Bytes(), 0o755)
}
