//go:build !windows

package napcatsim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWorldOutlivesTheWorker holds that QQ remembers what was said while NapCat
// was restarted, and that NapCat does not remember its ids.
func TestWorldOutlivesTheWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	port := freePort(t)
	r.write("onebot11.json", onebotJSON(port))
	p := r.start("-q", "3889001001")
	p.expect(onebotReady, 1)
	said, err := r.control().Say(t.Context(), SayRequest{User: 3001000001, Text: "remember me", Unheard: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.control().Act(t.Context(), ActRequest{Deed: "rename", Group: 700000001, Text: "new name"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the world is saved", func() bool {
		b, err := os.ReadFile(filepath.Join(Dir(r.home), "world_3889001001.json"))
		return err == nil && strings.Contains(string(b), "new name")
	})
	if err := r.control().Crash(t.Context(), CrashRequest{Code: 11}); err != nil {
		t.Fatal(err)
	}
	p.expect(onebotReady, 2)
	b := r.dial(port)
	get := fmt.Sprintf(`{"action":"get_msg","params":{"message_id":%d},"echo":"get"}`, said.MessageID)
	b.send(get)
	if got := b.next(`"echo":"get"`); !strings.Contains(got, "消息不存在") {
		t.Errorf("the id is still known: %s", got)
	}
	b.send(`{"action":"get_friend_msg_history","params":{"user_id":3001000001},"echo":"history"}`)
	if got := b.next(`"echo":"history"`); !strings.Contains(got, fmt.Sprintf(`"message_id":%d,`, said.MessageID)) || !strings.Contains(got, "remember me") {
		t.Errorf("history %s", got)
	}
	b.send(get)
	if got := b.next(`"echo":"get"`); !strings.Contains(got, "remember me") {
		t.Errorf("the history did not bring the id back: %s", got)
	}
	b.send(`{"action":"get_group_info","params":{"group_id":700000001},"echo":"group"}`)
	if got := b.next(`"echo":"group"`); !strings.Contains(got, `"group_name":"new name"`) {
		t.Errorf("group %s", got)
	}
}
