package alert

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// firstPause is the pause after the first failed try; each is twice the one
	// before, up to longestPause.
	firstPause   = 5 * time.Second
	longestPause = 30 * time.Minute
	// failingAfter tries without success a channel is itself told to be failing.
	failingAfter = 3
)

// sender takes the messages of one channel out of the outbox, one after the
// other.
type sender struct {
	name    string
	kind    string
	channel Channel
	box     outbox
	words   Words
	qr      func(text string) ([]byte, error)
	// code returns the text of the code that an account's login shows now.
	code func(account string) string
	// link makes a link into the console that works once, "" if there is none
	// that other machines reach; it may be nil.
	link    func(ctx context.Context) string
	log     *slog.Logger
	more    chan struct{}
	now     func() time.Time
	trouble func() // told when the channel begins or ceases to fail

	mu    sync.Mutex
	last  *Error    // of the last try, nil if it succeeded
	since time.Time // of the first of the failed tries in a row
	tries int
}

func (s *sender) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause, err := s.one(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("the alerts' outbox cannot be used", "err", err)
			pause = firstPause
		}
		if pause == 0 {
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-s.more:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// one sends the oldest message if it is due, and returns how long to wait before
// the next.
func (s *sender) one(ctx context.Context) (time.Duration, error) {
	key, r, ok, err := s.box.first(ctx, s.name, s.now())
	if err != nil || !ok {
		return longestPause, err
	}
	if wait := r.wait(s.now()); wait > 0 {
		return wait, nil
	}
	sendErr := problem(s.send(ctx, r))
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	r.Tries++
	e := LogEntry{Time: s.now(), Channel: s.name, Items: r.Message.Items, Tries: r.Tries}
	if sendErr != nil {
		e.Failed = sendErr
		r.Told = r.Told || sendErr.Told
		r.Refused = sendErr.Problem == ProblemRefused
		r.Pause = max(min(firstPause<<min(r.Tries-1, 16), longestPause), sendErr.After)
		r.Next = e.Time.Add(r.Pause)
		s.log.Warn("an alert was not taken, trying again", "err", sendErr, "try", r.Tries, "next", r.Next)
	}
	if err := s.box.tried(ctx, key, r, e, sendErr == nil); err != nil {
		return 0, err
	}
	s.note(sendErr)
	return 0, nil
}

// send renders and sends one message.
func (s *sender) send(ctx context.Context, r row) error {
	m := r.Message
	t := render(s.words, m)
	t.Told = r.Told
	login := func(it Item) bool { return it.Kind == KindLogin && it.Phase != Resolved }
	if s.link != nil && slices.ContainsFunc(m.Items, login) {
		if link := s.link(ctx); link != "" {
			t.Body += "\n" + s.words.T("alert.console", link)
		}
	}
	for _, it := range m.Items {
		if !login(it) || s.qr == nil {
			continue
		}
		code := s.code(it.Account) // the one of the message may have expired
		if code == "" {
			continue
		}
		img, err := s.qr(code)
		if err != nil {
			s.log.Warn("a QR cannot be drawn", "err", err)
			continue
		}
		t.Image = img
		break
	}
	return s.channel.Send(ctx, t)
}

func (s *sender) note(err *Error) {
	s.mu.Lock()
	was := s.tries >= failingAfter
	if err == nil {
		s.last, s.tries, s.since = nil, 0, time.Time{}
	} else {
		if s.tries == 0 {
			s.since = s.now()
		}
		s.last, s.tries = err, s.tries+1
	}
	is := s.tries >= failingAfter
	s.mu.Unlock()
	if was != is {
		s.trouble()
	}
}

// failing returns why the last try failed, and since when tries do; nil if it
// did not.
func (s *sender) failing() (*Error, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.since
}

// condition is that the channel fails, to be told through the others.
func (s *sender) condition() (Condition, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tries < failingAfter {
		return Condition{}, false
	}
	return Condition{Kind: KindChannel, Subject: s.name, Since: s.since, Code: "alert_channel", Args: []string{s.name, s.last.Error()}}, true
}
