//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/ncatd/ncatd/internal/control/api"
)

// strike does one thing to ncatd itself.
func (t *trial) strike(ctx context.Context) {
	if _, err := t.await(ctx, "before a strike", recovery, online); err != nil {
		return // it is in the midst of something
	}
	before := t.masters(ctx)
	kinds := []string{"kill ncatd", "damage"}
	if t.disk != "" {
		kinds = append(kinds, "fill the disk")
	}
	kind := kinds[t.rand.IntN(len(kinds))]
	switch kind {
	case "kill ncatd":
		t.kill(ctx)
	case "damage":
		t.damage(ctx)
	case "fill the disk":
		t.fill(ctx)
	}
	pause(ctx, time.Second)
	for n, pid := range t.masters(ctx) {
		if before[n] != 0 && pid != before[n] {
			t.blame("%s: NapCat was started again because of: %s", n, kind)
		}
	}
}

// kill kills ncatd and starts it again.
func (t *trial) kill(ctx context.Context) {
	pause(ctx, time.Duration(t.rand.Int64N(int64(time.Second))))
	t.kills++
	for _, n := range t.names {
		t.excuse(n, "kill ncatd", time.Minute)
	}
	t.signal(syscall.SIGKILL)
	if err := t.gone(5 * time.Second); err != nil {
		t.blame("%v", err)
		return
	}
	pause(ctx, time.Duration(t.rand.Int64N(int64(2*time.Second))))
	if err := t.start(); err != nil {
		t.blame("%v", err)
		return
	}
	defer func() {
		for _, n := range t.names {
			t.excuse(n, "ncatd is back", 0)
		}
	}()
	if _, err := t.await(context.WithoutCancel(ctx), "after a kill", 30*time.Second, online); err != nil {
		t.blame("%v", err)
	}
}

// shown is how soon what is broken shows in the status.
const shown = 7 * time.Second

// has reports whether every account that is online is degraded by one of codes.
func has(st api.Status, codes ...api.Code) bool {
	for _, a := range st.Accounts {
		if a.State == api.StateOnline && !slices.ContainsFunc(a.Degraded, func(d api.Degraded) bool { return slices.Contains(codes, d.Code) }) {
			return false
		}
	}
	return true
}

// deleted is the kind of damage, of four, that is told apart.
const deleted = 3

// damage spoils the database while it is in use.
func (t *trial) damage(ctx context.Context) {
	path := t.home.Join("data", "ncatd.db")
	st, err := os.Stat(path)
	if err != nil {
		return
	}
	count := func(s api.Status) (n int) {
		for _, d := range s.Accounts[0].Degraded {
			switch d.Code {
			case api.CodeStoreDamaged, api.CodeStoreEmptied, api.CodeStoreRewritten:
				n++
			}
		}
		return n
	}
	was, err := t.client.Status(ctx)
	if err != nil {
		return
	}
	kind := t.rand.IntN(4)
	switch kind {
	case 0:
		err = overwrite(path, make([]byte, st.Size()))
	case 1:
		err = os.Truncate(path, st.Size()/2)
	case 2:
		err = overwrite(path, []byte("this is not a database, and was never meant to be one"))
	case deleted:
		err = os.Remove(path)
	}
	if err != nil {
		t.blame("%v", err)
		return
	}
	if kind == deleted {
		pause(ctx, shown)
		if _, err := os.Stat(path); err != nil && ctx.Err() == nil {
			t.blame("the deleted database is not written anew: %v", err)
		}
		return
	}
	if _, err := t.await(context.WithoutCancel(ctx), "a damaged store shows", shown, func(s api.Status) bool { return count(s) > count(was) }); err != nil && !whole(ctx, path, st) {
		t.blame("%v", err)
	}
}

// whole reports whether the database is the file that it was, and sound. SQLite
// mends it by itself when all that was spoilt stands in its log too, which the next
// checkpoint writes over it.
func whole(ctx context.Context, path string, was os.FileInfo) bool {
	is, err := os.Stat(path)
	if err != nil || !os.SameFile(was, is) {
		return false
	}
	db, err := sql.Open("sqlite", path+"?_pragma=query_only(1)")
	if err != nil {
		return false
	}
	defer db.Close()
	var verdict string
	err = db.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA integrity_check(1)").Scan(&verdict)
	return err == nil && verdict == "ok"
}

func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, 0)
	return err
}

// fill fills the disk of the database for a while.
func (t *trial) fill(ctx context.Context) {
	path := filepath.Join(t.disk, "fill")
	f, err := os.Create(path)
	if err != nil {
		t.blame("%v", err)
		return
	}
	for b := make([]byte, 1<<20); err == nil; {
		if _, err = f.Write(b); err != nil && len(b) > 1 {
			b, err = b[:len(b)/2], nil
		}
	}
	f.Close()
	codes := []api.Code{api.CodeDiskLow, api.CodeStoreWrite, api.CodeJournalWrite}
	background := context.WithoutCancel(ctx)
	if _, err := t.await(background, "a full disk shows", shown, func(s api.Status) bool { return has(s, codes...) }); err != nil {
		t.blame("%v", err)
	}
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); pause(background, 100*time.Millisecond) {
		if s, err := t.client.Status(background); err == nil && !has(s, codes...) {
			t.blame("an account is online without being degraded while the disk is full")
			break
		}
	}
	if err := os.Remove(path); err != nil {
		t.blame("%v", err)
	}
	if _, err := t.await(background, "a disk with room shows", 2*shown, func(s api.Status) bool {
		return !slices.ContainsFunc(s.Accounts, func(a api.Account) bool {
			return slices.ContainsFunc(a.Degraded, func(d api.Degraded) bool { return slices.Contains(codes, d.Code) })
		})
	}); err != nil {
		t.blame("%v", err)
	}
}

// smallDisk puts the database on a disk of its own that can be filled, if we may.
func (s *stage) smallDisk() error {
	dir := s.home.Data()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m,mode=700"); err != nil {
		fmt.Printf("no disk is filled: %v (that needs root)\n", err)
		return nil
	}
	s.disk = dir
	return nil
}
