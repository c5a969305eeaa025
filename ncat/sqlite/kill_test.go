package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncat/sqlite"
	"github.com/ncatd/ncatd/onebot"
)

const (
	botEnv   = "NCATD_TEST_JOURNAL_BOT" // URL and file of the bot that is killed
	killsEnv = "NCATD_JOURNAL_KILLS"    // how often it is
)

// TestMain lets the test binary be the bot that is killed: it repeats what it
// hears, and says of what it is given a second time that it is.
func TestMain(m *testing.M) {
	url, path, ok := strings.Cut(os.Getenv(botEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path)
	if err == nil {
		b := ncat.New(ncat.WithStore(db.Space))
		b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
			text := m.Text()
			if m.Redelivered {
				text += " again"
			}
			return b.Reply(ctx, m, text)
		})
		err = b.Dial(ctx, url, "")
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKilledBotAnswersOnce kills a bot with -9 at random moments while a message
// comes every 50 ms: each is answered, in order, and once, but for the one that it
// was at when it was killed, which says so itself.
func TestKilledBotAnswersOnce(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv(killsEnv))
	if err != nil {
		kills = 3
	}
	const group, user = 700000001, 3001000002
	w := world.New(world.Options{UIN: 10001, Nickname: "bot"})
	h := action.New(action.Options{World: w, Log: func(string, string) {}, TempDir: t.TempDir()})
	n := adapter.New(adapter.Options{World: w, Host: h, Ephemeral: true})
	conf, err := adapter.ParseConfig(`{network:{websocketServers:[{name:"ws",enable:true,port:0,heartInterval:0}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(conf)
	defer func() { n.Close(); h.Close() }()
	said := 0
	say := func() {
		said++
		if _, err := w.Say(world.Say{Group: group, User: user, Text: strconv.Itoa(said)}); err != nil {
			t.Fatal(err)
		}
	}
	// heard waits for an answer.
	heard := func(what string, after int, ok func(text string) bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := w.WaitSent(ctx, after, func(m world.Message) bool { return ok(m.PlainText()) })
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	path := filepath.Join(t.TempDir(), "bot.db")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for kill := 0; kill <= kills; kill++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), botEnv+"=ws://"+n.Addr("ws")+"/ "+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := w.SentCount()
		if kill == 0 { // until the bot knows the group
			say()
			for w.SentCount() == 0 {
				<-tick.C
				if n.Status()[0].Clients > 0 {
					say()
				}
			}
		}
		if kill == kills {
			say()
			last := strconv.Itoa(said)
			heard("the last message", before, func(s string) bool { return strings.HasPrefix(s, last) })
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			break
		}
		for moment := time.Now().Add(rand.N(4 * time.Second)); time.Now().Before(moment); say() {
			<-tick.C
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		say()
	}
	check(t, w, said, kills)
}

// check counts the answers.
func check(t *testing.T, w *world.World, said, kills int) {
	t.Helper()
	answers, again, late, newest := make(map[int]int), 0, 0, 0
	for _, s := range w.Sent(0) {
		text, marked := strings.CutSuffix(s.Message.PlainText(), " again")
		i, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			t.Fatalf("answer %q", text)
		}
		answers[i]++
		if marked {
			again++
		} else if i <= newest {
			late++
		}
		newest = max(newest, i)
		if answers[i] > 1 && !marked {
			t.Errorf("message %d was answered twice without a mark", i)
		}
	}
	first := said
	for i := range answers {
		first = min(first, i)
	}
	lost := 0
	for i := first; i <= said; i++ {
		if answers[i] == 0 {
			lost++
		}
	}
	t.Logf("%d messages, %d kills: %d lost, %d given again, %d out of order", said, kills, lost, again, late)
	if lost > 0 || late > 0 || again > kills {
		t.Error("that is not what the journal promises")
	}
}
