package onebot

import (
	"context"
	"encoding/json"
)

// Caller sends one action to a OneBot 11 implementation and waits for its
// answer. It is the one interface on which [Client], middleware, fakes and all
// transports rest.
//
// params is anything that encodes to a JSON object; nil sends no parameters.
// result is nil or a pointer into which the answer's data is decoded; data that
// is missing or null leaves it untouched.
//
// The error is an [*Error] if the action was refused, wraps [ErrNotSent] if the
// request certainly did not leave (safe to repeat) and wraps
// [ErrUnknownOutcome] if it may have been carried out although no answer came.
// When ctx ends first the error wraps both [context.Cause] of ctx and
// ErrUnknownOutcome (or ErrNotSent).
//
// A Caller is safe for concurrent use.
type Caller interface {
	Call(ctx context.Context, action string, params, result any) error
}

// Streamer is a [Caller] whose transport delivers the packets of a stream
// action (contract E.3) one by one. packet is called in order with the data of
// every packet but the last, whose data is decoded into result; an error it
// returns ends the call with that error. The raw data is valid only during the
// call of packet.
type Streamer interface {
	Caller
	Stream(ctx context.Context, action string, params any, packet func(data json.RawMessage) error, result any) error
}

// Client has one method for every action of NapCat. The zero Client is not
// usable; make one with [NewClient]. A Client is as safe for concurrent use as
// its Caller.
type Client struct {
	c Caller
}

// NewClient returns a Client that makes its calls through c.
func NewClient(c Caller) *Client { return &Client{c: c} }

// Caller returns the Caller under c, for raw calls.
func (c *Client) Caller() Caller { return c.c }
