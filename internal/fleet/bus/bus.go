// Package bus is what the hosts of a fleet and the workers of a bot must agree on:
// how they connect to NATS, the names of streams, buckets and subjects, and which
// partition a chat belongs to. It is the only package that spells them.
package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/onebot"
)

// What lies on the bus.
const (
	Events   = "NCATD_EVENTS"   // stream: every event of every account, once
	Dead     = "NCATD_DEAD"     // stream: events that no worker could finish
	Accounts = "ncatd_accounts" // bucket: which host an account belongs to
	Hosts    = "ncatd_hosts"    // bucket: what each host last said of itself
	Workers  = "ncatd_workers"  // bucket: which workers are alive
	Chats    = "ncatd_parts"    // bucket: which worker a partition belongs to
	Attempts = "ncatd_attempts" // bucket: events that were given again, and how often
	Files    = "ncatd_files"    // object store: media and homes on their way
	Spaces   = "NCATD_STORE"    // stream: the stores of bots
	events   = "ncatd.ev"       // subjects
	dead     = "ncatd.dead"     //
	calls    = "ncatd.call"     //
	control  = "ncatd.host"     //
	spaces   = "ncatd.kv"       //
	perChat  = "partitions"     // metadata of Events
	protocol = "protocol"       // metadata of Events
	fallback = 32               // partitions of a new stream
	dedupe   = 10 * time.Minute // within it an event that is published again is dropped
	fetched  = 100 * time.Hour  // default retention
	files    = 24 * time.Hour   // how long a file on its way is kept
	attempts = 24 * time.Hour   // how long attempts are remembered
	hostAge  = 24 * time.Hour   // after it a silent host is forgotten
	ping     = 5 * time.Second  // how often a link to a server is tried
	redial   = 250 * time.Millisecond
)

// The headers of what is published and asked.
const (
	HeaderID         = nats.MsgIdHdr
	HeaderAccount    = "Ncatd-Account"    // the account's name on its host
	HeaderBackfilled = "Ncatd-Backfilled" // the message was missed and fetched afterwards
	HeaderObject     = "Ncatd-Object"     // the event's bytes are in the object store
	HeaderWorker     = "Ncatd-Worker"     // the worker that asks
	HeaderError      = "Ncatd-Error"      // why an event is among the dead
	HeaderGroup      = "Ncatd-Group"      // whose workers could not finish it
	HeaderOnly       = "Ncatd-Only"       // the one group that the event is for
	HeaderSubject    = "Ncatd-Subject"    // where it was published first
	HeaderStatus     = "Ncatd-Status"     // of an answer
	HeaderMore       = "Ncatd-More"       // an answer that others follow
)

// WorkerLease is how long a worker's chats are its own after it was last heard;
// within a second after that others have them.
const WorkerLease = 8 * time.Second

// AccountLease is how long an account is its host's after the host was last heard.
// The host stops the account when two thirds of it are over.
const AccountLease = 3 * time.Minute

// Protocol is the version of what hosts and workers agree on. It grows when an older
// one could lose or repeat something beside a newer one.
const Protocol = 1

// Options is where a bus is and how one gets in.
type Options struct {
	// URL is one server or several, with commas between them: nats://, tls://,
	// ws:// or wss://.
	URL string
	// Creds is a file of NATS credentials (a user's JWT and its key), a file with
	// an nkey's seed, or "" for none. A token or a password may stand in URL.
	Creds string
	// CA is a file of certificates that servers are verified by; "": the system's.
	CA string
	// Name is shown to whoever administers the servers.
	Name   string
	Logger *slog.Logger
	// Up is called whenever the bus is there, for the first time or again; nil:
	// nothing is. It must not block.
	Up func()
}

