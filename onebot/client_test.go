package onebot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

func TestDangerousDefaults(t *testing.T) {
	rec := &recorder{}
	c := onebot.NewClient(rec)
	ctx := context.Background()
	download := func(p onebot.DownloadFileParams) error { _, err := c.DownloadFile(ctx, p); return err }
	for name, err := range map[string]error{
		"enable":     c.SetGroupAdmin(ctx, onebot.SetGroupAdminParams{GroupID: 1, UserID: 2}),
		"whole ban":  c.SetGroupWholeBan(ctx, onebot.SetGroupWholeBanParams{GroupID: 1}),
		"duration":   c.SetGroupBan(ctx, onebot.SetGroupBanParams{GroupID: 1, UserID: 2}),
		"friend":     c.SetFriendAddRequest(ctx, onebot.SetFriendAddRequestParams{Flag: "f"}),
		"group":      c.SetGroupAddRequest(ctx, onebot.SetGroupAddRequestParams{Flag: "f"}),
		"doubt":      c.SetDoubtFriendsAddRequest(ctx, onebot.SetDoubtFriendsAddRequestParams{Flag: "f"}),
		"doubt no":   c.SetDoubtFriendsAddRequest(ctx, onebot.SetDoubtFriendsAddRequestParams{Flag: "f", Approve: new(false)}),
		"visibility": c.SetGroupNewMemberHistoryVisibility(ctx, onebot.SetGroupNewMemberHistoryVisibilityParams{GroupID: 1}),
		"dissolve":   c.SetGroupLeave(ctx, onebot.SetGroupLeaveParams{GroupID: 1, IsDismiss: new(true)}),
		"cleared":    c.SetGroupSearch(ctx, onebot.SetGroupSearchParams{GroupID: 1, NoCodeFingerOpen: new(1), NoFingerOpen: new(0)}),
		"moved":      download(onebot.DownloadFileParams{URL: new("/home/me/thesis.pdf")}),
		"moved URL":  download(onebot.DownloadFileParams{URL: new("file:///home/me/thesis.pdf"), Name: new("")}),
		"moved disk": download(onebot.DownloadFileParams{URL: new(`C:\thesis.pdf`)}),
	} {
		var p *onebot.ParamError
		if !errors.As(err, &p) || !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if rec.action != "" {
		t.Errorf("%s was called", rec.action)
	}
	for _, tc := range []struct {
		err  func() error
		want string
	}{
		{func() error {
			return c.SetGroupBan(ctx, onebot.SetGroupBanParams{GroupID: 1, UserID: 2, Duration: new(500 * time.Millisecond)})
		}, `{"group_id":"1","user_id":"2","duration":1}`},
		{func() error {
			return c.SetGroupBan(ctx, onebot.SetGroupBanParams{GroupID: 1, UserID: 2, Duration: new(time.Duration(0))})
		}, `{"group_id":"1","user_id":"2","duration":0}`},
		{func() error {
			return c.SetFriendAddRequest(ctx, onebot.SetFriendAddRequestParams{Flag: "f", Approve: new(false)})
		}, `{"flag":"f","approve":false}`},
		{func() error {
			return c.SetGroupAdmin(ctx, onebot.SetGroupAdminParams{GroupID: 1, UserID: 2, Enable: new(true)})
		}, `{"group_id":"1","user_id":"2","enable":true}`},
		{func() error {
			_, err := c.SetMsgEmojiLike(ctx, onebot.SetMsgEmojiLikeParams{MessageID: 5, EmojiID: "0"})
			return err
		}, `{"message_id":5,"emoji_id":"0"}`},
		{func() error {
			_, err := c.GetMsg(ctx, onebot.GetMsgParams{MessageID: 7400000000000000001})
			return err
		}, `{"message_id":"7400000000000000001"}`},
		{func() error {
			_, err := c.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 1, Timeout: new(time.Minute)})
			return err
		}, `{"group_id":"1","message":[],"timeout":60000}`},
		{func() error {
			_, err := c.SetQQProfile(ctx, onebot.SetQQProfileParams{Nickname: "n", Sex: new(0)})
			return err
		}, `{"nickname":"n","sex":"0"}`},
		{func() error {
			return c.SetGroupLeave(ctx, onebot.SetGroupLeaveParams{GroupID: 1, IsDismiss: new(false)})
		}, `{"group_id":"1","is_dismiss":false}`},
		{func() error {
			return c.SetGroupSearch(ctx, onebot.SetGroupSearchParams{GroupID: 1, NoFingerOpen: new(1)})
		}, `{"group_id":"1","no_finger_open":1}`},
		{func() error { return download(onebot.DownloadFileParams{URL: new("/a"), Name: new("b")}) }, `{"url":"/a","name":"b"}`},
		{func() error { return download(onebot.DownloadFileParams{URL: new("HTTPS://h/a")}) }, `{"url":"HTTPS://h/a"}`},
		{func() error { return download(onebot.DownloadFileParams{URL: new("base64://aGk=")}) }, `{"url":"base64://aGk="}`},
		{func() error { return download(onebot.DownloadFileParams{URL: new("/a"), Base64: new("aGk=")}) }, `{"url":"/a","base64":"aGk="}`},
	} {
		if err := tc.err(); err != nil || string(rec.params) != tc.want {
			t.Errorf("got %s, %v, want %s", rec.params, err, tc.want)
		}
	}
}

