package console

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/time/rate"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Of argon2id, as OWASP asks for: 19 MiB and two passes, a few tens of
// milliseconds.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonKey    = 32
	argonSalt   = 16
)

// The bounds of a password.
const (
	MinPassword = 10      // characters
	MaxPassword = 1 << 10 // bytes
)

const argonForm = "$argon2id$v=19$m=%d,t=%d,p=1$%s$%s"

func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	return argonText(password, salt, argonMemory, argonTime)
}

func argonText(password string, salt []byte, memory, passes uint32) string {
	key := argon2.IDKey([]byte(password), salt, passes, memory, 1, argonKey)
	e := base64.RawStdEncoding
	return fmt.Sprintf(argonForm, memory, passes, e.EncodeToString(salt), e.EncodeToString(key))
}

// verify reports whether kept is the hash of password, with the parameters it
// was made with.
func verify(kept, password string) bool {
	parts := strings.Split(kept, "$")
	if len(parts) != 6 {
		return false
	}
	var memory, passes uint32
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &memory, &passes); err != nil || memory > 1<<20 || passes == 0 || passes > 16 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	return err == nil && same(argonText(password, salt, memory, passes), kept)
}

// SetPassword sets the password that lets an owner in; "" takes it away.
func (c *Console) SetPassword(password string) error {
	kept := ""
	switch {
	case password == "":
	case utf8.RuneCountInString(password) < MinPassword:
		return ErrShort
	case len(password) > MaxPassword:
		return ErrLong
	default:
		c.slow.Lock()
		kept = hashPassword(password)
		c.slow.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Password = kept
	return c.saveLocked(time.Now())
}

// HasPassword reports whether a password can be used.
func (c *Console) HasPassword() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Password != ""
}

// EnterPassword is [Console.Enter] with the password.
func (c *Console) EnterPassword(password, from, agent string) (cookie string, s api.ConsoleSession, err error) {
	if !c.tries.allow(from, time.Now()) {
		return "", s, ErrTooOften
	}
	c.mu.Lock()
	kept := c.state.Password
	c.mu.Unlock()
	if kept == "" {
		return "", s, ErrNoPassword
	}
	if len(password) > MaxPassword {
		return "", s, ErrBadPassword
	}
	c.slow.Lock()
	ok := verify(kept, password)
	c.slow.Unlock()
	if !ok {
		return "", s, ErrBadPassword
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cookie, s = c.enterLocked(api.RoleOwner, from, agent, time.Now())
	return cookie, s, nil
}

// How often somebody may try. An address has a few tries; all addresses
// together have more, so that one does not lock the owner out at once.
const (
	triesEach   = 5
	triesAll    = 30
	triesPeriod = time.Minute
	maxTriers   = 256
)

// tries limits the tries of each address and of all together.
type tries struct {
	mu   sync.Mutex
	all  *rate.Limiter
	each map[string]*rate.Limiter
}

func newTries() *tries {
	return &tries{all: rate.NewLimiter(rate.Every(triesPeriod/triesAll), triesAll), each: map[string]*rate.Limiter{}}
}

func (t *tries) allow(from string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.each[from]
	if l == nil {
		if len(t.each) >= maxTriers {
			clear(t.each)
		}
		l = rate.NewLimiter(rate.Every(triesPeriod/triesEach), triesEach)
		t.each[from] = l
	}
	return l.AllowN(now, 1) && t.all.AllowN(now, 1)
}

// readFull reads what fits into b; more than that is an error.
func readFull(r io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(r, b)
	switch err {
	case io.ErrUnexpectedEOF, io.EOF:
		return n, nil
	case nil:
		return n, fmt.Errorf("over %d bytes", len(b))
	}
	return n, err
}
