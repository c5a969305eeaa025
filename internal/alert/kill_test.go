package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/internal/control/api"
)

// The child of TestKilledAlerterLosesNothing is told by these where its store and
// its world are.
const (
	envStore = "ALERT_TEST_STORE"
	envWorld = "ALERT_TEST_WORLD"
)

// child runs an Alerter over a world that a parent serves, until it is killed.
func child(path, base string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	a, err := New(Options{
		Channels: []ChannelConfig{{Name: "phone", Kind: "telegram", Fields: map[string]string{"base": base, "chat_id": "1", "token": "env:" + envStore}}},
		Rules:    []Rule{{Kinds: []Kind{KindFailed}, Channels: []string{"phone"}, HoldOff: 10 * time.Millisecond, Settle: 10 * time.Millisecond}},
		Store:    NewStore(db.Space("alerts"), slog.New(slog.DiscardHandler)), Words: codes{}, Logger: slog.New(slog.DiscardHandler),
		Status: func() (st api.Status) {
			resp, err := http.Get(base + "/status")
			if err != nil {
				return st
			}
			defer resp.Body.Close()
			_ = json.NewDecoder(resp.Body).Decode(&st) // the parent may be gone
			return st
		},
	})
	if err != nil {
		return err
	}
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			a.Changed()
		}
	}()
	return a.Run(ctx)
}

// world is a storm: eight accounts fail at any time, each until that was told,
// and are retired when it was told that they are well again.
type world struct {
	mu       sync.Mutex
	failed   map[string]bool // false: online, not told yet
	next     int
	enough   bool // no new ones
	told     map[string]int
	doubled  []int // by the number of kills so far
	finished int
	asked    chan struct{} // holds a token once a child has asked how all is
}

var inMessage = regexp.MustCompile(`alert\.(firing|resolved) (a\d+)`)

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.URL.Path == "/status" {
		select {
		case w.asked <- struct{}{}:
		default:
		}
		var st api.Status
		for len(w.failed) < 8 && !w.enough {
			w.next++
			w.failed[fmt.Sprintf("a%d", w.next)] = true
		}
		for name, failed := range w.failed {
			a := api.Account{Name: name, State: api.StateOnline}
			if failed {
				a.State = api.StateFailed
			}
			st.Accounts = append(st.Accounts, a)
		}
		_ = json.NewEncoder(rw).Encode(st) // the child may be gone
		return
	}
	body, _ := io.ReadAll(r.Body)
	var m struct{ Text string }
	if json.Unmarshal(body, &m) != nil {
		return
	}
	w.told[m.Text]++
	if w.told[m.Text] > 1 {
		w.doubled[len(w.doubled)-1]++
	}
	for _, x := range inMessage.FindAllStringSubmatch(m.Text, -1) {
		failed, known := w.failed[x[2]]
		switch {
		case known && failed && x[1] == "firing":
			w.failed[x[2]] = false
		case known && !failed && x[1] == "resolved":
			delete(w.failed, x[2])
			w.finished++
		}
	}
	io.WriteString(rw, `{"ok":true}`)
}

// TestKilledAlerterLosesNothing kills an Alerter with -9 in the middle of a
// storm, NCATD_ALERT_KILLS (5) times: every trouble is told, and so is its end,
// and no kill doubles more than one message.
func TestKilledAlerterLosesNothing(t *testing.T) {
	kills := 5
	if s := os.Getenv("NCATD_ALERT_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	w := &world{failed: map[string]bool{}, told: map[string]int{}, doubled: []int{0}, asked: make(chan struct{}, 1)}
	srv := httptest.NewServer(w)
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "alerts.db")
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), envStore+"="+path, envWorld+"="+srv.URL)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i := range kills {
		cmd := start()
		if i%4 < 3 { // the others are killed while they start, if that takes long
			select {
			case <-w.asked:
			case <-time.After(30 * time.Second):
				t.Fatal("the child does not begin")
			}
		}
		<-time.After(time.Duration(100+rand.IntN(900)) * time.Millisecond) // any moment of its life
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		select {
		case <-w.asked:
		default:
		}
		w.mu.Lock()
		w.doubled = append(w.doubled, 0)
		w.mu.Unlock()
	}
	w.mu.Lock()
	w.enough = true
	w.mu.Unlock()
	cmd := start()
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		w.mu.Lock()
		left := len(w.failed)
		w.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("lost: %v", w.failed)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for after, n := range w.doubled {
		total += n
		if n > 1 || after == 0 && n > 0 {
			t.Errorf("%d messages doubled after kill %d", n, after)
		}
	}
	t.Logf("%d kills: %d troubles told and ended in %d messages, %d doubled", kills, w.finished, len(w.told), total)
	if w.finished < kills {
		t.Errorf("only %d troubles: that was no storm", w.finished)
	}
	for text := range w.told {
		if strings.Count(text, "alert.") == 0 {
			t.Errorf("told %q", text)
		}
	}
}
