package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
)

// mailChannel tells things by SMTP, over TLS whose certificate is verified.
type mailChannel struct{ fields map[string]string }

// Send implements [Channel].
func (c *mailChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	from, to, err := c.addresses()
	if err != nil {
		return &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	var password string
	if c.fields["user"] != "" {
		if password, err = secret(c.fields["password"]); err != nil {
			return err
		}
	}
	message, err := compose(from, to, t, time.Now())
	if err == nil {
		err = c.deliver(ctx, from, to, message, password, t.Message.test())
	}
	if err == nil {
		return nil
	}
	e := mailProblem(ctx, err)
	if password != "" {
		e.Detail = strings.ReplaceAll(e.Detail, password, "***")
	}
	return e
}

// addresses parses the sender and the receivers, which spaces or commas divide.
func (c *mailChannel) addresses() (from *mail.Address, to []*mail.Address, err error) {
	if from, err = mail.ParseAddress(c.fields["from"]); err != nil {
		return nil, nil, fmt.Errorf("from: %w", err)
	}
	if from.Name == "" {
		from.Name = "ncatd"
	}
	for _, s := range strings.Fields(strings.ReplaceAll(c.fields["to"], ",", " ")) {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return nil, nil, fmt.Errorf("to %q: %w", s, err)
		}
		to = append(to, a)
	}
	return from, to, nil
}

// compose writes the mail: the words, and the picture if there is one.
func compose(from *mail.Address, to []*mail.Address, t Text, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	receivers := make([]string, len(to))
	for i, a := range to {
		receivers[i] = a.String()
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(receivers, ",\r\n ")},
		{"Subject", mime.QEncoding.Encode("utf-8", strings.Join(strings.Fields(t.Title), " "))},
		{"Date", now.Format(time.RFC1123Z)},
		{"Message-ID", "<" + uuid.NewString() + "@" + domain + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": parts.Boundary()})},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	words, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err != nil {
		return nil, err
	}
	quoted := quotedprintable.NewWriter(words)
	if _, err = io.WriteString(quoted, t.Body); err == nil {
		err = quoted.Close()
	}
	if err != nil {
		return nil, err
	}
	if t.Image != nil {
		picture, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"image/png"}, "Content-Transfer-Encoding": {"base64"}, "Content-Disposition": {`attachment; filename="qr.png"`}})
		if err != nil {
			return nil, err
		}
		for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(t.Image)), 76) {
			fmt.Fprintf(picture, "%s\r\n", line)
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// deliver hands a mail to the server. It gives up when ctx ends. A test fails also when
// only one of the receivers is refused.
func (c *mailChannel) deliver(ctx context.Context, from *mail.Address, to []*mail.Address, message []byte, password string, test bool) error {
	host := c.fields["host"]
	config := &tls.Config{ServerName: host}
	address := net.JoinHostPort(host, c.fields["port"])
	var conn net.Conn
	var err error
	if c.fields["tls"] == "tls" {
		conn, err = (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	client := smtp.NewClient(conn)
	if c.fields["tls"] == "starttls" {
		if client, err = smtp.NewClientStartTLS(conn, config); err != nil {
			return err
		}
	}
	if name, err := os.Hostname(); err == nil {
		if err := client.Hello(name); err != nil {
			return err
		}
	}
	if user := c.fields["user"]; user != "" {
		if peer, ok := conn.RemoteAddr().(*net.TCPAddr); c.fields["tls"] == "none" && !(ok && peer.IP.IsLoopback()) {
			return &Error{Problem: ProblemConfig, Detail: "with tls: none the password would cross the network unencrypted"}
		}
		if err := client.Auth(mechanism(client, user, password)); err != nil {
			return err
		}
	}
	refused, err := hand(client, from, to, message)
	if err != nil {
		return err
	}
	_ = client.Quit() // the server has the mail already
	if refused != nil && test {
		return refused
	}
	return nil
}

// hand hands over a mail. One receiver that the server knows nothing of does not keep it
// from the others: refused is what was said of such a one.
func hand(client *smtp.Client, from *mail.Address, to []*mail.Address, message []byte) (refused, err error) {
	if err := client.Mail(from.Address, nil); err != nil {
		return nil, err
	}
	taken := 0
	for _, a := range to {
		err := client.Rcpt(a.Address, nil)
		var answer *smtp.SMTPError
		switch {
		case err == nil:
			taken++
		case errors.As(err, &answer) && !answer.Temporary():
			refused = fmt.Errorf("%s: %w", a.Address, err)
		default:
			return nil, err
		}
	}
	if taken == 0 {
		return nil, refused
	}
	w, err := client.Data()
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(message); err != nil {
		return nil, err
	}
	return refused, w.Close()
}

// mechanism is how the server wants the password: some know LOGIN alone.
func mechanism(client *smtp.Client, user, password string) sasl.Client {
	if !client.SupportsAuth(sasl.Plain) && client.SupportsAuth(sasl.Login) {
		return sasl.NewLoginClient(user, password)
	}
	return sasl.NewPlainClient("", user, password)
}

// mailProblem says what kind of trouble there was.
func mailProblem(ctx context.Context, err error) *Error {
	var e *Error
	var answer *smtp.SMTPError
	var lost *net.OpError
	switch {
	case ctx.Err() != nil:
		return problem(ctx.Err())
	case errors.As(err, &e), errors.As(network(err), &e) && e.Problem == ProblemCertificate:
		return e
	case errors.As(err, &lost), errors.Is(err, io.EOF):
		return problem(network(err))
	case !errors.As(err, &answer): // it cannot what is asked, such as STARTTLS
		return &Error{Problem: ProblemRefused, Detail: err.Error()}
	case answer.Code == 530, answer.Code == 534, answer.Code == 535: // RFC 4954
		return &Error{Problem: ProblemToken, Detail: err.Error()}
	case answer.Temporary():
		return &Error{Problem: ProblemBusy, Detail: err.Error()}
	default:
		return &Error{Problem: ProblemRefused, Detail: err.Error()}
	}
}
