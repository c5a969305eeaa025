package webui

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPin(t *testing.T) {
	server := func() (string, []byte) {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"code":0,"data":{"isLogin":true,"Credential":"x"},"message":"success"}`))
		}))
		t.Cleanup(s.Close)
		return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	}
	url, file := server()
	c := New(url, "token", Options{SigningKey: "key"})
	defer c.Close()
	ask := func() error {
		_, err := c.CheckLoginStatus(t.Context())
		return err
	}
	if err := ask(); !errors.Is(err, ErrCertificate) {
		t.Errorf("without a pin: %v", err)
	}
	c.SetPin(Pin{1})
	if err := ask(); !errors.Is(err, ErrCertificate) {
		t.Errorf("with another pin: %v", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})
	pin, err := PinOf(append(key, file...))
	if err != nil {
		t.Fatal(err)
	}
	c.SetPin(pin)
	if err := ask(); err != nil {
		t.Errorf("with the pin: %v", err)
	}
	c.SetPin(Pin{2}) // a connection of before does not outlive the change
	if err := ask(); !errors.Is(err, ErrCertificate) {
		t.Errorf("with another pin again: %v", err)
	}
	text, err := pin.MarshalText()
	var again Pin
	if err != nil || again.UnmarshalText(text) != nil || again != pin || again.UnmarshalText(text[1:]) == nil {
		t.Errorf("%s: %v", text, again)
	}
	for _, bad := range [][]byte{nil, []byte("x"), key} {
		if _, err := PinOf(bad); err == nil {
			t.Errorf("%q has a certificate", bad)
		}
	}
}
