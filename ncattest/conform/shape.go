package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shapes are the objects that many answers share, in the notation of [matches].
var shapes = map[string]string{
	"Sender":  `{user_id:int, nickname:str, card?:str, role?:"owner"/"admin"/"member"}`,
	"Segment": `{type:str, data:object}`,
	"Msg": `{self_id:int, user_id:int, time:int, message_id:int, message_seq:int, real_id:int, real_seq:digits,
		message_type:"private"/"group", sender:Sender, raw_message:str, font:14, sub_type:"friend"/"group"/"normal",
		message:[Segment], message_format:"array", post_type:"message"/"message_sent"}`,
	"LastMsg": `{self_id:int, user_id:int, time:int, message_type:"private"/"group", sender:Sender, raw_message:str, message:[Segment]}`,
	"Member": `{group_id:int, user_id:int, nickname:str, card:str, sex:"male"/"female"/"unknown", age:int, area:"",
		level:digits, qq_level:int, join_time:int, last_sent_time:int, title_expire_time:0, unfriendly:false,
		card_changeable:true, is_robot?:bool, shut_up_timestamp?:int, role?:"owner"/"admin"/"member", title:str}`,
	"User":   `{user_id:int, nickname:str, remark?:str, sex:"male"/"female"/"unknown", level:int}`,
	"Group":  `{group_all_shut:-1/0, group_remark:str, group_id:int, group_name:str, member_count:int, max_member_count:int}`,
	"File":   `{group_id:int, file_id:str, file_name:str, busid:int, size:int, file_size:int, upload_time:int, dead_time:int, modify_time:int, download_times:int, uploader:int, uploader_name:str}`,
	"Folder": `{group_id:int, folder_id:str, folder:str, folder_name:str, create_time:int, creator:int, creator_name:str, total_file_count:int}`,
	"Notice": `{request_id:int, invitor_uin:int, group_id:int, checked:bool, actor:int}`,
	"GCR":    `{result:int, errMsg:str}`,
	"Honor":  `{user_id:int/digits, nickname:str, avatar:str, description:str}`,
}

// matches says why a JSON value is not of a shape; nil: it is. nil JSON is a key
// that is missing. A shape is
//
//	int num str bool object list any   a value of that kind; digits: a text of digits
//	none                               nothing or null
//	"text" 14 true                     that value
//	[S]                                a list of S
//	{a:S, b?:S}                        an object with a, and b if it is there; {!…}: and no other key
//	S/S                                one of them
//	Name                               one of shapes
func matches(b json.RawMessage, shape string) error {
	p := &shapeParser{in: shape}
	check := p.alternatives()
	p.space()
	if p.in != "" {
		panic("conform: shape " + shape + ": what is " + p.in)
	}
	return check(b, "data")
}

type check func(b json.RawMessage, path string) error

type shapeParser struct{ in string }

func (p *shapeParser) space() { p.in = strings.TrimLeft(p.in, " \t\n") }

func (p *shapeParser) take(s string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.in, s)
	if ok {
		p.in = rest
	}
	return ok
}

// until takes what comes before one of the runes of stop.
func (p *shapeParser) until(stop string) string {
	p.space()
	i := strings.IndexAny(p.in, stop)
	if i < 0 {
		i = len(p.in)
	}
	word := strings.TrimSpace(p.in[:i])
	p.in = p.in[i:]
	return word
}

func (p *shapeParser) alternatives() check {
	all := []check{p.one()}
	for p.take("/") {
		all = append(all, p.one())
	}
	return func(b json.RawMessage, path string) error {
		var first error
		for _, c := range all {
			err := c(b, path)
			if err == nil {
				return nil
			}
			if first == nil {
				first = err
			}
		}
		return first
	}
}

func (p *shapeParser) one() check {
	switch {
	case p.take("{"):
		return p.object()
	case p.take("["):
		item := p.alternatives()
		if !p.take("]") {
			panic("conform: a list does not end before " + p.in)
		}
		return func(b json.RawMessage, path string) error {
			var l []json.RawMessage
			if err := json.Unmarshal(b, &l); err != nil || l == nil {
				return mismatch(b, path, "a list")
			}
			for i, e := range l {
				if err := item(e, fmt.Sprintf("%s[%d]", path, i)); err != nil {
					return err
				}
			}
			return nil
		}
	case p.take(`"`):
		text := p.until(`"`)
		p.take(`"`)
		return exactly(fmt.Sprintf("%q", text))
	}
	return named(p.until(",/]}"))
}

func (p *shapeParser) object() check {
	closed := p.take("!")
	type member struct {
		name     string
		optional bool
		is       check
	}
	var members []member
	for !p.take("}") {
		name := p.until(":")
		if !p.take(":") {
			panic("conform: a key without a shape: " + name)
		}
		name, optional := strings.CutSuffix(name, "?")
		members = append(members, member{name, optional, p.alternatives()})
		p.take(",")
	}
	return func(b json.RawMessage, path string) error {
		var o map[string]json.RawMessage
		if err := json.Unmarshal(b, &o); err != nil || o == nil {
			return mismatch(b, path, "an object")
		}
		for _, m := range members {
			v, there := o[m.name]
			delete(o, m.name)
			if !there && m.optional {
				continue
			}
			if err := m.is(v, path+"."+m.name); err != nil {
				return err
			}
		}
		if closed && len(o) > 0 {
			return fmt.Errorf("%s has keys that it should not have: %s", path, strings.Join(slices.Sorted(maps.Keys(o)), ", "))
		}
		return nil
	}
}

// kinds are the words for kinds of values, by what tells one.
var kinds = map[string]func(v any, n json.Number) bool{
	"int":    func(_ any, n json.Number) bool { _, err := n.Int64(); return n != "" && err == nil },
	"num":    func(_ any, n json.Number) bool { return n != "" },
	"str":    func(v any, _ json.Number) bool { _, ok := v.(string); return ok },
	"bool":   func(v any, _ json.Number) bool { _, ok := v.(bool); return ok },
	"object": func(v any, _ json.Number) bool { _, ok := v.(map[string]any); return ok },
	"list":   func(v any, _ json.Number) bool { _, ok := v.([]any); return ok },
	"none":   func(v any, _ json.Number) bool { return v == nil },
	"any":    func(any, json.Number) bool { return true },
	"digits": func(v any, _ json.Number) bool {
		s, ok := v.(string)
		return ok && s != "" && strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") == ""
	},
}

func named(word string) check {
	if is, ok := kinds[word]; ok {
		return func(b json.RawMessage, path string) error {
			v, n := decoded(b)
			if !is(v, n) {
				return mismatch(b, path, word)
			}
			return nil
		}
	}
	if s, ok := shapes[word]; ok {
		return (&shapeParser{in: s}).alternatives()
	}
	return exactly(word)
}

func exactly(want string) check {
	return func(b json.RawMessage, path string) error {
		w, wn := decoded(json.RawMessage(want))
		if g, gn := decoded(b); g != w || gn != wn || b == nil {
			return mismatch(b, path, want)
		}
		return nil
	}
}

// decoded returns the value, or the number that it is.
func decoded(b json.RawMessage) (any, json.Number) {
	if b == nil {
		return nil, ""
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err, ""
	}
	if n, ok := v.(json.Number); ok {
		return nil, n
	}
	return v, ""
}

func mismatch(b json.RawMessage, path, want string) error {
	if b == nil {
		return fmt.Errorf("%s is missing, want %s", path, want)
	}
	return fmt.Errorf("%s is %s, want %s", path, cut(string(b)), want)
}

// cut shortens what is too long to be read in a failure.
func cut(s string) string {
	const limit = 400
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
