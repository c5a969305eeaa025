package alert

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// mailChannel tells things by SMTP, over TLS whose certificate is verified.
type mailChannel struct{ fields map[string]string }

// Send implements [Channel].
func (c *mailChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	from, err := mail.ParseAddress(c.fields["from"])
	if err != nil {
		return &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	from.Name = "ncatd"
	var to []*mail.Address
	for _, one := range strings.Fields(strings.ReplaceAll(c.fields["to"], ",", " ")) {
		a, err := mail.ParseAddress(one)
		if err != nil {
			return &Error{Problem: ProblemConfig, Detail: fmt.Sprintf("%s: %v", one, err)}
		}
		to = append(to, a)
	}
	if port, err := strconv.ParseUint(c.fields["port"], 10, 16); err != nil || port == 0 || c.fields["host"] == "" || len(to) == 0 {
		return &Error{Problem: ProblemConfig, Detail: "a mail needs a host, a port that is a number, and an address to go to"}
	}
	text, err := letter(from, to, t, time.Now())
	if err != nil {
		return problem(err)
	}
	password := ""
	if c.fields["user"] != "" {
		if password, err = secret(c.fields["password"]); err != nil {
			return err
		}
	}
	if err := c.deliver(ctx, from, to, text, password); err != nil {
		e := mailProblem(ctx, err)
		if password != "" {
			e.Detail = strings.ReplaceAll(e.Detail, password, "***")
		}
		return e
	}
	return nil
}

// deliver hands the text to the server.
func (c *mailChannel) deliver(ctx context.Context, from *mail.Address, to []*mail.Address, text []byte, password string) (err error) {
	host := c.fields["host"]
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, c.fields["port"]))
	if err != nil {
		return err
	}
	defer raw.Close() // after Quit there is nothing to lose
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	conn, secured := raw, &tls.Config{ServerName: host}
	if c.fields["tls"] == "tls" {
		conn = tls.Client(raw, secured)
	}
	s, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if c.fields["tls"] == "starttls" {
		if err := s.StartTLS(secured); err != nil {
			return err
		}
	}
	if user := c.fields["user"]; user != "" {
		_, offered := s.Extension("AUTH")
		if err := s.Auth(authBy(strings.Fields(offered), user, password, host)); err != nil {
			return &authError{err}
		}
	}
	if err := s.Mail(from.Address); err != nil {
		return err
	}
	for _, a := range to {
		if err := s.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := s.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = s.Quit() // the mail is taken
	return nil
}

// authBy picks what the server offers: PLAIN and LOGIN, which are kept to
// encrypted links, before CRAM-MD5.
func authBy(offered []string, user, password, host string) smtp.Auth {
	has := func(name string) bool {
		for _, o := range offered {
			if strings.EqualFold(o, name) {
				return true
			}
		}
		return false
	}
	plain := smtp.PlainAuth("", user, password, host)
	switch {
	case !has("PLAIN") && has("LOGIN"):
		return &loginAuth{Auth: plain, user: user, password: password}
	case !has("PLAIN") && has("CRAM-MD5"):
		return smtp.CRAMMD5Auth(user, password)
	}
	return plain
}

// loginAuth is LOGIN, which Exchange offers alone: the server asks for the user,
// then for the password.
type loginAuth struct {
	smtp.Auth // PLAIN, whose rules about unencrypted links are those of LOGIN
	user      string
	password  string
	asked     int
}

// Start implements [smtp.Auth].
func (a *loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	_, _, err := a.Auth.Start(server)
	return "LOGIN", nil, err
}

// Next implements [smtp.Auth].
func (a *loginAuth) Next(_ []byte, more bool) ([]byte, error) {
	a.asked++
	switch {
	case !more:
		return nil, nil
	case a.asked == 1:
		return []byte(a.user), nil
	case a.asked == 2:
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks for more than a user and a password")
}

// letter returns a mail as it goes over the wire.
func letter(from *mail.Address, to []*mail.Address, t Text, now time.Time) ([]byte, error) {
	var names []string
	for _, a := range to {
		names = append(names, a.String())
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n",
		from, strings.Join(names, ",\r\n "), mime.QEncoding.Encode("utf-8", strings.Join(strings.Fields(t.Title), " ")),
		now.Format(time.RFC1123Z), rand.Text(), domain)
	kind := textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}}
	if t.Image == nil {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", kind.Get("Content-Type"), kind.Get("Content-Transfer-Encoding"))
		err := quoted(&b, t.Body)
		return b.Bytes(), err
	}
	parts := multipart.NewWriter(&b)
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n", parts.Boundary())
	w, err := parts.CreatePart(kind)
	if err != nil {
		return nil, err
	}
	if err := quoted(w, t.Body); err != nil {
		return nil, err
	}
	w, err = parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"image/png"}, "Content-Transfer-Encoding": {"base64"},
		"Content-Disposition": {`attachment; filename="qr.png"`}})
	if err != nil {
		return nil, err
	}
	for line := []byte(base64.StdEncoding.EncodeToString(t.Image)); len(line) > 0; {
		n := min(len(line), 76)
		if _, err := fmt.Fprintf(w, "%s\r\n", line[:n]); err != nil {
			return nil, err
		}
		line = line[n:]
	}
	err = parts.Close()
	return b.Bytes(), err
}

// quoted writes a text as quoted-printable.
func quoted(w io.Writer, text string) error {
	q := quotedprintable.NewWriter(w)
	_, err := io.WriteString(q, text)
	return errors.Join(err, q.Close())
}

// authError is a refusal of the user or the password.
type authError struct{ err error }

func (e *authError) Error() string { return e.err.Error() }
func (e *authError) Unwrap() error { return e.err }

// broken reports whether the link is what failed.
func broken(err error) bool {
	var link net.Error
	return errors.As(err, &link) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// mailProblem says what kind of trouble there was.
func mailProblem(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return problem(ctx.Err())
	}
	var answer *textproto.Error
	var auth *authError
	said := errors.As(err, &answer)
	switch {
	case errors.As(err, &auth) && (said && answer.Code >= 500 || !said && !broken(err)):
		return &Error{Problem: ProblemToken, Detail: err.Error()}
	case said && answer.Code < 500:
		return &Error{Problem: ProblemBusy, Detail: err.Error()}
	case said:
		return &Error{Problem: ProblemRefused, Detail: err.Error()}
	default:
		return problem(network(err))
	}
}
