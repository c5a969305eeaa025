package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

const (
	writerEnv = "NCATD_TEST_STORE_WRITER" // the file that the child writes to
	killsEnv  = "NCATD_STORE_KILLS"       // how often the writer is killed
	updates   = 1000                      // of one writer
)

// TestMain lets the test binary be the writer that is killed: 1,000 updates, each
// of two keys in one transaction, each said on stdout once it is committed.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		if err := writeAll(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func writeAll(path string) error {
	ctx := context.Background()
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	s := db.Space("w")
	for range updates {
		var n int
		err := s.Update(ctx, func(tx ncat.Tx) error {
			var err error
			if n, _, err = ncat.GetTx[int](tx, "n"); err != nil {
				return err
			}
			n++
			if err := ncat.PutTx(tx, "v/"+strconv.Itoa(n), strings.Repeat(strconv.Itoa(n)+" ", 1+n%200), 0); err != nil {
				return err
			}
			return ncat.PutTx(tx, "n", n, 0)
		})
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
	return db.Close()
}

// TestKilledWriterLosesNothing kills a process in the middle of its 1,000 updates,
// again and again, on one file: after each kill the file is sound, everything
// that was said to be committed is there with its value, and nothing is half
// there.
func TestKilledWriterLosesNothing(t *testing.T) {
	kills, latest := 3, 200 // a short form for every run
	if s := os.Getenv(killsEnv); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		latest = updates - 1
	}
	path := filepath.Join(t.TempDir(), "ncatd.db")
	total := 0
	for i := range kills {
		said := killOne(t, path, 1+rand.IntN(latest))
		if err := Check(t.Context(), path); err != nil {
			t.Fatalf("after kill %d: %v", i+1, err)
		}
		n := verify(t, path, said)
		t.Logf("kill %d: %d updates said to be committed, %d there", i+1, said, n)
		total = n
	}
	t.Logf("%d kills, %d updates", kills, total)
}

// killOne lets a writer commit after updates more and kills it somewhere in the
// next ones. It returns the number of the last update that the writer said.
func killOne(t *testing.T, path string, after int) (said int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range after {
		if !lines.Scan() {
			t.Fatal("the writer ended by itself")
		}
		if said, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	// Not at the moment of a commit: anywhere in the update that follows.
	for end := time.Now().Add(rand.N(2 * time.Millisecond)); time.Now().Before(end); { //nolint:revive // a wait this short has no other form
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it still said before it died
		if n, err := strconv.Atoi(lines.Text()); err == nil && n > said {
			said = n
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the writer was not killed: %v", err)
	}
	return said
}

// verify looks at every value and returns how many updates there are.
func verify(t *testing.T, path string, said int) int {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, _, err := ncat.Get[int](t.Context(), db.Space("w"), "n")
	if err != nil || n < said || n > said+1 {
		t.Fatalf("%d updates were said to be committed, %d are there (%v)", said, n, err)
	}
	values, err := ncat.Scan[string](t.Context(), db.Space("w"), "v/")
	if err != nil || len(values) != n {
		t.Fatalf("%d values of %d updates (%v)", len(values), n, err)
	}
	for _, v := range values {
		k, err := strconv.Atoi(strings.TrimPrefix(v.Key, "v/"))
		if err != nil || k < 1 || k > n || v.Value != strings.Repeat(strconv.Itoa(k)+" ", 1+k%200) {
			t.Fatalf("%s is %.40q", v.Key, v.Value)
		}
	}
	return n
}
