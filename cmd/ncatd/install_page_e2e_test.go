//go:build e2e && linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// tried are commands of docs/install that need root, a distribution or the
// network: which file tries each, and by what words.
var tried = map[string][2]string{
	"curl -fLO https://github.com/ncatd/ncatd/releases/latest/download/install.sh": {"internal/release/platform.go", "install.sh"},
	"sh install.sh": {"internal/e2e/installsh/run.sh", "/srv/install.sh --base"},
	"sudo apt install ./ncatd_1.2.3_linux_amd64.deb":                      {"internal/e2e/packages/inside.sh", "$apt install /srv/deb/old.deb"},
	"sudo systemctl enable --now ncatd":                                   {"internal/e2e/packages/inside.sh", "systemctl enable --now ncatd"},
	"sudo ncatd --home /var/lib/ncatd login":                              {"cmd/ncatd/examples_e2e_test.go", `"ncatd login"`},
	"make build":                                                          {"Makefile", "e2e: build"},
	"CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -o mybot .": {"Makefile", "GOARCH=$$a GOARM=7 $(GO) build -trimpath"},
	"sudo ncatd self upgrade":                                             {"internal/e2e/selfupgrade/inside.sh", "ncatd self upgrade --source"},
	"sudo ncatd self rollback":                                            {"internal/e2e/selfupgrade/inside.sh", "ncatd self rollback"},
	"ncatd service uninstall":                                             {"internal/e2e/systemd/inside.sh", "ncatd service uninstall"},
}

// TestInstallPage runs what docs/install says, in its order and as it is written,
// or knows what else tries it. Another machine is a folder: ssh and scp stand for
// it.
func TestInstallPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	p := newPast(t)
	p.put(p.shell("Napcat/opt/QQ/resources/app/app_launcher/napcat"), ".config/QQ")
	m := newMachines(t, p)
	ran := 0
	for _, block := range regexp.MustCompile("(?s)\n```\n(.*?)\n```").FindAllStringSubmatch(string(page), -1) {
		for _, line := range strings.Split(block[1], "\n") {
			line = strings.TrimSpace(strings.Split(line, " #")[0])
			if by, ok := tried[line]; ok {
				if b, err := os.ReadFile(filepath.Join("../..", by[0])); err != nil || !strings.Contains(string(b), by[1]) {
					t.Errorf("%s: %s does not try it: %v", line, by[0], err)
				}
				continue
			}
			m.prepare(line)
			m.run(line)
			ran++
		}
	}
	if ran < 12 {
		t.Errorf("only %d commands were found", ran)
	}
}

// machines are this one and the one that ssh leads to.
type machines struct {
	*past
	here, there string // their HOMEs
	bin         string
}

func newMachines(t *testing.T, p *past) *machines {
	t.Helper()
	m := &machines{past: p, here: p.root, there: filepath.Join(p.work, "there"), bin: filepath.Join(p.work, "bin")}
	for _, d := range []string{m.there, m.bin, filepath.Join(m.here, "bin")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"ssh": `[ "$1" != -t ] || shift; shift; cd "$THERE" && HOME=$THERE exec script -qefc "$*" /dev/null`,
		"scp": `exec cp "$1" "$THERE/${2#*:}"`,
	} {
		if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/bin/bash\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{filepath.Join(m.bin, "ncatd"), filepath.Join(m.here, "bin", "ncatd"), filepath.Join(m.here, "mybot"), filepath.Join(m.there, "mybot")} {
		b, err := os.ReadFile(binary)
		if err == nil {
			err = os.WriteFile(at, b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machines) bash(home, line string) *exec.Cmd {
	// The home of the service is a folder of this test.
	cmd := exec.Command("bash", "-c", strings.ReplaceAll(line, "/var/lib/ncatd", filepath.Join(m.work, "service")))
	cmd.Dir = home
	cmd.Env = append([]string{"HOME=" + home, "THERE=" + m.there, "PATH=" + m.bin + ":" + os.Getenv("PATH"), "NCATD_PASSPHRASE=correct horse battery"}, m.env[2:]...)
	return cmd
}

func (m *machines) must(home, line string) {
	m.t.Helper()
	if out, err := m.bash(home, line).CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// prepare brings about what a line takes for granted.
func (m *machines) prepare(line string) {
	m.t.Helper()
	switch {
	case line == "ncatd stop":
		m.must(m.here, "ncatd start -d")
	case line == "ncatd import ~/Napcat":
		m.must(m.here, "rm -rf .ncatd")
	case strings.HasSuffix(line, "docker-compose.yml"):
		m.must(m.here, "ncatd stop; mkdir -p config && cp Napcat/opt/QQ/resources/app/app_launcher/napcat/config/onebot11_*.json config/ && cp -r .config/QQ ntqq")
		m.must(m.here, "printf 'services: {napcat: {image: mlikiowa/napcat-docker, network_mode: host, volumes: [\"./config:/app/napcat/config\", \"./ntqq:/app/.config/QQ\"]}}' >docker-compose.yml")
	case strings.HasPrefix(line, "scp mybot"):
		m.must(m.here, "ncatd --home /var/lib/ncatd stop")
		m.must(m.there, "cp -r "+filepath.Join(m.here, ".config")+" "+filepath.Join(m.here, "Napcat")+" . && ./mybot import --yes Napcat")
	case line == "ncatd backup --all --encrypt ncatd.age":
		m.must(m.there, "./mybot stop && rm -rf .ncatd .config")
	case line == "ncatd uninstall --purge":
		m.must(m.there, "ncatd stop")
	}
}

// run runs a line on a terminal, where a person says yes; what does not end is
// interrupted when the account is online.
func (m *machines) run(line string) {
	m.t.Helper()
	if strings.HasSuffix(line, "ncatd start") {
		m.foreground(line)
		return
	}
	cmd := m.bash(m.here, "script -qefc '"+strings.ReplaceAll(line, "'", `'\''`)+"' /dev/null")
	cmd.Stdin = strings.NewReader("y\ny\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	m.t.Logf("ran: %s", line)
}

func (m *machines) foreground(line string) {
	m.t.Helper()
	cmd := m.bash(m.here, "exec "+line)
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	online := await.Poll(time.Minute, func() bool { return m.bash(m.here, "ncatd status").Run() == nil })
	_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended
	_ = cmd.Wait()                         // 130
	if !online {
		m.t.Fatalf("%s: not online", line)
	}
	m.t.Logf("ran: %s", line)
}
