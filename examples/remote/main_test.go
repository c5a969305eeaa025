package main

import (
	"errors"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

// TestRemote runs the bot over a real socket.
func TestRemote(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret"})
	s.Run(newBot())
	id := s.Group(100).From(1).Says("/在哪")
	if m := s.One(); m.Message.ReplyTo() != id || m.Text() != "10001 在 NapCat.Onebot 4.18.19" {
		t.Errorf("answered %v", m)
	}
	s.Drop() // as if NapCat had crashed; the bot comes back by itself
	s.Group(100).From(1).Says("/where")
	s.WantLike("在 NapCat.Onebot")
}

func TestWrongToken(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret"})
	if err := newBot().Dial(t.Context(), s.URL(), "guess"); !errors.Is(err, ncat.ErrBadToken) {
		t.Errorf("Dial: %v", err)
	}
}