// Bus is a connection to the bus. It reconnects by itself for as long as it is
// open. It is safe for concurrent use.
type Bus struct {
	NC *nats.Conn
	JS jetstream.JetStream

	mu       sync.Mutex // guards the fields below
	dialed   error      // of an attempt to reach a server, not long ago
	dialedAt time.Time
	said     error // what a server said, or was wrong with it
	saidAt   time.Time
	denied   error // a permission that is missing
	deniedAt time.Time
}

// Connect returns a connection to the bus. It does not wait for it: what is asked
// meanwhile fails at once.
func Connect(o Options) (*Bus, error) {
	b := &Bus{}
	up := func(what string) nats.ConnHandler {
		return func(c *nats.Conn) {
			o.Logger.Info(what, "server", c.ConnectedServerName())
			b.heardDial(nil)
			if o.Up != nil {
				o.Up()
			}
		}
	}
	opts := []nats.Option{
		nats.Name(o.Name), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(redial), nats.ReconnectJitter(redial, redial), nats.PingInterval(ping), nats.MaxPingsOutstanding(2),
		nats.Timeout(ping), nats.IgnoreAuthErrorAbort(), nats.DrainTimeout(ping),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Logger.Warn("bus lost", "err", err)
			}
		}),
		nats.ReconnectHandler(up("bus is back")),
		nats.ConnectHandler(up("bus connected")),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { b.heardDial(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			b.heardError(err)
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			o.Logger.Warn("bus", "subject", subject, "err", err)
		}),
	}
	if o.Creds != "" {
		text, err := os.ReadFile(o.Creds)
		if err != nil {
			return nil, fmt.Errorf("bus credentials: %w", err)
		}
		if strings.Contains(string(text), "BEGIN NATS USER JWT") {
			opts = append(opts, nats.UserCredentials(o.Creds))
		} else {
			nkey, err := nats.NkeyOptionFromSeed(o.Creds)
			if err != nil {
				return nil, fmt.Errorf("bus credentials %s hold neither a user's JWT nor an nkey seed: %w", o.Creds, err)
			}
			opts = append(opts, nkey)
		}
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	nc, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("bus: %w", err)
	}
	b.NC, b.JS = nc, js
	return b, nil
}

// Conflict reports whether a write by compare-and-set was refused because another came
// before it. Replicated streams say so by a code of their own.
func Conflict(err error) bool {
	var refused *jetstream.APIError
	return errors.As(err, &refused) &&
		(refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Close ends the connection.
func (b *Bus) Close() { b.NC.Close() }

// Settings is how what lies on the bus is kept. They take effect where it does not
// exist yet, and where a host asks for more copies or another retention.
type Settings struct {
	Replicas  int           // 1, 3 or 5 copies of everything
	Retention time.Duration // of events; 0: 100 h
}

// Ensure makes what a fleet needs, where it is missing.
func (b *Bus) Ensure(ctx context.Context, s Settings) error {
	replicas, retention := max(s.Replicas, 1), cmp.Or(s.Retention, fetched)
	n, _, err := b.Partitions(ctx)
	switch newer := (*NewerError)(nil); {
	case err == nil:
	case errors.As(err, &newer):
		return err
	case errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, errForeign):
		n = fallback
	default:
		return err
	}
	for _, c := range []jetstream.KeyValueConfig{
		{Bucket: Accounts}, {Bucket: Hosts, TTL: hostAge}, {Bucket: Workers, TTL: WorkerLease}, {Bucket: Chats}, {Bucket: Attempts, TTL: attempts},
	} {
		c.Replicas = replicas
		if b.is(ctx, jetstream.StreamConfig{Name: "KV_" + c.Bucket, Replicas: replicas, MaxAge: c.TTL}) {
			continue
		}
		if _, err := b.JS.CreateOrUpdateKeyValue(ctx, c); err != nil {
			return fmt.Errorf("bus: bucket %s: %w", c.Bucket, err)
		}
	}
	if !b.is(ctx, jetstream.StreamConfig{Name: "OBJ_" + Files, Replicas: replicas, MaxAge: files}) {
		if _, err := b.JS.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: Files, Replicas: replicas, TTL: files}); err != nil {
			return fmt.Errorf("bus: object store %s: %w", Files, err)
		}
	}
	for _, c := range []jetstream.StreamConfig{
		{Name: Dead, Subjects: []string{dead + ".>"}},
		{Name: Spaces, Subjects: []string{spaces + ".>"}, MaxMsgsPerSubject: 1, AllowAtomicPublish: true, AllowMsgTTL: true, AllowDirect: true},
		// The last, so that a worker that is given an event finds all the rest.
		{Name: Events, Subjects: []string{events + ".>"}, MaxAge: retention, Duplicates: min(dedupe, retention), AllowAtomicPublish: true, Metadata: map[string]string{perChat: strconv.Itoa(n), protocol: strconv.Itoa(Protocol)}},
	} {
		c.Replicas, c.Storage = replicas, jetstream.FileStorage
		if b.is(ctx, c) {
			continue
		}
		if _, err := b.JS.CreateOrUpdateStream(ctx, c); err != nil {
			return fmt.Errorf("bus: stream %s: %w", c.Name, err)
		}
	}
	return nil
}

