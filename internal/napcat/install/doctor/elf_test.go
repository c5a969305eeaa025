package doctor

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// elfSpec is a shared object to write: what the dynamic linker reads of it.
type elfSpec struct {
	needed  []string
	rpath   string
	runpath string
	needs   map[string][]string // library -> versions
	defines []string
	machine elf.Machine
}

// writeELF writes a 64-bit ELF file that holds nothing but its dynamic section.
func writeELF(t testing.TB, path string, s elfSpec) {
	t.Helper()
	if s.machine == 0 {
		s.machine = elf.EM_X86_64
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
				t.Fatal(err)
			}
		}
	}
	var dyn, verneed, verdef bytes.Buffer
	for _, n := range s.needed {
		put(&dyn, uint64(elf.DT_NEEDED), uint64(name(n)))
	}
	if s.rpath != "" {
		put(&dyn, uint64(elf.DT_RPATH), uint64(name(s.rpath)))
	}
	if s.runpath != "" {
		put(&dyn, uint64(elf.DT_RUNPATH), uint64(name(s.runpath)))
	}
	libs := 0
	for lib, versions := range s.needs {
		libs++
		next := uint32(16 + 16*len(versions))
		if libs == len(s.needs) {
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
	for i, v := range s.defines {
		next := uint32(28)
		if i == len(s.defines)-1 {
			next = 0
		}
		put(&verdef, uint16(1), uint16(0), uint16(i+1), uint16(1), uint32(0), uint32(20), next, name(v), uint32(0))
	}
	if verneed.Len() > 0 {
		put(&dyn, uint64(elf.DT_VERNEEDNUM), uint64(libs))
	}
	if verdef.Len() > 0 {
		put(&dyn, uint64(elf.DT_VERDEFNUM), uint64(len(s.defines)))
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
		sections = append(sections, section{name: ".gnu.version_d", kind: elf.SHT_GNU_VERDEF, data: verdef.Bytes(), link: 1, info: uint32(len(s.defines))})
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
	put(&out, uint16(elf.ET_DYN), uint16(s.machine), uint32(1), uint64(0), uint64(0), uint64(headerSize+body.Len()), uint32(0),
		uint16(headerSize), uint16(56), uint16(0), uint16(64), uint16(len(sections)+1), uint16(len(sections)))
	out.Write(body.Bytes())
	out.Write(headers.Bytes())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
}