func TestRefusalsThatSayOK(t *testing.T) {
	rec := &recorder{}
	c := onebot.NewClient(rec)
	ctx := context.Background()
	for _, tc := range []struct {
		data string
		code int // 0: done
		call func() error
	}{
		{`{"valid":false,"message":"no friend"}`, -1, func() error { _, err := c.DeleteFriend(ctx, onebot.DeleteFriendParams{UserID: 1}); return err }},
		{`{"result":0,"errMsg":""}`, 0, func() error { _, err := c.DeleteFriend(ctx, onebot.DeleteFriendParams{UserID: 1}); return err }},
		{`{"result":-1,"errMsg":"x","transferUrl":""}`, -1, func() error { _, err := c.GetFlashFileURL(ctx, onebot.GetFlashFileURLParams{}); return err }},
		{`{"result":-1,"errMsg":"slow"}`, -1, func() error { _, err := c.SendOnlineFile(ctx, onebot.SendOnlineFileParams{}); return err }},
		{`{}`, -1, func() error { _, err := c.GetFilesetID(ctx, onebot.GetFilesetIDParams{}); return err }},
		{``, -1, func() error { _, err := c.GetQunAlbumList(ctx, onebot.GetQunAlbumListParams{}); return err }},
		{`{"album_list":[]}`, 0, func() error { _, err := c.GetQunAlbumList(ctx, onebot.GetQunAlbumListParams{}); return err }},
		{`{"errCode":11001,"errMsg":"no"}`, 11001, func() error { _, err := c.SetEssenceMsg(ctx, onebot.SetEssenceMsgParams{}); return err }},
		{`{"errCode":0,"errMsg":"","result":{"wording":"not you","errorCode":10003}}`, 10003, func() error { _, err := c.SetEssenceMsg(ctx, onebot.SetEssenceMsgParams{}); return err }},
		{`{"result":{"retCode":-36,"retMsg":"r","clientWording":"w"},"groupItem":null}`, -36, func() error {
			_, err := c.CreateGroupFileFolder(ctx, onebot.CreateGroupFileFolderParams{})
			return err
		}},
		{`{"result":0,"errMsg":"","transGroupFileResult":{"result":{"retCode":-121,"retMsg":"","clientWording":"no"}}}`, -121, func() error { _, err := c.DeleteGroupFile(ctx, onebot.DeleteGroupFileParams{}); return err }},
		{`{"errCode":0,"errMsg":"","rsp":{"sendStatus":[{"result":0,"msg":""},{"result":5,"msg":"full"}]}}`, 5, func() error { _, err := c.SendFlashMsg(ctx, onebot.SendFlashMsgParams{}); return err }},
		{`{"retCode":0,"retMsg":"ok","clientWording":""}`, 0, func() error { _, err := c.DeleteGroupFolder(ctx, onebot.DeleteGroupFolderParams{}); return err }},
		{``, 0, func() error { _, err := c.DeleteGroupFolder(ctx, onebot.DeleteGroupFolderParams{}); return err }},
		{`{"result":"7","errMs":"text code"}`, 7, func() error {
			_, err := c.GetGroupAlbumMediaList(ctx, onebot.GetGroupAlbumMediaListParams{})
			return err
		}},
		{`{"anything":true}`, 0, func() error { _, err := c.AddCustomFace(ctx, onebot.AddCustomFaceParams{}); return err }},
	} {
		rec.data = json.RawMessage(tc.data)
		err := tc.call()
		var e *onebot.Error
		switch {
		case tc.code == 0 && err != nil:
			t.Errorf("%s %s: %v", rec.action, tc.data, err)
		case tc.code != 0 && (!errors.As(err, &e) || e.Verdict != tc.code || e.Action != rec.action):
			t.Errorf("%s %s: got %v, want code %d", rec.action, tc.data, err, tc.code)
		}
	}
}

