package ncattest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestPagesOfRules: the list of what is granted has fifteen lines on a page, and shows
// what concerns the group or user that is asked for.
func TestPagesOfRules(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"), ncat.WithAdmins(99))
	b.OnMessage(says("heard"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		boss, p := h.Group(100).From(99), h.Bot().Permissions()
		grant := func(from, to int, s ncat.Scope) {
			for i := from; i < to; i++ {
				if err := p.Grant(h.Context(), fmt.Sprintf("r%02d", i), s); err != nil {
					t.Error(err)
				}
			}
		}
		list := func(args string, first, last string, lines int) {
			t.Helper()
			boss.Says("/perm list " + args)
			got := strings.Split(h.One().Text(), "\n")
			if len(got) != lines || !strings.Contains(got[0], first) || !strings.Contains(got[len(got)-1], last) {
				t.Errorf("list %s: %d lines %q", args, len(got), got)
			}
		}
		list("", "nothing is granted", "nothing is granted", 1)
		grant(0, 15, ncat.Scope{})
		list("", "role r00", "role r14", 15)
		list("-p 2", "role r00", "role r14", 15)
		grant(15, 16, ncat.Scope{})
		list("", "role r00", "1/2", 16)
		list("-p 2", "role r15", "2/2", 2)
		list("-p 99", "role r15", "2/2", 2)
		list("-p -1", "role r00", "1/2", 16)
		for _, role := range p.Rules() {
			if err := p.Revoke(h.Context(), role.Target, role.Scope); err != nil {
				t.Error(err)
			}
		}
		grant(0, 1, ncat.Scope{Group: 100, User: 1})
		grant(1, 2, ncat.Scope{Group: 100})
		grant(2, 3, ncat.Scope{Group: 101})
		grant(3, 4, ncat.Scope{User: 1})
		grant(4, 5, ncat.Scope{User: 2})
		h.Group(101).From(onebot.UserID(1))
		list("", "role r00", "role r04", 4)
		list("1", "role r00", "role r03", 3)
		list("2", "role r01", "role r04", 2)
		list("-g 101", "role r02", "role r04", 3)
		list("1 -g 101", "role r02", "role r03", 2)
		list("-e", "role r00", "role r04", 5)
		list("7 -e", "role r01", "role r02", 2)
	})
}
