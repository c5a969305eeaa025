//go:build linux

// Command soak runs ncatd and the simulator for a while under faults and says
// how they fared. It is a whole ncatd itself (its arguments "ncatd …" and
// "sim …" make it one), so that it needs nothing but its own binary.
//
//	soak faults -for 10m -accounts 3   random faults of NapCat, ncatd, its disk and its database while people talk:
//	                                   what was lost, doubled or out of order, restarts that were not due, availability
//	soak kills -n 100                  ncatd killed at random moments; copies, survivors
//	soak journal -n 100                the same while a message comes every 50 ms: each is answered once
//	soak poison                        a message that ends the process, which is started again each second
//	soak spawn -n 10                   NapCat killed in a row; when its successors come
//	soak limits -each 30s              without descriptors, processes, memory, disk
//	soak many -accounts 10             all online, a crash loop and a forgotten QR code among them
//
// It exits with 1 if what it saw is not what ncatd promises.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ncatd/ncatd"
)

func main() {
	if filepath.Base(os.Args[0]) == "ncatd" { // installed in its place, as make e2e-systemd does
		os.Exit(ncatd.Run(newBot(), os.Args[1:]))
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "ncatd":
			os.Exit(ncatd.Run(newBot(), os.Args[2:]))
		case "sim":
			os.Exit(ncatd.Run(nil, os.Args[1:]))
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	mode := "faults"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		mode, args = args[0], args[1:]
	}
	fs := flag.NewFlagSet("soak "+mode, flag.ContinueOnError)
	var (
		length   = fs.Duration("for", 10*time.Minute, "faults: how long")
		n        = fs.Int("n", 100, "kills, journal: how many")
		accounts = fs.Int("accounts", 3, "how many accounts")
		each     = fs.Duration("each", 30*time.Second, "limits: how long each of them lasts")
		seed     = fs.Uint64("seed", uint64(time.Now().UnixNano()), "of chance")
		dir      = fs.String("home", "", "folder to work in; empty: a temporary one, removed if all went well")
	)
	if err := fs.Parse(args); err != nil {
		return err
	}
	s, err := newStage(*dir, *seed)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d, home %s\n", *seed, s.home)
	switch mode {
	case "faults":
		err = s.faults(ctx, *accounts, *length)
	case "kills":
		err = s.kills(ctx, *n)
	case "journal":
		err = s.journal(ctx, *n)
	case "poison":
		err = s.poison(ctx)
	case "spawn":
		err = s.spawn(ctx, *n)
	case "limits":
		err = s.limits(ctx, *accounts, *each)
	case "many":
		err = s.many(ctx, *accounts)
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	if e := s.end(); err == nil {
		err = e
	}
	if err == nil && *dir == "" {
		s.remove()
	}
	return err
}
