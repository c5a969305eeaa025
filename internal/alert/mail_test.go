package alert

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailbox is a mail server that keeps what it gets.
type mailbox struct {
	mails    [][]byte
	to       []string
	password string
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m: m}, nil }

type mailSession struct {
	m    *mailbox
	open bool
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "bot" || password != s.m.password {
			return smtp.ErrAuthFailed
		}
		s.open = true
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if !s.open {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "full") {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	}
	s.m.to = append(s.m.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.m.mails = append(s.m.mails, b)
	return err
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// mailServer runs a mail server over TLS from the start, or by STARTTLS.
func mailServer(t *testing.T, m *mailbox, direct bool) (port string) {
	t.Helper()
	s := smtp.NewServer(m)
	s.Domain, s.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{testCert}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	if direct {
		l = tls.NewListener(l, s.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return port
}

func TestMail(t *testing.T) {
	t.Setenv("PW", "pass")
	for mode, direct := range map[string]bool{"starttls": false, "tls": true} {
		m := &mailbox{password: "pass"}
		fields := map[string]string{"host": "127.0.0.1", "port": mailServer(t, m, direct), "tls": mode, "from": "bot@example.org", "to": "a@example.org, b@example.org", "user": "bot", "password": "env:PW"}
		if err := (&mailChannel{fields}).Send(t.Context(), Text{Title: "ncatd: 登录\nBcc: x@example.org", Body: odd, Image: png}); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		msg, err := mail.ReadMessage(bytes.NewReader(m.mails[0]))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		if err != nil || !strings.HasPrefix(subject, "ncatd: 登录") || msg.Header.Get("Bcc") != "" || len(m.to) != 2 {
			t.Errorf("%s: subject %q %v, Bcc %q, to %v", mode, subject, err, msg.Header.Get("Bcc"), m.to)
		}
		_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(msg.Body, params["boundary"])
		text, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(text)
		if got := strings.ReplaceAll(string(b), "\r\n", "\n"); !strings.Contains(got, odd) {
			t.Errorf("%s: body %q", mode, got)
		}
		if _, err := parts.NextPart(); err != nil {
			t.Errorf("%s: no picture: %v", mode, err)
		}
	}
}

func TestMailTrouble(t *testing.T) {
	t.Setenv("PW", "wrongpass")
	m := &mailbox{password: "pass"}
	port := mailServer(t, m, false)
	fields := func(change ...string) map[string]string {
		f := map[string]string{"host": "127.0.0.1", "port": port, "tls": "starttls", "from": "bot@example.org", "to": "a@example.org", "user": "bot", "password": "env:PW"}
		for i := 0; i+1 < len(change); i += 2 {
			f[change[i]] = change[i+1]
		}
		return f
	}
	t.Setenv("RIGHT", "pass")
	for name, c := range map[string]struct {
		fields map[string]string
		want   Problem
	}{
		"wrong password":                  {fields(), ProblemToken},
		"certificate of another name":     {fields("host", "localhost", "password", "env:RIGHT"), ProblemCertificate},
		"nobody there":                    {fields("port", "1"), ProblemUnreachable},
		"nobody at a port like an answer": {fields("port", "5350"), ProblemUnreachable},
		"mailbox full":                    {fields("password", "env:RIGHT", "to", "full@example.org"), ProblemBusy},
		"no password":                     {fields("password", "env:NONE"), ProblemConfig},
		"an address that is no address":   {fields("to", "nobody at all"), ProblemConfig},
	} {
		err := (&mailChannel{c.fields}).Send(t.Context(), Text{Title: "x", Body: "y"})
		var e *Error
		if !errors.As(err, &e) || e.Problem != c.want || strings.Contains(err.Error(), "wrongpass") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if len(m.mails) != 0 {
		t.Errorf("%d mails came in", len(m.mails))
	}
}
