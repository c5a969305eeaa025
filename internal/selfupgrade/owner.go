package selfupgrade

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// Owner says what replaces a program: Self, or another program or person to ask.
type Owner string

// The owners of a program.
const (
	Self      Owner = "self"      // it can be replaced
	Source    Owner = "source"    // go run, or built from a working folder
	Bot       Owner = "bot"       // a user's own program with ncatd linked in
	Container Owner = "container" // an image
	Dpkg      Owner = "dpkg"
	RPM       Owner = "rpm"
	APK       Owner = "apk"
	Pacman    Owner = "pacman"
)

// module is what a program of a release is built from.
const module = "github.com/ncatd/ncatd/cmd/ncatd"

// queries ask each package manager whether a file is its own.
var queries = []struct {
	owner Owner
	args  []string
}{
	{Dpkg, []string{"dpkg-query", "--search"}},
	{RPM, []string{"rpm", "--query", "--file"}},
	{APK, []string{"apk", "info", "--who-owns"}},
	{Pacman, []string{"pacman", "--query", "--owns", "--quiet"}},
}

// OwnerOf returns what replaces the program at exe, which is this one and calls
// itself version.
func OwnerOf(ctx context.Context, exe, version string) Owner {
	info, ok := debug.ReadBuildInfo()
	switch {
	case ok && info.Path != module:
		return Bot
	case version == "devel", strings.Contains(exe, string(filepath.Separator)+"go-build"):
		return Source
	}
	for _, q := range queries {
		if owns(ctx, q.args, exe) {
			return q.owner
		}
	}
	// A container whose first process is this program is made of an image of it;
	// in any other one a user installed it.
	if first, err := os.Readlink("/proc/1/exe"); err == nil && first == exe {
		return Container
	}
	return Self
}

func owns(ctx context.Context, args []string, exe string) bool {
	tool, err := exec.LookPath(args[0])
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, tool, append(args[1:], exe)...).Run() == nil
}
