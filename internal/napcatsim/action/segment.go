package action

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// builder turns the segments of a send into the form in which they are received
// (contract H.2 to H.1).
type builder struct {
	h     *Host
	chat  world.Chat
	segs  []world.Segment
	nodes []*world.Message // of a forward that is sent again by its id
	bytes int64            // of media, for the time-out
}

func (b *builder) add(typ string, kv ...any) {
	b.segs = append(b.segs, world.Segment{Type: typ, Data: jsval.Obj(kv...)})
}

// all adds the segments of list; one that the host does not know ends the send.
func (b *builder) all(list []any) error {
	for _, e := range list {
		o, _ := e.(*jsval.Object)
		data, _ := o.Get("data").(*jsval.Object)
		if data == nil {
			data = &jsval.Object{}
		}
		if err := b.segment(jsval.ToString(o.Get("type")), data); err != nil {
			return err
		}
	}
	// A file travels as a message of its own; what was put beside it is lost.
	for _, s := range b.segs {
		if s.Type == "file" && len(b.segs) > 1 {
			b.segs = []world.Segment{s}
			break
		}
	}
	return nil
}

func (b *builder) segment(typ string, d *jsval.Object) error {
	switch typ {
	case "text":
		b.add("text", "text", jsval.ToString(d.Get("text")))
	case "at":
		return b.at(d)
	case "reply":
		b.reply(d)
	case "face":
		b.face(d)
	case "mface":
		b.marketFace(d)
	case "image", "record", "video", "file":
		return b.media(typ, d)
	case "json":
		card := d.Get("data")
		text, ok := card.(string)
		if !ok {
			text = jsval.Stringify(card)
		}
		b.add("json", "data", text)
	case "markdown":
		b.add("markdown", "content", jsval.ToString(d.Get("content")))
	case "dice":
		b.add("dice", "result", strconv.Itoa(1+rand.IntN(6)))
	case "rps":
		b.add("rps", "result", strconv.Itoa(1+rand.IntN(3)))
	case "music":
		b.music(d)
	case "contact":
		b.contact(d)
	case "forward":
		b.forward(d)
	case "location":
		b.add("text", "text", "测试位置")
	case "node", "xml", "poke", "miniapp", "onlinefile", "flashtransfer":
		// Known, but they make nothing here.
	default:
		return Failed("未知的消息类型：" + typ)
	}
	return nil
}

func (b *builder) at(d *jsval.Object) error {
	if b.chat.Type != world.InGroup {
		return nil
	}
	qq := jsval.ToString(d.Get("qq"))
	if qq != "all" {
		if _, ok := b.h.w.User(jsval.Int(qq)); !ok {
			return Failed("Get Uid Error")
		}
	}
	b.add("at", "qq", qq)
	return nil
}

func (b *builder) reply(d *jsval.Object) {
	var m world.Message
	var ok bool
	if seq := d.Get("seq"); jsval.Truthy(seq) {
		if m, ok = b.h.w.BySeq(b.chat, jsval.Int(seq)); ok {
			b.h.w.LookupMsgID(m.MsgID) // known by its int id from now on
		}
	} else {
		m, ok = b.h.lookup(jsval.ToString(d.Get("id")))
	}
	if !ok {
		b.h.o.Log("warn", "回复消息不存在 "+jsval.ToString(d.Get("id")))
		return
	}
	b.add("reply", "id", strconv.Itoa(int(m.ID)))
}

// maxFace is the highest id of QQ's own faces that the host knows here.
const maxFace = 500

func (b *builder) face(d *jsval.Object) {
	id := jsval.Number(d.Get("id"))
	if !(id >= 0 && id <= maxFace) || id != float64(int(id)) {
		b.h.o.Log("error", "不支持的ID "+jsval.ToString(d.Get("id")))
		return
	}
	n := int(id)
	raw := jsval.Obj("faceIndex", n, "faceText", fmt.Sprintf("/表情%d", n), "faceType", 1, "packId", nil, "stickerId", nil,
		"sourceType", nil, "stickerType", nil, "resultId", nil, "surpriseId", nil, "randomType", nil, "imageType", nil,
		"pokeType", nil, "spokeSummary", nil, "doubleHit", nil, "vaspokeId", nil, "vaspokeName", nil, "vaspokeMinver", nil,
		"pokeStrength", nil, "msgType", nil, "faceBubbleCount", nil, "oldVersionStr", nil, "pokeFlag", nil, "chainCount", nil)
	b.add("face", "id", strconv.Itoa(n), "raw", raw, "resultId", d.Get("resultId"), "chainCount", d.Get("chainCount"))
}

func (b *builder) marketFace(d *jsval.Object) {
	id := jsval.ToString(d.Get("emoji_id"))
	summary := d.Get("summary")
	if !jsval.Truthy(summary) {
		summary = "[商城表情]"
	}
	dir := id[:min(2, len(id))]
	b.add("image", "summary", summary, "file", dir+"-"+id+".gif",
		"url", "https://gxh.vip.qq.com/club/item/parcel/item/"+dir+"/"+id+"/raw300.gif",
		"key", d.Get("key"), "emoji_id", id, "emoji_package_id", d.Get("emoji_package_id"))
}

