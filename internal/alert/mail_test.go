package alert

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailbox is a mail server that keeps what it gets.
type mailbox struct {
	mails    [][]byte
	to       []string
	password string
	login    bool // knows AUTH LOGIN alone
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m: m}, nil }

type mailSession struct {
	m    *mailbox
	open bool
}

func (s *mailSession) AuthMechanisms() []string {
	if s.m.login {
		return []string{sasl.Login}
	}
	return []string{sasl.Plain}
}

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	if mechanism == sasl.Login {
		return &loginServer{s: s}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "bot" || password != s.m.password {
			return smtp.ErrAuthFailed
		}
		s.open = true
		return nil
	}), nil
}

// loginServer is the server's side of AUTH LOGIN: two questions.
type loginServer struct {
	s    *mailSession
	said []string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		l.said = append(l.said, string(response))
	}
	switch len(l.said) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	if l.said[0] != "bot" || l.said[1] != l.s.m.password {
		return nil, true, smtp.ErrAuthFailed
	}
	l.s.open = true
	return nil, true, nil
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
	if strings.HasPrefix(to, "gone") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
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

// mailServer runs a mail server over TLS from the start, or by STARTTLS, or
// without both.
func mailServer(t *testing.T, m *mailbox, mode string) (port string) {
	t.Helper()
	s := smtp.NewServer(m)
	s.Domain, s.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	config := &tls.Config{Certificates: []tls.Certificate{testCert}}
	if s.TLSConfig = config; mode == "none" {
		s.TLSConfig, s.AllowInsecureAuth = nil, true
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	if mode == "tls" {
		l = tls.NewListener(l, config)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return port
}

func TestMail(t *testing.T) {
	t.Setenv("PW", "pass")
	for _, mode := range []string{"starttls", "tls", "none", "starttls with login"} {
		mode, way, _ := strings.Cut(mode, " ")
		m := &mailbox{password: "pass", login: way != ""}
		fields := map[string]string{"host": "127.0.0.1", "port": mailServer(t, m, mode), "tls": mode, "from": "bot@example.org", "to": "a@example.org, b@example.org", "user": "bot", "password": "env:PW"}
		if err := (&mailChannel{fields}).Send(t.Context(), Text{Title: "ncatd: 登录\nBcc: x@example.org", Body: odd, Image: png}); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		msg, err := mail.ReadMessage(bytes.NewReader(m.mails[0]))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		from, ferr := msg.Header.AddressList("From")
		date, derr := msg.Header.Date()
		if ferr != nil || derr != nil || time.Since(date).Abs() > time.Minute || from[0].Name != "ncatd" || from[0].Address != "bot@example.org" || !strings.HasSuffix(msg.Header.Get("Message-Id"), "@example.org>") {
			t.Errorf("%s: from %v %v, date %v %v, id %q", mode, from, ferr, date, derr, msg.Header.Get("Message-Id"))
		}
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
		picture, err := parts.NextPart()
		if err != nil {
			t.Fatalf("%s: no picture: %v", mode, err)
		}
		if got, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, picture)); err != nil || !bytes.Equal(got, png) || picture.FileName() != "qr.png" {
			t.Errorf("%s: picture of %d bytes named %q, %v", mode, len(got), picture.FileName(), err)
		}
		for line := range bytes.Lines(m.mails[0]) {
			if len(line) > 998 {
				t.Errorf("%s: a line of %d bytes", mode, len(line))
			}
		}
	}
}

func TestMailTrouble(t *testing.T) {
	t.Setenv("PW", "wrongpass")
	m := &mailbox{password: "pass"}
	port := mailServer(t, m, "starttls")
	bare := mailServer(t, m, "none")
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
		"no STARTTLS":                     {fields("port", bare, "password", "env:RIGHT"), ProblemRefused},
		"TLS with a server without":       {fields("port", bare, "tls", "tls"), ProblemRefused},
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

// A receiver that is gone does not keep a mail from the others. A test tells it.
func TestMailToOneWhoIsGone(t *testing.T) {
	t.Setenv("PW", "pass")
	m := &mailbox{password: "pass"}
	fields := map[string]string{"host": "127.0.0.1", "port": mailServer(t, m, "none"), "tls": "none", "from": "bot@example.org", "to": "gone@example.org, b@example.org", "user": "bot", "password": "env:PW"}
	c := &mailChannel{fields}
	if err := c.Send(t.Context(), Text{Title: "x", Body: "y"}); err != nil || len(m.mails) != 1 || len(m.to) != 1 {
		t.Errorf("%v: %d mails to %v", err, len(m.mails), m.to)
	}
	test := Text{Title: "x", Body: "y", Message: Message{Items: []Item{{Condition: Condition{Kind: KindTest}}}}}
	if err := c.Send(t.Context(), test); err == nil || !strings.Contains(err.Error(), "gone@example.org") || len(m.mails) != 2 {
		t.Errorf("a test: %v, %d mails", err, len(m.mails))
	}
	fields["to"] = "gone@example.org"
	if err := c.Send(t.Context(), Text{Title: "x", Body: "y"}); problem(err) == nil || problem(err).Problem != ProblemRefused {
		t.Errorf("nobody else: %v", err)
	}
}
