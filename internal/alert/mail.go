package alert

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
)

// mailChannel tells things by SMTP, over TLS whose certificate is verified.
type mailChannel struct{ fields map[string]string }

// Send implements [Channel].
func (c *mailChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	m := mail.NewMsg()
	if err := m.FromFormat("ncatd", c.fields["from"]); err != nil {
		return &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	if err := m.To(strings.Fields(strings.ReplaceAll(c.fields["to"], ",", " "))...); err != nil {
		return &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	m.Subject(t.Title)
	m.SetDate()
	m.SetMessageID()
	m.SetBodyString(mail.TypeTextPlain, t.Body)
	if t.Image != nil {
		if err := m.AttachReader("qr.png", bytes.NewReader(t.Image)); err != nil {
			return problem(err)
		}
	}
	client, password, err := c.client()
	if err != nil {
		return err
	}
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		e := mailProblem(ctx, err)
		if password != "" {
			e.Detail = strings.ReplaceAll(e.Detail, password, "***")
		}
		return e
	}
	return nil
}

func (c *mailChannel) client() (client *mail.Client, password string, err error) {
	port, err := strconv.Atoi(c.fields["port"])
	if err != nil {
		return nil, "", &Error{Problem: ProblemConfig, Detail: "the port is no number"}
	}
	opts := []mail.Option{mail.WithPort(port), mail.WithTimeout(sendTimeout)}
	switch c.fields["tls"] {
	case "starttls":
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		opts = append(opts, mail.WithSSL())
	default: // none: a server on this machine
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	}
	if user := c.fields["user"]; user != "" {
		if password, err = secret(c.fields["password"]); err != nil {
			return nil, "", err
		}
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	if client, err = mail.NewClient(c.fields["host"], opts...); err != nil {
		return nil, "", &Error{Problem: ProblemConfig, Detail: err.Error()}
	}
	return client, password, nil
}

// mailProblem says what kind of trouble there was.
func mailProblem(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return problem(ctx.Err())
	}
	var sent *mail.SendError
	var e *Error
	var dial *net.OpError
	network := network(err)
	switch {
	case errors.As(network, &e) && e.Problem == ProblemCertificate:
		return e
	case errors.As(err, &dial):
		return problem(network) // before its words: a port may be 5353
	case strings.Contains(err.Error(), "535"), strings.Contains(err.Error(), "AUTH failed"):
		return &Error{Problem: ProblemToken, Detail: err.Error()}
	case errors.As(err, &sent):
		if sent.IsTemp() {
			return &Error{Problem: ProblemBusy, Detail: err.Error()}
		}
		return &Error{Problem: ProblemRefused, Detail: err.Error()}
	default:
		return problem(network)
	}
}