func (b *builder) media(typ string, d *jsval.Object) error {
	f, err := b.h.load(typ, d)
	if err != nil {
		return err
	}
	if b.chat.Type == world.InGroup && typ == "file" {
		f.Group, f.Listed = b.chat.Peer, true
	}
	f.Owner = b.h.self
	f = b.h.w.AddFile(f)
	b.bytes += f.Size
	b.segs = append(b.segs, b.h.mediaSegment(typ, f, d))
	return nil
}

// Receive returns segs as the bot receives them when somebody else sends them:
// pictures, recordings, videos and files that name their source as a sender
// would (a path, a URL, base64) become known files with a size and an address.
// All other segments stay what they are: also media in received form, which have
// a size, an address, or nothing but a name.
func (h *Host) Receive(sender int64, segs []world.Segment) ([]world.Segment, error) {
	out := make([]world.Segment, 0, len(segs))
	for _, s := range segs {
		switch s.Type {
		case "image", "record", "video", "file":
			if h.isReceived(s.Data) {
				break
			}
			f, err := h.load(s.Type, s.Data)
			if err != nil {
				return nil, err
			}
			f.Owner = sender
			s = h.mediaSegment(s.Type, h.w.AddFile(f), s.Data)
		}
		out = append(out, s)
	}
	return out, nil
}

func (h *Host) isReceived(d *jsval.Object) bool {
	if d.Has("file_size") || d.Has("file") && d.Has("url") {
		return true
	}
	name, ok := d.Get("file").(string)
	if !ok || strings.ContainsAny(name, `/\:`) {
		return false
	}
	_, known := h.known(name)
	_, err := os.Stat(name)
	return !known && err != nil
}

// mediaSegment is how others receive a medium.
func (h *Host) mediaSegment(typ string, f world.File, d *jsval.Object) world.Segment {
	size, url := strconv.FormatInt(f.Size, 10), h.fileURL(f)
	seg := func(kv ...any) world.Segment { return world.Segment{Type: typ, Data: jsval.Obj(kv...)} }
	switch typ {
	case "image":
		sub := 0
		if jsval.Int(d.Get("sub_type")) == 1 {
			sub = 1
		}
		summary := d.Get("summary")
		if jsval.IsUndefined(summary) {
			summary = ""
		}
		return seg("summary", summary, "file", f.Name, "sub_type", sub, "url", url, "file_size", size)
	case "record":
		return seg("file", f.Name, "path", f.Path, "url", url, "file_size", size)
	case "video":
		return seg("file", f.Name, "url", url, "file_size", size)
	default:
		return seg("file", f.Name, "file_id", f.ID, "file_size", size, "url", url)
	}
}

func (b *builder) music(d *jsval.Object) {
	kind := jsval.ToString(d.Get("type"))
	known := map[string]bool{"qq": true, "163": true, "kugou": true, "kuwo": true, "migu": true}
	id := d.Get("id")
	switch {
	case known[kind] && jsval.Truthy(id):
	case (known[kind] || kind == "custom") && jsval.Truthy(d.Get("url")) && jsval.Truthy(d.Get("image")):
	default:
		b.h.o.Log("error", "音乐卡片签名失败 "+jsval.Stringify(d))
		return
	}
	title := d.Get("title")
	if !jsval.Truthy(title) {
		title = "模拟音乐"
	}
	b.add("json", "data", jsval.Stringify(jsval.Obj("app", "com.tencent.structmsg", "view", "music", "ver", "0.0.0.1",
		"prompt", "[分享]"+jsval.ToString(title), "meta", jsval.Obj("music", jsval.Obj("source", kind, "id", id, "title", title,
			"jumpUrl", d.Get("url"), "musicUrl", d.Get("audio"), "preview", d.Get("image"), "desc", d.Get("content"))))))
}

func (b *builder) contact(d *jsval.Object) {
	kind, id := jsval.ToString(d.Get("type")), jsval.ToString(d.Get("id"))
	view := map[string]string{"qq": "contact", "group": "group"}[kind]
	if view == "" {
		return
	}
	b.add("json", "data", contactCard(view, id))
}

func contactCard(view, id string) string {
	app := "com.tencent.contact.lua"
	if view == "group" {
		app = "com.tencent.troopsharecard"
	}
	return jsval.Stringify(jsval.Obj("app", app, "view", view, "ver", "0.0.0.1", "prompt", "推荐联系人", "meta",
		jsval.Obj("contact", jsval.Obj("jumpUrl", "mqqapi://card/show_pslcard?uin="+id, "tag", "推荐联系人"))))
}

func (b *builder) forward(d *jsval.Object) {
	id := jsval.ToString(d.Get("id"))
	m, ok := b.h.w.LookupForward(id)
	if !ok {
		if m, ok = b.h.lookup(id); !ok || len(m.Nodes) == 0 {
			b.h.o.Log("error", "[OneBot] 转发消息失败: 未知的 res_id "+id)
			return
		}
	}
	b.nodes = m.Nodes
	b.add("forward", "id", id)
}

func md5hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}
