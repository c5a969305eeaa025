package action

import (
	"slices"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// album is a group's picture album. Every group gets one when it is first
// looked at.
type album struct {
	id, name string
	media    []medium
}

type medium struct {
	lloc     string
	liked    bool
	comments []string
	time     int64
}

var albumActions = map[string]handler{
	"get_qun_album_list":            albumList,
	"get_group_album_media_list":    albumMedia,
	"upload_image_to_qun_album":     albumUpload,
	"del_group_album_media":         albumDelete,
	"set_group_album_media_like":    albumLike(true),
	"cancel_group_album_media_like": albumLike(false),
	"do_group_album_comment":        albumComment,
}

// withAlbum runs f on the album that the call names, nil if there is none.
func (c *call) withAlbum(f func(*album) (any, error)) (any, error) {
	if _, err := c.group(); err != nil {
		return nil, err
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	for _, a := range c.h.albumsLocked(c.int("group_id")) {
		if a.id == c.str("album_id") {
			return f(a)
		}
	}
	return f(nil)
}

func (h *Host) albumsLocked(group int64) []*album {
	if h.albums[group] == nil {
		h.albums[group] = []*album{{id: "V" + md5hex([]byte(strconv.FormatInt(group, 10)))[:24], name: "默认相册"}}
	}
	return h.albums[group]
}

func albumList(c *call) (any, error) {
	if _, err := c.group(); err != nil {
		return nil, err
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	out := []any{}
	for _, a := range c.h.albumsLocked(c.int("group_id")) {
		out = append(out, jsval.Obj("owner", strconv.FormatInt(c.int("group_id"), 10), "name", a.name, "album_id", a.id, "desc", "",
			"upload_number", len(a.media)))
	}
	return jsval.Obj("album_list", out, "attach_info", "", "has_more", false), nil
}

func albumMedia(c *call) (any, error) {
	return c.withAlbum(func(a *album) (any, error) {
		if a == nil {
			return jsval.Obj("seq", 0, "result", -1, "errMs", "album not exist", "trace_id", "", "request_time_line", nil), nil
		}
		list := []any{}
		for _, m := range a.media {
			list = append(list, jsval.Obj("type", 0, "image", jsval.Obj("lloc", m.lloc, "name", ""), "upload_time", strconv.FormatInt(m.time, 10),
				"like", jsval.Obj("liked", m.liked), "comment", jsval.Obj("num", len(m.comments))))
		}
		return jsval.Obj("seq", 0, "result", 0, "errMs", "", "trace_id", "", "request_time_line", nil, "media_list", list), nil
	})
}

func albumUpload(c *call) (any, error) {
	return c.later(func() (any, error) {
		f, err := c.h.open(c.ctx, "image", c.str("file"), "")
		if err != nil {
			return nil, err
		}
		return c.withAlbum(func(a *album) (any, error) {
			if a == nil {
				return nil, Failed("album not exist")
			}
			a.media = append(a.media, medium{lloc: md5hex([]byte(f.Name + strconv.Itoa(len(a.media)))), time: time.Now().Unix()})
			return undefined, nil
		})
	})
}

// withMedium runs f on the medium that the call names; ok says nothing about
// whether there is one.
func (c *call) withMedium(key string, f func(*album, int)) (any, error) {
	return c.withAlbum(func(a *album) (any, error) {
		if a != nil {
			if i := slices.IndexFunc(a.media, func(m medium) bool { return m.lloc == c.str(key) }); i >= 0 {
				f(a, i)
				return gcr(0, ""), nil
			}
		}
		return gcr(-1, "media not exist"), nil
	})
}

func albumDelete(c *call) (any, error) {
	return c.withMedium("lloc", func(a *album, i int) { a.media = slices.Delete(a.media, i, i+1) })
}

func albumComment(c *call) (any, error) {
	return c.withMedium("lloc", func(a *album, i int) { a.media[i].comments = append(a.media[i].comments, c.str("content")) })
}

func albumLike(on bool) handler {
	return func(c *call) (any, error) {
		key := "lloc"
		if c.str(key) == "" {
			key = "batch_id"
		}
		return c.withMedium(key, func(a *album, i int) { a.media[i].liked = on })
	}
}
