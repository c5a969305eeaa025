package napcatsim

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// display connects to the X server that DISPLAY names, as Electron does, and
// ends the program when that server ends. Options.NeedDisplay says whether
// there must be one.
func (p *process) display(stderr io.Writer) int {
	if p.opt.NeedDisplay == "off" || runtime.GOOS == "windows" {
		return 0
	}
	conn, err := dialDisplay(p.env["DISPLAY"])
	switch {
	case err == nil:
		go func() { // ends with the process, as Xlib's connection does
			_, _ = conn.Read(make([]byte, 1)) // a server says nothing before it is greeted: only its end is seen here
			p.electronError(stderr, "x11_software_bitmap_presenter.cc(144)", "X connection error received.")
			os.Exit(1)
		}()
	case p.opt.NeedDisplay == "on":
		p.electronError(stderr, "ozone_platform_x11.cc(244)", "Missing X server or $DISPLAY")
		p.electronError(stderr, "env.cc(257)", "The platform failed to initialize.  Exiting.")
		return 1
	}
	return 0
}

// dialDisplay connects to a local display such as ":5" or ":5.0".
func dialDisplay(display string) (net.Conn, error) {
	n, ok := strings.CutPrefix(display, ":")
	if !ok {
		return nil, &net.AddrError{Err: "not a local display", Addr: display}
	}
	n, _, _ = strings.Cut(n, ".")
	path := filepath.Join("/tmp/.X11-unix", "X"+n)
	c, err := net.Dial("unix", path)
	if err != nil && runtime.GOOS == "linux" {
		c, err = net.Dial("unix", "@"+path)
	}
	return c, err
}
