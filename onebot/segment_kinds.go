package onebot

import "encoding/json"

// The segments of contract H. Every field is named as on the wire.

// TextSegment is plain text.
type TextSegment struct {
	Received
	Text string `json:"text"`
}

// AtSegment is a mention. In a private chat NapCat ignores it.
type AtSegment struct {
	Received
	QQ   string `json:"qq"`             // a QQ number, or "all" for everybody
	Name string `json:"name,omitempty"` // not sent by NapCat
}

// FaceSegment is one of QQ's own faces. NapCat drops a face whose id it does
// not know.
type FaceSegment struct {
	Received
	ID         string          `json:"id"`
	ResultID   string          `json:"resultId,omitempty"` // of a super face that shows a result
	ChainCount int             `json:"chainCount,omitempty"`
	Element    json.RawMessage `json:"raw,omitempty"` // QQ's own element, only received
}

// ImageSegment is a picture, or a received market face. To send one, File is a
// path as NapCat's machine sees it, an http, https, file:/// or base64:// URL,
// or the File of a received picture.
type ImageSegment struct {
	Received
	File           string `json:"file"`          // received: the file's name or id
	URL            string `json:"url,omitempty"` // signed and short-lived when received; wins over File when sent
	Path           string `json:"path,omitempty"`
	Name           string `json:"name,omitempty"`
	Summary        string `json:"summary,omitempty"`          // what chat lists show instead
	SubType        int    `json:"sub_type,omitempty"`         // 0 picture, 1 sticker
	FileSize       int64  `json:"file_size,omitempty,string"` // bytes, only received
	Key            string `json:"key,omitempty"`              // of a market face, only received
	EmojiID        string `json:"emoji_id,omitempty"`         // of a market face, only received
	EmojiPackageID int64  `json:"emoji_package_id,omitempty"` // of a market face, only received
}

// RecordSegment is a voice message. File is as in [ImageSegment]; NapCat
// converts what it is given, which needs ffmpeg.
type RecordSegment struct {
	Received
	File     string `json:"file"`
	URL      string `json:"url,omitempty"`
	Path     string `json:"path,omitempty"`
	Name     string `json:"name,omitempty"`
	FileSize int64  `json:"file_size,omitempty,string"` // bytes, only received
}

// VideoSegment is a video. File is as in [ImageSegment].
type VideoSegment struct {
	Received
	File     string `json:"file"`
	URL      string `json:"url,omitempty"`
	Path     string `json:"path,omitempty"`
	Name     string `json:"name,omitempty"`
	Thumb    string `json:"thumb,omitempty"`            // preview picture, a source as File
	FileSize int64  `json:"file_size,omitempty,string"` // bytes, only received
}

// FileSegment is a file. It must be the only segment of its message. File is as
// in [ImageSegment].
type FileSegment struct {
	Received
	File     string `json:"file"`              // received: the file's name
	FileID   string `json:"file_id,omitempty"` // only received
	URL      string `json:"url,omitempty"`     // received only with the packet layer
	Path     string `json:"path,omitempty"`
	Name     string `json:"name,omitempty"`
	FileSize int64  `json:"file_size,omitempty,string"` // bytes, only received
}

// OnlineFileSegment is a file offered while both sides are online. It is only
// received; send with [Client.SendOnlineFile].
type OnlineFileSegment struct {
	Received
	MsgID     string `json:"msgId"`
	ElementID string `json:"elementId"`
	FileName  string `json:"fileName"`
	FileSize  int64  `json:"fileSize,string"` // bytes
	IsDir     bool   `json:"isDir"`
}

// FlashTransferSegment is a flash transfer. It is only received; send with
// [Client.SendFlashMsg].
type FlashTransferSegment struct {
	Received
	FileSetID string `json:"fileSetId"`
}

// ReplySegment is a quotation of an earlier message. NapCat drops it when it
// does not know the message.
type ReplySegment struct {
	Received
	ID  MessageID `json:"id,omitempty,string"`
	Seq int64     `json:"seq,omitempty"` // QQ's sequence number (real_seq); wins over ID when sent
}

