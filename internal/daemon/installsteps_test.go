package daemon

import (
	"errors"
	"slices"
	"testing"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// TestInstallStepsHaveALanguage: how an install goes, and why it failed, is told in
// the reader's language, each step once.
func TestInstallStepsHaveALanguage(t *testing.T) {
	var s installSteps
	var said []string
	for _, e := range []install.Event{
		{Kind: install.EventPlan, Product: install.NapCat, URL: "https://x/n.zip"},
		{Kind: install.EventDownload, Product: install.NapCat, Bytes: 42, Total: 100},
		{Kind: install.EventDownload, Product: install.NapCat, Bytes: 49, Total: 100},
		{Kind: install.EventVerified, Product: install.NapCat},
		{Kind: install.EventReleased, Product: install.NapCat},
		{Kind: install.EventVerified, Product: install.QQ},
	} {
		if step := s.of(e); step.Code != "" {
			said = append(said, text.Fault(text.Chinese, step))
		}
	}
	if want := []string{"正在下载 NapCat：https://x/n.zip", "正在下载 NapCat：40%", "正在解包 NapCat", "正在解包 QQ"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	starting := api.Because(api.CodeStarting, "4.18.19", "3.2.30")
	if got := text.Fault(text.Chinese, starting); got != "正在启动 NapCat 4.18.19（QQ 3.2.30）" {
		t.Error(got)
	}
}

// TestInstallFaultHasALanguage: so is why it failed, for each package and source.
func TestInstallFaultHasALanguage(t *testing.T) {
	err := errors.Join(
		&install.ProductError{Product: install.NapCat, Err: &fetch.Error{Name: "NapCat.Shell.zip", Places: []*fetch.PlaceError{
			{Place: fetch.Place{Via: "direct"}, Cause: fetch.CauseStatus, Err: &fetch.StatusError{Code: 403, Status: "403 Forbidden"}},
			{Place: fetch.Place{Via: "m"}, Cause: fetch.CauseStalled, Err: errors.New("no bytes came any more")},
		}}},
		&install.ProductError{Product: install.QQ, Err: &install.ArchError{Package: "arm64", Machine: "amd64"}},
	)
	var fault *supervisor.Fault
	if !errors.As(installFault(err), &fault) {
		t.Fatal("no fault")
	}
	f := fault.Cause.Why
	const zh = "NapCat 和 QQ 安装失败；NapCat.Shell.zip 下载失败；direct：服务器拒绝 (HTTP 403 Forbidden)；m：没有数据传来；QQ：安装包不适用于这台机器的架构（安装包是 arm64，本机是 amd64）"
	if got := text.Fault(text.Chinese, f); got != zh {
		t.Errorf("%s", got)
	}
	const en = "NapCat and QQ could not be installed; NapCat.Shell.zip could not be fetched; direct: refused by the server (HTTP 403 Forbidden); m: stands still; QQ: the package is made for another processor (arm64, this machine is amd64)"
	if got := text.Fault(text.English, f); got != en {
		t.Errorf("%s", got)
	}
}
