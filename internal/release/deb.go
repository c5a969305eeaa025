package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/blakesmith/ar"
)

// pressDeb compresses the data of a package that has them uncompressed with the
// program xz: the one that is written in Go, which nfpm has, makes the package a
// fifth larger.
func pressDeb(ctx context.Context, path string) error {
	in, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w := ar.NewWriter(&out)
	if err := w.WriteGlobalHeader(); err != nil {
		return err
	}
	pressed := false
	for r := ar.NewReader(bytes.NewReader(in)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		data := make([]byte, h.Size)
		if _, err := io.ReadFull(r, data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		h.Name = strings.TrimSuffix(h.Name, "/")
		if h.Name == "data.tar" {
			h.Name, pressed = "data.tar.xz", true
			if data, err = xz(ctx, data); err != nil {
				return err
			}
		}
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if !pressed {
		return fmt.Errorf("%s has no data.tar", path)
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// xz compresses with one thread: the bytes do not depend on how many there are.
func xz(ctx context.Context, b []byte) ([]byte, error) {
	c := exec.CommandContext(ctx, "xz", "--compress", "--stdout", "--threads=1", "-6e")
	c.Env = append(os.Environ(), "XZ_DEFAULTS=", "XZ_OPT=")
	c.Stdin = bytes.NewReader(b)
	out, err := c.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("xz is not installed (package xz-utils)")
	}
	return out, err
}