// ForwardSegment is a merged forward. Received, ID is for
// [Client.GetForwardMsg] and Content is filled if NapCat is set to do so; sent,
// ID is the res_id of one that exists.
type ForwardSegment struct {
	Received
	ID      string         `json:"id"` // QQ's 19-digit number, no MessageID
	Content []*ChatMessage `json:"content,omitempty"`
}

// JSONSegment is a card, mini app, contact or the like as QQ's JSON text.
type JSONSegment struct {
	Received
	Data string `json:"data"`
}

// XMLSegment is an XML card of old QQ versions. NapCat neither receives nor
// sends it.
type XMLSegment struct {
	Received
	Data string `json:"data"`
}

// MarkdownSegment is Markdown text. Ordinary accounts can send it only inside a
// forward.
type MarkdownSegment struct {
	Received
	Content string `json:"content"`
}

// MiniAppSegment is a mini app. NapCat sends nothing for it; use [JSONSegment]
// with [Client.GetMiniAppArk].
type MiniAppSegment struct {
	Received
	Data string `json:"data"`
}

// PokeSegment is a window shake. It is only received, and is not the notice
// [Poke]; to poke use [Client.SendPoke].
type PokeSegment struct {
	Received
	Type string `json:"type"`
	ID   string `json:"id"`
}

// DiceSegment is a die. NapCat ignores Result when sending: chance decides.
type DiceSegment struct {
	Received
	Result string `json:"result"`
}

// RPSSegment is rock, paper, scissors. NapCat ignores Result when sending:
// chance decides.
type RPSSegment struct {
	Received
	Result string `json:"result"`
}

// MFaceSegment is a market face. Received ones come as [ImageSegment].
type MFaceSegment struct {
	Received
	EmojiPackageID int64  `json:"emoji_package_id"`
	EmojiID        string `json:"emoji_id"`
	Key            string `json:"key"`
	Summary        string `json:"summary"`
}

// MusicSegment is a music card. NapCat asks a signing service for it and drops
// the segment if that fails.
type MusicSegment struct {
	Received
	Type    string `json:"type"`          // qq, 163, kugou, kuwo, migu or custom
	ID      string `json:"id,omitempty"`  // of the song, with every Type but custom
	URL     string `json:"url,omitempty"` // where a click leads
	Audio   string `json:"audio,omitempty"`
	Title   string `json:"title,omitempty"`
	Image   string `json:"image,omitempty"`   // must be given with URL
	Content string `json:"content,omitempty"` // the line under the title
}

// ContactSegment is a recommendation of a user or a group.
type ContactSegment struct {
	Received
	Type string `json:"type"` // qq or group
	ID   string `json:"id"`
}

// LocationSegment is a place. NapCat sends a fixed test text for it.
type LocationSegment struct {
	Received
	Lat     string `json:"lat"`
	Lon     string `json:"lon"`
	Title   string `json:"title,omitempty"`
	Content string `json:"content,omitempty"`
}

// NodeSegment is one message of a merged forward: an existing one by ID, or a
// made one by UserID, Nickname and Content. A message with a node must hold
// nothing but nodes.
type NodeSegment struct {
	Received
	ID       MessageID  `json:"id,omitempty,string"`
	UserID   UserID     `json:"user_id,omitempty"` // who seems to have written it; others than the account need the packet layer
	Nickname string     `json:"nickname,omitempty"`
	Content  Message    `json:"content,omitempty"` // segments, or nodes again, three levels deep at most
	Source   string     `json:"source,omitempty"`  // the title of a nested forward
	News     []NewsLine `json:"news,omitempty"`    // the preview lines of a nested forward
	Summary  string     `json:"summary,omitempty"` // the foot of a nested forward
	Prompt   string     `json:"prompt,omitempty"`  // what chat lists show of a nested forward
	Time     string     `json:"time,omitempty"`    // Unix seconds it seems to have been written at
}

// NewsLine is one preview line of a merged forward.
type NewsLine struct {
	Text string `json:"text"`
}
