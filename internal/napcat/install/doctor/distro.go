package doctor

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// distro is what /etc/os-release says, and how its packages are installed.
type distro struct {
	id, version, name string
	like              []string
	manager           string // apt, dnf, yum, zypper, pacman, apk or empty
	root              string
	isRoot            bool // no sudo in front of the command
	t64               bool // packages renamed for 64-bit times (Debian 13, Ubuntu 24.04)
}

func readDistro(root string) distro {
	d := distro{root: root}
	b, err := os.ReadFile(filepath.Join(root, "/etc/os-release"))
	if err != nil {
		b, _ = os.ReadFile(filepath.Join(root, "/usr/lib/os-release")) // absent: an unknown system
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	var codenames []string
	for s.Scan() {
		k, v, _ := strings.Cut(s.Text(), "=")
		v = strings.Trim(v, `"'`)
		switch k {
		case "ID":
			d.id = v
		case "ID_LIKE":
			d.like = strings.Fields(v)
		case "VERSION_ID":
			d.version = v
		case "PRETTY_NAME":
			d.name = v
		case "VERSION_CODENAME", "UBUNTU_CODENAME", "DEBIAN_CODENAME":
			codenames = append(codenames, v)
		}
	}
	family := append([]string{d.id}, d.like...)
	is := func(ids ...string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(family, id) })
	}
	switch {
	case is("debian", "ubuntu"):
		d.manager = "apt"
		d.t64 = d.hasT64(codenames)
	case is("fedora", "rhel", "centos", "openeuler", "anolis", "opencloudos", "tencentos"):
		d.manager = "dnf"
		if !d.has("/usr/bin/dnf") && d.has("/usr/bin/yum") {
			d.manager = "yum"
		}
	case is("suse", "opensuse", "sles"):
		d.manager = "zypper"
	case is("arch", "archlinux"):
		d.manager = "pacman"
	case is("alpine"):
		d.manager = "apk"
	}
	return d
}

func (d distro) has(path string) bool {
	_, err := os.Stat(filepath.Join(d.root, path))
	return err == nil
}

// hasT64 looks whether this Debian or Ubuntu has the packages renamed. The
// package lists tell for every derivative; without them the release does.
func (d distro) hasT64(codenames []string) bool {
	if known, ok := d.aptKnows("libglib2.0-0t64", "libglib2.0-0"); ok {
		return known == "libglib2.0-0t64"
	}
	major, minor, _ := strings.Cut(d.version, ".")
	n, err := strconv.Atoi(major)
	switch {
	case d.id == "debian" && err == nil:
		return n >= 13
	case d.id == "ubuntu" && err == nil:
		return n > 24 || n == 24 && minor >= "04"
	}
	// A derivative has a version of its own and names what it is built on.
	renamed := []string{"trixie", "sid", "forky", "duke", "noble", "oracular", "plucky", "questing", "resolute"}
	return slices.ContainsFunc(codenames, func(c string) bool { return slices.Contains(renamed, c) })
}

// aptKnows returns the first of names that apt's lists or dpkg's status hold.
func (d distro) aptKnows(names ...string) (string, bool) {
	files, _ := filepath.Glob(filepath.Join(d.root, "/var/lib/apt/lists/*_Packages")) // the pattern is right
	files = append(files, filepath.Join(d.root, "/var/lib/dpkg/status"))
	found := map[string]bool{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			if name, ok := bytes.CutPrefix(s.Bytes(), []byte("Package: ")); ok && slices.Contains(names, string(name)) {
				found[string(name)] = true
			}
		}
		f.Close()
	}
	for _, n := range names {
		if found[n] {
			return n, true
		}
	}
	return "", false
}

// need is something that a package of the distribution brings.
type need struct {
	soname string // a library, or
	tool   string // xvfb, cjk_fonts
}

// command returns the one command that brings all needs, and those for which no
// package is known.
func (d distro) command(needs []need) (command string, unknown []string) {
	var packages []string
	add := func(p string) {
		if !slices.Contains(packages, p) {
			packages = append(packages, p)
		}
	}
	for _, n := range needs {
		p := d.packageOf(n)
		if p == "" {
			unknown = append(unknown, n.soname+n.tool)
			continue
		}
		add(p)
	}
	if len(packages) == 0 {
		return "", unknown
	}
	slices.Sort(packages)
	list := strings.Join(packages, " ")
	sudo := "sudo "
	if d.isRoot {
		sudo = ""
	}
	switch d.manager {
	case "apt":
		return sudo + "apt-get update && " + sudo + "apt-get install -y --no-install-recommends " + list, unknown
	case "dnf", "yum":
		return sudo + d.manager + " install -y " + list, unknown
	case "zypper":
		return sudo + "zypper install -y " + list, unknown
	case "pacman":
		return sudo + "pacman -S --needed " + list, unknown
	}
	return "", unknown
}

func (d distro) packageOf(n need) string {
	switch d.manager {
	case "apt":
		if n.tool != "" {
			return map[string]string{"xvfb": "xvfb", "cjk_fonts": "fonts-wqy-zenhei"}[n.tool]
		}
		return d.debianPackage(n.soname)
	case "dnf", "yum":
		if n.tool != "" {
			return map[string]string{"xvfb": "xorg-x11-server-Xvfb", "cjk_fonts": "wqy-zenhei-fonts"}[n.tool]
		}
		// rpm knows libraries by their sonames.
		return "'" + n.soname + "()(64bit)'"
	case "zypper":
		if n.tool != "" {
			return map[string]string{"xvfb": "xorg-x11-server-Xvfb", "cjk_fonts": "wqy-zenhei-fonts"}[n.tool]
		}
		return "'" + n.soname + "()(64bit)'"
	case "pacman":
		if n.tool != "" {
			return map[string]string{"xvfb": "xorg-server-xvfb", "cjk_fonts": "wqy-zenhei"}[n.tool]
		}
		return libraryPackages[n.soname].arch
	}
	return ""
}

// debianPackage is the package of a library: from the table, else by Debian's
// rule for naming library packages, if apt knows such a one.
func (d distro) debianPackage(soname string) string {
	if p, ok := libraryPackages[soname]; ok {
		if p.t64 && d.t64 {
			return p.debian + "t64"
		}
		return p.debian
	}
	name, version, ok := strings.Cut(soname, ".so.")
	if !ok {
		return ""
	}
	major, _, _ := strings.Cut(version, ".")
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	if name != "" && name[len(name)-1] >= '0' && name[len(name)-1] <= '9' {
		name += "-"
	}
	p, _ := d.aptKnows(name+major+"t64", name+major)
	return p
}