// is reports whether a stream is there as c says. To ask costs servers in a cluster far
// less than to make it so again.
func (b *Bus) is(ctx context.Context, c jetstream.StreamConfig) bool {
	s, err := b.JS.Stream(ctx, c.Name)
	if err != nil {
		return false
	}
	has := s.CachedInfo().Config
	for k, v := range c.Metadata {
		if has.Metadata[k] != v {
			return false
		}
	}
	return has.Replicas == c.Replicas && has.MaxAge == c.MaxAge && (has.AllowAtomicPublish || !c.AllowAtomicPublish)
}

// Missing reports whether something that Ensure makes is not there any more.
func (b *Bus) Missing(ctx context.Context) (bool, error) {
	for _, name := range []string{Events, Dead, Spaces, "KV_" + Accounts, "KV_" + Hosts, "KV_" + Workers, "KV_" + Chats, "KV_" + Attempts, "OBJ_" + Files} {
		_, err := b.JS.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("bus: stream %s: %w", name, err)
		}
	}
	return false, nil
}

// Age returns how long ago something came into a bucket, by the clock of the servers:
// those of the machines around it may differ.
func (b *Bus) Age(ctx context.Context, bucket string, created time.Time) (time.Duration, error) {
	s, err := b.JS.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return 0, fmt.Errorf("bus: %w", err)
	}
	return max(0, s.CachedInfo().TimeStamp.Sub(created)), nil
}

// Since returns how long a bucket has existed.
func (b *Bus) Since(ctx context.Context, bucket string) (time.Duration, error) {
	s, err := b.JS.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return 0, fmt.Errorf("bus: %w", err)
	}
	return s.CachedInfo().TimeStamp.Sub(s.CachedInfo().Created), nil
}

// errForeign says that the stream of events was not made by ncatd.
var errForeign = errors.New("bus: stream " + Events + " was not made by ncatd: its metadata do not say " + perChat)

