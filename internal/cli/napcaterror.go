package cli

import (
	"strconv"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/onebot"
)

// said words one of NapCat's or QQ's error texts for a person: JSON dumps,
// JavaScript stacks and EventRet blocks become a line. Everything that reaches a
// person from there goes through it; the raw text stays in --json and the log.
func (a *app) said(raw string) string { return a.causeText(onebot.Explain(raw)) }

func (a *app) causeText(c onebot.Cause) string {
	words := printable(clip(c.Text, 300))
	switch {
	case c.Class == onebot.ClassNoPacket:
		return a.t("cause.no_packet")
	case c.Class == onebot.ClassInternal && words != "":
		return a.t("cause.internal", words)
	case words != "":
	case c.Class == onebot.ClassUnconfirmed:
		return a.t("cause.unconfirmed")
	case c.Code == onebot.CodeMuted:
		words = a.t("cause.muted")
	case c.Code == onebot.CodeNotMember:
		words = a.t("cause.not_member")
	case c.Code == 0:
		return a.t("cause.none")
	default:
		return a.t("cause.code", strconv.Itoa(c.Code))
	}
	if c.Code != 0 {
		words += " (" + strconv.Itoa(c.Code) + ")"
	}
	return words
}

// refused turns a refusing answer into an error, nil for one that does not
// refuse. What QQ only did not confirm is never called refused: it was mostly
// carried out.
func (a *app) refused(action string, r api.CallResponse) error {
	if r.Status != "failed" && r.RetCode == 0 || r.Status == "async" {
		return nil
	}
	raw := r.Message
	if raw == "" {
		raw = r.Wording
	}
	e := onebot.Error{Action: action, RetCode: r.RetCode, Message: raw, Wording: r.Wording}
	c := e.Cause()
	words := a.causeText(c)
	switch c.Class {
	case onebot.ClassUnconfirmed:
		return fail(exitFailure, errString(a.t("err.call_unconfirmed", action, words)), a.t("hint.call_unconfirmed"))
	case onebot.ClassNoPacket:
		return fail(exitFailure, errString(a.t("err.call_refused", action, r.RetCode, words)), a.t("hint.no_packet"))
	case onebot.ClassRefused:
		return failf(a, exitFailure, "err.call_refused_qq", action, words)
	}
	return failf(a, exitFailure, "err.call_refused", action, r.RetCode, words)
}