func TestResultsAsTheyReallyCome(t *testing.T) {
	rec := &recorder{}
	c := onebot.NewClient(rec)
	ctx := context.Background()
	rec.data = json.RawMessage(`[{"flag":"u_abc","uin":"0","nick":"n","source":"","reason":"","msg":"","group_code":"30003","time":"1795317637","type":"doubt"}]`)
	if l, err := c.GetDoubtFriendsAddRequest(ctx, onebot.GetDoubtFriendsAddRequestParams{}); err != nil || len(l) != 1 || l[0].GroupCode != 30003 || l[0].Time != 1795317637 {
		t.Errorf("%+v, %v", l, err)
	}
	rec.data = json.RawMessage(`{"messages":[{"self_id":1,"user_id":2,"message_id":3,"message":[{"type":"forward","data":{"id":"9","content":[{"user_id":4,"message":"x"}]}}]}]}`)
	f, err := c.GetForwardMsg(ctx, onebot.GetForwardMsgParams{ID: new("9")})
	if err != nil || len(f.Messages) != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	if in, ok := onebot.First[*onebot.ForwardSegment](f.Messages[0].Message); !ok || in.Content[0].Text() != "x" {
		t.Errorf("%s", f.Raw())
	}
	rec.data = json.RawMessage(`{"group_id":"30003","current_talkative":{},"talkative_list":[{"user_id":"5","nickname":"n","avatar":"a","description":"d"}],"performer_list":{},"legend_list":null}`)
	if h, err := c.GetGroupHonorInfo(ctx, onebot.GetGroupHonorInfoParams{GroupID: 1}); err != nil || h.TalkativeList[0].UserID != 5 || len(h.PerformerList) != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	rec.data = json.RawMessage(`{"file":"/a","url":"/a","file_size":"","file_name":""}`)
	if g, err := c.GetFile(ctx, onebot.GetFileParams{}); err != nil || g.FileSize != 0 || g.File != "/a" {
		t.Errorf("%+v, %v", g, err)
	}
	rec.data = json.RawMessage(`{"user_id":null,"uid":"u","nickname":"n","age":"7"}`)
	if s, err := c.GetStrangerInfo(ctx, onebot.GetStrangerInfoParams{UserID: 1}); err != nil || s.UserID != 0 || s.Age != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, none := range []string{"", "null"} {
		rec.data = json.RawMessage(none)
		if s, err := c.SendPacket(ctx, onebot.SendPacketParams{}); s != "" || err != nil {
			t.Errorf("%q: %q, %v", none, s, err)
		}
		if l, err := c.OCRImage(ctx, onebot.OCRImageParams{}); l != nil || err != nil {
			t.Errorf("%q: %v, %v", none, l, err)
		}
		if r, err := c.GetRecentContact(ctx, onebot.GetRecentContactParams{}); r != nil || err != nil {
			t.Errorf("%q: %v, %v", none, r, err)
		}
	}
	rec.data = json.RawMessage(`{"message_id":"12","novel":{"x":1}}`)
	r, err := c.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 1, Message: onebot.Message{onebot.Text("x")}})
	if err != nil || r.MessageID != 12 || string(r.Raw()) != string(rec.data) {
		t.Errorf("%+v, %v", r, err)
	}
}

// caller is a Caller that fails with err.
type caller struct{ err error }

func (c caller) Call(context.Context, string, any, any) error { return c.err }

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		err                                            error
		refused, unsupported, params, token, maybeDone bool
	}{
		{&onebot.Error{RetCode: 1404, Message: "不支持的API x"}, true, true, false, false, false},
		{&onebot.Error{RetCode: 200, Message: "不支持的Api x"}, true, true, false, false, false},
		{&onebot.Error{RetCode: 200, Message: "消息不存在"}, true, false, false, false, false},
		{&onebot.Error{RetCode: 1400}, true, false, true, false, false},
		{&onebot.Error{RetCode: 400}, true, false, true, false, false},
		{&onebot.Error{RetCode: 1403}, true, false, false, true, false},
		{&onebot.Error{RetCode: 403}, true, false, false, true, false},
		{&onebot.Error{RetCode: 1200, Message: "Timeout: NTEvent serviceAndMethod"}, true, false, false, false, true},
		{&onebot.Error{RetCode: 1200, Message: "消息不存在"}, true, false, false, false, false},
		{&onebot.Error{RetCode: 77777}, true, false, false, false, false},
		{fmt.Errorf("a: %w", onebot.ErrUnknownOutcome), false, false, false, false, true},
		{fmt.Errorf("a: %w", onebot.ErrNotSent), false, false, false, false, false},
		{nil, false, false, false, false, false},
	} {
		_, err := onebot.NewClient(caller{tc.err}).GetStatus(context.Background())
		if tc.err != nil && !errors.Is(err, tc.err) {
			t.Errorf("%v became %v", tc.err, err)
		}
		got := []bool{onebot.IsRefused(err), onebot.IsUnsupported(err), onebot.IsBadParams(err), onebot.IsBadToken(err), onebot.MaybeDone(err)}
		if want := []bool{tc.refused, tc.unsupported, tc.params, tc.token, tc.maybeDone}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v: got %v, want %v", tc.err, got, want)
		}
	}
}

func TestBotExitTakesLossForSuccess(t *testing.T) {
	lost := caller{fmt.Errorf("bot_exit: %w", onebot.ErrUnknownOutcome)}
	if err := onebot.NewClient(lost).BotExit(context.Background()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := onebot.NewClient(lost).BotExit(ctx); err == nil {
		t.Error("a call given up counts as done")
	}
	if err := onebot.NewClient(caller{onebot.ErrNotSent}).BotExit(context.Background()); err == nil {
		t.Error("a call never made counts as done")
	}
}