// Partitions returns into how many partitions the chats are divided, and how many copies
// of events the servers keep.
func (b *Bus) Partitions(ctx context.Context) (n, copies int, err error) {
	s, err := b.JS.Stream(ctx, Events)
	if errors.Is(err, nats.ErrNoResponders) { // nobody serves JetStream, or not yet
		if _, none := b.JS.AccountInfo(ctx); none != nil {
			err = none
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("bus: %w", err)
	}
	about := s.CachedInfo().Config.Metadata
	if is, err := strconv.Atoi(about[protocol]); err == nil && is > Protocol {
		return 0, 0, &NewerError{is, Protocol}
	}
	if n, err = strconv.Atoi(about[perChat]); err != nil || n < 1 || n > 4096 {
		return 0, 0, errForeign
	}
	return n, s.CachedInfo().Config.Replicas, nil
}

// Chat names a chat within an account: g5001, p10001, or t10001-5001 for a
// temporary session through a group; "-" is none.
func Chat(group onebot.GroupID, user onebot.UserID) string {
	switch {
	case user != 0 && group != 0:
		return fmt.Sprintf("t%d-%d", user, group)
	case user != 0:
		return fmt.Sprintf("p%d", user)
	case group != 0:
		return fmt.Sprintf("g%d", group)
	}
	return "-"
}

// ChatKey names a chat of an account within the fleet.
func ChatKey(self onebot.UserID, chat string) string {
	return strconv.FormatInt(int64(self), 10) + "/" + chat
}

// Partition returns the partition of a [ChatKey], of n.
func Partition(key string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // a hash takes all
	return int(h.Sum32() % uint32(n))
}

// EventSubject is where an event is published. kind is its post_type.
func EventSubject(partition int, self onebot.UserID, kind, chat string) string {
	b := make([]byte, 0, 64)
	b = append(b, events+"."...)
	for most := 100; most > 1 && partition < most; most /= 10 {
		b = append(b, '0')
	}
	b = append(strconv.AppendInt(b, int64(partition), 10), '.')
	b = append(strconv.AppendInt(b, int64(self), 10), '.')
	b = append(append(b, kind...), '.')
	return string(append(b, chat...))
}

// PartitionSubjects matches the events of a partition: of all accounts, or of some.
func PartitionSubjects(partition int, accounts []onebot.UserID) []string {
	if len(accounts) == 0 {
		return []string{fmt.Sprintf("%s.%03d.>", events, partition)}
	}
	var out []string
	for _, a := range accounts {
		out = append(out, fmt.Sprintf("%s.%03d.%d.>", events, partition, a))
	}
	return out
}

// SelfOf returns the account that an event's subject names; 0 if it is none.
func SelfOf(subject string) onebot.UserID {
	rest, ok := strings.CutPrefix(subject, events+".")
	if !ok || strings.Count(rest, ".") != 3 {
		return 0
	}
	_, rest, _ = strings.Cut(rest, ".")
	self, _, _ := strings.Cut(rest, ".")
	id, err := strconv.ParseInt(self, 10, 64)
	if err != nil {
		return 0
	}
	return onebot.UserID(id)
}

// DeadSubject is where what a group's workers could not finish is published.
func DeadSubject(group string, self onebot.UserID) string {
	return fmt.Sprintf("%s.%s.%d", dead, group, self)
}

// DeadSubjects matches the dead of a group; of all groups if it is "".
func DeadSubjects(group string) string { return fmt.Sprintf("%s.%s.*", dead, cmp.Or(group, "*")) }

// CallSubject is where an account's host takes calls for it.
func CallSubject(self onebot.UserID) string { return fmt.Sprintf("%s.%d", calls, self) }

// HostSubject is where a host takes requests of the control API.
func HostSubject(host string) string { return control + "." + host }

// SpaceSubject is where a store keeps a key. Both may be any text.
func SpaceSubject(space, key string) string { return spaces + "." + token(space) + "." + token(key) }

// SpaceSubjects matches all keys of a store.
func SpaceSubjects(space string) string { return spaces + "." + token(space) + ".*" }

// SpaceKey returns the key that a subject of a store stands for.
func SpaceKey(subject string) (string, error) {
	i := strings.LastIndexByte(subject, '.')
	return untoken(subject[i+1:])
}

// ConsumerName names what remembers how far a group came in a partition.
func ConsumerName(group string, partition int) string {
	return fmt.Sprintf("%s-%03d", group, partition)
}

// CheckName reports whether a name of a host, a worker or a group can be part of a
// subject.
func CheckName(s string) error {
	if s == "" || len(s) > 64 {
		return fmt.Errorf("%q: a name has 1 to 64 characters", s)
	}
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
			return fmt.Errorf("%q: a name consists of letters, digits, - and _", s)
		}
	}
	return nil
}
