package alert

import (
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Observe returns what is wrong by a status of the daemon. Accounts that nobody
// wants to run have nothing wrong.
func Observe(st api.Status) []Condition {
	var all []Condition
	for _, a := range st.Accounts {
		all = append(all, account(a)...)
	}
	for _, p := range st.Plugins {
		if p.State == "failed" {
			all = append(all, Condition{Kind: KindPlugin, Subject: p.ID, Code: string(api.CodePluginFailed), Args: []string{p.ID, p.Error}, Cause: api.Fault{}.With(p.Fault).Cause})
		}
	}
	if r := st.RolledBack; r != nil {
		all = append(all, Condition{Kind: KindRelease, Subject: r.NapCat + "/" + r.QQ, Since: r.Time, Code: string(api.CodeNewPairFailed), Args: []string{r.NapCat, r.QQ}})
	}
	if l := st.LeftVersion; l != nil {
		all = append(all, Condition{Kind: KindRelease, Subject: "ncatd " + l.Version, Since: l.Time, Code: string(api.CodeVersionLeft), Args: []string{l.Version, l.Reason}})
	}
	for _, n := range st.Newer {
		code := api.CodeNewNapCat
		if n.Name == "ncatd" {
			code = api.CodeNewNcatd
		}
		all = append(all, Condition{Kind: KindNewer, Subject: n.Name + " " + n.Version, Since: n.Since, Code: string(code), Args: []string{n.Version, n.Runs}})
	}
	for _, a := range st.Apps {
		if a.State == api.StateFailed || a.State == api.StateBackoff {
			all = append(all, Condition{Kind: KindApp, Subject: a.Name, Since: a.Since, Code: string(a.Fault.Code), Args: a.Fault.Args})
		}
	}
	for _, h := range st.SilentHosts {
		all = append(all, Condition{Kind: KindHost, Subject: h.Name, Since: h.Heard, Code: string(api.CodeHostLost), Args: []string{h.Name}})
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(c Condition) bool {
		again := seen[c.key()]
		seen[c.key()] = true
		return again
	})
}

func account(a api.Account) []Condition {
	if a.State == api.StateStopped || a.State == api.StateStopping || a.State == api.StateInstalling {
		return nil
	}
	var all []Condition
	add := func(k Kind, subject string, since time.Time, f api.Fault) {
		all = append(all, Condition{Kind: k, Account: a.Name, Subject: subject, Since: since, Code: string(f.Code), Args: f.Args, UIN: a.UIN})
	}
	if a.State != api.StateOnline {
		add(KindOffline, "", a.Since, a.Fault)
	}
	switch {
	case a.State == api.StateLoginRequired:
		add(KindLogin, "", a.Since, a.Fault)
	case a.State == api.StateFailed:
		add(KindFailed, "", a.Since, a.Fault)
	case a.Reason == "kicked":
		add(KindKicked, "", a.Since, a.Fault)
	}
	seen := map[api.Code]bool{}
	for _, d := range a.Degraded {
		if seen[d.Code] && d.Code != api.CodePluginFailed {
			continue
		}
		seen[d.Code] = true
		subject := string(d.Code)
		if d.Code == api.CodePluginFailed && len(d.Args) > 0 {
			subject = d.Args[0]
		}
		add(degraded(d.Code), subject, d.Since, d.Fault())
		c := &all[len(all)-1]
		c.Cause = d.Cause
		if c.Kind != KindPart {
			// Of the daemon, although every account shows it.
			c.Account, c.UIN = "", 0
		}
	}
	return all
}

func degraded(c api.Code) Kind {
	switch {
	case c == api.CodePluginFailed:
		return KindPlugin
	case slices.Contains([]api.Code{api.CodeDiskLow, api.CodeDiskReadOnly}, c):
		return KindDisk
	case slices.Contains([]api.Code{api.CodeStoreDamaged, api.CodeStoreEmptied, api.CodeStoreRewritten, api.CodeStoreLocked, api.CodeStoreWrite, api.CodeJournalWrite}, c):
		return KindStore
	case slices.Contains([]api.Code{api.CodeCertNone, api.CodeCertUnread, api.CodeCertEnds, api.CodeCertEnded}, c):
		return KindCert
	default:
		return KindPart
	}
}
