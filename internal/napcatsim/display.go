package napcatsim

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// display connects to the X server that DISPLAY names, as Electron does, and
// ends the program when that server ends. Options.NeedDisplay says whether
// there must be one.
func (p *process) display(ctx context.Context, stderr io.Writer) int {
	if p.opt.NeedDisplay == "off" || runtime.GOOS == "windows" {
		return 0
	}
	conn, err := dialDisplay(ctx, p.env["DISPLAY"])
	switch {
	case err == nil:
		go func() { // ends with the process, as Xlib's connection does
			_, _ = io.Copy(io.Discard, conn) // only its end is of interest
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
func dialDisplay(ctx context.Context, display string) (net.Conn, error) {
	n, ok := strings.CutPrefix(display, ":")
	if !ok {
		return nil, &net.AddrError{Err: "not a local display", Addr: display}
	}
	n, _, _ = strings.Cut(n, ".")
	path := filepath.Join("/tmp/.X11-unix", "X"+n)
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil && runtime.GOOS == "linux" {
		c, err = d.DialContext(ctx, "unix", "@"+path)
	}
	if err != nil {
		return nil, err
	}
	if err := greet(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// greet opens a session of the X protocol, version 11, little endian, without
// authorization: a server closes connections that say nothing.
func greet(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if head[0] != 1 {
		return errors.New("the X server wants authorization")
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.LittleEndian.Uint16(head[6:]))*4); err != nil {
		return err
	}
	return c.SetDeadline(time.Time{})
}
