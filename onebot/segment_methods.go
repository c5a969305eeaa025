package onebot

// What every segment can do: name itself, and read and write the whole segment.

var segments = map[string]func() Segment{
	"text":          func() Segment { return new(TextSegment) },
	"at":            func() Segment { return new(AtSegment) },
	"face":          func() Segment { return new(FaceSegment) },
	"image":         func() Segment { return new(ImageSegment) },
	"record":        func() Segment { return new(RecordSegment) },
	"video":         func() Segment { return new(VideoSegment) },
	"file":          func() Segment { return new(FileSegment) },
	"onlinefile":    func() Segment { return new(OnlineFileSegment) },
	"flashtransfer": func() Segment { return new(FlashTransferSegment) },
	"reply":         func() Segment { return new(ReplySegment) },
	"forward":       func() Segment { return new(ForwardSegment) },
	"json":          func() Segment { return new(JSONSegment) },
	"xml":           func() Segment { return new(XMLSegment) },
	"markdown":      func() Segment { return new(MarkdownSegment) },
	"miniapp":       func() Segment { return new(MiniAppSegment) },
	"poke":          func() Segment { return new(PokeSegment) },
	"dice":          func() Segment { return new(DiceSegment) },
	"rps":           func() Segment { return new(RPSSegment) },
	"mface":         func() Segment { return new(MFaceSegment) },
	"music":         func() Segment { return new(MusicSegment) },
	"contact":       func() Segment { return new(ContactSegment) },
	"location":      func() Segment { return new(LocationSegment) },
	"node":          func() Segment { return new(NodeSegment) },
}

// SegmentType implements [Segment]: "text".
func (*TextSegment) SegmentType() string { return "text" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *TextSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *TextSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// SegmentType implements [Segment]: "at".
func (*AtSegment) SegmentType() string { return "at" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *AtSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *AtSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// SegmentType implements [Segment]: "face".
func (*FaceSegment) SegmentType() string { return "face" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *FaceSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *FaceSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *FaceSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "image".
func (*ImageSegment) SegmentType() string { return "image" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *ImageSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *ImageSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *ImageSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "record".
func (*RecordSegment) SegmentType() string { return "record" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *RecordSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *RecordSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *RecordSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "video".
func (*VideoSegment) SegmentType() string { return "video" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *VideoSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *VideoSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *VideoSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "file".
func (*FileSegment) SegmentType() string { return "file" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *FileSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *FileSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *FileSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "onlinefile".
func (*OnlineFileSegment) SegmentType() string { return "onlinefile" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *OnlineFileSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *OnlineFileSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *OnlineFileSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "flashtransfer".
func (*FlashTransferSegment) SegmentType() string { return "flashtransfer" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *FlashTransferSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *FlashTransferSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *FlashTransferSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "reply".
func (*ReplySegment) SegmentType() string { return "reply" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *ReplySegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *ReplySegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// SegmentType implements [Segment]: "forward".
func (*ForwardSegment) SegmentType() string { return "forward" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *ForwardSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *ForwardSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *ForwardSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "json".
func (*JSONSegment) SegmentType() string { return "json" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *JSONSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *JSONSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *JSONSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "xml".
func (*XMLSegment) SegmentType() string { return "xml" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *XMLSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *XMLSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *XMLSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "markdown".
func (*MarkdownSegment) SegmentType() string { return "markdown" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *MarkdownSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *MarkdownSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *MarkdownSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "miniapp".
func (*MiniAppSegment) SegmentType() string { return "miniapp" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *MiniAppSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *MiniAppSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *MiniAppSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "poke".
func (*PokeSegment) SegmentType() string { return "poke" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *PokeSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *PokeSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *PokeSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "dice".
func (*DiceSegment) SegmentType() string { return "dice" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *DiceSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *DiceSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *DiceSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "rps".
func (*RPSSegment) SegmentType() string { return "rps" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *RPSSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *RPSSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *RPSSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "mface".
func (*MFaceSegment) SegmentType() string { return "mface" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *MFaceSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *MFaceSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *MFaceSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "music".
func (*MusicSegment) SegmentType() string { return "music" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *MusicSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *MusicSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *MusicSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "contact".
func (*ContactSegment) SegmentType() string { return "contact" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *ContactSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *ContactSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *ContactSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "location".
func (*LocationSegment) SegmentType() string { return "location" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *LocationSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *LocationSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *LocationSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }

// SegmentType implements [Segment]: "node".
func (*NodeSegment) SegmentType() string { return "node" }

// UnmarshalJSON reads a whole segment, type and data.
func (s *NodeSegment) UnmarshalJSON(b []byte) error { return decodeSegmentInto(b, s) }

// MarshalJSON writes the whole segment, type and data.
func (s *NodeSegment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the whole segment, type and data.
func (s *NodeSegment) AppendJSON(dst []byte) []byte { return appendSegment(dst, s) }
