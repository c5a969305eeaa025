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
	conn, err := dialDisplay(ctx, p.env["DISPLAY"], cookie(p.env))
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
func dialDisplay(ctx context.Context, display string, auth xauth) (net.Conn, error) {
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
	if err := greet(c, auth); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// xauth is what lets a client in at an X server; empty where everybody may.
type xauth struct{ name, data string }

// cookie is the first entry of the X authority file that env leads to. Xlib
// picks the one of its display; the files here have one entry.
func cookie(env map[string]string) xauth {
	file := env["XAUTHORITY"]
	if file == "" {
		file = filepath.Join(env["HOME"], ".Xauthority")
	}
	b, err := os.ReadFile(file)
	if err != nil || len(b) < 2 {
		return xauth{}
	}
	b = b[2:] // the family
	var fields [4]string
	for i := range fields {
		if len(b) < 2 {
			return xauth{}
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; len(b) < n {
			return xauth{}
		}
		fields[i], b = string(b[:n]), b[n:]
	}
	return xauth{name: fields[2], data: fields[3]}
}

// greet opens a session of the X protocol, version 11, little endian: a server
// closes connections that say nothing.
func greet(c net.Conn, auth xauth) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	hello := []byte{'l', 0, 11, 0, 0, 0}
	hello = binary.LittleEndian.AppendUint16(hello, uint16(len(auth.name)))
	hello = binary.LittleEndian.AppendUint16(hello, uint16(len(auth.data)))
	hello = append(hello, 0, 0)
	for _, s := range []string{auth.name, auth.data} {
		hello = append(hello, s...)
		hello = append(hello, make([]byte, -len(s)&3)...) // to four bytes
	}
	if _, err := c.Write(hello); err != nil {
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
